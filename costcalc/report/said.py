"""Who says a figure of a report: a meter or a tool that measured it, its author, or a model.

Each figure by itself: dollars are not measured because the hours were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from costcalc.base.human import digits, human, percent
from costcalc.report.coverage import alone, mixed
from costcalc.report.meters import components
from costcalc.report.records import figures

if TYPE_CHECKING:
    from costcalc.report.view import Shown, View

AUTHOR = "the author"
_BY_AUTHOR = "the user, as the run file says"  # in the runs of a report
_TRACKER = "costcalc track"
_BEHIND = ("carbon_operational", "carbon_total", "water")  # what follows from an energy
_OF_ENERGY = ("energy", "energy_it", *_BEHIND)
_ANOTHER = 1.5


def measurers(view: View) -> list[str]:
    """Who measured something of a report, each once, tools with their version."""
    versions = {name: f"{name} {version}" for name, version in _tools(view) if version}
    found: dict[str, None] = {}
    for run in view.report.get("runs") or ():
        by = str(run.get("measured_by") or "")
        if by:
            name = AUTHOR if by == _BY_AUTHOR else _TRACKER if by.startswith(_TRACKER) else by
            found[versions.get(name, name)] = None
    return list(found)


def tool(view: View) -> str:
    """The tool, with its version, whose record all of a report is; empty of any other."""
    named = dict.fromkeys(f"{name} {version or ''}".strip() for name, version in _tools(view))
    whole = not view.report["run"] and "parts" not in (view.report.get("details") or {})
    return "; ".join(named) if whole else ""


def _tools(view: View) -> list[tuple[str, str | None]]:
    """Tools whose records were read, by what each part of the report says of it."""
    found = []
    for part in view.parts:
        imported: object = (part.get("details") or {}).get("imported")
        if isinstance(imported, Mapping) and imported.get("name"):
            version = imported.get("version")
            found.append((str(imported["name"]), str(version) if version else None))
    return found


def by(view: View, figure: Shown, key: str) -> str:
    """Who says a figure, in a few words; empty where it is not known."""
    if figure.value is None:
        return ""
    of = alone(view.parts) if key in _OF_ENERGY else ""
    of = f"electricity of {of}" if of and key in _BEHIND else of
    of = f"in part {of}" if of and mixed(view.parts) else of
    least = unsampled(view, key)
    return "; ".join(filter(None, (_by(view, figure, key), least, of)))


def _by(view: View, figure: Shown, key: str) -> str:
    if figure.basis == "measured":
        return f"{_measured(view, key)}{', before PUE' * (key == 'energy_it')}"
    if figure.basis == "given":
        return f"given by {AUTHOR}"
    return _followed(view, key) or _in_part(view, key) or "modelled"


def _followed(view: View, key: str) -> str:
    """What a figure follows from, where it is worth saying."""
    before = view.figures["energy_it"]
    if key == "energy" and before.basis == "measured" and before.value is not None:
        return _energy(view)
    grid = view.shared("site.grid")
    if key == "carbon_operational" and tool(view):
        said = f"at the grid factor of {tool(view)}{f', {grid.text}' if grid else ''}"
        return "; ".join(filter(None, (said, other_grid(view))))
    if key == "carbon_operational" and grid:
        return f"modelled: the energy at {grid.text}"
    if key == "cost" and view.prices:
        return f"from prices: {view.prices}"
    return ""


def priced(details: Mapping[str, object]) -> str:
    """What a cost is reckoned with: hours, devices and price where more is billed."""
    listed = details.get("steps")
    pairs = [
        pair
        for pair in (listed if isinstance(listed, list) else ())  # of a stranger's report
        if isinstance(pair, (list, tuple)) and len(pair) == 2
    ]
    billed = next((str(words) for name, words in pairs if name == "cost"), "")
    return billed or str(details.get("price") or "").partition(";")[0]


def unsampled(view: View, key: str) -> str:
    """That a figure is a lower bound, and of how much of the time no sample is; else empty."""
    if figures(view.report)[key].get("bound") != "lower":
        return ""
    seen = view.report.get("measurement")
    gaps, log = (seen.get("gaps"), seen.get("unsampled")) if seen else (None, None)
    if gaps and "imported" in view.details:
        return f"a lower bound: {percent(gaps)} of the time was not sampled"
    if log and log["device_hours"]:
        lost, whole = (digits(log[name]) for name in ("device_hours", "of"))
        return f"a lower bound: {lost} of the {whole} device-hours of logs were not sampled"
    return "a lower bound"


def other_grid(view: View) -> str:
    """That a tool's grid factor is none of the place that it names; empty where it may be.

    Of one country sources differ by less than :data:`_ANOTHER` beyond its range.
    """
    from costcalc.base.errors import CostcalcError
    from costcalc.catalog import region

    grid = view.shared("site.grid")
    if not tool(view) or grid is None or grid.number is None:
        return ""
    try:
        found = region.find(view.place.rpartition(", ")[2])
    except CostcalcError:
        return ""
    known = found.grid
    if known is None or known.low / _ANOTHER <= grid.number <= known.high * _ANOTHER:
        return ""
    return f"costcalc has {human(known.value, known.unit)} for {found.label}"


def _in_part(view: View, key: str) -> str:
    before = "energy_it" if key == "energy" else key
    parts = [figures(stage).get(before) for stage in view.measured_parts]
    if any(part and part["basis"] == "measured" for part in parts):
        return f"partly {_measured(view, key)}"
    return ""


def _measured(view: View, key: str) -> str:
    who = measurers(view)
    if who == [_TRACKER] and key in ("energy", "energy_it"):
        measurement = view.report.get("measurement")
        meters = measurement["meters"] if measurement else []
        names = dict.fromkeys(str(meter["name"]) for meter in meters if meter.get("name"))
        return f"measured by {_TRACKER}: {', '.join(names)}" if names else f"measured by {_TRACKER}"
    if who == [AUTHOR]:
        return f"measured, as {AUTHOR} says"
    return f"measured by {', '.join(who)}" if who else "measured"


def _energy(view: View) -> str:
    """Behind PUE: measured before it, all of it or of the most."""
    before, who = view.figures["energy_it"], _measured(view, "energy_it")
    part = metered(view)
    whole = human(before.value, "kWh")
    said = f"{whole} {who}" if part is None else f"{whole}, {human(part, 'kWh')} of it {who}"
    pue = view.shared("site.pue")
    if tool(view):
        return f"{who}, with its PUE of {pue.text}" if pue else f"{who}, with its PUE"
    return f"{said}, times a PUE of {pue.text}, {pue.basis}" if pue else f"{said}, times PUE"


def metered(view: View) -> float | None:
    """What meters saw of an energy (kWh) whose rest is modelled; None where there is no rest."""
    counted = [one for one in components(view.report) if one.get("counted", True)]
    energies = [(one.get("energy"), one.get("basis") == "measured") for one in counted]
    known = [(float(e), seen) for e, seen in energies if isinstance(e, (int, float))]
    if all(seen for _, seen in known):
        return None
    return sum(energy for energy, seen in known if seen)
