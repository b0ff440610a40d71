"""A period's report as a table, CSV, JSON, HTML or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from costcalc.base.errors import MissingExtraError, nearest, wrong
from costcalc.base.human import digits, number_of, percent
from costcalc.base.writing import to_json
from costcalc.fleet import budgeted
from costcalc.fleet.beside import by_hours, grids, idles, named, shown, tables
from costcalc.fleet.budgeted import figure_of
from costcalc.fleet.charging import LAID_ON, Charge
from costcalc.fleet.idle import Idle
from costcalc.fleet.month import Month
from costcalc.fleet.sums import Figure, Group, Key
from costcalc.fleet.tables import BY_HOURS, FIGURES

SCHEMA = "costcalc/fleet/v1"
FORMATS = ("table", "csv", "json", "html", "parquet")
UNITS = {
    "energy_it": "kWh", "energy": "kWh", "carbon_operational": "kgCO2e",
    "carbon_embodied": "kgCO2e", "carbon_total": "kgCO2e", "water": "L",
}  # fmt: skip
_WASTE = {
    "failed": "failed", "timeout": "time limit", "cancelled": "cancelled", "requeued": "requeued",
    "node_fail": "node failed",
}  # fmt: skip


def check_format(name: str) -> str:
    """The format of that name.

    Raises:
        InputError: there is none.
    """
    if name not in FORMATS:
        near = nearest(name, FORMATS, at_most=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise wrong("--format", f'expected one of {", ".join(FORMATS)}; got "{name[:40]}"{hint}')
    return name


# --- plain data ----------------------------------------------------------------------------------


def plain(month: Month) -> dict[str, object]:
    """The report as JSON has it."""
    borne = {one.key: one for one in month.charges.groups}
    return {
        "schema": SCHEMA,
        "cluster": month.name,
        "period": month.over.name,
        "months": list(month.over.months),
        "currency": month.currency,
        "until": month.until,
        "last_job_ended": month.last,
        "data_reach": month.reaching or None,
        "jobs_begun_before": month.crossed.jobs,
        "device_hours_before": month.crossed.before["device_hours"],
        "jobs_ended_after": month.after[0],
        "device_hours_of_later_jobs": month.after[1],
        "jobs_not_ended": month.going,
        "imports_not_ended": list(month.broken),
        "by": list(month.sums.by),
        "groups": [
            {
                "key": dict(zip(month.sums.by, one.key, strict=True)),
                **_group(one, borne.get(one.key), month),
            }
            for one in month.sums.groups
        ],
        "total": _group(month.sums.total, month.charges.total, month),
        "charges": [
            {"key": dict(zip(month.sums.by, one.key, strict=True)), **_charge(one, month)}
            for one in month.charges.groups
        ],
        "idle": [
            {
                "partition": one.partition,
                "device_hours": one.device_hours,
                "held": one.held,
                "from": one.start,
                "until": one.end,
                "pays": month.pays,
                "metered_share": one.metered,
                **{n: figure_of(f, UNITS.get(n, month.currency)) for n, f in one.figures.items()},
                **({"cost": None, "cost_why": one.unpriced} if one.unpriced else {}),
                **dict.fromkeys(one.lacking),
                **{f"{name}_why": why for name, why in one.lacking.items()},
                "carbon_annual": one.carbon_annual,
                "carbon_operational_market": one.carbon_market,
                **_grid(one),
                **({"why": one.why} if one.why else {}),
            }
            for one in month.idle
        ],
        "budgets": [budgeted.plain(one) for one in month.budgets],
    }


def _grid(one: Idle) -> dict[str, object]:
    """By which hours of the grid an idle partition's CO2e is."""
    if one.grid is None:
        return {}
    by = "year" if one.grid.mean is None else "hours and year" if one.grid.by_year else "hours"
    return {
        "carbon_by": by,
        "grid_hours_lacking": one.grid.lacks,
        "carbon_by_year": one.grid.by_year,
    }


def _charge(one: Charge, month: Month) -> dict[str, object]:
    """What a group bears of idle nodes, and what with it in all."""
    return {
        part: {n: figure_of(f, UNITS.get(n, month.currency)) for n, f in figures.items()}
        for part, figures in (("idle", one.idle), ("charged", one.whole))
    }


