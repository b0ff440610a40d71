"""The share of the allocated time that trains: by how many devices, how long, and what is known.

Each published run is shorter or longer than its modelled step says: restarts, evaluations,
checkpoints, and settings slower than tuned ones.  The few small ones lost almost nothing; those on
some hundred devices lost most, those on a thousand and more, which are tuned with more care, less
(``goodput`` of data/throughput.yaml).  And the more of the peak a step is predicted to reach, the
more of it is lost: few reach what tuned benchmarks do.
"""

from __future__ import annotations

import math

from costcalc.base.assumption import Assumption
from costcalc.resolve.known import stated
from costcalc.runfile.loading import Input
from costcalc.runfile.schema import Hardware
from costcalc.throughput.constants import Goodput, load

Range = tuple[float, float, float]

# Large jobs whose speed while they train is measured.
EFFECTIVE: Range = (0.9, 0.75, 0.99)
EFFECTIVE_SOURCE = (
    "Grattafiori et al. 2024 (Llama 3, arXiv 2407.21783), section 3.3.4: over 90 % effective time"
)

# Jobs of a node, of the share of hours that the modelled step takes: nanoGPT's GPT-2 0.95, nanochat
# 0.98, the baseline of modded-nanogpt 1.01 (8 devices each; measurements/published_runs.csv).  What
# is short of 1 is evaluation and checkpoints.  From 8 devices to 128 the share falls to that of
# middling jobs, from there to 1,024 it rises to that of the largest, by the doubling.
SMALL: Range = (0.97, 0.8, 1.0)
SMALL_SOURCE = "Published runs on 8 devices (measurements/published_runs.csv)"
FEW, MANY, MOST = 8, 128, 1024
SEEN = (0.1, 0.6)  # what their steps are predicted to reach; beyond it nothing is known
PROMISED = 0.45  # the utilization at which ``promise`` changes nothing: about these runs' median

# Beyond what is in the share of large jobs: Llama 3's 419 unexpected interruptions in 54 days on
# 16,384 devices (section 3.3.4), one in 50,000 device-hours, each a quarter of an hour for all of
# them: its 90 % of 16,384 devices against 97 % of few.
INTERRUPTED = 419 / (54 * 24 * 16_384)
EACH = 0.25

# Starting: processes, compiling, reading weights; once a run.  A judgement: MLPerf's runs of two
# minutes on 512 devices draw as if they waited a third of them.
STARTING: Range = (120.0, 20.0, 600.0)


def large_share(devices: float) -> float:
    """How far a job is from the small ones to the large ones: 0 up to 8 devices, 1 from 128 on.

    >>> large_share(8), large_share(32), large_share(4096)
    (0.0, 0.5, 1.0)
    """
    doublings = math.log2(max(devices, FEW) / FEW) / math.log2(MANY / FEW)
    return min(doublings, 1.0)


def largest_share(devices: float) -> float:
    """How far a job is from the middling ones to the largest: 0 up to 128, 1 from 1,024 on.

    >>> largest_share(128), largest_share(256) == 1 / 3, largest_share(4096)
    (0.0, True, 1.0)
    """
    doublings = math.log2(max(devices, MANY) / MANY) / math.log2(MOST / MANY)
    return min(doublings, 1.0)


def started(seconds: float | None) -> Range:
    """The share of a run of so many training seconds that is not its start: value, low, high.

    >>> [round(share, 3) for share in started(49 * 60)]
    [0.961, 0.831, 0.993]
    """
    if seconds is None:
        return 1.0, 1.0, 1.0
    usual, quick, slow = STARTING
    value, low, high = (seconds / (seconds + start) for start in (usual, slow, quick))
    return value, low, high


def interrupted(devices: float) -> float:
    """The share of the time that interruptions take of a job on more devices than usual.

    >>> interrupted(1024), round(interrupted(16_384), 3)
    (0.0, 0.076)
    """
    return min(max(devices - 1024.0, 0.0) * INTERRUPTED * EACH, 0.5)


def speed_is_given(given: Input) -> bool:
    """Whether the run file says how fast it trains."""
    asked = given.part.hardware or Hardware()
    said = (asked.utilization, asked.throughput, asked.calibrate)
    return any(item is not None for item in said)


def speed_is_measured(given: Input) -> bool:
    """Whether the run file says how fast it trains, or how long it took."""
    measured = given.part.measured
    took = (measured.wall_clock, measured.device_hours) if measured else ()
    return speed_is_given(given) or any(item is not None for item in took)


def goodput(
    given: Input, devices: float, seconds: float | None, predicted: float | None = None
) -> Assumption:
    """The share of the allocated time that trains.

    ``seconds`` is what one run trains, ``predicted`` the utilization that the model of its step
    promises; None where nobody knows.
    """
    own = stated(given, "hardware.goodput", "1")
    if own is not None:
        return own
    large, source, why = _large(given, devices, predicted)
    share, start = large_share(devices), started(seconds)
    # what is taken beside a measured speed is of 16,384 devices, with their interruptions
    kept = 1.0 if speed_is_measured(given) else 1.0 - interrupted(devices)
    value, low, high = (
        few ** (1 - share) * many**share * begun * kept
        for few, many, begun in zip(SMALL, large, start, strict=True)
    )
    said = [f"of {devices:,.6g} devices: {why}" if share > 0 else _FEW]
    if start[0] < 0.995:
        said.append(f"starting takes {100 * (1 - start[0]):.2g} % of a run this short")
    if kept < 0.995:
        said.append(f"interruptions take {100 * (1 - kept):.2g} % more on so many")
    return Assumption(
        key="hardware.goodput",
        value=value,
        low=low,
        high=high,
        unit="1",
        basis="default",
        source=SMALL_SOURCE if share == 0 else source,
        why="; ".join(said),
    )


_FEW = "evaluation and checkpoints: published runs on few devices lost almost nothing"


def _large(given: Input, devices: float, predicted: float | None) -> tuple[Range, str, str]:
    """The share of a job of more than a node, its source and what it stands for."""
    if speed_is_measured(given):
        return EFFECTIVE, EFFECTIVE_SOURCE, "restarts, checkpoints and waiting; speed is measured"
    constants = load()
    found = constants["goodput"]
    source = constants["sources"][found["source"]]["title"]
    value = promised(found, largest_share(devices), predicted)
    low, high = (min(value * found[end] / found["value"], 1.0) for end in ("low", "high"))
    return (min(value, _BEST), low, high), source, found["why"]


_BEST = 0.98  # some is lost always


def promised(found: Goodput, largest: float, predicted: float | None) -> float:
    """The share of middling and largest jobs by what their step is predicted to reach.

    middle^(1 − largest) · value^largest · (predicted / 0.45)^−promise

    >>> runs = {"middle": 0.5, "value": 0.8, "promise": 1.0}
    >>> round(promised(runs, 1.0, 0.50), 3), round(promised(runs, 0.0, None), 3)
    (0.72, 0.5)
    """
    tuned: float = found["middle"] ** (1 - largest) * found["value"] ** largest
    reach = min(max(predicted or PROMISED, SEEN[0]), SEEN[1])
    return tuned * float((reach / PROMISED) ** -found["promise"])
