"""Compare a run across hardware, counts, places, prices and precisions: the front first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from costcalc.base.errors import InputError, wrong
from costcalc.base.human import number_of
from costcalc.calculator.limits import amounts
from costcalc.calculator.result import COMPARED, UNITS
from costcalc.catalog import region as regions_
from costcalc.decide import preempted, ranging, unpriced
from costcalc.decide import sweep as sweeps
from costcalc.decide.chunk import AIMS, Columns, Piece, Task, chunk
from costcalc.decide.conventions import conventions
from costcalc.decide.merging import merge
from costcalc.decide.money import converted, money_of
from costcalc.decide.preempted import Spot
from costcalc.decide.ranging import ranged
from costcalc.decide.renting import bought
from costcalc.decide.sweep import ScenarioRow, section
from costcalc.decide.unpriced import FIRST, less_still, named, sorted_by
from costcalc.resolve.names import look_up
from costcalc.runfile.loading import Request, Source, load

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    Array = NDArray[np.float64]

SCHEMA = "costcalc/compare/v1"
_MONEY = {"price.currency": "currency", "price.rate": "rate"}
_HINTS = {"cost": " (price.provider, or a provider's regions, would say)"}
Progress = Callable[[int, int], None]
Writer = Callable[[Columns], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The front of time, cost and carbon, what comes next, and how sure one is of beating another.

    ``wins[aim][i][j]`` is the share of paired draws in which the front's row i beats row j.
    """

    name: str
    sweep: sweeps.Sweep
    aims: tuple[str, ...]
    front: tuple[ScenarioRow, ...]
    rest: tuple[ScenarioRow, ...]
    unpriced: tuple[ScenarioRow, ...]  # without a price: their front in the other aims
    no_price: Mapping[tuple[str, str], list[str]]  # accelerator and plan: the regions
    best: ScenarioRow | None
    minimize: str | None
    limits: Mapping[str, float]
    wins: Mapping[str, list[list[float]]]
    number: int
    feasible: int
    why: Mapping[str, str]
    notes: tuple[str, ...]
    sources: tuple[str, ...]
    currency: str = "USD"

    def __repr__(self) -> str:
        return (
            f"<Comparison {self.name!r}: {number_of(self.number, 'scenario')}, "
            f"{self.feasible:,} can run; "
            f"{len(self.front)} on the front of {', '.join(self.aims)}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the front and the rest, with ranges."""
        from costcalc.decide import notebook

        return notebook.table(self)

    @property
    def first(self) -> str:
        """What the first of the rows listed is: the cheapest, the fastest, the cleanest."""
        return FIRST[sorted_by(self.aims, self.minimize)]

    @property
    def met(self) -> bool:
        """Whether what was asked for can be had: something within the limits."""
        if self.minimize is not None:
            return self.best is not None
        return not self.limits or any(row["within_limits"] for row in (*self.front, *self.rest))

    def to_pandas(self) -> DataFrame:
        """The front and the rest as a table; ``attrs["units"]`` says the units.

        ``cost_low`` and ``cost_high`` are the 5th and 95th percentile where ranges were drawn.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        from costcalc.decide.frames import frame_of

        return frame_of(self.front, self.rest, self.units)

    @property
    def units(self) -> dict[str, str]:
        """The unit of each figure."""
        return {name: self.currency if name == "cost" else UNITS[name] for name in COMPARED}

    def to_dict(self) -> dict[str, object]:
        """Plain values."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "aims": list(self.aims),
            "units": self.units,
            "scenarios": self.number,
            "feasible": self.feasible,
            "front": list(self.front),
            "rest": list(self.rest),
            "unpriced": list(self.unpriced),
            "no_price": [
                {
                    "accelerator": accelerator,
                    "plan": plan,
                    "number": len(names),
                    "regions": names[:50],
                }
                for (accelerator, plan), names in self.no_price.items()
            ],
            "minimize": self.minimize,
            "best": self.best,
            "limits": dict(self.limits),
            "wins": dict(self.wins),
            "why_not": dict(self.why),
            "notes": list(self.notes),
            "sources": list(self.sources),
        }


