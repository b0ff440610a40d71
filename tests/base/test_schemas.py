"""The schemas are what the code says, and the files that ship keep to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import costcalc
from costcalc import InputError
from costcalc.base import schemas
from costcalc.base.reading import read_file

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "costcalc" / "data" / "schemas"
jsonschema: Any = pytest.importorskip("jsonschema", reason="jsonschema is a dev dependency")


@pytest.mark.parametrize("name", schemas.names())
def test_the_file_is_what_the_code_says(name: str) -> None:
    file = FOLDER / f"{name}.schema.json"
    assert file.read_text(encoding="utf-8") == schemas.text(name), "python -m costcalc.base.schemas"


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_example_names_and_keeps_to_its_schema(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../costcalc/data/schemas/run.schema.json"
    jsonschema.validate(read_file(path).data, schemas.schema("run"))


@pytest.mark.parametrize("name", ["llama-3-8b", "project", "measured-lumi"])
def test_reports_keep_to_their_schema(name: str) -> None:
    report = costcalc.estimate(ROOT / "examples" / f"{name}.yaml").to_dict()
    jsonschema.validate(report, schemas.schema("report"))
    del report["results"]["energy"]["basis"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report, schemas.schema("report"))


def test_wrong_run_files_break_the_schema() -> None:
    made = schemas.schema("run")
    for wrong in ({"modl": {}}, {"hardware": {"count": []}}, {"training": {"method": "train"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, made)


def test_an_unknown_schema_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="did you mean accelerator"):
        schemas.schema("acelerator")


def test_every_schema_named_in_a_data_file_is_there() -> None:
    folders = (ROOT / "costcalc" / "data", ROOT / "hardware_profiles", ROOT / "examples")
    for folder in folders:
        for path in folder.rglob("*.yaml"):
            first = path.read_text(encoding="utf-8").split("\n", 1)[0]
            if "$schema=" in first:
                named = path.parent / first.split("$schema=")[1].strip()
                assert named.resolve().is_file(), f"{path}: {first}"
    assert json.loads((FOLDER / "run.schema.json").read_text())["title"]
