"""One job of the ledger: what it used as a full report, or as a paragraph for whoever ran it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import ColumnElement, RowMapping, or_, select

from costcalc.base.errors import InputError, Problem
from costcalc.base.human import digits, human, number_of, percent
from costcalc.catalog import accelerator as accelerators
from costcalc.fleet.facts import GOING, MORE_THAN, WASTED
from costcalc.fleet.kinds import UNITS
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.series import ENOUGH
from costcalc.fleet.sums import money
from costcalc.fleet.tables import jobs, kinds
from costcalc.report.importing.build import Recorded, report
from costcalc.report.importing.costed import Costing
from costcalc.report.project import merge
from costcalc.report.tools import COVERED, LEDGERS, PART

if TYPE_CHECKING:
    from costcalc.calculator.figure_schema import Figure
    from costcalc.calculator.report_schema import Report

#: what stands between the number of a whole job and that of a part: 12_3, 12+1, 12[3]
_MARKS = ("_", "+", "[")
EACH = 100  # attempts that are a run of the report each
_ALIKE = (
    "kind", "device", "devices", "source", "scope", "meter", "part", "grid", "hourly", "why",
)  # fmt: skip
SHOWN = 4  # parts that a paragraph names
#: a mean power below this share of a board's rating is asked about
LOW = 0.5


def attempts(
    ledger: Ledger, job: str, cluster: str | None = None, accounts: Collection[str] | None = None
) -> Sequence[RowMapping]:
    """The attempts of a job, by the name or number that its scheduler gave it.

    A number that tasks of an array, or components of a heterogeneous job, have in common is that
    of all of them; theirs alone (12_3, 12+1) is of one.

    ``accounts``: of jobs of these alone; others are as if they were not there.

    Raises:
        InputError: the ledger has none, or those of several clusters.
    """
    where = [jobs.c.current, or_(jobs.c.job == job, jobs.c.raw == job, *_parts_of(job))]
    if cluster is not None:
        where.append(jobs.c.cluster == cluster)
    if accounts is not None:
        where.append(jobs.c.account.in_(sorted(accounts)))
    asked = select(jobs).where(*where).order_by(jobs.c.start)
    with ledger.reading() as connection:
        found = connection.execute(asked).mappings().all()
    whole = job.removesuffix("[]")
    exact = [row for row in found if row["job"] == job or _is_part(row, whole)]
    found = exact or found
    if not found:
        message = f"the ledger has no job {job[:40]}"
        raise InputError(Problem(key="job", message=message, file=ledger.shown))
    clusters = sorted({row["cluster"] for row in found})
    if len(clusters) > 1:
        message = f"{job} is a job of several clusters; give --cluster: {', '.join(clusters)}"
        raise InputError(Problem(key="job", message=message, file=ledger.shown))
    return found


def _parts_of(job: str) -> list[ColumnElement[bool]]:
    """What tells the parts of a job that its number or name is of."""
    whole = job.removesuffix("[]")
    if whole.isdecimal():
        return [jobs.c.job.startswith(f"{whole}{mark}", autoescape=True) for mark in _MARKS]
    return [jobs.c.owner == job, jobs.c.owner.startswith(f"{job}#", autoescape=True)]


def _is_part(row: RowMapping, whole: str) -> bool:
    name = str(row["job"])
    return row["owner"] is not None or (
        whole.isdecimal() and name.startswith(tuple(f"{whole}{mark}" for mark in _MARKS))
    )


def parts(rows: Sequence[RowMapping]) -> list[str]:
    """The parts that a job's attempts are of: tasks, components, pods; one for a job of its own."""
    return list(dict.fromkeys(str(row["job"]) for row in rows))


def not_reported(rows: Sequence[RowMapping]) -> list[str]:
    """The attempts that a job's report lacks, and why: it is of those whose devices are known."""
    lacking = {str(row["job"]): row["why"] for row in rows if not _reported(row)}
    if len(lacking) == len(parts(rows)) and not any(_reported(row) for row in rows):
        return []
    return [f"{name}: {why or 'its devices are not known'}" for name, why in lacking.items()]


