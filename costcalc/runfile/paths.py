"""The files that a run file names, and whether they lie where a stranger's run file may read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from costcalc.base.document import Document
from costcalc.base.errors import Problem
from costcalc.base.faults import KeyPath

_OF_A_PART = (("model", "config"), ("training", "teacher", "config"), ("hardware", "calibration"))
_OF_A_RUN = (("defaults",), ("profiles",))


def named(data: object) -> Iterator[tuple[KeyPath, str]]:
    """Every path that a run file names, and the key that names it.

    >>> list(named({"defaults": "lab.yaml", "stages": [{"model": {"config": "./a"}}]}))
    [(('defaults',), 'lab.yaml'), (('stages', 0, 'model', 'config'), './a')]
    """
    for keys in (*_OF_A_RUN, *_OF_A_PART):
        yield from _at(data, keys, ())
    stages = data.get("stages") if isinstance(data, Mapping) else None
    for number, stage in enumerate(stages if isinstance(stages, Sequence) else ()):
        for keys in _OF_A_PART:
            yield from _at(stage, keys, ("stages", number))


def _at(data: object, keys: tuple[str, ...], above: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    value = data
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, str) and value:
        yield (*above, *keys), value


def outside(document: Document, folder: Path, root: Path | None) -> list[Problem]:
    """What a run file names outside of ``root``, links followed; also what its defaults name.

    Without a root it may name no file at all.  To be asked before the run file is loaded, which
    opens what it names.
    """
    from costcalc.base.errors import InputError
    from costcalc.runfile.loading import document_of

    found = []
    for key, name in named(document.data):
        path = folder / name
        if root is None:
            message = f'no file is read here: give what stands in it; got the path "{name}"'
            found.append(document.problem(key, message))
        elif not within(path, root):
            message = f'expected a path within the folder of the run files; got "{name}"'
            found.append(document.problem(key, message))
        elif key == ("defaults",):
            try:
                below, inner = document_of(path)
            except InputError:
                continue  # not there or no YAML: told where it is loaded
            found += outside(below, inner or folder, root)
    return found


def within(path: Path, root: Path) -> bool:
    """Whether a path lies in a folder, links followed."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, ValueError, RuntimeError):  # no name of a file, or links in a ring
        return False
