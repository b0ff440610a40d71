"""A report as text, and model cards read as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from costcalc.base import writing
from costcalc.base.errors import InputError, Problem
from costcalc.calculator.result import SCHEMA


def text(report: Mapping[str, Any], path: Path | None = None, *, escape: bool = False) -> str:
    """YAML, or JSON where the file's name ends so; ``escape`` keeps YAML to ASCII."""
    if path is not None and path.suffix == ".json":
        return writing.to_json(report) + "\n"
    first = f"# {SCHEMA}: costcalc report verify checks it"
    return writing.to_yaml(report, first_line=first, escape=escape)


def read_card(path: Path) -> str:
    """A README.md with its own line ends.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8 text"
        raise InputError(
            Problem(key="", message=f"cannot be read: {reason}", file=str(path))
        ) from None
