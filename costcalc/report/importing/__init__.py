"""What other tools measured, as measured reports: one file a tool, each ``read(text, name)``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, cast

from costcalc.base.errors import InputError, Problem, nearest
from costcalc.base.reading import MAX_BYTES, read_bytes

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report
    from costcalc.report.importing.costed import Costing

SOURCES = (
    "codecarbon", "carbontracker", "slurm", "nvidia-smi", "dcgm", "wandb", "mlflow", "zeus",
)  # fmt: skip
# What one tool's files leave open, and the option that says it.
OPTIONS = {"codecarbon": "ranks", "dcgm": "interval"}


def read(
    source: str,
    path: Path,
    *,
    identify: bool = False,
    costing: Costing | None = None,
    **said: object,
) -> Report:
    """The report in a file of one of :data:`SOURCES`; ``costing`` adds a place and prices.

    ``said``: ``ranks`` (codecarbon) or ``interval`` in seconds (dcgm).

    Raises:
        InputError: there is no such source, the file is none of it, or something said is another's.
    """
    if source not in SOURCES:
        near = nearest(source, SOURCES, at_most=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        message = f'expected one of {", ".join(SOURCES)}; got "{source}"{hint}'
        raise InputError(Problem(key="import", message=message))
    told = {key: value for key, value in said.items() if value is not None}
    for key in told:
        if OPTIONS.get(source) != key:
            owner = next(name for name, option in OPTIONS.items() if option == key)
            raise InputError(Problem(key=f"--{key}", message=f"goes with {owner}, not {source}"))
    module = importlib.import_module(f"costcalc.report.importing.{source.replace('-', '_')}")
    told |= {"identify": identify, "costing": costing}
    if hasattr(module, "read_folder"):
        return cast("Report", module.read_folder(path, **told))
    text = _text(path)
    other = module.beside(str(path)) if hasattr(module, "beside") else None
    if other is not None and Path(other).is_file():
        text = f"{_text(Path(other))}\n{text}"
    return cast("Report", module.read(text, str(path), **told))


def _text(path: Path) -> str:
    if str(path) == "-":
        import sys

        raw = sys.stdin.buffer.read(MAX_BYTES + 1)
    else:
        raw = read_bytes(path, str(path))
    if len(raw) > MAX_BYTES:
        message = f"larger than {MAX_BYTES // 1_000_000} MB"
        raise InputError(Problem(key="", message=message, file=str(path)))
    return _decoded(raw)


def _decoded(raw: bytes) -> str:
    """Text of a tool: UTF-8 or UTF-16 by its mark (a PowerShell ``>``), else Latin-1."""
    for start, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if raw.startswith(start):
            return raw.decode(encoding, errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
