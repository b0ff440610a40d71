"""Which regions' grid factors are of one convention, and can be ranked with one another."""

from __future__ import annotations

from costcalc.catalog import region as regions_
from costcalc.runfile.loading import Request


def conventions(names: tuple[str, ...], request: Request) -> tuple[frozenset[str], list[str]]:
    """Regions that cannot be ranked with the others, and what is to be said of it.

    Grid factors of several conventions are never ranked together: the most common one is kept.  Of
    lifecycle factors what a place consumes stands beside what others generate, and is said: trade
    is in their ranges.
    """
    site = request.parts[0].part.site
    if site is not None and site.grid is not None:
        return frozenset(), ["one grid factor, yours, for every region"]
    by_kind: dict[tuple[str, ...], list[str]] = {}
    unknown: list[str] = []
    consumed: list[str] = []
    for name in names:
        grid = regions_.find(name).grid
        if grid is None:
            unknown.append(name)
            continue
        flow = grid.flow
        if (grid.basis, flow) == ("lifecycle", "consumption"):
            consumed.append(name)
            flow = "production"
        kind = (grid.basis, flow, grid.signal, grid.accounting)
        by_kind.setdefault(kind, []).append(name)
    if not by_kind:
        return frozenset(names), ["no grid factor of these regions is known: carbon not compared"]
    kept = max(by_kind, key=lambda kind: len(by_kind[kind]))
    others = {name: kind for kind, listed in by_kind.items() if kind != kept for name in listed}
    notes = [f"regions ranked by grid factors that are {', '.join(kept)}-based"]
    if others:
        shown = ", ".join(list(others)[:8]) + (", …" if len(others) > 8 else "")
        kinds = "; ".join(sorted({", ".join(kind) for kind in others.values()}))
        notes.append(f"not ranked with them, for their factors are {kinds}: {shown}")
    if consumed and len(consumed) < len(names):
        shown = ", ".join(consumed[:8]) + (", …" if len(consumed) > 8 else "")
        notes.append(f"ranked with them by what they consume, trade included: {shown}")
    if unknown:
        notes.append(f"{len(unknown)} regions have no known grid factor")
    return frozenset(others), notes
