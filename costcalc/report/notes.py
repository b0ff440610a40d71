"""What is to be known of the parts of a merged report: of one it is not of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

_NAMED = 3  # parts that a warning is of, by name


def of_parts(reports: Sequence[Report], suffixes: Sequence[str]) -> list[str]:
    """What is to be known of the parts: of some of them with their names, of all without."""
    names = [f"{one.get('name') or 'run'}{end}" for one, end in zip(reports, suffixes, strict=True)]
    of: dict[str, dict[int, None]] = {}
    for part, report in enumerate(reports):
        for warning in report.get("warnings") or ():
            of.setdefault(warning, {})[part] = None
    return [
        warning
        if len(held) == len(names)
        else f"{few([*dict.fromkeys(names[part] for part in held)])}: {warning}"
        for warning, held in of.items()
    ]


def few(names: Sequence[str]) -> str:
    """Names in a line: of more than three the first, and how many more.

    >>> few(["a", "b"]), few(["a", "b", "c", "d"])
    ('a, b', 'a and 3 more')
    """
    return ", ".join(names) if len(names) <= _NAMED else f"{names[0]} and {len(names) - 1:,} more"
