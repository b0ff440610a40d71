"""What pages show of a comparison and of a plan: rows of text, and where each leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from costcalc.base.human import bare, digits, human, number_of, percent, scale, span
from costcalc.calculator.limits import LIMITED
from costcalc.calculator.result import FigureName
from costcalc.decide.comparing import Comparison
from costcalc.decide.planning import Planned
from costcalc.decide.sweep import ScenarioRow, single
from costcalc.web import address
from costcalc.web.address import Run
from costcalc.web.chart import Chart, Point, chart

_ROWS = 12
_BETTER = {"time": "faster", "cost": "cheaper", "carbon": "cleaner"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One scenario as text; ``query`` is the address of its estimate."""

    hardware: str
    where: str
    plan: str
    time: str
    time_range: str
    cost: str
    cost_range: str
    carbon: str
    carbon_range: str
    energy: str
    beats: str
    within: bool
    query: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A comparison as text."""

    said: str
    best: str
    met: bool
    currency: str
    front: Sequence[Row]
    rest: Sequence[Row]
    first: str
    unpriced: Sequence[Row]
    more: int
    beats: str
    chart: Chart | None
    why: Sequence[str]
    notes: Sequence[str]
    sources: Sequence[str]


def compared(made: Comparison, run: Run) -> Compared:
    """What a page shows of a comparison."""
    plain = {key: said for key, said in run.items() if key not in ("sweep", "defaults")}
    front = made.front[:_ROWS]
    best = ""
    if made.minimize is not None and made.best is not None:
        best = f"Least {made.minimize}: {_words(made.best, made.currency)}"
    elif made.minimize is None and made.front and "cost" in made.aims:
        best = f"Cheapest: {_words(made.front[0], made.currency)}"
    return Compared(
        said=f"{number_of(made.number, 'scenario')}, {made.feasible:,} can run; "
        f"{len(made.front)} on the "
        f"front of {', '.join(made.aims)}",
        best=best,
        met=made.met,
        currency=made.currency,
        front=[_row(row, plain, _beats(made, at)) for at, row in enumerate(front)],
        rest=[_row(row, plain, "") for row in made.rest[:_ROWS]],
        first=made.first,
        unpriced=[_row(row, plain, "") for row in made.unpriced[:_ROWS]],
        more=len(made.front) - len(front),
        beats=", ".join(_BETTER[aim] for aim in made.aims) if made.wins else "",
        chart=_chart(made),
        why=[f"{name}: {why}" for name, why in list(made.why.items())[:_ROWS]],
        notes=made.notes,
        sources=made.sources,
    )


def _row(row: ScenarioRow, run: Run, beats: str) -> Row:
    ranges = row.get("ranges") or {}
    time = ranges.get("wall_clock", (None, None))
    cost, carbon = ranges.get("cost", (None, None)), ranges.get("carbon_total", (None, None))
    precision = f" {row['precision']}" if row["precision"] else ""
    return Row(
        hardware=f"{row['count']:,} × {row['accelerator']}{precision}",
        where=row["region"],
        plan=row["plan"],
        time=human(row["wall_clock"], "h"),
        time_range=span(time[0], time[1], row["wall_clock"], "h"),
        cost=bare(row["cost"]),
        cost_range=span(cost[0], cost[1], row["cost"], ""),
        carbon=bare(row["carbon_total"]),
        carbon_range=span(carbon[0], carbon[1], row["carbon_total"], ""),
        energy=bare(row["energy"]),
        beats=beats,
        within=row["within_limits"],
        query=address.query(single(run, row), {}),
    )


def _beats(made: Comparison, at: int) -> str:
    """In how many of the same draws a row is better than the first, by aim."""
    shares = [made.wins[aim][at][0] for aim in made.aims if at < len(made.wins.get(aim, ()))]
    return " / ".join(f"{100 * share:.0f}" for share in shares) if at and shares else ""


def _words(row: ScenarioRow, currency: str) -> str:
    figures = (
        human(row["wall_clock"], "h"),
        human(row["cost"], currency),
        human(row["carbon_total"], "kgCO2e"),
    )
    return (
        f"{row['count']:,} × {row['accelerator']} in {row['region']}, {row['plan']}: "
        f"{', '.join(figures)}"
    )


def _chart(made: Comparison) -> Chart | None:
    """Time against money, or against CO2e where no price is known."""
    name: FigureName = "cost" if "cost" in made.aims else "carbon_total"
    drawn = [(row, False) for row in made.rest] + [(row, True) for row in made.front[:_ROWS]]
    times = [row["wall_clock"] for row, _ in drawn if row["wall_clock"]]
    unit, factor = scale(sorted(times)[len(times) // 2], "h") if times else ("hours", 1.0)
    points = [
        Point(
            x=(row["wall_clock"] or 0.0) / factor,
            y=row[name] or 0.0,
            x_range=[end / factor for end in _range(row, "wall_clock")] if front else (),
            y_range=_range(row, name) if front else (),
            title=_words(row, made.currency),
            front=front,
        )
        for row, front in drawn
    ]
    against = f"cost, {made.currency}" if name == "cost" else "CO2e, kgCO2e"
    return chart(points, f"time of one run, {unit}", against)


def _range(row: ScenarioRow, name: FigureName) -> Sequence[float]:
    return (row.get("ranges") or {}).get(name, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One limit of a plan, and what is used of it."""

    key: str
    most: str
    used: str
    left: str
    kept: str
    binding: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanShown:
    """A plan as text."""

    said: str
    query: str | None
    confidence: str
    limits: Sequence[Held]
    losses: Sequence[str]
    laws: Sequence[tuple[str, str, str, str]]
    ways: Sequence[tuple[str, Row]]
    spot: str
    currency: str
    notes: Sequence[str]
    sources: Sequence[str]


