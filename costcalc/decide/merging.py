"""One result of a sweep's many pieces: the front of their fronts holds the front of all."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from costcalc.calculator.result import FigureName
from costcalc.decide.chunk import AIMS, ALIKE, Piece, Task
from costcalc.decide.pareto import front
from costcalc.decide.sweep import ScenarioRow
from costcalc.decide.unpriced import amount, sorted_by


def merge(results: Iterable[Piece], task: Task) -> Piece:
    """One result of many: the front of their fronts holds the front of all."""
    rows: list[ScenarioRow] = []
    rest: list[ScenarioRow] = []
    bests: list[ScenarioRow] = []
    why: dict[str, str] = {}
    doubtful: dict[str, str] = {}
    lacking = dict.fromkeys(AIMS.values(), 0)
    unpriced: list[ScenarioRow] = []
    no_price: dict[tuple[str, str], list[str]] = {}
    others = tuple(aim for aim in task.aims if aim != "cost")
    number = feasible = 0
    for found in results:
        number, feasible = number + found.number, feasible + found.feasible
        why |= found.why
        doubtful |= found.doubtful
        for name, count in found.lacking.items():
            lacking[name] += count
        bests += [found.best] if found.best else []
        rows, beaten = _front_of([*rows, *found.front], task.aims)
        rest = _first([*rest, *beaten, *found.rest], task)
        unpriced, _ = _front_of([*unpriced, *found.unpriced], others)
        for key, names in found.no_price.items():
            no_price[key] = list(dict.fromkeys((*no_price.get(key, ()), *names)))
    aim, first = AIMS[task.minimize or "cost"], AIMS[sorted_by(task.aims, task.minimize)]
    rows.sort(
        key=lambda row: (
            amount(row[first]), amount(row["wall_clock"]), row["accelerator"], row["count"]
        )
    )  # fmt: skip
    return Piece(
        number=number,
        feasible=feasible,
        front=rows,
        rest=rest,
        why=why,
        doubtful=doubtful,
        lacking=lacking,
        unpriced=sorted(unpriced, key=lambda row: [row[AIMS[aim]] or 0.0 for aim in others[::-1]]),
        no_price=no_price,
        best=_least(bests, aim),
        table=None,
    )


def _least(rows: list[ScenarioRow], aim: FigureName) -> ScenarioRow | None:
    """The least of an aim; of those alike the cheapest."""
    if not rows:
        return None
    least = min(amount(row[aim]) for row in rows) * (1 + ALIKE)
    return min((row for row in rows if amount(row[aim]) <= least), key=lambda r: amount(r["cost"]))


def _front_of(
    rows: list[ScenarioRow], aims: tuple[str, ...]
) -> tuple[list[ScenarioRow], list[ScenarioRow]]:
    if not rows:
        return [], []
    at = set(front(np.array([[row[AIMS[aim]] for aim in aims] for row in rows])).tolist())
    return (
        [row for i, row in enumerate(rows) if i in at],
        [row for i, row in enumerate(rows) if i not in at],
    )


def _first(rows: list[ScenarioRow], task: Task, most: int = 20) -> list[ScenarioRow]:
    """The best of the rest by the figure that they are listed by, then by the others."""
    names = [AIMS[aim] for aim in (sorted_by(task.aims, task.minimize), *task.aims)]
    return sorted(rows, key=lambda row: [amount(row[name]) for name in names])[:most]
