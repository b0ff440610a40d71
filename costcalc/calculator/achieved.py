"""What a measured wall clock comes to: MFU, throughput and time of a step over the whole of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from costcalc.base import batch
from costcalc.base.units import from_si
from costcalc.base.vocabulary import REINFORCED
from costcalc.calculator.result import Result, unknown
from costcalc.resolve.hardware import precision_of

if TYPE_CHECKING:
    from costcalc.calculator.calculated import Calculated

WHOLE = "over the whole wall clock, lost time too"
NOTHING = "no model and size of the data given"


def clock_of(part: Calculated) -> float | None:
    """Seconds of one run, where they were measured."""
    clock = part.known.get("wall_clock")
    return clock.value if clock is not None and clock.basis == "measured" else None


def peak_of(part: Calculated) -> tuple[float | None, str]:
    """The dense peak of a device (FLOP/s) in the run's precision, and the precision."""
    precision, _ = precision_of(part.given, part.devices.accelerator)
    return part.devices.machine.peak.get(precision), precision


def utilization(part: Calculated) -> Result:
    """The share of the peak that the whole of a measured wall clock comes to: MFU × goodput."""
    work, clock = part.trained.work, clock_of(part)
    counted = part.values.get("model_flops")
    if work is None or clock is None or counted is None:
        return unknown("1", NOTHING)
    if work.method in REINFORCED:
        return unknown("1", "the time that went into generating was not measured apart")
    peak, precision = peak_of(part)
    if peak is None:
        return unknown("1", f"{part.devices.accelerator.id} has no known peak in {precision}")
    value = float(counted) / (clock * part.devices.count * peak)
    said = f"{WHOLE}, of {peak / 1e12:.4g} TFLOP/s ({precision})"
    return replace(Result.exact(value, "1", "measured"), convention=said)


def rates(part: Calculated) -> tuple[Result, Result]:
    """Throughput and time of a step over the whole of a measured wall clock."""
    work, clock = part.trained.work, clock_of(part)
    shown = f"{work.datum}/s" if work else "token/s"
    if work is None or clock is None:
        return unknown(shown, NOTHING), unknown("s", NOTHING)
    if not work.data:
        why = "the budget is given in FLOP: how many data it trains on is not known"
        return unknown(shown, why), unknown("s", why)
    rate = replace(Result.exact(work.data / clock, shown, "measured"), convention=WHOLE)
    steps = _steps(part)
    if steps is None:
        return rate, unknown("s", "needs training.steps or training.global_batch")
    return rate, replace(Result.exact(clock / steps, "s", "measured"), convention=WHOLE)


def _steps(part: Calculated) -> float | None:
    training, work = part.given.part.training, part.trained.work
    if training is None or work is None or not work.data:
        return None
    if training.steps:
        return float(training.steps)
    if not training.global_batch:
        return None
    return work.data / batch.data(training.global_batch, work.datum, work.sequence_length or 1)


def bounds(part: Calculated) -> dict[str, float]:
    """What a measured mean power of a device (W) lies between, as far as the profile says it."""
    if "energy_it" not in part.measured and "energy" not in part.measured:
        return {}
    known = part.known
    board = part.devices.accelerator.board_power
    own = known.get("board_power")
    rated = max((one for one in (board.si if board else None, own and own.value) if one), default=0)
    made: dict[str, float] = {}
    if rated:
        made["rated_power"] = rated
    if "idle_power" in known:
        made["idle_power"] = known["idle_power"].low
    if "host_power" in known and rated:
        network = known["network_share"].high if "network_share" in known else 0.0
        most = known["host_power"].high * (1 + network) + rated * network
        made["host_power"] = from_si(most, "W")
    return made


def account(part: Calculated) -> dict[str, float]:
    """What the utilization of a measured wall clock was reckoned with: peak and devices."""
    found, peak = utilization(part), peak_of(part)[0]
    if "utilization" in part.values or found.value is None or peak is None:
        return {}
    return {"peak": peak, "devices": float(part.devices.count)}