def _reported(row: RowMapping) -> bool:
    return row["kind"] is not None and row["device"] is not None


def full(ledger: Ledger, rows: Sequence[RowMapping], *, identify: bool = False) -> Report:
    """The report of a job, which ``costcalc report verify`` accepts: its attempts as runs.

    Raises:
        InputError: no attempt held devices that are known.
    """
    known = [row for row in rows if _reported(row)]
    if not known:
        why = rows[0]["why"] or "its devices are not known"
        raise InputError(Problem(key="job", message=f"there is no report of it: {why}"))
    with ledger.reading() as connection:
        asked = select(kinds.c.id, kinds.c.run).where(kinds.c.id.in_({r["kind"] for r in known}))
        runs = {row.id: json.loads(row.run) for row in connection.execute(asked)}
    made = [_one(some, runs[some[0]["kind"]], identify=identify) for some in _alike(known)]
    first, *others = parts(rows)
    several = f"{first} and {number_of(len(others), 'other part')}" if others else first
    name = f"job {several}" if identify else "a job of the ledger"
    return made[0] if len(made) == 1 else merge([("", one) for one in made], name=name)


def _alike(rows: Sequence[RowMapping]) -> Iterable[Sequence[RowMapping]]:
    """Attempts that are one run of the report: each, or of very many those that differ in time
    alone, for a report is to be read.
    """
    if len(rows) <= EACH:
        return [[row] for row in rows]
    found: dict[tuple[object, ...], list[RowMapping]] = {}
    for row in rows:
        found.setdefault((row["state"] in WASTED, *(row[name] for name in _ALIKE)), []).append(row)
    return found.values()


def _one(rows: Sequence[RowMapping], run: Mapping[str, Any], *, identify: bool) -> Report:
    row, several = rows[0], len(rows) > 1
    tool = LEDGERS[row["source"]]
    label = f"{row['name'] or 'job'} {row['job']}" if identify else "a job of the ledger"
    hours = sum(one["device_hours"] for one in rows)
    metered = sum(one["metered"] or 0.0 for one in rows)
    together = f"{len(rows):,} attempts that differ in time alone are one run" if several else ""
    recorded = Recorded(
        key=" ".join(f"{one['cluster']}:{one['job']}:{one['attempt']}" for one in rows),
        name=f"{label} and {len(rows) - 1:,} more" if several else label,
        hours=sum(one["seconds"] for one in rows) / 3600,
        devices=row["devices"],
        device_hours=hours,
        energy_it=metered if row["scope"] == "node" else None,
        role="failed" if row["state"] in WASTED else "unknown",
        hardware=row["device"],
    )
    return report(
        [recorded],
        name="Jobs of a cluster",
        tool=tool,
        version=None,
        boundary=COVERED[row["scope"]].format(meter=row["meter"]) + _shared(row),
        costing=Costing(changes=_changes(row, run, metered * 1000 / hours)),
        warnings=[
            *_lacking(row),
            *([together] if together else []),
            *([row["why"]] if row["why"] else []),
        ],
    )


def _lacking(row: RowMapping) -> list[str]:
    """That the grid's hours are not known of a job, so that its CO2e is by the year's mean."""
    if row["hourly"] is None or row["hourly"] >= ENOUGH or row["carbon_operational"] is None:
        return []
    hours = (row["end"] - row["start"]) / 3600 if row["start"] is not None else 0.0
    lacks = f"{digits((1 - row['hourly']) * hours)} of its {digits(hours)} hours"
    return [f"grid.hourly lacks {lacks}: its CO2e is by the year's mean of the grid"]


def _shared(row: RowMapping) -> str:
    """That of its nodes' meter a job has its devices' part."""
    if row["part"] is None or row["part"] >= 1:
        return ""
    return PART.format(part=percent(row["part"]))


