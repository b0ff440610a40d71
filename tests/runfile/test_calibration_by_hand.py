"""``hardware.calibration``: what it takes and refuses, and what takes the place of a name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from costcalc import InputError
from costcalc.runfile.calibration import Calibration, _calibration, with_calibration
from costcalc.runfile.loading import document_of

RUN: dict[str, Any] = {"model": {"flops": "1e21 FLOP"}, "hardware": {"throughput": "3/s"}}
WORDS = "what costcalc calibrate wrote (a file or its mapping)"
SPEEDS = "hardware.calibrate, hardware.throughput, hardware.utilization"


def written(*steps: Any, schema: str = "costcalc/calibration/v1") -> dict[str, Any]:
    return {"schema": schema, "steps": list(steps)}


@pytest.mark.parametrize("number", [1, 200])
@pytest.mark.parametrize("speed", ["calibrate", "throughput", "utilization"])
def test_taken(number: int, speed: str) -> None:
    run = {"hardware": {speed: "1"}}
    made = _calibration(written(*[{"run": run}] * number))
    assert made.runs == [run] * number
    assert _calibration(made) is made
    assert made == Calibration(json.dumps(written(*[{"run": run}] * number), sort_keys=True))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (written({"run": RUN}, schema="v2"),
         f"expected {WORDS}, with schema: costcalc/calibration/v1; got 'v2'"),
        ({"steps": [{"run": RUN}]},
         f"expected {WORDS}, with schema: costcalc/calibration/v1; got None"),
        (written(), "expected steps, 1 to 200 measured ones"),
        (written(*[{"run": RUN}] * 201), "expected steps, 1 to 200 measured ones"),
        ({**written(), "steps": {"run": RUN}}, "expected steps, 1 to 200 measured ones"),
        (written({"run": RUN}, RUN), f"expected in steps[1] a run with one of {SPEEDS}"),
        (written("run"), f"expected in steps[0] a run with one of {SPEEDS}"),
        (written({"run": "a.yaml"}), f"expected in steps[0] a run with one of {SPEEDS}"),
        (written({"run": {"hardware": "h100"}}),
         f"expected in steps[0] a run with one of {SPEEDS}"),
        (written({"run": {"hardware": {"count": 8}}}),
         f"expected in steps[0] a run with one of {SPEEDS}"),
    ],
)  # fmt: skip
def test_refused(value: object, text: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        _calibration(value)
    assert caught.value.message() == text


def put(folder: Path, name: str, value: Any) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def filled(path: Path) -> dict[str, Any]:
    document, folder = document_of(path)
    made: dict[str, Any] = with_calibration(document, folder, document_of).data
    return made


def test_what_the_file_says_takes_its_place_in_a_run_and_in_its_stages(tmp_path: Path) -> None:
    put(tmp_path, "all.json", written({"run": RUN}))
    own = {"run": {**RUN, "model": {"config": "m.json"}}}
    put(tmp_path, "far/own.json", written(own, {"run": {"hardware": {"throughput": "5/s"}}}))
    hardware = {"accelerator": "h100-sxm5-80", "calibration": "all.json"}
    stages = [{"name": "a"}, {"name": "b", "hardware": {"count": 4, "calibration": "far/own.json"}},
              {"name": "c", "hardware": {"count": 2}}]  # fmt: skip
    made = filled(put(tmp_path, "run.json", {"hardware": hardware, "stages": stages}))
    assert made["hardware"] == {**hardware, "calibration": written({"run": RUN})}
    first, second, third = made["stages"]
    assert (first, third) == (stages[0], stages[2])  # a stage without one has nothing new
    assert second["hardware"]["count"] == 4
    found = second["hardware"]["calibration"]["steps"]
    # what its run names is found from the run file, not from the calibration beside it
    assert found[0]["run"]["model"] == {"config": "far/m.json"}
    assert found[1]["run"] == {"hardware": {"throughput": "5/s"}}


def test_only_a_stage_may_name_one(tmp_path: Path) -> None:
    put(tmp_path, "own.json", written({"run": RUN}))
    stages = [{"hardware": {"calibration": "own.json"}}, {"name": "b"}]
    made = filled(put(tmp_path, "run.json", {"hardware": {"count": 8}, "stages": stages}))
    assert made["hardware"] == {"count": 8}
    assert made["stages"] == [{"hardware": {"calibration": written({"run": RUN})}}, {"name": "b"}]


def test_a_run_that_names_none_is_the_same_document(tmp_path: Path) -> None:
    inline = {"hardware": {"calibration": written({"run": RUN})}, "stages": "none"}
    document, folder = document_of(put(tmp_path, "run.json", inline))
    assert with_calibration(document, folder, document_of) is document


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("[1]", "{place} expected " + WORDS + " in {file}"),
        ("{", "{place} {file}: "),
        (None, "{place} {file}: cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_is_none_is_told_at_its_name(
    tmp_path: Path, content: str | None, text: str
) -> None:
    file = tmp_path / "c.json"
    if content is not None:
        file.write_text(content)
    run = put(tmp_path, "run.json", {"hardware": {"count": 8, "calibration": "c.json"}})
    with pytest.raises(InputError) as caught:
        filled(run)
    told = caught.value.problems[0]
    place = f"{told.file}:{told.line}: {told.key}:"
    assert place == f"{run}:1: hardware.calibration:"
    assert f"{place} {told.message}".startswith(text.format(place=place, file=file))