def compare(
    source: Source,
    *,
    accelerators: object = None,
    counts: object = None,
    regions: object = None,
    plans: object = None,
    precisions: object = None,
    minimize: str | None = None,
    changes: Mapping[str, object] | None = None,
    ranges: bool = True,
    progress: Progress | None = None,
    write: Writer | None = None,
    client: object = None,
    chunk_size: int = sweeps.MOST_IN_A_CHUNK,
    interruptions: bool = True,
) -> Comparison:
    """A run across accelerators, counts, regions, price plans and precisions.

    An axis is a list or words (``"64..1024"``, ``"all"``); one left out is the run's own.
    ``minimize`` (time, cost or carbon) asks for the least within the run's limits.  ``write``
    gets every chunk's rows; ``client`` is a Dask client, on whose workers the chunks then run.
    On spot ``interruptions`` are counted.  Money is in the run's currency; ``write`` gets dollars.

    Raises:
        InputError: the run file, an axis or the aim cannot be read.

    >>> found = compare({"model": {"preset": "llama-3-8b"}, "training": {"tokens": "1T"},
    ...                  "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
    ...                  "price": {"provider": "any"}},
    ...                 counts="64..128", regions="FR,PL", ranges=False)
    >>> {row["region"] for row in found.front}
    {'FR'}
    """
    if minimize not in (None, *AIMS):
        raise wrong("minimize", f'expected {", ".join(AIMS)}; got "{minimize}"')
    asked: dict[str, object] = {
        "accelerators": accelerators,
        "counts": counts,
        "regions": regions,
        "plans": plans,
        "precisions": precisions,
    }
    raw, axes = sweeps.read(source, asked, changes)
    changes = dict(changes or {})
    own = {short: changes.pop(key) for key, short in _MONEY.items() if key in changes}
    raw, money = money_of({**raw, "price": {**section(raw, "price"), **own}} if own else raw)
    _check_file(source, raw, axes, changes)
    request = _checked(raw, axes, changes)
    unranked, notes = conventions(axes.regions, request)
    notes += axes.left_open
    task = Task(
        run=_hardware(raw, axes),
        changes=changes,
        aims=_aims(axes, request, unranked),
        limits=amounts(request.run.limits, request.run.price),
        minimize=minimize,
        unranked=unranked,
        everything=write is not None,
        choosing=len(axes.accelerators) * len(axes.counts) > 1,
        spot=Spot() if interruptions else None,
    )
    task, merged = _ranked(task, axes, progress, write, client, chunk_size)
    rows = merged.front
    wins: dict[str, list[list[float]]] = {}
    if ranges:
        rows, wins = ranged(raw, rows, task)
        notes += _sampled(len(rows), task)
    notes += [*_said(merged, task), *_bought(request, axes)]
    spot = task.spot if preempted.PLAN in axes.plans else None
    if spot is not None:
        notes.append(preempted.note(spot))
    return Comparison(
        name=request.run.name or "run",
        sweep=axes,
        aims=task.aims,
        front=tuple(converted(row, money) for row in rows),
        rest=tuple(converted(row, money) for row in merged.rest),
        unpriced=tuple(merged.unpriced[: ranging.SAMPLED]),
        no_price=merged.no_price,
        best=converted(merged.best, money) if merged.best else None,
        currency=money.name,
        minimize=minimize,
        limits={k: money.of(most) if k == "cost" else most for k, most in task.limits.items()},
        wins=wins,
        number=merged.number,
        feasible=merged.feasible,
        why=merged.why,
        notes=tuple(notes),
        sources=(*_sources(axes, unranked), *(preempted.sources() if spot is not None else ())),
    )


def _ranked(
    task: Task,
    axes: sweeps.Sweep,
    progress: Progress | None,
    write: Writer | None,
    client: object,
    size: int,
) -> tuple[Task, Piece]:
    """The scenarios, ranked by the aims that are known of them, and what was ranked by."""
    merged = merge(_run(task, axes, progress, write, client, size), task)
    known = unpriced.ranked_by(task, merged)
    if not known or known == task.aims:
        return task, merged
    task = replace(task, aims=known, everything=False)
    again = merge(_run(task, axes, progress, None, client, size), task)
    some = merged.lacking["cost"] < merged.feasible
    return task, replace(again, no_price=merged.no_price if some else {})


