"""What the energy of a job holds and what it does not, so that no part passes for the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from costcalc.base.human import human
from costcalc.base.units import unit
from costcalc.report.metered import mostly_measured, not_counted
from costcalc.tracking.energy_parts import EnergyPart
from costcalc.tracking.merge import Totals

_KWH = unit("kWh").factor
_DRIVERS = ("NVML", "AMD SMI")
_HOST = {"cpu": "processors", "memory": "memory"}


def coverage(totals: Totals, parts: Sequence[EnergyPart], *, whole: bool) -> dict[str, object]:
    """Of a report's measurement: what no meter saw and why, what is not counted, what others took.

    ``whole`` says that a profile stands in for all that no meter saw.
    """
    found: dict[str, object] = {}
    if silent := _unmetered(totals, parts):
        found["unmetered"] = silent
    if not whole and parts:
        found["not_counted"] = not_counted(
            [part.to_dict() for part in parts],
            devices=bool(totals.devices or totals.attempts[-1].unanswered),
        )
    if others := totals.others:
        found["others"] = [
            {"component": name, "energy": joules / _KWH, "unit": "kWh"}
            for name, joules in others.items()
        ]
    return found


def shared(totals: Totals) -> str:
    """The share that neighbours took, in words; empty where they took none."""
    took = [
        f"{human(joules / _KWH, 'kWh')} of its {_plural(name)}"
        for name, joules in totals.others.items()
    ]
    return f"other jobs took {' and '.join(took)}, which is not counted" if took else ""


def _plural(component: str) -> str:
    return "devices" if component == "device" else _HOST[component]


def _unmetered(totals: Totals, parts: Sequence[EnergyPart]) -> list[dict[str, str]]:
    """What has no meter, why not, and what would be read if it had."""
    last = totals.attempts[-1]
    why = {name: f"{name} does not answer" for name in last.unanswered} | dict(last.unmetered)
    metered = {part.component for part in parts if part.basis == "measured" and part.counted}
    if not totals.devices and "device" in metered:
        metered.add("cpu")  # the devices are the processors
    found = []
    drivers = [why[name] for name in _DRIVERS if name in why]
    if not totals.devices and "device" not in metered and drivers:
        would = "NVML or AMD SMI, where one answers"
        found.append({"what": "accelerators", "why": "; ".join(drivers), "would": would})
    silent = [word for name, word in _HOST.items() if name not in metered]
    if silent and "RAPL" in why:
        would = "RAPL, where /sys/class/powercap can be read"
        found.append({"what": " and ".join(silent), "why": why["RAPL"], "would": would})
    return found


def lines(measurement: Mapping[str, object]) -> list[str]:
    """What the end of a job says of what no meter saw."""
    silent, parts = measurement.get("unmetered"), measurement.get("components")
    modelled = isinstance(parts, list) and parts and not mostly_measured(parts)
    return [
        *(["most of the energy is from models, not from meters"] if modelled else []),
        *_not_metered(silent if isinstance(silent, list) else []),
    ]


def _not_metered(silent: Sequence[Mapping[str, str]]) -> list[str]:
    return [f"not metered: {each['what']} ({each['why']}); by {each['would']}" for each in silent]


def lacks(measurement: Mapping[str, object]) -> list[str]:
    """What the energy does not hold."""
    found = measurement.get("not_counted")
    return [str(each) for each in found] if isinstance(found, list) else []
