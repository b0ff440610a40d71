"""Stages that are none, and a seal that is broken: said with its key, in whatever is printed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from kinds import made

from costcalc import cli
from costcalc.base import writing
from costcalc.base.errors import InputError
from costcalc.report.check import verify
from costcalc.report.files import load, text
from costcalc.report.renderings import FORMATS, render


def saved(report: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "r.yaml"
    path.write_text(text(report | {"digest": writing.digest(report)}), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("stage", "key", "message"),
    [
        ({"name": 1}, "stages[0].results", "expected what came of the stage: its figures; there"),
        ({"name": 1, "results": {}}, "stages[0].name", "Input should be a valid string"),
        ({"warnings": "none"}, "stages[0].warnings", "Input should be a valid list"),
        ({"name": "a", "results": 5}, "stages[0].results", "Input should be a valid dictionary"),
    ],
)
def test_a_malformed_stage_is_a_problem_with_its_key(
    stage: dict[str, Any],
    key: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = saved(made("estimate") | {"stages": [stage]}, tmp_path)
    with pytest.raises(InputError) as caught:
        load(path)
    found = [(problem.key, problem.message) for problem in caught.value.problems]
    assert any(k == key and m.startswith(message) for k, m in found), found
    for command in (["show"], ["render", "--format", "csv"], ["merge", str(path)]):
        assert cli.run(["report", *command, str(path)]) == 2
        assert f"{key}: {message}" in capsys.readouterr().err
    assert cli.run(["report", "verify", str(path)]) == 3
    assert f"{key}: {message}" in capsys.readouterr().out
    assert not verify(path).holds


@pytest.mark.parametrize("shape", FORMATS)
def test_a_broken_digest_is_said_in_every_format(shape: str) -> None:
    """A tenth of the energy is taken out after the seal."""
    report = copy.deepcopy(made("estimate"))
    assert "changed since" not in render(report, shape)
    report["results"]["energy"]["value"] *= 0.9
    assert "changed since" in render(report, shape).replace("\n", " ")


def test_the_row_of_a_broken_digest_stands_before_the_figures() -> None:
    report = made("estimate") | {"digest": "sha256:0"}
    assert render(report, "csv").splitlines()[1] == (
        "report,digest,,,,,,the digest is broken: the report was changed since it was written"
    )
