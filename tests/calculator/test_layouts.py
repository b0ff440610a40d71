"""``costcalc layout``: the full space, ranked, with what is fixed kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

import costcalc
from costcalc import InputError
from costcalc.calculator.layouts import layouts
from costcalc.catalog import accelerator as accelerators
from costcalc.cli import run
from costcalc.throughput.constants import load
from costcalc.throughput.ranges import chosen

LLAMA: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1T", "global_batch": 512},
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
        layouts(
            {
                "model": {"flops": "1e21 FLOP"},
                "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
            }
        )


def test_the_command_prints_the_best_ten(capsys: pytest.CaptureFixture[str]) -> None:
    flags = [
        f"--set={key}"
        for key in (
            "model.preset=llama-3-8b",
            "training.tokens=1T",
            "hardware.accelerator=h100-sxm5-80",
            "hardware.count=64",
        )
    ]
    assert run(["layout", *flags, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert len(made["layouts"]) == 10
    assert run(["layout", *flags]) == 0
    text = capsys.readouterr().out
    assert "layouts walked in" in text
    assert "why the first is first" in text


SENSIBLE = [
    ("llama-3-8b", "h100-sxm5-80", 64, 512, "bf16"),
    ("llama-3-70b", "h100-sxm5-80", 512, 1024, "bf16"),
    ("llama-3.1-405b", "h100-sxm5-80", 16384, 2048, "bf16"),
    ("gpt-3-175b", "a100-sxm4-80", 1024, 1536, "bf16"),
    ("mixtral-8x7b", "h100-sxm5-80", 64, 512, "bf16"),
    ("deepseek-v3", "h800-sxm5-80", 2048, 15360, "fp8"),
    ("qwen3-235b-a22b", "gb200", 256, 1024, "bf16"),
    ("llama-3-70b", "tpu-v5p", 256, 1024, "bf16"),
    ("llama-3-8b", "mi300x", 64, 512, "bf16"),
]


@pytest.mark.parametrize(("preset", "accelerator", "count", "batch", "precision"), SENSIBLE)
def test_an_automatic_layout_is_one_that_people_run(
    preset: str, accelerator: str, count: int, batch: int, precision: str
) -> None:
    run_file = {
        "model": {"preset": preset},
        "training": {"tokens": "1T", "sequence_length": 4096, "global_batch": batch,
                     "precision": precision},
        "hardware": {"accelerator": accelerator, "count": count},
    }  # fmt: skip
    made = costcalc.estimate(run_file, ranges=False)
    found = made.details["layout"]
    profile = accelerators.find(accelerator)
    domain = profile.scale_up.domain if profile.scale_up else 1
    replicas = found["data"]
    assert found["tensor"] <= max(domain, 8)  # not between nodes
    assert found["context"] == 1  # 4,096 tokens are not cut up
    assert replicas <= batch  # no replica is idle
    assert batch / (replicas * found["micro_batch"]) >= found["pipeline"]  # stages are filled
    if found["pipeline"] == 1:
        assert found["virtual_pipeline"] == 1
    if profile.kind == "tpu":
        assert found["pipeline"] == 1
    if found["expert"] > 1:
        assert found["expert"] <= max(domain, 8)  # what leaves the fabric shows in full
    use = made.results["utilization"].value
    assert use is not None
    assert 0.1 < use < 0.65
