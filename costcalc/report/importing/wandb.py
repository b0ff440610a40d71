"""System metrics of a Weights & Biases run: power of each GPU over time.

``run.history(stream="system").to_csv()`` of its Python API, or the same as JSON lines, with the
columns ``_timestamp`` or ``_runtime`` and ``system.gpu.0.powerWatts``; the process's own share of a
device (``gpu.process.0.powerWatts``) says the same again and is not added.  The run's own
``wandb-metadata.json``, where it lies beside the export, says which boards they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from costcalc.base.reading import read_text
from costcalc.report.importing.cells import number, refuse, table
from costcalc.report.importing.costed import Costing
from costcalc.report.importing.power import Samples, of_samples

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

_TIMES = ("_timestamp", "_runtime", "Relative Time (Process)")
_GPU = re.compile(r"(?:(.*)\s-\s)?(?:system[./])?gpu\.(\d+)\.powerWatts")
#: seconds by which a row's stamp runs ahead of ``_runtime`` where the run was resumed (chosen)
_PAUSE = 60.0
#: a stamp beyond it counts milliseconds: as seconds it would be of the year 5138
_MILLISECONDS = 1e11


def devices_beside(path: Path) -> list[str]:
    """The devices that the run's ``wandb-metadata.json`` names, beside an export or under files/.

    One that is no JSON names none: they are asked for, as where there is none.

    Raises:
        InputError: it is there and cannot be opened.
    """
    for folder in (path.parent, path.parent / "files"):
        file = folder / "wandb-metadata.json"
        if file.is_file():
            return _devices(read_text(file, str(file)))
    return []


def _devices(text: str) -> list[str]:
    """Names by index: of ``gpu_nvidia`` each, else that of ``gpu`` for all."""
    try:
        said = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return []
    listed = said.get("gpu_nvidia") or said.get("gpu_amd") if isinstance(said, dict) else None
    if isinstance(listed, list) and listed:
        return [str(one.get("name") or "") if isinstance(one, dict) else "" for one in listed]
    return [str(said["gpu"])] if isinstance(said, dict) and said.get("gpu") else []


def read(
    text: str, name: str, *, costing: Costing | None = None, devices: Sequence[str] = ()
) -> Report:
    """The report of an export; ``devices``: what its boards are, by index, one for all.

    Raises:
        InputError: it holds no power over time.
    """
    seen: dict[str, Samples] = {}
    runs: set[str] = set()
    dated, clock = True, _Clock()
    for row in _rows(text, name):
        told = next((key for key in _TIMES if row.get(key) not in (None, "")), None)
        second = number(str(row[told])) if told else None
        if second is None:
            continue
        dated = dated and told == _TIMES[0]
        second /= 1000 if second > _MILLISECONDS else 1
        ran = number(str(row.get(_TIMES[1], ""))) if told == _TIMES[0] else None
        second = clock.second(second, ran)
        for column, cell in row.items():
            found = _GPU.fullmatch(column)
            watts = number(str(cell)) if found and cell not in (None, "") else None
            if found:
                runs.add(found[1] or "")
                device = seen.setdefault(found[2], Samples(_named(devices, int(found[2]))))
            if found and watts is not None:
                device.add(second, watts)
        for one in seen.values():
            if second not in one.seconds[-1:]:
                one.silent.append(second)
    if len(runs) > 1:
        raise refuse(name, f"expected the metrics of one run; these are of {len(runs)}", 1)
    if not seen:
        raise refuse(
            name,
            "expected system metrics of W&B: _timestamp and system.gpu.0.powerWatts, as "
            'run.history(stream="system").to_csv() writes them',
        )
    return of_samples(
        seen, name, tool="Weights & Biases", name="run", costing=costing, dated=dated,
        warnings=clock.told(),
    )  # fmt: skip


@dataclass(slots=True)
class _Clock:
    """The time of rows by their stamps, less what a run that was resumed did not run in between.

    W&B counts ``_runtime`` on through a pause as if there were none.
    """

    paused: float = 0.0
    last: tuple[float, float] | None = None  # stamp and runtime of the row before

    def second(self, stamp: float, runtime: float | None) -> float:
        """The second of a row."""
        if runtime is None:
            return stamp - self.paused
        if self.last is not None:
            passed, ran = stamp - self.last[0], runtime - self.last[1]
            if ran >= 0 and passed - ran > _PAUSE:
                self.paused += passed - ran
        self.last = (stamp, runtime)
        return stamp - self.paused

    def told(self) -> list[str]:
        """What is said of the pauses."""
        said = f"{self.paused / 3600:.3g} h in which the run did not run (_runtime)"
        return [f"not counted: {said}"] if self.paused else []


def _named(devices: Sequence[str], index: int) -> str:
    """What a board is called; where all are of one name, whatever its index."""
    if len(set(devices)) == 1:
        return devices[0]
    return devices[index] if index < len(devices) else ""


def _rows(text: str, name: str) -> Iterator[Mapping[str, object]]:
    start = text.lstrip()[:1]
    if start in ("{", "["):
        yield from _objects(text, start)
        return
    head = text.lstrip().partition("\n")[0]
    times = [key for key in _TIMES if key in head]
    if times:
        yield from table(text, name, [times], "system metrics of W&B", said="no CSV")


def _objects(text: str, start: str) -> Iterable[Mapping[str, object]]:
    try:
        found = (
            json.loads(text) if start == "[" else [json.loads(x) for x in text.splitlines() if x]
        )
    except (json.JSONDecodeError, RecursionError):
        return []
    return [one for one in found if isinstance(one, dict)]
