"""What other tools measured, as measured reports: one file a tool, each ``read(text, name)``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, cast

from costcalc.base.errors import InputError, Problem, nearest
from costcalc.base.reading import MAX_BYTES, read_bytes

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

SOURCES = ("codecarbon", "carbontracker", "slurm")


def read(source: str, path: Path, *, identify: bool = False) -> Report:
    """The report in a file of one of :data:`SOURCES`.

    Raises:
        InputError: there is no such source, or the file is none of it.
    """
    if source not in SOURCES:
        near = nearest(source, SOURCES, at_most=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        message = f'expected one of {", ".join(SOURCES)}; got "{source}"{hint}'
        raise InputError(Problem(key="import", message=message))
    module = importlib.import_module(f"costcalc.report.importing.{source}")
    text = _text(path)
    other = module.beside(str(path)) if hasattr(module, "beside") else None
    if other is not None and Path(other).is_file():
        text = f"{_text(Path(other))}\n{text}"
    return cast("Report", module.read(text, str(path), identify=identify))


def _text(path: Path) -> str:
    if str(path) == "-":
        import sys

        raw = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        raw = read_bytes(path, str(path))
    if len(raw) > MAX_BYTES:
        message = f"larger than {MAX_BYTES // 1_000_000} MB"
        raise InputError(Problem(key="", message=message, file=str(path)))
    return raw.decode("utf-8-sig", errors="replace")
