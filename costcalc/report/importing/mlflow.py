"""System metrics of an MLflow run: ``metrics/system/gpu_0_power_usage_watts`` of its folder.

Each file of the store holds ``milliseconds value step`` a line; the folder of a run and its
``metrics/system`` are both taken.  MLflow does not record which boards they are: a parameter or a
tag of the run that does (``gpu_name``, …) is read.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from costcalc.base.errors import CostcalcError, InputError, Problem
from costcalc.base.reading import read_text
from costcalc.catalog import accelerator
from costcalc.report.importing.cells import number, refuse
from costcalc.report.importing.costed import Costing
from costcalc.report.importing.power import Samples, of_samples

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

#: parameters and tags that people log a device under
_SAYS_DEVICE = ("gpu", "gpu_name", "gpu_type", "gpu_model", "device_name", "accelerator")
_FILES = "gpu_*_power_usage_watts"
_GPU = re.compile(r"gpu_(\d+)_power_usage_watts")


def read_folder(folder: Path, *, costing: Costing | None = None) -> Report:
    """The report of a run's folder.

    Raises:
        InputError: it holds no power of a GPU, or a line of it cannot be read.
    """
    name = str(folder)
    if folder.is_file():
        folder = folder.parent
    folder = _run_of(folder)
    devices: dict[str, Samples] = {}
    device = _device(folder)
    for place in (folder, folder / "system", folder / "metrics" / "system"):
        for file in sorted(place.glob(_FILES)):
            found = _GPU.fullmatch(file.name)
            if found:
                devices[found[1]] = _samples(file, device)
    if not devices:
        raise refuse(
            name,
            "expected metrics/system/gpu_0_power_usage_watts, as mlflow.enable_system_metrics_"
            "logging() writes it; there is none",
        )
    return of_samples(devices, name, tool="MLflow", name="run", costing=costing)


def _run_of(folder: Path) -> Path:
    """The folder of the run: itself, or the one run with power that an experiment's folder holds.

    Raises:
        InputError: it holds several such runs.
    """
    runs = sorted({file.parents[2] for file in folder.glob(f"*/metrics/system/{_FILES}")})
    if len(runs) > 1:
        named = ", ".join(run.name for run in runs[:5])
        raise refuse(str(folder), f"expected the folder of a run; it holds {len(runs)}: {named}")
    return runs[0] if runs else folder


def _device(folder: Path) -> str:
    """The accelerator that the run's parameters or tags name; empty where none is known."""
    above = {"system": folder.parent.parent, "metrics": folder.parent}
    for kind in ("params", "tags"):
        for name in _SAYS_DEVICE:
            file = above.get(folder.name, folder) / kind / name
            said = read_text(file, str(file)).strip() if file.is_file() else ""
            try:
                accelerator.find(said)
            except CostcalcError:
                continue
            return said
    return ""


def _samples(file: Path, device: str = "") -> Samples:
    made = Samples(device)
    for place, line in enumerate(read_text(file, str(file)).splitlines(), 1):
        cells = line.split()
        stamp, watts = (number(cell) for cell in cells[:2]) if len(cells) > 1 else (None, None)
        if stamp is None or watts is None:
            message = f'expected "milliseconds watts step"; got "{line[:80]}"'
            raise InputError(Problem(key="", message=message, file=str(file), line=place))
        made.add(stamp / 1000, watts)
    return made
