"""What other tools measured, as measured reports: one file a tool, each ``read(text, name)``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from costcalc.errors import InputError, Problem, nearest
from costcalc.reading import MAX_BYTES, read_bytes

SOURCES = ("codecarbon", "carbontracker", "slurm")


def read(source: str, path: Path, *, identify: bool = False) -> dict[str, Any]:
    """The report in a file of one of :data:`SOURCES`.

    Raises:
        InputError: there is no such source, or the file is none of it.
    """
    if source not in SOURCES:
        near = nearest(source, SOURCES, at_most=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        message = f'expected one of {", ".join(SOURCES)}; got "{source}"{hint}'
        raise InputError(Problem(key="import", message=message))
    raw = read_bytes(path, str(path))
    if len(raw) > MAX_BYTES:
        message = f"larger than {MAX_BYTES // 1_000_000} MB"
        raise InputError(Problem(key="", message=message, file=str(path)))
    text = raw.decode("utf-8-sig", errors="replace")
    module = importlib.import_module(f"costcalc.report.importing.{source}")
    made: dict[str, Any] = module.read(text, str(path), identify=identify)
    return made
