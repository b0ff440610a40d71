"""``costcalc models``: what is printed, as text and as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from costcalc.catalog.preset import all_presets
from costcalc.cli import run

if TYPE_CHECKING:
    import pytest


def _out(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(["models", *arguments]) == 0
    return capsys.readouterr().out


def test_the_list_has_a_line_for_every_preset(capsys):
    lines = _out(capsys).splitlines()
    first = {line.split()[0] for line in lines if line.strip()}
    assert {one.id for one in all_presets()} <= first
    number = len(all_presets())
    assert lines[-1] == f"{number} models; costcalc models NAME shows one with its sources."


def test_a_line_says_parameters_sequence_and_training(capsys):
    (line,) = [text for text in _out(capsys).splitlines() if text.startswith("llama-3-8b ")]
    assert line.split() == [
        "llama-3-8b",
        "dense",
        "8.03B",
        "Llama",
        "3",
        "8B",
        "8,192",
        "tokens",
        "15.0T",
        "tokens",
    ]


def test_a_family_alone(capsys):
    lines = _out(capsys, "--family", "dit").splitlines()
    assert lines[-1].startswith("12 models;")


def test_one_model_with_its_sources(capsys):
    text = _out(capsys, "convnext_tiny")
    assert "convnext-t: ConvNeXt-T" in text
    assert "forward flops: 8,911,062,528 FLOP  [count; torchvision; paper]" in text
    assert "https://arxiv.org/abs/2201.03545" in text


def test_brackets_of_a_config_are_not_taken_for_markup(capsys):
    assert '[[["global", "local"], 16]]' in _out(capsys, "gpt-neo-2.7b")


def test_json_is_what_the_file_says(capsys):
    one = json.loads(_out(capsys, "llama-3-8b", "--json"))
    assert one["config"]["num_key_value_heads"] == 8
    assert one["tested_parameters"] == {"value": 8030261248.0, "unit": "1", "source": "count"}
    assert len(json.loads(_out(capsys, "--json"))) == len(all_presets())


def test_unknown_names_are_wrong_use(capsys):
    assert run(["models", "llama-3-9b"]) == 2
    assert capsys.readouterr().err == (
        "model.preset: no preset llama-3-9b; nearest: llama-3-8b, llama-3-70b, llama-13b, "
        "llama-33b; or give model.config, the config.json of its repository, or model.parameters\n"
    )
    assert run(["models", "--family", "vitt"]) == 2
    assert capsys.readouterr().err == "--family: no family vitt; nearest: vit\n"