def _sampled(number: int, task: Task) -> Iterator[str]:
    """That ranges are those of the first rows alone, where there are more."""
    if number > ranging.SAMPLED:
        yield (
            f"ranges are drawn, and shares of paired draws counted, for the first "
            f"{ranging.SAMPLED} (the {FIRST[sorted_by(task.aims, task.minimize)]}) of {number} "
            "on the front"
        )


def _said(merged: Piece, task: Task) -> Iterator[str]:
    """What is not on the front and why, and what may not hold the run."""
    for name, number in merged.lacking.items():
        if number and name in {AIMS[aim] for aim in task.aims}:
            lacks = name.replace("_", " ")
            yield f"{number:,} scenarios have no {lacks} and are not on the front"
    yield from (f"{name}: {told}" for name, told in merged.doubtful.items())
    yield from unpriced.beside(task.aims, merged, _HINTS)
    if merged.no_price:
        yield named(merged.no_price)
        yield from less_still(merged, task.minimize)


def _bought(request: Request, axes: sweeps.Sweep) -> Iterable[str]:
    price = request.parts[0].part.price
    owned = price.owned if price else None
    return bought(owned and owned.purchase, axes.accelerators, axes.counts)


def _check_file(
    source: Source, raw: Mapping[str, object], axes: sweeps.Sweep, changes: Mapping[str, object]
) -> None:
    """The problems of a file, at its lines; below it is a mapping without lines."""
    if isinstance(source, Mapping) or not isinstance(source, (str, os.PathLike)) or source == "-":
        return
    own = raw.get("hardware")
    named = isinstance(own, Mapping) and ("instance" in own or "accelerator" in own)
    first: dict[str, object] = {} if named else {"hardware.accelerator": axes.accelerators[0]}
    if not (isinstance(own, Mapping) and ({"instance", "count"} & set(own))):
        first["hardware.count"] = axes.counts[0]
    load(source, look_up, changes={**changes, **first})


def _hardware(raw: Mapping[str, object], axes: sweeps.Sweep) -> dict[str, object]:
    """The run on the first of the axes where it has no hardware of its own: all is laid over it."""
    own = section(raw, "hardware")
    if "instance" not in own:
        own = {"accelerator": axes.accelerators[0], "count": axes.counts[0], **own}
    return {**raw, "hardware": own}


def _checked(
    raw: Mapping[str, object], axes: sweeps.Sweep, changes: Mapping[str, object]
) -> Request:
    """The run with the first of every axis: its problems are said before anything is compared."""
    first = {
        "precision": axes.precisions[0],
        "accelerator": axes.accelerators[0],
        "count": axes.counts[0],
        "region": axes.regions[0],
        "plan": axes.plans[0],
    }
    request = load(sweeps.single(raw, first), look_up, changes=changes)
    if len(request.parts) != 1:
        raise InputError(request.document.problem(("stages",), "compare takes one stage"))
    return request


def _aims(axes: sweeps.Sweep, request: Request, unranked: frozenset[str]) -> tuple[str, ...]:
    """Time and cost always; carbon where any region's can be compared."""
    site = request.parts[0].part.site
    known = (site is not None and site.grid is not None) or any(
        regions_.find(name).grid is not None and name not in unranked for name in axes.regions
    )
    return ("time", "cost", "carbon") if known else ("time", "cost")


def _run(
    task: Task,
    axes: sweeps.Sweep,
    progress: Progress | None,
    write: Writer | None,
    client: object,
    size: int,
) -> Iterator[Piece]:
    """Every chunk's result, in order; at most a few are held at a time."""
    pieces = axes.chunks(size)
    results: Iterable[Piece] = (chunk(task, piece) for piece in pieces)
    if client is not None:
        from costcalc.decide.cluster import run

        results = run(client, task, pieces)
    done = 0
    for found in results:
        done += found.number
        if write is not None and found.table is not None:
            write(found.table)
        if progress is not None:
            progress(done, axes.number)
        yield found


def _sources(axes: sweeps.Sweep, unranked: frozenset[str]) -> tuple[str, ...]:
    """Where the grid factors of the regions come from."""
    found = (regions_.find(name).grid for name in axes.regions if name not in unranked)
    return tuple(sorted({grid.source for grid in found if grid is not None}))
