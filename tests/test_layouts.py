"""``costcalc layout``: the full space, ranked, with what is fixed kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

import costcalc
from costcalc import InputError
from costcalc.cli import run
from costcalc.layouts import layouts
from costcalc.throughput.constants import load
from costcalc.throughput.ranges import chosen

LLAMA: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"}, "training": {"tokens": "1T", "global_batch": 512},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
}


def test_the_fastest_come_first_and_fill_the_devices() -> None:
    found = layouts(LLAMA)
    times = [one.seconds for one in found.best]
    assert len(times) == 10
    assert times == sorted(times)
    for one in found.best:
        layout = one.layout
        assert layout.data * layout.tensor * layout.pipeline * layout.context == 64
        assert one.memory <= 80 * 2**30
        assert sum(one.breakdown.values()) == pytest.approx(one.seconds)
    assert found.why


def test_what_the_run_file_fixes_stays() -> None:
    run_file = {**LLAMA, "hardware": {**LLAMA["hardware"], "layout": {"tensor": 4}}}
    found = layouts(run_file)
    assert {one.layout.tensor for one in found.best} == {4}
    assert found.walked < layouts(LLAMA).walked


def test_the_pruned_set_of_an_estimate_comes_near_the_full_one() -> None:
    best = layouts(LLAMA, top=1).best[0].seconds
    step = costcalc.estimate(LLAMA, ranges=False).results["step_time"].value
    assert step is not None
    # an estimate takes off what runs lose to the layouts that they choose themselves
    assert step * chosen(load(), LLAMA["hardware"]["count"]) == pytest.approx(best, rel=0.05)


def test_a_model_without_layers_is_refused() -> None:
    with pytest.raises(InputError, match="expected a model made of layers"):
        layouts({"model": {"flops": "1e21 FLOP"},
                 "hardware": {"accelerator": "h100-sxm5-80", "count": 64}})


def test_the_command_prints_the_best_ten(capsys: pytest.CaptureFixture[str]) -> None:
    flags = [f"--set={key}" for key in (
        "model.preset=llama-3-8b", "training.tokens=1T", "hardware.accelerator=h100-sxm5-80",
        "hardware.count=64")]
    assert run(["layout", *flags, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert len(made["layouts"]) == 10
    assert run(["layout", *flags]) == 0
    text = capsys.readouterr().out
    assert "layouts walked in" in text
    assert "why the first is first" in text
