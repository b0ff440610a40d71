"""What a cluster's nodes drew while no job had them: named, and laid where fleet.yaml says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import case, func, select

from costcalc.base.human import number_of
from costcalc.base.numbers import Number
from costcalc.base.ranges import DRAWS, percentiles
from costcalc.decide.clock import zone
from costcalc.fleet.cluster import Cluster, Partition
from costcalc.fleet.facts import Facts
from costcalc.fleet.kinds import HOUR, KWH, UNITS, Asked, Kind
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.nodes import by_nodes, shared
from costcalc.fleet.period import Period, period
from costcalc.fleet.pricing import GRID, Pricing
from costcalc.fleet.series import ENOUGH, Mean
from costcalc.fleet.sums import Figure
from costcalc.fleet.tables import jobs, meters, sums


@dataclass(slots=True)
class Idle:
    """A partition's idle devices over a period; figures in the ledger's units.

    ``device_hours`` that no job had, of ``held`` in all from ``start`` to ``end``; ``why`` there
    are no figures, ``unpriced`` why there is no money among them, ``lacking`` why another figure is
    not, which some of several months have.
    """

    partition: str
    device_hours: float
    held: float
    figures: dict[str, Figure]
    why: str = ""
    metered: float = 0.0  # share of the nodes' time that meters saw, less what jobs had of it
    unpriced: str = ""
    lacking: dict[str, str] = field(default_factory=dict)
    start: float = 0.0
    end: float = 0.0
    grid: IdleGrid | None = None
    carbon_annual: float | None = None  # kgCO2e
    carbon_market: float | None = None


@dataclass(frozen=True, slots=True)
class IdleGrid:
    """By which of the grid's intensities idle nodes are counted, where a series is given.

    ``mean`` over the hours that they idled, gCO2e/kWh; None: the series lacks too many, and it is
    the year's mean.  ``lacks`` so many hours of the span; ``by_year`` kgCO2e are by the year's
    mean, those of whole months that the series lacks.
    """

    mean: float | None
    lacks: float
    by_year: float = 0.0


def idle(ledger: Ledger, cluster: Cluster, over: Period, reach: tuple[float, float]) -> list[Idle]:
    """What idled in the period of partitions whose size fleet.yaml says.

    ``reach``: from when to when the ledger knows of jobs.

    Raises:
        InputError: fleet.yaml's money is not the ledger's.
    """
    pricing, place = Pricing(cluster), zone(cluster.fleet.timezone)
    clusters = _clusters(ledger)
    if any(one.nodes for one in cluster.fleet.partitions.values()):
        ledger.counts_in(cluster.fleet.currency)  # what their electricity costs is
    by_partition: dict[str, list[Idle]] = {}
    for month in over.months:  # each has its PUE
        for one in _of_month(ledger, pricing, period(month, place), reach, clusters):
            by_partition.setdefault(one.partition, []).append(one)
    return [together(parts) for parts in by_partition.values()]


def together(parts: list[Idle]) -> Idle:
    """A partition over several months; ends of ranges are added, as its doubts are the same.

    What one month lacks is no sum of the others: it is left out, and said.

    >>> one = Idle("gpu", 8.0, 16.0, {"cost": Figure(1.0, 1.0, 1.0)})
    >>> other = Idle("gpu", 8.0, 16.0, {}, unpriced="no price of electricity is known")
    >>> made = together([one, other])
    >>> made.figures, made.unpriced
    ({}, 'no price of electricity is known in 1 of 2 months')
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    made = Idle(
        first.partition, sum(one.device_hours for one in parts), sum(one.held for one in parts), {},
        why=next((one.why for one in parts if one.why), ""), unpriced=_unpriced(parts),
        start=first.start, end=parts[-1].end,
    )  # fmt: skip
    made.metered = sum(one.metered * one.held for one in parts) / (made.held or 1.0)
    if made.why:
        return made
    for name in _COUNTED:
        each = [one.figures[name] for one in parts if name in one.figures]
        if len(each) == len(parts):
            made.figures[name] = Figure(
                sum(f.value for f in each), sum(f.low for f in each), sum(f.high for f in each)
            )
        elif each and name != "cost":  # why there is no money, each month says itself
            made.lacking[name] = f"not known in {len(parts) - len(each)} of {len(parts)} months"
    made.grid = _over_months(parts)
    made.carbon_annual = _sum([one.carbon_annual for one in parts])
    made.carbon_market = _sum([one.carbon_market for one in parts])
    return made