def _group(group: Group, charge: Charge | None, month: Month) -> dict[str, object]:
    made: dict[str, object] = {
        "jobs": group.jobs,
        "device_hours": group.device_hours,
        "jobs_without_device_hours": group.hours_unknown,
    }
    for name in FIGURES:
        figure = group.figures.get(name, Figure(0.0, 0.0, 0.0, group.jobs))
        known = figure.unknown < group.jobs  # of a sum of nothing known there is no value
        shown = figure_of(figure, UNITS.get(name, month.currency))
        made[name] = shown if known else {**shown, "value": None, "low": None, "high": None}
    return made | {
        "carbon_annual": group.carbon_annual,
        "carbon_operational_market": group.carbon_market,
        "measured_share": group.measured_share,
        "utilization": group.utilization,
        "utilization_device_hours": group.seen,
        "jobs_beyond_their_nodes": group.also.get("jobs_crowded", 0.0),
        "device_hours_beyond_their_nodes": group.also.get("hours_crowded", 0.0),
        **({"carbon_by_grid_hours": dict(hours)} if (hours := _hours(group)) else {}),
        "idle_energy": charge.idle["energy"].value if charge and "energy" in charge.idle else None,
        **(_charge(charge, month) if charge else {}),
        "waste": {**_waste(group), "idle allocation": {"device_hours": group.seen - group.trained}},
    }


def _waste(group: Group) -> dict[str, dict[str, float | None]]:
    """What was for nothing, by kind; a sum of which nothing is known has no value."""
    return {
        state: {
            name: None if lost.get(f"{name}_jobs_unknown", 0.0) >= lost["jobs"] else value
            for name, value in lost.items()
        }
        for state, lost in group.waste.items()
    }


def _hours(group: Group) -> Mapping[str, float] | None:
    """Of which energy, kWh, and CO2e, kg, the grid's hours are known, and of which they are not."""
    told = by_hours(group)
    return None if told is None else {name: told[name] for name in BY_HOURS}


# --- rows of a table -----------------------------------------------------------------------------


def columns(month: Month) -> list[str]:
    """The head of the CSV and Parquet files."""
    figures = [f"{name}{end}" for name in FIGURES for end in ("", "_low", "_high", "_jobs_unknown")]
    beside = ["carbon_annual", "carbon_operational_market", "measured_share", "utilization",
              "device_hours_beyond_their_nodes"]  # fmt: skip
    wasted = [f"wasted_device_hours_{state}" for state in _WASTE]
    return [
        "period", *month.sums.by, "jobs", "device_hours", *figures, "currency", *beside, *wasted,
        "idle_allocation_device_hours", *(f"idle_{name}" for name in LAID_ON),
        *(f"charged_{name}" for name in _WHOLE), "energy_by_hours", "energy_by_year",
    ]  # fmt: skip


_WHOLE = tuple(names[-1] for names in LAID_ON.values())


def cells(month: Month) -> Iterator[list[object]]:
    """The rows of the CSV and Parquet files: a group each, and who else bears idle nodes."""
    borne = {one.key: one for one in month.charges.groups}
    groups = {one.key: one for one in month.sums.groups}
    for key in dict.fromkeys([*groups, *borne]):
        one, charge = groups.get(key) or _without_jobs(key), borne.get(key)
        figures: list[object] = []
        for name in FIGURES:
            figure = one.figures[name]
            known = figure.unknown < one.jobs or not one.jobs
            ends = (figure.value, figure.low, figure.high) if known else (None, None, None)
            figures += [*ends, figure.unknown]
        yield [
            month.over.name, *one.key, one.jobs, one.device_hours, *figures, month.currency,
            one.carbon_annual, one.carbon_market, one.measured_share, one.utilization,
            one.also.get("hours_crowded", 0.0),
            *[one.waste.get(state, {}).get("device_hours", 0.0) for state in _WASTE],
            one.seen - one.trained, *_borne(one, charge),
            *[one.also.get(f"energy_by_{by}") if by_hours(one) else None
              for by in ("hours", "year")],
        ]  # fmt: skip


def _without_jobs(key: Key) -> Group:
    return Group(key=key, figures={name: Figure(0.0, 0.0, 0.0) for name in FIGURES})


def _borne(group: Group, charge: Charge | None) -> list[object]:
    """What a group bears of idle nodes, and in all; None: it is not known, or nobody pays."""
    if charge is None:
        return [None] * (len(LAID_ON) + len(_WHOLE))
    whole = [charge.whole[name] for name in _WHOLE]
    jobs = max(group.jobs, 1)
    return [
        *[charge.idle[name].value if name in charge.idle else None for name in LAID_ON],
        *[figure.value if figure.unknown < jobs else None for figure in whole],
    ]


def csv_text(month: Month, *, of_budgets: bool = False) -> str:
    """The groups, or the budgets, as CSV; what is unknown is empty."""
    held = io.StringIO()
    writer = csv.writer(held, lineterminator="\n")
    head, rows = _rows(month, of_budgets=of_budgets)
    writer.writerow(head)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return held.getvalue()


def _cell(value: object) -> object:
    """A value as CSV has it: unknown is empty, and a name that a spreadsheet would take for a
    formula is marked as text, for whoever submits a job may name an account or a model so.

    >>> _cell("=1+1"), _cell("physics"), _cell(-1.0), _cell(None)
    ("'=1+1", 'physics', -1.0, '')
    """
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return "" if value is None else value