def _changes(row: RowMapping, run: Mapping[str, Any], watts: float) -> dict[str, object]:
    """The keys of the kind's run file, with what is the job's own in them."""
    changes = dict(_flat({k: v for k, v in run.items() if k not in ("name", "measured")}))
    for own in ("hardware.accelerator", "hardware.count", "hardware.share"):
        changes.pop(own, None)
    if row["scope"] == "boards":
        changes["hardware.board_power"] = f"{watts!r} W"
    if "site.grid" in changes and row["grid"] is not None:
        changes["site.grid"] = f"{row['grid']!r} gCO2e/kWh"
    return changes


def _flat(said: Mapping[str, Any], above: str = "") -> dict[str, object]:
    made: dict[str, object] = {}
    for name, value in said.items():
        path = f"{above}.{name}" if above else name
        made |= _flat(value, path) if isinstance(value, Mapping) else {path: value}
    return made


def differs(made: Report, rows: Sequence[RowMapping]) -> list[str]:
    """Figures of a report that are not the ledger's: another version of costcalc wrote them."""
    found = []
    results = cast("Mapping[str, Figure]", made["results"])
    for name in UNITS:
        values = [row[name] for row in rows if row["kind"] is not None and row["device"]]
        figure = results.get(name)
        value = figure["value"] if figure else None
        if value is None or None in values:
            continue
        held = sum(cast("list[float]", values))
        if abs(held - value) > 1e-9 * max(abs(held), abs(value)):
            found.append(f"{name}: {digits(held)} in the ledger, {digits(value)} now")
    return found


def hosts(ledger: Ledger, rows: Sequence[RowMapping]) -> Mapping[int, float]:
    """By kind how many W less than is modelled its host may draw beside a device."""
    asked = select(kinds.c.id, kinds.c.known).where(kinds.c.id.in_({row["kind"] for row in rows}))
    with ledger.reading() as connection:
        found = {int(row.id): json.loads(row.known) for row in connection.execute(asked)}
    return {
        number: host[1] - host[2]  # its value and its low end: fleet/kinds.py
        for number, known in found.items()
        if (host := known.get("host_power"))
    }


def paragraph(
    rows: Sequence[RowMapping], currency: str, less: Mapping[int, float] | None = None
) -> str:
    """What a job came to, for its own output: the epilog's paragraph.

    ``less``: of its kinds what :func:`hosts` says; left out, a host may draw nothing.
    """
    hours = sum(row["device_hours"] or 0.0 for row in rows)
    devices = max((row["devices"] or 0.0 for row in rows), default=0.0)
    seconds = sum(row["seconds"] for row in rows)
    what = f"{digits(devices)} × {rows[-1]['device'] or 'devices of unknown kind'}"
    cpus = max((row["cpus"] or 0.0 for row in rows), default=0.0)
    what = what if devices else number_of(cpus, "processor") if cpus else ""
    held = f"{what} for {human(seconds / 3600, 'h')}" if what else human(seconds / 3600, "h")
    tries = f" in {len(rows)} attempts" if len(rows) > 1 else ""
    going = any(row["state"] in GOING for row in rows)
    said = [f"This job held {held}{tries}"]
    if hours:
        said[0] += f" ({digits(hours)} device-hours)"
    several = parts(rows)
    if len(several) > 1:
        said = [_of_parts(rows, several, hours)]
    elif str(rows[0]["job"]).rstrip("]0123456789").endswith(_MARKS):
        said[0] = said[0].replace("This job", f"This part of a job, {several[0]},", 1)
    for name, unit in (("cost", ""), ("energy", "kWh"), ("carbon_total", "kgCO2e")):
        said.append(_sum(rows, name, unit, currency))
    if going:
        said[-1] += "; it had not ended when last asked for, and this is what it came to until then"
    lacking = next((line for row in rows for line in _lacking(row)), "")
    return "; ".join(part for part in said if part) + "." + _power(rows, less or {}) + (
        f" {lacking[0].upper()}{lacking[1:]}." if lacking else ""
    ) + "".join(f" {line[0].upper()}{line[1:]}." for line in crowded(rows))  # fmt: skip


