"""``costcalc software``: the list, one of it, a search, JSON."""

from __future__ import annotations

import json

import pytest

from costcalc.catalog.software import FACTS, all_software
from costcalc.cli import OK, WRONG_USE, run


def out(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert run(["software", *words]) == OK
    return capsys.readouterr().out


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    lines = out(capsys).splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == [one.id for one in all_software()]
    assert lines[-1] == "20 stacks; costcalc software NAME shows one with its sources."
    assert out(capsys, "list").splitlines() == lines


def test_a_search(capsys: pytest.CaptureFixture[str]) -> None:
    lines = out(capsys, "--search", "nvidia").splitlines()
    assert [line.split()[0] for line in lines[1:-1]] == ["megatron", "nemo"]
    assert out(capsys, "--search", "qqq").splitlines()[-1].startswith("no stacks;")


@pytest.mark.parametrize("words", [("litgpt",), ("show", "Lit-GPT")])
def test_one_with_its_sources(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    lines = out(capsys, *words).splitlines()
    assert lines[0] == "litgpt: LitGPT"
    assert "  compiled: true (pretrain): the model is compiled  [pretrain]" in lines
    assert any(line.startswith("  [pretrain] Lightning-AI/litgpt@") for line in lines)


def test_one_device_or_several(capsys: pytest.CaptureFixture[str]) -> None:
    assert "  gradients: freed (finetune one device): " in out(capsys, "torchtune")


def test_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    listed = json.loads(out(capsys, "--json"))
    assert [one["id"] for one in listed] == [one.id for one in all_software()]
    one = json.loads(out(capsys, "HF", "--json"))
    assert one["id"] == "transformers"
    assert set(one) <= {"id", "name", "aliases", "organisation", "on", "note", "sources", *FACTS}


def test_a_name_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["software", "megatrn"]) == WRONG_USE
    assert "no software megatrn; nearest: megatron" in capsys.readouterr().err


def test_a_source_without_a_day_says_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert not any("None" in out(capsys, one.id) for one in all_software())
