"""What of a run file a server cannot take: whatever names a file.

A stranger's path would be opened with the server's rights.  All that a path can hold can also stand
in the run file itself, but for a folder of profiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from costcalc.base.document import Document, Key
from costcalc.base.errors import InputError
from costcalc.web.bounds import STAGES, STEPS

_NO_FILE = "names a file, and a server opens none"
_INSTEAD = {
    "config": f"{_NO_FILE}; give what stands in the config.json, as a mapping",
    "calibration": f"{_NO_FILE}; give what costcalc calibrate wrote, as a mapping",
    "defaults": f"{_NO_FILE}; give its keys in the run file",
    "profiles": f"{_NO_FILE}; give the keys of the device under hardware, such as peak and "
    "board_power, or use the command line",
}
_PARTS: tuple[Key, ...] = (
    ("model", "config"),
    ("training", "teacher", "config"),
    ("hardware", "calibration"),
)


def admitted(document: Document) -> dict[str, object]:
    """The run in a document, which neither names a file nor takes what the server's files say.

    Raises:
        InputError: it is no mapping, names files, or is larger than a server takes.
    """
    data = document.data
    if not isinstance(data, Mapping):
        raise InputError(document.problem((), "expected a run file: a mapping of keys"))
    found = [document.problem(path, message) for path, message in _refused(data, (), 0)]
    if found:
        raise InputError(found)
    return {**data, "defaults": None}  # whatever COSTCALC_DEFAULTS says


def _refused(run: Mapping[str, object], at: Key, depth: int) -> Iterator[tuple[Key, str]]:
    for name in ("defaults", "profiles"):
        if run.get(name) is not None:
            yield (*at, name), _INSTEAD[name]
    for path in _PARTS:
        value = _under(run, path)
        if isinstance(value, str):
            yield (*at, *path), _INSTEAD[str(path[-1])]
    yield from _measured(_under(run, ("hardware", "calibration")), at, depth)
    stages = run.get("stages")
    if isinstance(stages, list):
        if len(stages) > STAGES:
            yield (*at, "stages"), f"expected {STAGES} stages at most; got {len(stages)}"
        for number, stage in enumerate(stages[:STAGES]):
            if isinstance(stage, Mapping):
                yield from _refused(stage, (*at, "stages", number), depth + 1)


def _measured(calibration: object, at: Key, depth: int) -> Iterator[tuple[Key, str]]:
    """The run files inside a calibration, each of which may name files again."""
    steps = calibration.get("steps") if isinstance(calibration, Mapping) else None
    if not isinstance(steps, list):
        return
    inside = (*at, "hardware", "calibration", "steps")
    if len(steps) > STEPS or depth > 1:
        yield inside, f"expected {STEPS} measured steps at most, and none within a step"
        return
    for number, step in enumerate(steps):
        run = step.get("run") if isinstance(step, Mapping) else None
        if isinstance(run, Mapping):
            yield from _refused(run, (*inside, number, "run"), depth + 2)


def _under(value: object, path: Key) -> object:
    for key in path:
        value = value.get(str(key)) if isinstance(value, Mapping) else None
    return value