def crowded(rows: Sequence[RowMapping]) -> list[str]:
    """That a job is told to have held more than its nodes have, each reason once."""
    whys = [why for row in rows for why in (row["why"] or "").split("; ") if MORE_THAN in why]
    return [
        f"it is said to have held {why}: one of both is wrong, and so may be its figures"
        for why in dict.fromkeys(whys)
    ]


def _of_parts(rows: Sequence[RowMapping], several: Sequence[str], hours: float) -> str:
    """What the parts of a job held together."""
    more = f" and {len(several) - SHOWN} more" if len(several) > SHOWN else ""
    names = ", ".join(several[:SHOWN])
    devices = ", ".join(dict.fromkeys(str(row["device"]) for row in rows if row["device"]))
    seconds = sum(row["seconds"] for row in rows)
    of = f"{digits(hours)} device-hours of {devices or 'unknown devices'}" if hours else ""
    held = of or f"{human(seconds / 3600, 'h')} in all"
    return f"The {len(several)} parts of this job ({names}{more}) held {held}"


def _sum(rows: Sequence[RowMapping], name: str, unit: str, currency: str) -> str:
    values = [row[name] for row in rows if row[name] is not None]
    if not values:
        return f"{_WORDS[name]} unknown"
    total = sum(values)
    text = money(total, currency) if name == "cost" else human(total, unit)
    if name != "cost":
        text = text.replace("CO2e", " CO2e")
    if name == "energy":
        text += f" ({_seen([row for row in rows if row[name] is not None])})"
    lacks = len(rows) - len(values)
    return f"{text} without {lacks} of {len(rows)}, where it is unknown" if lacks else text


def _seen(rows: Sequence[RowMapping]) -> str:
    """How much of the energy of the computers a meter saw; one of boards alone saw no host."""
    metered = sum(row["metered"] or 0.0 for row in rows)
    whole = sum(row["energy_it"] or 0.0 for row in rows)
    if not metered:
        return "modelled"
    if metered >= whole * (1 - 1e-6):
        return "metered"
    return f"{human(metered, 'kWh')} of it metered, the rest modelled"


_WORDS = {"cost": "cost", "energy": "energy", "carbon_total": "CO2e"}


def _power(rows: Sequence[RowMapping], less: Mapping[int, float]) -> str:
    """How far the boards were used, where a meter says it.

    Of a meter of nodes it is what is left of a host that is modelled; whether they waited is asked
    only where they did little with the least of a host, too.
    """
    seen = [row for row in rows if row["mean_power"] is not None and row["device_hours"]]
    if not seen and any(row["part"] is not None for row in rows):
        return (
            " It has its devices' part of its nodes' meter; what its own boards drew is not known."
        )
    if not seen:
        return " No meter saw its power."
    hours = sum(row["device_hours"] for row in seen)
    watts = sum(row["mean_power"] * row["device_hours"] for row in seen) / hours
    host, most = _beside(seen, less)
    about, of_host = "", ""
    if host > 0:
        about, of_host = "about ", f", with {digits(host)} W of host a device assumed"
    try:
        if len({row["device"] for row in seen}) > 1:
            return f" Their boards drew {about}{digits(watts)} W in the mean{of_host}."
        rating = accelerators.find(seen[-1]["device"], ()).board_power
    except InputError:
        rating = None
    if rating is None or not rating.value:
        return f" Its boards drew {about}{digits(watts)} W in the mean{of_host}."
    share = watts / rating.value
    asked = ": was it waiting for data?" if (watts + most) / rating.value < LOW else "."
    drew = f"{digits(watts)} W a device{of_host}"
    return f" It drew {about}{percent(share)} of its boards' rating ({drew}){asked}"


def _beside(seen: Sequence[RowMapping], less: Mapping[int, float]) -> tuple[float, float]:
    """W a device that were taken off meters of nodes, and how much too many they may be."""
    hours = sum(row["device_hours"] for row in seen)
    host = most = 0.0
    for row in seen:
        if row["scope"] == "node":
            off = row["metered"] * 1000 / row["device_hours"] - row["mean_power"]
            host += off * row["device_hours"] / hours
            most += min(less.get(row["kind"], off), off) * row["device_hours"] / hours
    return host, most
