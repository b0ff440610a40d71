"""Jobs that ran on one node at once: the node's counter has both, and so has each of the jobs."""

from __future__ import annotations

from collections.abc import Sequence

from costcalc.report.importing.cells import Row
from costcalc.report.importing.nodes import expanded
from costcalc.report.importing.steps import Span, span_of
from costcalc.report.ranks import ALIKE


def neighbours(rows: Sequence[Row], seconds: Sequence[float | None]) -> dict[int, tuple[int, str]]:
    """Of each row that shares a node's counter: another row that does, and the node.

    Rows that do not say when they ran, or where, share nothing that could be told.  ``seconds``:
    how long each ran; None of what has no counter.  Less than a twentieth of the shorter is none.
    """
    by_node: dict[str, list[tuple[float, int, Span]]] = {}
    for index, (row, lasted) in enumerate(zip(rows, seconds, strict=True)):
        span = span_of(row, lasted, 1.0)
        if span is None or span.start is None:
            continue
        for node in expanded(span.where):
            by_node.setdefault(node, []).append((span.start, index, span))
    found: dict[int, tuple[int, str]] = {}
    for node, listed in by_node.items():
        running: list[tuple[int, Span]] = []
        for start, index, span in sorted(listed, key=lambda one: one[:2]):
            running = [(i, other) for i, other in running if _end(other) > start]
            for i, other in running:
                both = min(_end(other), _end(span)) - start
                if both > ALIKE * min(other.seconds, span.seconds):
                    found.setdefault(i, (index, node))
                    found.setdefault(index, (i, node))
            running.append((index, span))
    return found


def _end(span: Span) -> float:
    return (span.start or 0.0) + span.seconds
