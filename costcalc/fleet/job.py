"""One job of the ledger: what it used as a full report, or as a paragraph for whoever ran it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import RowMapping, or_, select

from costcalc.base.errors import InputError, Problem
from costcalc.base.human import digits, human, number_of, percent
from costcalc.catalog import accelerator as accelerators
from costcalc.fleet.facts import WASTED
from costcalc.fleet.kinds import UNITS
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.series import ENOUGH
from costcalc.fleet.sums import money
from costcalc.fleet.tables import jobs, kinds
from costcalc.report.importing.build import Recorded, report
from costcalc.report.importing.costed import Costing
from costcalc.report.project import merge

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Figure, Report

_TOOLS = {"slurm": "Slurm accounting", "lsf": "LSF accounting", "pbs": "PBS accounting",
          "kubernetes": "Kubernetes", "report": "costcalc track"}  # fmt: skip
_COVERS = {
    "node": "the nodes, by {meter}",
    "boards": "the boards, by {meter}; their hosts are modelled",
    None: "nothing: no meter; all energy is modelled",
}
#: a mean power below this share of a board's rating is asked about
LOW = 0.5


def attempts(
    ledger: Ledger, job: str, cluster: str | None = None, accounts: Collection[str] | None = None
) -> Sequence[RowMapping]:
    """The attempts of a job, by the name or number that its scheduler gave it.

    ``accounts``: of jobs of these alone; others are as if they were not there.

    Raises:
        InputError: the ledger has none, or those of several clusters.
    """
    where = [jobs.c.current, or_(jobs.c.job == job, jobs.c.raw == job)]
    if cluster is not None:
        where.append(jobs.c.cluster == cluster)
    if accounts is not None:
        where.append(jobs.c.account.in_(sorted(accounts)))
    asked = select(jobs).where(*where).order_by(jobs.c.start)
    with ledger.reading() as connection:
        found = connection.execute(asked).mappings().all()
    exact = [row for row in found if row["job"] == job]
    found = exact or found
    if not found:
        message = f"the ledger has no job {job[:40]}"
        raise InputError(Problem(key="job", message=message, file=ledger.shown))
    clusters = sorted({row["cluster"] for row in found})
    if len(clusters) > 1:
        message = f"{job} is a job of several clusters; give --cluster: {', '.join(clusters)}"
        raise InputError(Problem(key="job", message=message, file=ledger.shown))
    return found


def full(ledger: Ledger, rows: Sequence[RowMapping], *, identify: bool = False) -> Report:
    """The report of a job, which ``costcalc report verify`` accepts: its attempts as runs.

    Raises:
        InputError: no attempt held devices that are known.
    """
    known = [row for row in rows if row["kind"] is not None and row["device"] is not None]
    if not known:
        why = rows[0]["why"] or "its devices are not known"
        raise InputError(Problem(key="job", message=f"there is no report of it: {why}"))
    with ledger.reading() as connection:
        asked = select(kinds.c.id, kinds.c.run).where(kinds.c.id.in_({r["kind"] for r in known}))
        runs = {row.id: json.loads(row.run) for row in connection.execute(asked)}
    made = [_one(row, runs[row["kind"]], identify=identify) for row in known]
    name = f"job {rows[0]['job']}" if identify else "a job of the ledger"
    return made[0] if len(made) == 1 else merge([("", one) for one in made], name=name)


def _one(row: RowMapping, run: Mapping[str, Any], *, identify: bool) -> Report:
    tool = _TOOLS.get(row["source"], row["source"])
    label = f"{row['name'] or 'job'} {row['job']}" if identify else "a job of the ledger"
    recorded = Recorded(
        key=f"{row['cluster']}:{row['job']}:{row['attempt']}",
        name=label,
        hours=row["seconds"] / 3600,
        devices=row["devices"],
        device_hours=row["device_hours"],
        energy_it=row["metered"] if row["scope"] == "node" else None,
        role="failed" if row["state"] in WASTED else "final",
        hardware=row["device"],
    )
    return report(
        [recorded],
        name="Jobs of a cluster",
        tool=tool,
        version=None,
        boundary=_COVERS[row["scope"]].format(meter=row["meter"]) + _shared(row),
        costing=Costing(changes=_changes(row, run)),
        warnings=_lacking(row),
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
    return f"; {percent(row['part'])} of what it says, as of their devices"


def _changes(row: RowMapping, run: Mapping[str, Any]) -> dict[str, object]:
    """The keys of the kind's run file, with what is the job's own in them."""
    changes = dict(_flat({k: v for k, v in run.items() if k not in ("name", "measured")}))
    for own in ("hardware.accelerator", "hardware.count", "hardware.share"):
        changes.pop(own, None)
    if row["scope"] == "boards":
        changes["hardware.board_power"] = f"{row['metered'] * 1000 / row['device_hours']!r} W"
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


def paragraph(rows: Sequence[RowMapping], currency: str) -> str:
    """What a job came to, for its own output: the epilog's paragraph."""
    hours = sum(row["device_hours"] or 0.0 for row in rows)
    devices = max((row["devices"] or 0.0 for row in rows), default=0.0)
    seconds = sum(row["seconds"] for row in rows)
    what = f"{digits(devices)} × {rows[-1]['device'] or 'devices of unknown kind'}"
    cpus = max((row["cpus"] or 0.0 for row in rows), default=0.0)
    what = what if devices else number_of(cpus, "processor") if cpus else ""
    held = f"{what} for {human(seconds / 3600, 'h')}" if what else human(seconds / 3600, "h")
    tries = f" in {len(rows)} attempts" if len(rows) > 1 else ""
    parts = [f"This job held {held}{tries}"]
    if hours:
        parts[0] += f" ({digits(hours)} device-hours)"
    for name, unit in (("cost", ""), ("energy", "kWh"), ("carbon_total", "kgCO2e")):
        parts.append(_sum(rows, name, unit, currency))
    lacking = next((line for row in rows for line in _lacking(row)), "")
    return "; ".join(part for part in parts if part) + "." + _power(rows) + (
        f" {lacking[0].upper()}{lacking[1:]}." if lacking else ""
    )  # fmt: skip


def _sum(rows: Sequence[RowMapping], name: str, unit: str, currency: str) -> str:
    values = [row[name] for row in rows if row[name] is not None]
    if not values:
        return f"{_WORDS[name]} unknown"
    total = sum(values)
    text = money(total, currency) if name == "cost" else human(total, unit)
    if name != "cost":
        text = text.replace("CO2e", " CO2e")
    metered = all(row["meter"] for row in rows)
    return f"{text} ({'metered' if metered else 'modelled'})" if name == "energy" else text


_WORDS = {"cost": "cost", "energy": "energy", "carbon_total": "CO2e"}


def _power(rows: Sequence[RowMapping]) -> str:
    """How far the boards were used, where a meter says it."""
    seen = [row for row in rows if row["mean_power"] is not None and row["device_hours"]]
    if not seen and any(row["part"] is not None for row in rows):
        return (
            " It has its devices' part of its nodes' meter; what its own boards drew is not known."
        )
    if not seen:
        return " No meter saw its power."
    hours = sum(row["device_hours"] for row in seen)
    watts = sum(row["mean_power"] * row["device_hours"] for row in seen) / hours
    try:
        rating = accelerators.find(seen[-1]["device"], ()).board_power
    except InputError:
        rating = None
    if rating is None or not rating.value:
        return f" Its boards drew {digits(watts)} W in the mean."
    share = watts / rating.value
    asked = ": was it waiting for data?" if share < LOW else "."
    return f" It drew {percent(share)} of its boards' rating ({digits(watts)} W a device){asked}"