def plan(made: Planned) -> PlanShown:
    """What a page shows of a plan."""
    run = {key: said for key, said in made.run.items() if key != "defaults"}
    return PlanShown(
        said=_planned(run, made.flop),
        query=address.query(run, {}),
        confidence=percent(made.confidence),
        limits=[_held(made, key) for key in made.limits],
        losses=[
            f"{digits(one['value'], 4)}{_ends(one['low'], one['high'])} by {one['law']}"
            for one in made.predicted
        ],
        laws=[
            (
                law["law"],
                human(law["parameters"], "1")
                + _in(law["parameters_low"], law["parameters_high"], law["parameters"]),
                human(law["tokens"], "1")
                + _in(law["tokens_low"], law["tokens_high"], law["tokens"]),
                digits(law["loss"], 4) + _ends(law["loss_low"], law["loss_high"]),
            )
            for law in made.laws
        ],
        ways=[(name, _row(row, run, "")) for name, row in made.ways.items()],
        spot=_spot(made),
        currency=made.currency,
        notes=made.notes,
        sources=made.sources,
    )


def _planned(run: Mapping[str, object], flop: float) -> str:
    def of(section: str, *keys: str) -> str:
        part = run.get(section)
        said = part if isinstance(part, Mapping) else {}
        return next((str(said[key]) for key in keys if said.get(key) is not None), "")

    model = of("model", "preset", "parameters") or "the model"
    tokens = of("training", "tokens")
    part = run.get("training")
    raw = part.get("tokens") if isinstance(part, Mapping) else None
    size = human(float(raw), "1") if isinstance(raw, (int, float)) else tokens
    data = f" on {size} tokens" if size else ""
    place = of("site", "region")
    where = f" in {place}" if place else ""
    hardware = f"{of('hardware', 'count') or 1} × {of('hardware', 'accelerator', 'instance')}"
    return f"{model}{data}, {hardware}{where}: {flop:.3g} FLOP"


def _held(made: Planned, key: str) -> Held:
    unit, most, left = made.estimate.results[LIMITED[key]].unit, made.limits[key], made.left[key]
    chance = made.chances.get(key)
    return Held(
        key=key,
        most=human(most, unit),
        used=human(most - left, unit),
        left=human(left, unit),
        kept="unknown" if chance is None else percent(chance),
        binding=key == made.binding,
    )


def _ends(low: float | None, high: float | None) -> str:
    return f" ({low:.3f} – {high:.3f})" if low is not None and high is not None else ""


def _in(low: float | None, high: float | None, like: float) -> str:
    said = span(low, high, like, "1")
    return f" ({said})" if said else ""


def _spot(made: Planned) -> str:
    spot = made.spot
    if spot is None:
        return ""
    return (
        f"On spot instances: {human(spot['expected_hours'], 'h')} billed for "
        f"{human(spot['work_hours'], 'h')} of work, {digits(spot['interruptions'])} "
        f"interruptions; {human(spot['spot_cost'], made.currency)} against "
        f"{human(spot['on_demand_cost'], made.currency)} on demand"
    )
