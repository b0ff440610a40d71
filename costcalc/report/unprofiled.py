"""A report of hardware without a profile, of what meters say: as a tracker or an import writes it.

A tracked one is made again here, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from costcalc.base.errors import wrong
from costcalc.base.units import unit
from costcalc.calculator.unprofiled import DARK, Metered, unprofiled
from costcalc.report.meters import components, number, section
from costcalc.resolve.measured import JobRun
from costcalc.resolve.names import look_up
from costcalc.runfile.loading import load
from costcalc.runfile.rules import Lacking

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report
    from costcalc.calculator.result import Estimate

# What nothing but a profile of the hardware can say.
_OF_A_PROFILE = ("utilization", "memory_per_device", "cost", "carbon_embodied", "carbon_total")
# What a run file plans on other hardware, and where it lies, is no part of the figures.
_BESIDE = ("hardware", "profiles", "defaults", "limits")
#: what is said of the hardware of a run that held none
NO_ACCELERATOR = "processors alone"
_WITHOUT = {"hardware": "without an accelerator: price and making of its processors are not known"}
_MODELLESS = dict.fromkeys(("work", "utilization"), "no model given")
_UNCOUNTED = {
    "device_hours": "how many devices is not recorded; --set hardware.count=N says it",
    "hardware": "on how many devices is not recorded (--set hardware.count=N says it), so that "
    "price and making are not known",
}


def is_unprofiled(report: Report) -> bool:
    """Whether it was written without a profile: the meters and the clock are all."""
    if "imported" in (report.get("details") or {}):
        return bool(report["run"]) and "hardware" not in report["run"]
    unknown = all(section(report, "results", key).get("value") is None for key in _OF_A_PROFILE)
    described = any("accelerators/" in name for name in report["data"])
    return "tracking" in (report.get("details") or {}) and unknown and not described


def again(report: Report) -> Report:
    """The estimate of such a report; what its meters, clocks and counters saw is taken from it.

    Raises:
        InputError: no run file, or no time.
    """
    tool = section(report, "details", "imported").get("name")
    if tool is not None:
        none = section(report, "details", "hardware").get("count") == 0
        return cast("Report", of_a_tool(report["run"], str(tool), none=none).to_dict(identify=True))
    written = report["run"]
    asked = {key: value for key, value in written.items() if key not in _BESIDE}
    run = load(asked, look_up, may_lack=frozenset(Lacking)).run
    if run.measured is None or run.measured.wall_clock is None:
        raise wrong("run.measured.wall_clock", "expected how long it took; got nothing")
    made = unprofiled(JobRun(run=run, written=written), _seen(report, run.measured.wall_clock))
    return cast("Report", made.to_dict(identify=True))


def of_a_tool(written: Mapping[str, object], tool: str, *, none: bool) -> Estimate:
    """The estimate of a run that a tool recorded without devices: energy and its place.

    ``none``: it held no accelerator; else how many is not known.

    Raises:
        InputError: a key that cannot be read.
    """
    asked = {key: value for key, value in written.items() if key not in _BESIDE}
    run = load(asked, look_up, may_lack=frozenset(Lacking)).run
    said = run.measured
    runs = (run.training.runs if run.training else None) or 1.0  # the energy is of one
    ends = (said.energy_it, said.energy_it_low, said.energy_it_high) if said else (None,) * 3
    energy, low, high = (None if end is None else end * runs for end in ends)
    return unprofiled(
        JobRun(run=run, written=asked),
        Metered(
            seconds=said.wall_clock if said else None,
            device_seconds=0.0 if none else None,
            energy=None if energy is None else (energy, low or energy, high or energy),
            by_meters=True,
            dark=f"{tool} recorded no energy",
            hardware={"name": NO_ACCELERATOR, "count": 0, "unit": "device"} if none else {},
            source=tool,
            runs=runs,
            why=(_WITHOUT if none else _UNCOUNTED) | ({} if run.model else _MODELLESS),
        ),
    )


def _seen(report: Report, seconds: float) -> Metered:
    hours = number(section(report, "results", "device_hours").get("value"))
    work = section(report, "details", "work")
    speed = section(report, "results", "throughput")
    energy = _energy(report)
    why = str(section(report, "results", "energy_it").get("why"))
    dark = next((reason for reason in DARK if reason in why), DARK[0])
    return Metered(
        seconds=seconds,
        device_seconds=None if hours is None else hours * unit("device_hour").factor,
        energy=energy,
        by_meters=all(part.get("basis") == "measured" for part in components(report)),
        dark=dark,
        amount=number(work.get("data")),
        datum=str(work.get("datum") or speed.get("unit") or "token").partition("/")[0],
        rate=_measured(report, "throughput"),
        step_time=_measured(report, "step_time"),
        hardware=section(report, "details", "hardware"),
    )


def _measured(report: Report, name: str) -> float | None:
    figure = section(report, "results", name)
    return number(figure.get("value")) if figure.get("basis") == "measured" else None


def _energy(report: Report) -> tuple[float, float, float] | None:
    """Joules of what counts, with their ends; None where the devices stayed dark."""
    counted = [part for part in components(report) if part.get("counted", True)]
    if not counted or section(report, "results", "energy_it").get("value") is None:
        return None
    whole = [sum(_end(part, end) for part in counted) for end in ("energy", "low", "high")]
    energy, low, high = (kwh * unit("kWh").factor for kwh in whole)
    return energy, low, high


def _end(part: Mapping[str, object], end: str) -> float:
    return number(part.get(end, part.get("energy"))) or 0.0
