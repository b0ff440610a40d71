"""The measured run that is nearest to an estimate, so that a reader sees what the figure rests on.

``measurements/nearby.csv`` (written by ``scripts/nearby.py``) lists the measured rates of language
models with what a run is compared by.  It is read when it is first asked for.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from math import inf, log
from typing import TYPE_CHECKING, NamedTuple

from costcalc.catalog.files import data_root

if TYPE_CHECKING:
    from costcalc.calculator.result import Estimate

#: how far a run may be off and still be near, as factors either way
PARAMETERS, DEVICES, LENGTH, AT_ONCE = 1.5, 4.0, 4.0, 4.0
_NUMBERS = ("devices", "parameters", "sequence_length", "micro_batch", "rate")


class Nearby(NamedTuple):
    """A measured run: tokens a second and device, and what it ran; ``micro_batch`` 0: not told."""

    id: str
    model: str
    accelerator: str
    devices: float
    parameters: float
    sequence_length: float
    micro_batch: float
    method: str
    precision: str
    rate: float
    source: str

    def words(self, speed: float) -> str:
        """One line: what ran, how fast against ``speed`` (1: as fast as the estimate), and where.

        >>> run = Nearby("a", "Llama 3 8B", "h100", 8.0, 8e9, 8192.0, 2.0, "full", "bf16", 9e3, "b")
        >>> run.words(1.1)
        '8 × h100, Llama 3 8B, 2 × 8,192 tokens: 1.1 × of this (b)'
        """
        what = f"{self.devices:,.0f} × {self.accelerator}, {self.model}"
        at_once = f"{self.micro_batch:g} × " if self.micro_batch else ""
        tokens = f"{at_once}{self.sequence_length:,.0f} tokens"
        return f"{what}, {tokens}: {speed:.2g} × of this ({self.source})"


def kind(training: Mapping[str, object]) -> str:
    """What of the weights is trained: runs of another kind are not near.

    >>> kind({"method": "lora", "base_precision": "nf4"}), kind({"method": "finetune"}), kind({})
    ('lora nf4', 'full', 'full')
    """
    method = training.get("method") or "pretrain"
    if method not in ("pretrain", "finetune"):
        base = training.get("base_precision")
        return f"{method} {base}" if base in ("nf4", "int8") else str(method)
    return "full"


@cache
def measured() -> Mapping[tuple[str, str, str], tuple[Nearby, ...]]:
    """The measured runs by accelerator, precision and kind."""
    found: dict[tuple[str, str, str], list[Nearby]] = {}
    path = data_root() / "measurements" / "nearby.csv"
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            words = {name: row[name] for name in Nearby._fields if name not in _NUMBERS}
            numbers = {name: float(row[name]) for name in _NUMBERS}
            run = Nearby(**words, **numbers)  # type: ignore[arg-type]  # by their names
            found.setdefault((run.accelerator, run.precision, run.method), []).append(run)
    return {key: tuple(runs) for key, runs in found.items()}


def distance(
    run: Nearby, parameters: float, devices: float, length: float, micro_batch: float | None = None
) -> float:
    """How far a run is from what is asked for: 0 the same, infinite where it is not near.

    ``micro_batch``: where it is asked for, a device has as many tokens at once as well.
    """
    pairs = [
        (run.parameters / parameters, PARAMETERS),
        (run.devices / devices, DEVICES),
        (run.sequence_length / length, LENGTH),
    ]
    if micro_batch:
        at_once = run.micro_batch * run.sequence_length / (micro_batch * length)
        pairs.append((at_once or AT_ONCE, AT_ONCE))  # not told: as far as is near
    parts = [abs(log(ratio)) / log(most) for ratio, most in pairs]
    return sum(parts) if max(parts) <= 1.0 + 1e-9 else inf


def nearest(estimate: Estimate) -> tuple[Nearby, float] | None:
    """The nearest measured run, and its speed over the estimate's, each by FLOP; None: none is.

    Speeds are compared as tokens a second, device and parameter, so that models that differ a
    little in size can be.
    """
    training = estimate.run.get("training")
    hardware = estimate.details.get("hardware")
    rate, parameters = (estimate.results[name] for name in ("throughput", "active_parameters"))
    if not (isinstance(training, Mapping) and hardware and rate.unit == "token/s"):
        return None
    length = training.get("sequence_length")
    if not (rate.value and parameters.value and isinstance(length, (int, float))):
        return None
    key = (str(hardware.get("id")), str(estimate.details.get("precision")), kind(training))
    micro = training.get("micro_batch")
    asked = (
        parameters.value,
        float(hardware.get("count") or 1),
        float(length),
        float(micro) if isinstance(micro, (int, float)) else None,
    )
    near = [(distance(run, *asked), run) for run in measured().get(key, ())]
    # Of layouts and batches that were tried side by side, as near as each other, the fastest: what
    # is estimated is laid out as well as can be.
    far, run = min(near, key=lambda found: (found[0], -found[1].rate), default=(inf, None))
    if run is None or far == inf:
        return None
    own = rate.value / asked[1] * asked[0]
    return run, run.rate * run.parameters / own
