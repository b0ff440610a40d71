"""A leaf that is taken out, with a digest made anew, is found: of what was measured or not."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
from kinds import made as made_kind
from records import SOURCES, recorded
from test_forgeries import holds, unprofiled

from costcalc.report.project import merge

Report = dict[str, Any]
Path = tuple[Any, ...]


def paths(value: object, path: Path = ()) -> Iterator[Path]:
    """Every key and entry of a report but the seal."""
    listed: Any = enumerate(value) if isinstance(value, list) else ()
    for key, inner in value.items() if isinstance(value, dict) else listed:
        yield (*path, key)
        yield from paths(inner, (*path, key))


def without(made: Report, path: Path) -> Report:
    left = copy.deepcopy(made)
    holder: Any = left
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]
    return left


def kinds_of(kind: str) -> Report:
    tool, _, costed = kind.partition("-costed")
    if tool in SOURCES:
        return recorded(tool, costed=bool(costed) or kind.endswith("-costed"))
    if kind == "unprofiled":
        return unprofiled()
    if kind == "project":
        parts = [
            ("a", recorded("slurm", costed=True)),
            ("b", made_kind("tracked")),
            ("c", recorded("codecarbon")),
            ("d", recorded("nvidia-smi", costed=True)),
        ]
        return dict(merge(parts, name="p"))
    return made_kind(kind)


KINDS = [
    *SOURCES,
    *(f"{tool}-costed" for tool in SOURCES),
    *("estimate", "typed", "tracked", "unprofiled", "project"),
]


def the_authors(made: Report, path: Path) -> bool:
    """In docs/report.md, under "What verify cannot know": the whole of run, and a tracker's own."""
    inner = path[2:] if path[0] == "stages" else path[3:] if path[1:2] == ("parts",) else path
    if path in (("digest",), ("profiles",)):
        return True
    if "run" in inner[:1]:
        return True
    if inner[-2:-1] == ("assumptions",):  # a word that was filled in and not given
        holder: Any = made
        for key in path:
            holder = holder[key]
        return not isinstance(holder["value"], float)
    optional = ("unmetered", "not_counted", "others", "missing_nodes", "why")
    if inner[:1] == ("measurement",) and any(key in optional for key in inner):
        return True
    return inner[:2] == ("details", "tracking") and any(
        key in inner for key in ("notes", "predicted", "throughput_of_wall_clock")
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_taken_out_is_found(kind: str) -> None:
    made = kinds_of(kind)
    assert holds(made)
    found = [path for path in paths(made) if not the_authors(made, path)]
    few = [path for path in found if path[0] in ("runs", "subject", "software", "warnings", "name")]
    several = random.Random(0).sample(found, min(40, len(found)))
    for path in [*random.Random(1).sample(few, min(30, len(few))), *several]:
        assert not holds(without(made, path)), path
