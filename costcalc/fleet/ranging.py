"""The ranges of sums: the jobs of a kind as one, on the same draws for every kind.

Each figure of a job is linear in its device-seconds and in its metered joules, so that the draws of
a sum are the kinds' draws times what the groups have of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from costcalc.base.ranges import DRAWS, percentiles
from costcalc.fleet.kinds import HOUR, KWH, UNITS, Kind
from costcalc.fleet.sums import Figure, Group, Key, Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MANY = 200  # groups from which on sums have fewer draws, so that memory stays flat
FEW_DRAWS = 2_000
CHUNK = 64  # columns that are multiplied at once
#: what a figure's draws are the sum of, each with the factor that takes it to the ledger's sum
_OF: Mapping[str, tuple[str, ...]] = {
    **{name: (name,) for name in UNITS},
    "carbon_total": ("carbon_operational", "carbon_embodied"),
}


class _Columns:
    """Draws of one figure: columns a kind, and how much of each the groups have."""

    def __init__(self, groups: int, number: int) -> None:
        self.total = np.zeros((groups, number))
        self._draws: list[Array] = []
        self._much: list[Array] = []

    def add(self, draws: object, much: Array) -> None:
        """One more column, a scalar where there is no doubt."""
        self._draws.append(
            np.broadcast_to(np.asarray(draws, dtype=np.float64), self.total[0].shape)
        )
        self._much.append(much)
        if len(self._draws) >= CHUNK:
            self.flush()

    def flush(self) -> Array:
        """The draws of every group."""
        if self._draws:
            self.total += np.array(self._much).T @ np.array(self._draws)
            self._draws, self._much = [], []
        return self.total


def widen(
    groups: Mapping[Key, Group], total: Group, parts: Sequence[Part], known: Mapping[int, Kind]
) -> None:
    """Give each sum of the groups, and of all, its low and high end."""
    places = {key: place for place, key in enumerate(groups)}
    number = DRAWS if len(places) <= MANY else FEW_DRAWS
    by_kind: dict[int, list[Part]] = {}
    for part in parts:
        if part.kind is not None:
            by_kind.setdefault(part.kind, []).append(part)
    for name in UNITS:
        columns = _Columns(len(places), number)
        for kind, mine in by_kind.items():
            _add(columns, name, known[kind], mine, places, number)
        drawn = columns.flush() + _sure(name, parts, known, places)
        for key, group in groups.items():
            _set(group.figures[name], drawn[places[key]])
        if name in total.figures:
            _set(total.figures[name], drawn.sum(axis=0))


def _sure(
    name: str, parts: Sequence[Part], known: Mapping[int, Kind], places: Mapping[Key, int]
) -> Array:
    """What of a figure no kind's formula says, such as the price of processors: without doubt."""
    found = np.zeros((len(places), 1))
    for part in parts:
        if part.kind is None or name not in known[part.kind].per_unit(0):
            found[places[part.group], 0] += part.sums[name] or 0.0
    return found


def _set(figure: Figure, draws: Array) -> None:
    if not draws.any():
        return
    low, high = percentiles(draws, figure.value)
    near = 1e-9 * abs(figure.value)  # sums in another order: the same
    figure.low = figure.value if figure.value - low <= near else low
    figure.high = figure.value if high - figure.value <= near else high


def _add(
    columns: _Columns,
    name: str,
    kind: Kind,
    parts: Sequence[Part],
    places: Mapping[Key, int],
    number: int,
) -> None:
    """The columns of one kind for one figure."""
    centre = kind.per_unit(0)
    if name not in centre:
        return
    for part_of in _OF[name]:
        seconds, joules = np.zeros(len(places)), np.zeros(len(places))
        for part in parts:
            held = part.hours * HOUR or float(part.jobs)  # of processors only joules are known
            metered = (part.sums["metered"] or 0.0) * KWH
            value = held * centre[part_of][0] + metered * centre[part_of][1]
            # an hour's grid is in the ledger's sum: the draws follow it
            factor = (part.sums[part_of] or 0.0) / value if value else 0.0
            seconds[places[part.group]] += held * factor
            joules[places[part.group]] += metered * factor
        per_second, per_joule = kind.per_unit(number)[part_of]
        columns.add(per_second, seconds)
        if kind.scope is not None:
            columns.add(per_joule, joules)
