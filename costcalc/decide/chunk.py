"""One piece of a sweep: its figures, its own front, and what of it is kept; plain data throughout.

A chunk is a function of plain values to plain values, so that it runs here or on a cluster alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from costcalc.base.units import to_si
from costcalc.calculator.limits import LIMITED
from costcalc.calculator.result import BY_TIME, COMPARED, FigureName
from costcalc.decide.pareto import front
from costcalc.decide.preempted import NEVER, PLAN, Spot
from costcalc.decide.renting import absent
from costcalc.decide.sweep import ScenarioRow, Sweep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from costcalc.calculator.scenarios import Scenarios

    Array = NDArray[np.float64]

AIMS: dict[str, FigureName] = {"time": "wall_clock", "cost": "cost", "carbon": "carbon_total"}
KEPT = 20  # of the rest, for each aim
ALIKE = 1e-9  # figures that differ by less are the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What every chunk needs to know: the run, the aims, the limits in report units."""

    run: Mapping[str, object]
    changes: Mapping[str, object]
    aims: tuple[str, ...]
    limits: Mapping[str, float]
    minimize: str | None
    unranked: frozenset[str]  # regions whose carbon is of another convention
    everything: bool  # whether all rows are wanted
    choosing: bool = False  # between hardware: what may not hold the run is left out
    spot: Spot | None = None  # what happens to spot instances; None: interruptions are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Every row of a piece, by columns; names as codes with their words beside, to stay small."""

    precision: str | None
    words: tuple[Sequence[str | int], ...]
    codes: NDArray[np.int32]
    figures: Mapping[str, Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What a chunk found: rows are dicts of plain values."""

    number: int
    feasible: int
    front: list[ScenarioRow]
    rest: list[ScenarioRow]
    best: ScenarioRow | None
    why: dict[str, str]
    doubtful: dict[str, str]  # what may not hold the run, where nothing else is to choose from
    lacking: dict[FigureName, int]
    unpriced: list[ScenarioRow]  # the front of what no price is known of, without prices
    no_price: dict[tuple[str, str], list[str]]  # accelerator and plan: the regions
    table: Columns | None


def chunk(task: Task, sweep: Sweep) -> Piece:
    """The scenarios of one piece of a sweep.

    Raises:
        InputError: the run file has problems.
    """
    from costcalc.calculator.scenarios import scenarios

    precision = sweep.precisions[0]
    changes = dict(task.changes)
    if precision is not None:
        changes["training.precision"] = precision
    found = scenarios(
        task.run,
        accelerators=sweep.accelerators,
        counts=sweep.counts,
        regions=sweep.regions,
        plans=sweep.plans,
        changes=changes,
    )
    names = dict.fromkeys((*COMPARED, "carbon_operational", *LIMITED.values()))
    figures = {name: np.ascontiguousarray(found.figures[name]).ravel() for name in names}
    why = dict(found.why)
    if task.choosing:
        _leave_out(figures, found, sweep)
        why |= found.doubtful
    if task.spot is not None and PLAN in sweep.plans:
        _interrupt(figures, found, sweep, task.spot, why)
    missing = absent(task.run, sweep.accelerators, sweep.regions, sweep.plans, changes)
    if missing.any():
        beyond = np.repeat(missing[:, None], len(sweep.counts), axis=1).ravel()
        figures = {name: np.where(beyond, np.nan, values) for name, values in figures.items()}
        for a in np.flatnonzero(missing.all(axis=(1, 2))):
            name = sweep.accelerators[a]
            clouds = sorted({region.partition(":")[0] for region in sweep.regions})
            text = f"{', '.join(clouds)}: not known to rent it"
            why |= {(name, count): text for count in sweep.counts}
    _unrank(figures, sweep, task.unranked)
    shape = tuple(
        len(axis) for axis in (sweep.accelerators, sweep.counts, sweep.regions, sweep.plans)
    )
    costs = np.column_stack([figures[AIMS[aim]] for aim in task.aims])
    at = front(costs)
    no_price, without = _unpriced(figures, shape, sweep, task.aims)
    within = _within(figures, task.limits)

    def rows(indices: NDArray[np.int64]) -> list[ScenarioRow]:
        return [_row(int(i), shape, sweep, figures, bool(within[i])) for i in indices]

    others = _others(costs, at)
    best = _best(figures, within, task.minimize)
    return Piece(
        number=sweep.number,
        feasible=int(np.isfinite(figures["wall_clock"]).sum()),
        front=rows(at),
        rest=rows(others),
        best=rows(best)[0] if len(best) else None,
        why=_named(why, precision),
        doubtful={} if task.choosing else _named(found.doubtful, precision),
        lacking={
            name: int((~np.isfinite(figures[name]) & np.isfinite(figures["wall_clock"])).sum())
            for name in AIMS.values()
        },
        unpriced=rows(without),
        no_price=no_price,
        table=_whole(shape, sweep, figures) if task.everything else None,
    )


def _named(told: Mapping[tuple[str, int], str], precision: str | None) -> dict[str, str]:
    before = f"{precision} " if precision else ""
    return {f"{before}{count} × {name}": text for (name, count), text in told.items()}


def _leave_out(figures: dict[str, Array], found: Scenarios, sweep: Sweep) -> None:
    """No figures of hardware that may not hold the run: there is other to choose from."""
    out = np.array(
        [[(a, c) in found.doubtful for c in sweep.counts] for a in sweep.accelerators], dtype=bool
    )
    if out.any():
        beyond = np.repeat(out.ravel(), len(sweep.regions) * len(sweep.plans))
        for name, values in figures.items():
            figures[name] = np.where(beyond, np.nan, values)


def _interrupt(
    figures: dict[str, Array],
    found: Scenarios,
    sweep: Sweep,
    spot: Spot,
    why: dict[tuple[str, int], str],
) -> None:
    """The time that interruptions take, on every figure of spot instances that goes with it."""
    shape = tuple(len(axis) for axis in found.axes.values())
    p = sweep.plans.index(PLAN)
    work = figures["wall_clock"].reshape(shape)[..., p] * to_si(1.0, "h")
    rate = spot.taken(1).value * (found.nodes if spot.rate is None else 1.0)
    by = np.asarray(spot.longer(work, rate))
    by = np.where(by < NEVER, by, np.nan)
    for name in [name for name in figures if name in BY_TIME]:
        values = figures[name].reshape(shape).copy()
        values[..., p] *= by
        figures[name] = values.ravel()
    undone = np.isnan(by).all(axis=2) & np.isfinite(work).any(axis=2)
    if sweep.plans == (PLAN,):
        for a, c in np.argwhere(undone).tolist():
            why[sweep.accelerators[a], sweep.counts[c]] = (
                "spot instances are taken away faster than it gets on (--no-interruptions)"
            )


def _unpriced(
    figures: Mapping[str, Array], shape: tuple[int, ...], sweep: Sweep, aims: tuple[str, ...]
) -> tuple[dict[tuple[str, str], list[str]], NDArray[np.int64]]:
    """What no price is known of, by name, and the best of it in the other aims."""
    lacks = np.isnan(figures["cost"]) & np.isfinite(figures["wall_clock"])
    others = [AIMS[aim] for aim in aims if aim != "cost"]
    if "cost" not in aims or not lacks.any():
        return {}, np.array([], dtype=np.int64)
    by_name: dict[tuple[str, str], list[str]] = {}
    for a, r, p in np.argwhere(lacks.reshape(shape).any(axis=1)).tolist():
        by_name.setdefault((sweep.accelerators[a], sweep.plans[p]), []).append(sweep.regions[r])
    at = np.flatnonzero(lacks)
    return by_name, at[front(np.column_stack([figures[name][at] for name in others]))]


def _unrank(figures: dict[str, Array], sweep: Sweep, unranked: frozenset[str]) -> None:
    """Carbon of another convention of grid factors is not compared."""
    other = np.array([name in unranked for name in sweep.regions])
    if not other.any():
        return
    hardware = len(sweep.accelerators) * len(sweep.counts)
    mask = np.tile(np.repeat(other, len(sweep.plans)), hardware)
    for name in ("carbon_total", "carbon_operational"):
        figures[name] = np.where(mask, np.nan, figures[name])


def _within(figures: Mapping[str, Array], limits: Mapping[str, float]) -> NDArray[np.bool_]:
    kept: NDArray[np.bool_] = np.isfinite(figures["wall_clock"])
    for key, most in limits.items():
        with np.errstate(invalid="ignore"):
            kept = np.logical_and(kept, figures[LIMITED[key]] <= most)
    return kept


def _others(costs: Array, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """The best of the rest by each aim."""
    left: NDArray[np.bool_] = np.asarray(np.isfinite(costs).all(axis=1))
    left[at] = False
    rest = np.flatnonzero(left)
    picked: list[int] = []
    for aim in range(costs.shape[1]):
        values = costs[rest, aim]
        if len(values) > KEPT:
            near = np.argpartition(values, KEPT)[:KEPT]
            picked += rest[near].tolist()
        else:
            picked += rest.tolist()
    return np.array(sorted(set(picked)), dtype=np.int64)


def _best(
    figures: Mapping[str, Array], within: NDArray[np.bool_], aim: str | None
) -> NDArray[np.int64]:
    if aim is None:
        return np.array([], dtype=np.int64)
    values = np.where(within, figures[AIMS[aim]], np.nan)
    if np.isnan(values).all():
        return np.array([], dtype=np.int64)
    least = np.flatnonzero(values <= np.nanmin(values) * (1 + ALIKE))
    costs = np.nan_to_num(figures["cost"][least], nan=np.inf)
    return least[[np.argmin(costs)]]  # of those alike the cheapest


def _row(
    index: int, shape: tuple[int, ...], sweep: Sweep, figures: Mapping[str, Array], within: bool
) -> ScenarioRow:
    a, c, r, p = (int(i) for i in np.unravel_index(index, shape))

    def known(name: FigureName) -> float | None:
        value = float(figures[name][index])
        return value if np.isfinite(value) else None

    return {
        "precision": sweep.precisions[0],
        "accelerator": sweep.accelerators[a],
        "count": sweep.counts[c],
        "region": sweep.regions[r],
        "plan": sweep.plans[p],
        "wall_clock": known("wall_clock"),
        "device_hours": known("device_hours"),
        "cost": known("cost"),
        "energy": known("energy"),
        "carbon_total": known("carbon_total"),
        "within_limits": within,
    }


def _whole(shape: tuple[int, ...], sweep: Sweep, figures: Mapping[str, Array]) -> Columns:
    return Columns(
        precision=sweep.precisions[0],
        words=(sweep.accelerators, sweep.counts, sweep.regions, sweep.plans),
        codes=np.indices(shape).reshape(len(shape), -1).astype(np.int32),
        figures={name: figures[name] for name in COMPARED},
    )
