"""Lists of what is known: searched, and as JSON."""

import json

import pytest

from costcalc.cli import run


def listed(capsys, *words: str) -> list[dict[str, object]]:
    assert run([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    ("words", "key", "held", "left"),
    [
        (["hardware", "list", "--search", "ada"], "id", "rtx-6000-ada", "h100-sxm5-80"),
        (["hardware", "list", "--search", "APPLE max"], "id", "m4-max", "m4"),
        (["models", "list", "--search", "qwen2.5"], "id", "qwen2.5-7b", "gpt2"),
        (["models", "--search", "meta 70b"], "id", "llama-3-70b", "llama-3-8b"),
        (["regions", "list", "--search", "frankfurt"], "region", "aws:eu-central-1", "FR"),
        (["prices", "list", "--search", "lambda h100"], "provider", "lambda", "aws"),
    ],
)
def test_a_search_holds_all_words_in_any_column(capsys, words, key, held, left):
    found = {one.get(key) or one.get("code") for one in listed(capsys, *words)}
    assert held in found
    assert left not in found


def test_a_model_is_shown_by_either_form(capsys):
    assert run(["models", "show", "gpt2"]) == 0
    shown = capsys.readouterr().out
    assert run(["models", "gpt2"]) == 0
    assert capsys.readouterr().out == shown


def test_nothing_found_is_said(capsys):
    assert run(["models", "list", "--search", "no such model"]) == 0
    assert "no models; costcalc models NAME" in capsys.readouterr().out
