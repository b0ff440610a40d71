"""What is meant as a run file though it is none yet, and what is another tool's."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from costcalc.base.document import Document
from costcalc.base.errors import InputError
from costcalc.runfile.meant import is_foreign, meant

MODEL, MACHINE = {"preset": "llama-3-8b"}, {"accelerator": "h100-sxm5-80"}
NAMED = b"# yaml-language-server: $schema=https://x.org/run.schema.json\n"


def has_both(made: Mapping[str, object]) -> bool:
    return "model" in made and "hardware" in made


def is_meant(data: object, raw: bytes = b"") -> bool:
    document = Document(data, "r.yaml")
    found = meant(document, raw, has_both)
    assert found in (document, None)
    return found is document


@pytest.mark.parametrize(
    ("data", "is_one"),
    [
        # a letter too few, two that changed places; 2 · 7 / 15 and 2 · 4 / 5 are alike
        ({"model": MODEL, "hardwar": MACHINE}, True),
        ({"mdoel": MODEL, "hardware": MACHINE}, True),
        ({"Model": MODEL, "hardware": MACHINE}, True),
        # nothing strange: a lab's defaults, which another file names
        ({"model": MODEL, "hardware": MACHINE}, False),
        ({"hardware": MACHINE}, False),
        # too far from any of ours: 2 · 4 / 12 of "hard", and a word beside
        ({"model": MODEL, "hard": MACHINE}, False),
        ({"model": MODEL, "hardwar": MACHINE, "lr": 0.1}, False),
        # no machine; one said twice; one that holds nothing of ours, or no keys at all
        ({"mdoel": MODEL}, False),
        ({"model": MODEL, "mdoel": MODEL, "hardware": MACHINE}, False),
        ({"mdoel": {"layers_of": 3}, "hardware": MACHINE}, False),
        ({"mdoel": MODEL, "hardware": "h100"}, False),
        ({"mdoel": MODEL, "hardware": MACHINE, "training": "long"}, False),
        ({"mdoel": MODEL, "hardware": MACHINE, "training": None}, True),
        ({"mdoel": MODEL, "hardware": MACHINE, "training": {"lr": 1}}, True),
        # no mapping of words
        ({"mdoel": MODEL, "hardware": MACHINE, 3: 4}, False),
        ({3: 4}, False),
        ([MODEL], False),
        ("model", False),
        (None, False),
    ],
)
def test_what_is_meant_as_a_run(data: object, is_one: bool) -> None:
    assert is_meant(data) is is_one


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        (NAMED, True),
        (b"  #  yaml-language-server:  $schema=run.schema.json", True),
        (NAMED.replace(b"run", b"price"), False),
        (b"model: 1\n" + NAMED, False),  # not in the first line
        (b"# see " + NAMED, False),
    ],
)
def test_whatever_names_our_schema_first_is_meant_for_us(line: bytes, is_one: bool) -> None:
    assert is_meant({"lr": 0.1}, line) is is_one


def test_a_run_under_a_name_that_is_all_but_ours_is_told() -> None:
    for name in ("costclac", "cost-calc", "CostCalc"):
        with pytest.raises(InputError) as caught:
            is_meant({"lr": 0.1, name: {"model": MODEL}})
        assert str(caught.value) == f"r.yaml: {name}: did you mean costcalc?\n1 problem in r.yaml"
    assert not is_meant({"lr": 0.1, "costclac": {"lr": 1}})  # nothing of a run in it
    assert not is_meant({"lr": 0.1, "costclac": 3})
    assert not is_meant({"lr": 0.1, "cost": {"model": MODEL}})  # 2 · 4 / 12 is not alike
    assert not is_meant({"lr": 0.1, "costcalc": {"model": MODEL}})  # ours: read elsewhere


@pytest.mark.parametrize(
    ("data", "foreign"),
    [
        ({"lr": 1, "model": {"id": "x"}, "hardware": {}}, True),
        ({"lr": 1, "model": {"id": "x"}, "hardware": {"accelerator": "h100"}}, False),
        ({"lr": 1, "model": {"id": "x"}, "measured": {"wall_clock": "1 h"}}, False),
        ({"lr": 1, "model": "x", "hardware": "y"}, True),
        ({"mdoel": {"id": "x"}, "hardware": {}}, False),  # every word is ours but for a letter
        ({"lr": 1, "stages": []}, False),
        ({"lr": 1, "stages": {}}, True),
        ({"lr": 1, "defaults": "lab.yaml"}, False),
        ({1: 2, "hardware": {}}, True),
    ],
)
def test_what_is_another_tools(data: dict[object, object], foreign: bool) -> None:
    assert is_foreign(data) is foreign  # type: ignore[arg-type]
