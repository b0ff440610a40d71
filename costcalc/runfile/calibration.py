"""``hardware.calibration``: what a machine did, step by step, as ``costcalc calibrate`` writes it.

A calibration is a list of run files with the speed that was measured in them, so that any release
can hold its own model against it.  A run file names the file; what stands in it takes the name's
place, so that a report carries what it was calculated with.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from costcalc.base.document import Document
from costcalc.base.errors import InputError
from costcalc.runfile.values import Kind, expected, refused

SCHEMA = "costcalc/calibration/v1"
MAX_STEPS = 200
_WORDS = "what costcalc calibrate wrote (a file or its mapping)"
#: what says how fast a measured step was, under hardware
SPEEDS = ("calibrate", "throughput", "utilization")


class Calibration(NamedTuple):
    """The measured steps of one machine, as canonical JSON: equal where they are equal."""

    text: str

    @property
    def runs(self) -> list[dict[str, Any]]:
        """The run file of each measured step."""
        return [step["run"] for step in json.loads(self.text)["steps"]]


def _calibration(value: object) -> Calibration:
    if isinstance(value, Calibration):
        return value
    if not isinstance(value, Mapping):
        raise expected(_WORDS, value)
    if value.get("schema") != SCHEMA:
        raise refused(f"expected {_WORDS}, with schema: {SCHEMA}; got {value.get('schema')!r}")
    steps = value.get("steps")
    if not isinstance(steps, list) or not 0 < len(steps) <= MAX_STEPS:
        raise refused(f"expected steps, 1 to {MAX_STEPS} measured ones")
    for number, step in enumerate(steps):
        run = step.get("run") if isinstance(step, Mapping) else None
        hardware = run.get("hardware") if isinstance(run, Mapping) else None
        if not isinstance(hardware, Mapping) or not any(key in hardware for key in SPEEDS):
            speeds = ", ".join(f"hardware.{key}" for key in SPEEDS)
            raise refused(f"expected in steps[{number}] a run with one of {speeds}")
    return Calibration(json.dumps(value, sort_keys=True, default=str))


Calibrated = Annotated[
    Calibration,
    Kind(
        _calibration,
        {"type": ["string", "object"], "description": "what costcalc calibrate wrote"},
        lambda made: json.loads(made.text),
    ),
]


Read = Callable[[Path], tuple[Document, Path | None]]


def with_calibration(document: Document, folder: Path | None, read: Read) -> Document:
    """The document with each calibration that it names in the place of its name.

    Paths of configurations in it are made relative to the run file.

    Raises:
        InputError: it cannot be read.
    """
    data = document.data
    stages = data.get("stages")
    parts: list[tuple[tuple[str | int, ...], Any]] = [((), data)]
    if isinstance(stages, list):
        parts += [(("stages", number), stage) for number, stage in enumerate(stages)]
    found: dict[tuple[str | int, ...], Mapping[str, object]] = {}
    for path, part in parts:
        hardware = part.get("hardware") if isinstance(part, Mapping) else None
        named = hardware.get("calibration") if isinstance(hardware, Mapping) else None
        if isinstance(named, str):
            place = (*path, "hardware", "calibration")
            found[path] = _read(document, place, (folder or Path()) / named, folder, read)
    if not found:
        return document
    made = {**data, **_in_place(data, found.get(()))}
    if isinstance(stages, list):
        made["stages"] = [
            {**stage, **_in_place(stage, found[place])}
            if (place := ("stages", number)) in found
            else stage
            for number, stage in enumerate(stages)
        ]
    return replace(document, data=made)


def _in_place(part: Mapping[str, Any], found: object) -> dict[str, object]:
    return {} if found is None else {"hardware": {**part["hardware"], "calibration": found}}


def _read(
    document: Document, place: tuple[str | int, ...], path: Path, folder: Path | None, read: Read
) -> Mapping[str, object]:
    try:
        inner, _ = read(path)
    except InputError as error:
        raise InputError(
            document.problem(place, f"{p.file}: {p.message}") for p in error.problems
        ) from None
    if not isinstance(inner.data, dict):
        raise InputError(document.problem(place, f"expected {_WORDS} in {path}"))
    for step in inner.data.get("steps") or ():
        model = step.get("run", {}).get("model") if isinstance(step, Mapping) else None
        if isinstance(model, dict) and isinstance(model.get("config"), str):
            model["config"] = os.path.relpath(path.parent / model["config"], folder or Path())
    made: Mapping[str, object] = inner.data
    return made
