"""CSV: one row a figure, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any


def render(report: Mapping[str, Any]) -> str:
    """Rows of scope, figure, value, low, high, unit, basis, why; unknown is empty, never 0."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(("scope", "figure", "value", "low", "high", "unit", "basis", "why"))
    for part in [report, *report["stages"]]:
        scope = "total" if part is report else str(part.get("name") or "stage")
        for name, figure in (part.get("results") or {}).items():
            if isinstance(figure, Mapping):
                numbers = [figure.get(key) for key in ("value", "low", "high")]
                words = [figure.get(key) or "" for key in ("unit", "basis", "why")]
                writer.writerow([safe(scope), safe(name), *numbers, *(safe(str(w)) for w in words)])
    return file.getvalue()


def safe(text: str) -> str:
    """Text that no spreadsheet takes for a formula.

    >>> safe("=1+1")
    "'=1+1"
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
