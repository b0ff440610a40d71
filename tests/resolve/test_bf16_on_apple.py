"""Apple chips before the M5 train in bf16 where that is asked for, and in fp16 otherwise."""

import pytest

import costcalc
from costcalc.base.vocabulary import usual_precision
from costcalc.catalog.accelerator import all_accelerators, find

RUN = {"model": {"preset": "gpt2"}, "training": {"tokens": "10M"}, "site": {"region": "FR"}}


def estimated(chip, **training):
    run = {**RUN, "training": {**RUN["training"], **training}}
    return costcalc.estimate({**run, "hardware": {"accelerator": chip, "count": 1}})


def precision(made):
    return [one.value for one in made.inputs if one.key == "training.precision"]


@pytest.mark.parametrize("chip", ["m1", "m2-ultra", "m3-max", "m4"])
def test_bf16_is_taken_where_asked_for_and_is_no_faster(chip):
    asked, usual = estimated(chip, precision="bf16"), estimated(chip)
    assert precision(usual) == ["fp16"]
    slow, fast = (made.results["wall_clock"] for made in (asked, usual))
    assert slow.value >= fast.value
    assert slow.high >= fast.high


def test_of_all_others_the_usual_precision_is_as_it_was():
    first = {
        board.id: next(p for p in ("bf16", "fp16", "tf32", "fp32") if p in board.peak.rates())
        for board in all_accelerators()
        if board.peak.rates().keys() & {"bf16", "fp16", "tf32", "fp32"}
    }

    other = {one for one, name in first.items() if usual_precision(find(one).peak.rates()) != name}
    assert other == {f"m{n}{s}" for n in (1, 2, 3, 4) for s in ("", "-pro", "-max", "-ultra")} - {
        "m4-ultra"
    }
    assert usual_precision(find("m5").peak.rates()) == "bf16"  # its cores multiply matrices
