"""What other tools measured, as measured reports: one file a tool, each ``read(text, name)``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, cast

from costcalc.base.errors import InputError, Problem, nearest
from costcalc.base.reading import read_text

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report
    from costcalc.report.importing.costed import Costing

SOURCES = (
    "codecarbon", "carbontracker", "slurm", "nvidia-smi", "dcgm", "wandb", "mlflow", "zeus",
)  # fmt: skip
#: tools whose files name projects or jobs, which stay out of a report but for ``identify``
NAMING = ("codecarbon", "slurm", "zeus")
#: what people call them, and the source of ours that reads it
WORDS = {
    "sacct": "slurm", "seff": "slurm", "nvidia_smi": "nvidia-smi", "nvml": "nvidia-smi",
    "weights & biases": "wandb", "carbon-tracker": "carbontracker",
}  # fmt: skip
#: what one tool's files leave open, and the option that says it
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
        ours, near = WORDS.get(source.lower()), nearest(source, SOURCES, at_most=1)
        hint = f"; here that is {ours}" if ours else f"; did you mean {near[0]}?" if near else ""
        message = f'expected one of {", ".join(SOURCES)}; got "{source}"{hint}'
        raise InputError(Problem(key="import", message=message))
    told = {key: value for key, value in said.items() if value is not None}
    for key in told:
        if OPTIONS.get(source) != key:
            owner = next(name for name, option in OPTIONS.items() if option == key)
            raise InputError(Problem(key=f"--{key}", message=f"goes with {owner}, not {source}"))
    module = importlib.import_module(f"costcalc.report.importing.{source.replace('-', '_')}")
    told["costing"] = costing
    if source in NAMING:
        told["identify"] = identify
    if hasattr(module, "devices_beside"):
        told["devices"] = module.devices_beside(path)
    if hasattr(module, "read_folder"):
        return cast("Report", module.read_folder(path, **told))
    text = read_text(path, str(path))
    other = module.beside(str(path)) if hasattr(module, "beside") else None
    if other is not None and Path(other).is_file():
        text = f"{read_text(Path(other), other)}\n{text}"
    return cast("Report", module.read(text, str(path), **told))
