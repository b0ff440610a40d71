"""Many leaves forged at once, in keeping with one another: two honest reports of a kind, mixed.

The two differ in what a meter saw, in all that follows from it, and in nothing else.  A mixture is
neither of them, and so has to be found: but where all that is taken over is what only a tool knows.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest
import records
from kinds import _ESTIMATE, _TRACKED, _TYPED, made, two_hours
from test_forgeries import holds

import costcalc
from costcalc.report.project import merge

Report = dict[str, Any]
#: of each tool's record what makes it one of half the energy
HALVES = {
    "slurm": ("36000000", "18000000"),
    "codecarbon": ("0.336,6.0,1.5,4.0,0.5", "0.168,3.0,0.75,2.0,0.25"),
    "nvidia-smi": ("300 W", "150 W"),
    "wandb": ("300,300", "150,150"),
    "zeus": ("1080000", "540000"),
    "carbontracker": ("0.600000000000", "0.300000000000"),
}
TOOLS = [f"{tool}{costed}" for tool in HALVES for costed in ("", "-costed")]
KINDS = [*TOOLS, "estimate", "typed", "tracked", "project"]
#: what the tool says of itself and of a run beside its figures
THE_TOOLS = ({"id"}, {"warnings", "imported"})


def half(tool: str, monkeypatch: pytest.MonkeyPatch, *, costed: bool) -> Report:
    with monkeypatch.context() as patch:
        patch.setitem(records.SOURCES, tool, records.SOURCES[tool].replace(*HALVES[tool]))
        records._read.cache_clear()
        found = records.recorded(tool, costed=costed)
    records._read.cache_clear()
    return found


def tracked(watts: float) -> Report:
    boards = 8 * ["NVIDIA H100 80GB HBM3"]
    return dict(two_hours(_TRACKED, boards, watts, tokens=10**9, steps=15259))


def both(kind: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Report, Report]:
    tool, costed, _ = kind.partition("-costed")
    if tool in HALVES:
        one = records.recorded(tool, costed=bool(costed))
        return one, half(tool, monkeypatch, costed=bool(costed))
    if kind == "project":
        parts = [records.recorded("slurm", costed=True), half("slurm", monkeypatch, costed=True)]
        pairs = zip(parts, (tracked(500.0), tracked(250.0)), strict=True)
        one, other = (dict(merge([("a", a), ("b", b)], name="p")) for a, b in pairs)
        return one, other
    if kind == "tracked":
        return tracked(500.0), tracked(250.0)
    changed: Any = copy.deepcopy({"typed": _TYPED, "estimate": _ESTIMATE}[kind])
    if kind == "typed":
        changed["measured"]["energy_it"] = "26 kWh"
    else:
        changed["hardware"]["board_power"] = "300 W"
    return made(kind), costcalc.estimate(changed).to_dict()


def leaves(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], object]]:
    listed: Any = enumerate(value) if isinstance(value, list) else ()
    inner = list(value.items() if isinstance(value, dict) else listed)
    if not inner:
        yield path, value
    for key, item in inner:
        yield from leaves(item, (*path, key))


def put(report: Report, path: tuple[Any, ...], value: object) -> None:
    holder: Any = report
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value


def the_tools(paths: list[tuple[Any, ...]]) -> bool:
    return all(any(known & set(path) for known in THE_TOOLS) for path in paths)


@pytest.mark.parametrize("kind", KINDS)
def test_a_mixture_of_two_honest_reports_is_found(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = both(kind, monkeypatch)
    assert holds(one)
    assert holds(other)
    mine, theirs = dict(leaves(one)), dict(leaves(other))
    differ = [path for path in mine if path in theirs and mine[path] != theirs[path]]
    differ = [path for path in differ if path != ("digest",)]
    unlike = [*differ, *(set(mine) ^ set(theirs))]
    sections = sorted({path[0] for path in unlike} - {"digest"})
    chosen = random.Random(kind)
    for _ in range(12):
        taken = chosen.sample(sections, chosen.randint(1, len(sections) - 1))
        kept = [name for name in sections if name not in taken]
        words = [{"warnings", "details"}] if kind in TOOLS else []
        if any(set(some) <= word for word in words for some in (taken, kept)):
            continue
        mixed = {**copy.deepcopy(one), **{name: copy.deepcopy(other[name]) for name in taken}}
        assert not holds(mixed), taken
    for _ in range(12):
        some = chosen.sample(differ, chosen.randint(1, len(differ) - 1))
        mixed = copy.deepcopy(one)
        for path in some:
            put(mixed, path, theirs[path])
        if not the_tools(some) and not the_tools([path for path in differ if path not in some]):
            assert not holds(mixed), some