def _unpriced(parts: list[Idle]) -> str:
    """Why there is no money of all months: each reason, and of how many where not of all."""
    whys = [one.unpriced for one in parts if one.unpriced]
    if len(whys) == len(parts) and len(set(whys)) == 1:
        return whys[0]
    told = [f"{why} in {whys.count(why)} of {len(parts)} months" for why in dict.fromkeys(whys)]
    return "; ".join(told)


def _sum(values: list[float | None]) -> float | None:
    """None where one of them is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _over_months(parts: list[Idle]) -> IdleGrid | None:
    """The mean over what idled in months whose hours are known, by its energy; the others' CO2e.

    By energy, as nodes that did not idle may have drawn more than their jobs have.
    """
    grids = [(one.grid, one) for one in parts if one.grid is not None]
    if not grids:
        return None
    known = [(grid.mean, one) for grid, one in grids if grid.mean is not None]
    drew = [one.figures["energy"].value if "energy" in one.figures else 0.0 for _, one in known]
    whole = sum(drew)
    each = drew if whole else [1.0] * len(known)
    mean = sum(m * w for (m, _), w in zip(known, each, strict=True)) / sum(each) if known else None
    by_year = sum(grid.by_year for grid, _ in grids)
    return IdleGrid(mean, sum(grid.lacks for grid, _ in grids), by_year)


def _of_month(
    ledger: Ledger,
    pricing: Pricing,
    over: Period,
    reach: tuple[float, float],
    clusters: frozenset[str],
) -> list[Idle]:
    start, end = max(over.start, reach[0]), min(over.end, reach[1])
    if end <= start:
        return []
    found = list[Idle]()
    whole = pricing.series.over(start, end) if pricing.series else None
    fleet = pricing.fleet
    busy = by_nodes(
        fleet, _busy(ledger, over.months[0], (start, end), whole.mean if whole else None)
    )
    seen = by_nodes(fleet, _seen(ledger, over))
    mine, unsaid = _whose(fleet.name, clusters)
    same = {} if unsaid else shared(ledger, fleet, over, mine)
    for name, partition in fleet.partitions.items():
        if partition.nodes is None:
            continue
        if unsaid or name in same:
            why = unsaid or same[name]
            found.append(Idle(name, 0.0, 0.0, {}, why=why, start=start, end=end))
            continue
        held = partition.nodes * (partition.per_node or 1) * (end - start) / HOUR
        had, emitted = busy.get((mine, name), (0.0, 0.0))
        rest, seconds = seen.get((mine, name), (0.0, 0.0))
        share = min(seconds / (partition.nodes * (end - start)), 1.0)
        one = Idle(name, max(held - had, 0.0), held, {}, metered=share, start=start, end=end)
        if whole is not None:
            one.grid = _grid(whole, held, had, emitted)
        _cost(one, pricing, partition, over, rest)
        if had > held * 1.01:
            nodes = number_of(partition.nodes, "node")
            one.why = f"jobs had {had / held:.3g} times what its {nodes} hold"
            one.figures = {}
        found.append(one)
        found += [
            Idle(f"{name} of {other}", 0.0, 0.0, {}, why=OTHERS.format(mine), start=start, end=end)
            for other in sorted(clusters - {mine})
            if (other, name) in busy
        ]
    return found


#: why what idled on another cluster is not known
OTHERS = "its nodes are its own: those in fleet.yaml are of {} (name)"


def _clusters(ledger: Ledger) -> frozenset[str]:
    """The clusters that the ledger has jobs of."""
    with ledger.reading() as connection:
        return frozenset(
            str(n) for n in connection.execute(select(sums.c.cluster).distinct()).scalars()
        )


def _whose(name: str | None, clusters: frozenset[str]) -> tuple[str, str]:
    """Of which cluster's jobs the nodes of fleet.yaml are, and why that is not known.

    >>> _whose("Marie", frozenset({"marie", "pierre"})), _whose(None, frozenset({"marie"}))
    (('marie', ''), ('marie', ''))
    >>> _whose(None, frozenset({"a", "b"}))[1]
    'its jobs are of a, b, each with nodes of its own: name in fleet.yaml says of which these are'
    """
    if len(clusters) <= 1:
        return next(iter(clusters), ""), ""
    found = [one for one in sorted(clusters) if one.lower() == (name or "").lower()]
    if found:
        return found[0], ""
    listed = ", ".join(one or "one without a name" for one in sorted(clusters))
    return "", (
        f"its jobs are of {listed}, each with nodes of its own: name in fleet.yaml says of which "
        "these are"
    )


def _grid(whole: Mean, held: float, had: float, emitted: float) -> IdleGrid:
    """The intensity over the hours that devices idled: those of all, less those of the jobs.

    >>> # 16 devices over an hour of 100 and one of 300 g; jobs had 8 in the first, 4 in the second
    >>> _grid(Mean(200.0, 1.0, 2.0, 100.0, 300.0), 32.0, 12.0, 8 * 100.0 + 4 * 300.0).mean
    220.0
    """
    if whole.mean is None:
        return IdleGrid(None, whole.lacks)
    rest = held - had
    mean = (held * whole.mean - emitted) / rest if rest > 1e-9 * held else whole.mean
    return IdleGrid(min(max(mean, whole.least), whole.most), whole.lacks)


def _busy(
    ledger: Ledger, month: str, span: tuple[float, float], mean: float | None
) -> Mapping[tuple[str, str], tuple[float, float]]:
    """Device-hours that jobs had within a span, by cluster and partition, of each the part in it.

    With them that many times the intensity of each job's hours, ``mean`` where it is not known.
    """
    start, end = span
    first = case((jobs.c.start > start, jobs.c.start), else_=start)
    last = case((jobs.c.end < end, jobs.c.end), else_=end)
    lasted = case((jobs.c.end > jobs.c.start, jobs.c.end - jobs.c.start), else_=1.0)
    hours = jobs.c.device_hours * (last - first) / lasted
    grid = case((jobs.c.hourly >= ENOUGH, jobs.c.grid), else_=mean or 0.0)
    asked = (
        select(jobs.c.cluster, jobs.c.partition, func.sum(hours), func.sum(hours * grid))
        .where(jobs.c.current, jobs.c.month >= month, jobs.c.start < end, jobs.c.end > start)
        .group_by(jobs.c.cluster, jobs.c.partition)
    )
    with ledger.reading() as connection:
        rows = connection.execute(asked)
        return {(str(c), str(n)): (float(had or 0.0), float(g or 0.0)) for c, n, had, g in rows}


def _seen(ledger: Ledger, over: Period) -> Mapping[tuple[str, str], tuple[float, float]]:
    """What meters saw that no job had, in how many node-seconds, by cluster and partition."""
    own = meters.c.cluster, meters.c.partition
    asked = (
        select(*own, func.sum(meters.c.joules - meters.c.given), func.sum(meters.c.seconds))
        .where(meters.c.at >= over.start, meters.c.at < over.end)
        .group_by(*own)
    )
    with ledger.reading() as connection:
        rows = connection.execute(asked)
        return {(str(c), str(n)): (float(rest), float(s)) for c, n, rest, s in rows}


def _cost(one: Idle, pricing: Pricing, partition: Partition, over: Period, rest: float) -> None:
    """Lay what idled, and what it drew and cost, into its record."""
    facts = Facts(
        source="", cluster="", job="", attempt="", start=None, end=None, seconds=1.0,
        state="completed", partition=one.partition, devices=float(partition.per_node or 1),
    )  # fmt: skip
    if not (partition.accelerator or partition.per_node) and partition.cpus:
        one.why, one.device_hours, one.held = "its nodes have no devices to idle", 0.0, 0.0
        return
    own = pricing.holdings.held(facts)
    if own.accelerator is None or own.devices is None:
        one.why = own.why
        return
    lacking = one.grid is not None and one.grid.mean is None
    asked = Asked(
        accelerator=own.accelerator,
        devices=own.devices,
        scope=None,
        hourly=False,
        around=pricing.around if lacking else None,
        changes=pricing.changes(facts, over.months[0]),
    )
    kind = pricing.kind(asked)
    if isinstance(kind, str):
        one.why = kind
        return
    node = pricing.fleet.idle.node_power
    one.figures = _figures(kind, one, node / own.devices if node is not None else None, rest)
    if "cost" not in one.figures:
        one.unpriced = "its electricity is in the price of the hours that jobs have"
        if "price" not in kind.known:
            one.unpriced = "no price of electricity is known"
    carbon = one.figures.get("carbon_operational")
    if lacking and one.grid is not None and carbon is not None:
        one.grid = replace(one.grid, by_year=carbon.value)
    energy = one.figures.get("energy")
    if energy is None:
        return
    if "grid" in kind.values:
        one.carbon_annual = energy.value * KWH * float(kind.values["grid"]) / 1e3
    if pricing.fleet.grid.market is not None:
        one.carbon_market = energy.value * KWH * pricing.fleet.grid.market / 1e3


#: idle hardware has no price of an hour, nor embodied carbon: those who use it pay its life's
_COUNTED = ("energy_it", "energy", "cost", "carbon_operational", "water")


def _figures(kind: Kind, one: Idle, watts: float | None, rest: float) -> dict[str, Figure]:
    """What idled: joules of ``rest`` by meters, and of the time that none saw by the model."""
    made: list[Mapping[str, Number]] = []
    seconds = one.device_hours * HOUR
    grid: Number | None = None
    if one.grid is not None and one.grid.mean is not None:
        grid = one.grid.mean * GRID
    for inputs in (kind.values, kind.draws(DRAWS)):
        known = {**inputs, "mean_power": inputs.get("idle_power", 0.0)}
        if watts is not None:  # a whole node was measured: its boards' part and the host's
            known |= {"mean_power": 0.0, "idle_power": 0.0, "host_power": watts}
        modelled = kind.figures(known, seconds, None, grid)
        if one.metered and "energy_it" in modelled:
            joules = rest + (1.0 - one.metered) * modelled["energy_it"]
            modelled = kind.figures({**known, "energy_it": joules}, seconds, None, grid)
        own = {name: value for name, value in modelled.items() if name != "cost"}
        made.append({**own, **_money(kind, inputs, modelled)})
    found = {}
    for name in _COUNTED:
        if name in made[0]:
            value = float(made[0][name])
            low, high = percentiles(made[1][name], value)
            found[name] = Figure(value / UNITS[name], low / UNITS[name], high / UNITS[name])
    return found


def _money(
    kind: Kind, inputs: Mapping[str, Number], figures: Mapping[str, Number]
) -> Mapping[str, Number]:
    """What the electricity of idle nodes costs, where it has a price of its own."""
    electricity = kind.known.get("electricity")
    priced = electricity is not None and (electricity.value or electricity.basis == "given")
    if not priced or "energy" not in figures:
        return {}
    return {"cost": figures["energy"] * inputs["electricity"]}