def _rows(month: Month, *, of_budgets: bool) -> tuple[Sequence[str], Iterator[list[object]]]:
    """The head and the rows of a file: of the groups, which a budget is none of, or of budgets."""
    if of_budgets:
        return budgeted.COLUMNS, (budgeted.cells(one) for one in month.budgets)
    return columns(month), cells(month)


def parquet(month: Month, path: Path, *, force: bool = False, of_budgets: bool = False) -> None:
    """The groups, or the budgets, as a Parquet file, whole or not at all.

    Raises:
        InputError: it exists, or cannot be written.
        MissingExtraError: pyarrow is not installed.
    """
    import importlib

    try:
        pa, pq = (importlib.import_module(f"pyarrow{part}") for part in ("", ".parquet"))
    except ImportError as error:
        raise MissingExtraError("a Parquet file", "pyarrow", "parquet") from error
    if path.exists() and not force:
        raise wrong("--output", f"{path} exists; --force overwrites it")
    head, told = _rows(month, of_budgets=of_budgets)
    rows = list(told)
    table = pa.table({name: [row[n] for row in rows] for n, name in enumerate(head)})
    part = path.with_name(f".{path.name}.part")
    try:
        pq.write_table(table, part)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise wrong("--output", f"cannot write {path}: {error.strerror or error}") from error


# --- for people ----------------------------------------------------------------------------------

HEAD = ("jobs", "device-hours", "cost", "energy", "CO2e", "metered", "trained", "wasted")


def lines(group: Group, currency: str) -> list[str]:
    """A group's cells, ranges beside their figures."""
    wasted = sum(one["device_hours"] for one in group.waste.values())
    hours = group.device_hours
    figures: list[str] = []
    for name, unit in (("cost", ""), ("energy", "kWh"), ("carbon_total", "kgCO2e")):
        own = currency if name == "cost" else None
        text, between = shown(group.figures.get(name), group.jobs, unit, own)
        figures.append(f"{text}\n{between}" if between else text)
    return [
        f"{group.jobs:,}",
        digits(hours) + (" + ?" if group.hours_unknown else ""),
        *figures,
        "-" if group.measured_share is None else percent(group.measured_share),
        "unknown" if group.utilization is None else percent(group.utilization),
        percent(wasted / hours) if hours else "-",
    ]


def wastes(group: Group, currency: str) -> list[tuple[str, str]]:
    """What was for nothing, by kind."""
    found = [
        (word, _wasted(one, currency))
        for state, word in _WASTE.items()
        if (one := group.waste.get(state))
    ]
    if group.seen:
        lost = f"{digits(group.seen - group.trained)} of {digits(group.seen)} device-hours whose "
        lost += "power was metered did not draw as training does"
        found.append(("idle allocation", lost))
    return found


def _wasted(one: Mapping[str, float], currency: str) -> str:
    number = number_of(one["jobs"], "job")
    told = f"{digits(one['device_hours'])} device-hours in {number}"
    for name, unit, own in (("cost", "", currency), ("energy", "kWh", None)):
        figure = Figure(*(one[name],) * 3, int(one[f"{name}_jobs_unknown"]))
        text, _ = shown(figure, int(one["jobs"]), unit, own)
        told += f", {f'its {name} is not known' if text == 'unknown' else text}"
    return told


def unknowns(group: Group) -> list[tuple[str, str]]:
    """Of how many jobs which figures are not known, and so not in the sums."""
    by_number: dict[int, list[str]] = {}
    for name, figure in group.figures.items():
        if figure.unknown:
            by_number.setdefault(figure.unknown, []).append(name)
    return [(number_of(jobs, "job"), ", ".join(names)) for jobs, names in sorted(by_number.items())]


def html(month: Month) -> str:
    """One self-contained page; whatever the ledger says is escaped."""
    from importlib.resources import files

    from costcalc.base.filling import environment

    folder = Path(str(files("costcalc") / "data" / "fleet"))
    made = environment(folder, finalize=lambda value: escape(str(value)))
    return made.get_template("month.html.j2").render(
        month=month,
        head=[*month.sums.by, *HEAD],
        rows=[[*named(g.key), *lines(g, month.currency)] for g in month.sums.groups],
        total=lines(month.sums.total, month.currency),
        blank=len(month.sums.by) - 1,
        tables=[(one, [[*named(key), *cells] for key, cells in one.rows]) for one in tables(month)],
        grids=grids(month),
        wastes=wastes(month.sums.total, month.currency),
        idles=list(idles(month)),
        budgets=list(budgeted.lines(month)),
        unknowns=unknowns(month.sums.total),
    )


def json_text(month: Month) -> str:
    """The report as JSON."""
    return to_json(plain(month)) + "\n"


def text_of(month: Month, shape: str, *, of_budgets: bool = False) -> str:
    """The report in a format that is text."""
    if shape == "csv":
        return csv_text(month, of_budgets=of_budgets)
    return html(month) if shape == "html" else json_text(month)
