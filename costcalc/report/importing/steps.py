"""Of how much of a job's time, on its nodes, the steps tell whose energy is added.

A step's counter is read from its begin to its end on each of its nodes, and counts all that the
node draws, whoever draws it (slurm.conf, AcctGatherEnergyType): what lies between steps is in
none, and what two steps at once on a node read is in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from costcalc.report.importing.cells import Row, number

#: of a job's node-time that its meter must cover, and that may be in it twice at most the rest
ENOUGH = 0.9


@dataclass(frozen=True, slots=True)
class Span:
    """A step: when it began (None: not said), how long it ran, on which nodes and how many."""

    start: float | None
    seconds: float
    where: str
    nodes: float


@dataclass(frozen=True, slots=True)
class Covered:
    """Shares of a job's node-time: that some step counted, and that more than one did."""

    once: float
    twice: float


def covered(spans: Sequence[Span], seconds: float, nodes: float) -> Covered:
    """What steps cover of ``seconds`` on so many ``nodes``.

    Steps that say no begin are taken to follow one another.  Which nodes two steps have in common
    is told by lists that are the same, and by their being more together than the job has.

    >>> first, second = Span(0.0, 60.0, "a", 1.0), Span(30.0, 60.0, "a", 1.0)
    >>> covered([first, second], 120.0, 1.0)  # 0 to 90 of 120 s; 30 to 60 s twice
    Covered(once=0.75, twice=0.25)
    >>> covered([first, Span(30.0, 60.0, "b", 1.0)], 120.0, 2.0)  # of 240 node-seconds
    Covered(once=0.5, twice=0.0)
    """
    whole = seconds * nodes
    if whole <= 0:
        return Covered(0.0, 0.0)
    if any(one.start is None for one in spans):
        told = sum(one.seconds * min(one.nodes, nodes) for one in spans) / whole
        return Covered(min(told, 1.0), max(told - 1.0, 0.0))
    edges = sorted(
        edge
        for one in spans
        for edge in (
            (one.start or 0.0, 1, one.where, one.nodes),
            ((one.start or 0.0) + one.seconds, -1, one.where, one.nodes),
        )
    )
    there: dict[str, int] = {}
    active = again = once = twice = 0.0
    before = edges[0][0] if edges else 0.0
    for at, step, where, many in edges:
        once += min(active, nodes) * (at - before)
        twice += min(again + max(active - nodes, 0.0), nodes) * (at - before)
        before = at
        had = there.get(where, 0)
        there[where] = had + step
        if max(had, had + step) > 1:
            again += step * many
        else:
            active += step * many
    return Covered(min(once / whole, 1.0), min(twice / whole, 1.0))


def span_of(step: Row, seconds: float | None, job_nodes: float) -> Span | None:
    """A step's span by its row; None where it does not say how long it ran."""
    if seconds is None:
        return None
    nodes = number(step.get("NNodes")) or job_nodes
    return Span(moment(step.get("Start", "")), seconds, step.get("NodeList", ""), nodes)


def moment(text: str) -> float | None:
    """A time on the clock that prints it, in seconds; only differences of them are asked for."""
    bare = text.strip()
    if bare.isdecimal():
        return float(bare) or None
    try:
        found = datetime.fromisoformat(bare)
    except ValueError:
        return None
    return (found.replace(tzinfo=UTC) if found.tzinfo is None else found).timestamp()
