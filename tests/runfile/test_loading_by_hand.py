"""Where problems of stages and of changed keys stand, and what is checked beside what is wrong."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

from costcalc import InputError
from costcalc.base.errors import Problem
from costcalc.runfile.laying import apply, lay_over, steps
from costcalc.runfile.loading import MAX_STAGES, Request, _order, load
from costcalc.runfile.rules import Fault, Lacking

RUN: dict[str, Any] = {
    "model": {"flops": "1e21 FLOP"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
}


def read(source: Any, changes: Any = None, **more: Any) -> Request:
    return load(source, lambda raw, folder: [], changes=changes, **more)


def told(source: Any, changes: Any = None) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(source, changes)
    return [f"{p.file}:{p.line}: {p.key}: {p.message}" for p in caught.value.problems]


def file_of(folder: Path, text: str) -> str:
    path = folder / "f.yaml"
    path.write_text(text)
    return str(path)


HEAD = "model: {flops: 1e21 FLOP}\nhardware: {accelerator: h100, count: 8}\n"


def test_places_of_a_stage(tmp_path: Path) -> None:
    path = file_of(
        tmp_path,
        HEAD
        + "price: {device_hour: 2 USD}\nstages:\n- name: a\n- name: b\n  hardware: {count: 4}\n",
    )
    first, second = read(path).parts
    assert first.place("hardware", "count") == f"{path}:2:38"
    assert second.place("hardware", "count") == f"{path}:7:21"  # its own
    assert second.place("price", "device_hour") == f"{path}:3:22"  # that of all
    assert second.place("site", "pue") is None
    assert first.problem(("hardware", "count"), "m").line == 2
    problem = second.problem(("hardware", "count"), "m")
    assert (problem.line, problem.key) == (7, "stages[1].hardware.count")
    assert second.problem(("price", "device_hour"), "m").line == 3
    assert second.problem(("site", "pue"), "m").key == "stages[1].site.pue"
    assert second.folder == tmp_path
    assert [part.name for part in (first, second)] == ["a", "b"]


def test_stages_without_a_name_are_counted_from_one() -> None:
    made = read({**RUN, "stages": [{}, {"name": "x"}, {}]})
    assert [part.name for part in made.parts] == ["stage 1", "x", "stage 3"]
    assert [part.own for part in made.parts] == [("stages", n) for n in range(3)]
    assert [part.name for part in read({**RUN, "stages": []}).parts] == ["run"]
    assert read({**RUN, "name": "n"}).parts[0].name == "n"
    kept = read({**RUN, "limits": {"time": "1 h"}, "stages": [{}]}).parts[0].raw
    assert sorted(kept) == ["hardware", "model"]
    most = [{}] * MAX_STAGES
    assert len(read({**RUN, "stages": most}).parts) == MAX_STAGES
    assert told({**RUN, "stages": [*most, {}]})[0].endswith(
        f"expected {MAX_STAGES} stages at most; got {MAX_STAGES + 1}"
    )


@pytest.mark.parametrize(
    ("sections", "problems"),
    [
        # what rests on a key that cannot be read is not told again
        ({"hardware": {"accelerator": "h", "count": "x", "layout": {"tensor": 3}}},
         ["hardware.count"]),
        ({"hardware": {"accelerator": 3.5}}, ["hardware.accelerator"]),
        ({"model": {"preset": 3.5}, "training": {"tokens": 1}}, ["model.preset"]),
        # what does not is
        ({"hardware": {"accelerator": "h", "count": 8, "layout": {"tensor": 3}},
          "site": {"pue": 0}}, ["hardware.layout", "site.pue"]),
        ({"site": {"pue": 0, "grid_basis": "direct"}}, ["site.grid_basis", "site.pue"]),
        ({"site": {"grid": "x", "grid_basis": "direct"}}, ["site.grid"]),
        ({"stages": [{"hardware": {"count": "x", "layout": {"tensor": 3}}}, {}]},
         ["stages[0].hardware.count"]),
        ({"stages": [{"hardware": {"layout": {"tensor": 3}}}, {"site": {"pue": 0}}]},
         ["stages[0].hardware.layout", "stages[1].site.pue"]),
        ({"stages": [3, {}]}, ["stages[0]"]),
    ],
)  # fmt: skip
def test_each_fault_is_told_once(sections: dict[str, Any], problems: list[str]) -> None:
    found = sorted(line.split(": ")[1] for line in told({**RUN, **sections}))
    assert found == problems


def test_a_fault_of_all_stages_stands_where_it_is_written(tmp_path: Path) -> None:
    path = file_of(
        tmp_path,
        "model: {flops: 1e21 FLOP}\nhardware: {accelerator: h, count: 8, layout: {tensor: 3}}\n"
        "stages:\n- name: a\n- name: b\n",
    )
    message = "tensor × pipeline × context = 3 does not divide the count, 8"
    assert told(path) == [f"{path}:2: hardware.layout: {message}"]


def test_problems_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = file_of(tmp_path, HEAD + "site: {pue: 0}\nsite: {pue: 9}\nnam: x\n")
    assert [int(line.split(":")[1]) for line in told(path)] == [4, 4, 5]


def test_changed_keys_stand_on_the_command_line(tmp_path: Path) -> None:
    path = file_of(tmp_path, HEAD + "site: {pue: 1.1, region: FR}\n")
    (line,) = told(path, {"site.pue": 0})
    assert line.startswith("command line:None: site.pue: expected a power usage")
    part = read(path, {"site.pue": 1.5}).parts[0]
    assert part.place("site", "pue") is None
    assert part.place("site", "region") == f"{path}:3:26"
    assert part.part.site is not None
    assert part.part.site.pue == 1.5
    same = read(path, {})
    assert same.parts[0].place("site", "pue") == f"{path}:3:13"


def test_keys_set_in_a_list() -> None:
    stages = {"stages": [{"name": "a"}, {"name": "b", "site": {"pue": 1.1}}]}
    made = apply(stages, {"stages[1].site.pue": 1.2, "stages[0].x.y": 3, "z": 4})
    assert made == {
        "stages": [{"name": "a", "x": {"y": 3}}, {"name": "b", "site": {"pue": 1.2}}], "z": 4,
    }  # fmt: skip
    assert stages["stages"][1]["site"] == {"pue": 1.1}  # type: ignore[index]
    for number, there in ((2, 2), (9, 2)):
        with pytest.raises(InputError) as caught:
            apply(stages, {f"stages[{number}].name": 1})
        problem = caught.value.problems[0]
        assert problem.message == f"there is no [{number}]; {there} stand there"
        assert (problem.key, problem.file) == (f"stages[{number}].name", "command line")
    assert steps("a[0].b.12") == ("a", 0, "b", 12)
    assert steps("a.²") == ("a", "²")
    assert apply({"a": {"b": {"c": 1, "d": 2}}}, {"a.b.c": 9}) == {"a": {"b": {"c": 9, "d": 2}}}
    assert apply({}, {"a.b": 1, "a.c": 2}) == {"a": {"b": 1, "c": 2}}


@pytest.mark.parametrize(
    ("base", "top", "laid"),
    [
        ({"model": {"preset": "a"}}, {"model": {"flops": "1 FLOP"}},
         {"model": {"flops": "1 FLOP"}}),
        ({"training": {"tokens": 1, "method": "x"}}, {"training": {"steps": 2}},
         {"training": {"steps": 2, "method": "x"}}),
        ({"training": {"tokens": 1}}, {"training": {"method": "x"}},
         {"training": {"tokens": 1, "method": "x"}}),
        ({"price": {"owned": {"purchase": 1, "electricity": 2}}}, {"price": {"electricity": 3}},
         {"price": {"owned": {"purchase": 1}, "electricity": 3}}),
        ({"price": {"electricity": 2, "plan": "x"}}, {"price": {"owned": {"electricity": 3}}},
         {"price": {"plan": "x", "owned": {"electricity": 3}}}),
        ({"price": {"electricity": 2}}, {"price": {"owned": {"purchase": 3}}},
         {"price": {"electricity": 2, "owned": {"purchase": 3}}}),
        ({"price": {"owned": 2}}, {"price": {"electricity": 3}},
         {"price": {"owned": 2, "electricity": 3}}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
        ({"a": 2}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)  # fmt: skip
def test_a_choice_drops_its_like(base: Any, top: Any, laid: Any) -> None:
    assert lay_over(base, top) == laid


def test_names_are_looked_up_for_each_part() -> None:
    asked: list[Any] = []

    def look_up(raw: Any, folder: Any) -> list[Fault]:
        asked.append((raw["hardware"]["count"], raw["profiles"], folder))
        return [Fault(("hardware", "accelerator"), "not known")] if len(asked) > 1 else []

    source = {**RUN, "profiles": "mine", "stages": [{}, {"hardware": {"count": 4}}]}
    with pytest.raises(InputError) as caught:
        load(source, look_up)
    assert asked == [(8, "mine", None), (4, "mine", None)]
    assert caught.value.problems[0].key == "stages[1].hardware.accelerator"


def test_what_may_be_lacking_and_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read({}, may_lack=Lacking).parts[0].part.model is None
    stdin = io.TextIOWrapper(io.BytesIO(HEAD.encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    made = read("-")
    assert made.document.name == "stdin"
    assert made.parts[0].folder == Path()
    deep: dict[str, Any] = {}
    inner = deep
    for _ in range(99):
        inner["a"] = inner = {}
    assert told({**RUN, "x": deep})[0].startswith("run:None: x")  # an unknown key, and no more
    inner["a"] = {"a": {}}
    (line,) = told({**RUN, "x": deep})
    assert line == "run:None: x.a.a: nested deeper than 100 levels"


def test_problems_without_a_place_come_first() -> None:
    def problem(key: str, line: int | None, column: int | None = None) -> Problem:
        return Problem(key=key, message="m", file="f", line=line, column=column)

    found = [problem("c", 1, 1), problem("d", 1, 2), problem("b", None), problem("a", 1, 1),
             problem("e", 1)]  # fmt: skip
    assert [one.key for one in sorted(found, key=_order)] == ["b", "e", "a", "c", "d"]
    assert _order(problem("k", None)) == (0, 0, "k")
