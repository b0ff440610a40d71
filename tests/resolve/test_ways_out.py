"""What a run that does not fit is told: every way out is taken here as it is told."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage_inputs import devices, part

from costcalc.base.errors import InputError
from costcalc.calculator.calculate import estimate
from costcalc.resolve.ways_out import fewest
from costcalc.runfile.loading import Input

GIB = 2.0**30
PARAMETERS = 8_030_261_248  # of Llama 3 8B
TUNED: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"method": "finetune", "samples": 1e4, "sequence_length": 2048, "micro_batch": 1},
    "hardware": {"accelerator": "rtx-4090", "count": 1},
}


def told(run: dict[str, Any], **changes: Any) -> str:
    """The refusal of a run; empty where it is not refused."""
    try:
        estimate(run, changes=changes, ranges=False)
    except InputError as error:
        return error.problems[0].message
    return ""


def on(run: dict[str, Any], count: int, **changes: Any) -> str:
    return told(run, **{"hardware.count": count, **changes})


# --- the fewest devices --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("least", "found"),
    [(1, 1), (2, 2), (3, 3), (8, 8), (9, 16), (16, 16), (17, 24), (64, 64), (65, 72), (300, 304)],
)
def test_the_fewest_are_by_ones_in_a_node_and_by_nodes_of_eight_beyond(least, found) -> None:
    tried: list[int] = []

    def holds(one: Input) -> bool:
        assert one.part.hardware is not None
        tried.append(one.part.hardware.count or 0)
        return tried[-1] >= least

    run = part(hardware={"accelerator": "h100-sxm5-80", "count": 5})
    assert fewest(run, devices(accelerator="h100-sxm5-80", count=5), holds) == found
    assert found in tried


def test_where_more_devices_fit_no_better_a_smaller_number_is_found() -> None:
    """Twelve heads fit on 3 and not on 4: a search by doubling alone passes 3 over."""

    def holds(one: Input) -> bool:
        assert one.part.hardware is not None
        return one.part.hardware.count in (3, 16)

    run = part(hardware={"accelerator": "h100-sxm5-80", "count": 5})
    assert fewest(run, devices(accelerator="h100-sxm5-80", count=5), holds) == 3


def test_of_instances_whole_ones_are_tried_and_none_is_none() -> None:
    hardware = {"instance": "p5.48xlarge", "nodes": 1}
    tried: list[tuple[int | None, int | None]] = []

    def holds(one: Input) -> bool:
        assert one.part.hardware is not None
        tried.append((one.part.hardware.nodes, one.part.hardware.count))
        return one.part.hardware.nodes == 3

    assert fewest(part(hardware=hardware), devices(**hardware), holds) == 24  # 3 of 8
    assert tried == [(1, None), (2, None), (3, None)]
    assert fewest(part(hardware=hardware), devices(**hardware), lambda _: False) is None


def told_count(message: str) -> int:
    found = re.search(r"; ([\d,]+) such devices are the fewest that fit", message)
    assert found, message
    return int(found[1].replace(",", ""))


# --- software that divides the batch alone -------------------------------------------------------


def test_software_that_divides_the_batch_alone_gets_no_pipeline() -> None:
    # At the least 6 bytes a parameter over two devices (weights 2, states of 16 bits 4, gradients
    # freed), beside the gradient of the largest piece, an embedding of 128256 x 4096, one of 32
    # layers of 218e6 gathered whole and the 0.4e9 bytes of libraries: beyond 24 GiB without an
    # activation.
    whole, embedding, layer = 6 * PARAMETERS / 2, 2 * 128256 * 4096, 2 * 218e6
    least = (whole + embedding + layer + 0.4e9) / GIB
    assert least == pytest.approx(24.2, abs=0.05)
    refusal = on(TUNED, 2)
    assert refusal == (
        "expected at most 24 GiB a device, which is what rtx-4090 has; it takes 25.2 GiB at the "
        "least with Hugging Face Transformers, which divides the batch alone; 3 such devices are "
        "the fewest that fit; on 2 it may fit with training.optimizer: adamw-8bit or "
        "hardware.layout.offload: optimizer; finetune trains all weights, training.method: lora "
        "adapters alone"
    )
    for change in ({"training.optimizer": "adamw-8bit"}, {"hardware.layout.offload": "optimizer"}):
        assert on(TUNED, 2, **change) == ""
    made = estimate(TUNED, changes={"hardware.count": 3}, ranges=False).details["layout"]
    assert (made["data"], made["pipeline"], made["tensor"], made["sharding"]) == (3, 1, 1, "zero3")


@pytest.mark.parametrize("named", [True, False])
def test_another_way_of_dividing_is_taken_only_where_software_is_assumed_and_is_said(named) -> None:
    # 16-bit weights of 70.6e9 are 131.4 GiB, 16.4 on each of 8 whatever the way; under ZeRO-3 a
    # batch of 4 has no sequence for four of the eight
    run = {
        "model": {"preset": "llama-3-70b"},
        "training": {"method": "lora", "samples": 1e4, "global_batch": 4, "sequence_length": 2048},
        "hardware": {"accelerator": "a100-sxm4-80", "count": 8},
    }
    changes = {"training.software": "transformers"} if named else {}
    made = estimate(run, changes=changes, ranges=False)
    cut = [f"{a} {made.details['layout'][a]}" for a in ("tensor", "pipeline", "context")]
    cut = [axis for axis in cut if not axis.endswith(" 1")]
    assert cut
    note = (
        "Hugging Face Transformers divides the batch alone, which does not do here: this layout "
        f"({', '.join(cut)}) is of software that divides more (training.software)"
    )
    assert note in made.warnings


def test_a_middle_far_beyond_the_device_is_noted_and_not_refused() -> None:
    run = {
        "model": {"preset": "llama-3-8b"},
        "training": {
            "method": "lora", "samples": 1e4, "sequence_length": 32768, "micro_batch": 1,
            "precision": "bf16", "packing": "packed",
        },
        "hardware": {"accelerator": "rtx-4090", "count": 1},
    }  # fmt: skip
    made = estimate(run)
    held = made.results["memory_per_device"]
    assert held.low is not None
    assert held.value is not None
    assert held.low < 24 < 48 < held.value
    (note,) = [one for one in made.warnings if one.startswith("memory ")]
    assert note.startswith(
        "memory suffices only if the software spares most of what is usual: "
        f"{held.value:.3g} GiB a device ({held.low:.3g} to "
    )


# --- a hint holds when it is followed ------------------------------------------------------------


def test_what_is_kept_on_the_host_counts_for_the_fewest() -> None:
    run = {
        "model": {"preset": "llama-3-8b"},
        "training": {
            "method": "finetune", "steps": 1000, "global_batch": 60, "sequence_length": 512,
            "software": "deepspeed", "micro_batch": 1, "recompute": "full",
        },
        "hardware": {"accelerator": "rtx-4090", "layout": {"offload": "optimizer"}},
    }  # fmt: skip
    assert told_count(on(run, 1)) == 2  # 3 are needed where the optimizer's states are not
    assert on(run, 2) == ""


def test_a_micro_batch_that_is_told_counts_for_the_fewest() -> None:
    run = {
        "model": {"preset": "qwen2.5-7b"},
        "training": {"method": "dpo", "samples": 2e4, "precision": "fp32", "micro_batch": 16},
        "hardware": {"accelerator": "rtx-4060-laptop"},
    }
    assert [told_count(on(run, count)) for count in (1, 16)] == [24, 24]
    assert on(run, 24) == ""


def test_a_layout_that_is_told_is_left_open_where_no_number_fits_it() -> None:
    run = {
        "model": {"preset": "llama-3-70b"},
        "training": {"tokens": 1e9},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 8, "layout": {"sharding": "none"}},
    }
    message = told(run)
    found = re.search(r"; with layout: auto it fits, on (\d+) such devices at least", message)
    assert found, message
    open_ = {"hardware": {"accelerator": "h100-sxm5-80", "count": int(found[1])}}
    assert told({**run, **open_}) == ""


def test_a_micro_batch_that_fits_on_no_number_is_left_open() -> None:
    # the inputs of 24 layers alone, of 2 bytes, 1024 wide, of 4096 x 512 tokens: 96 GiB of 15
    assert 2 * 1024 * 4096 * 512 * 24 / GIB == 96
    training = {"method": "finetune", "samples": 1e4, "sequence_length": 512, "precision": "fp16",
                "software": "transformers", "global_batch": 4096}  # fmt: skip
    run = {"model": {"preset": "bert-large"}, "hardware": {"accelerator": "t4", "count": 1}}
    message = told({**run, "training": {**training, "micro_batch": 4096, "recompute": "none"}})
    assert "; with micro_batch, recompute and layout left open it fits, on 1 such" in message
    assert told({**run, "training": training}) == ""


def test_a_slice_is_not_told_a_number_of_chips() -> None:
    run = {
        "model": {"preset": "llama-3-70b"},
        "training": {"tokens": 1e9, "method": "finetune"},
        "hardware": {"accelerator": "v5e-4"},
    }
    assert "; a larger slice may hold it" in told(run)


@settings(max_examples=25, deadline=None)
@given(
    preset=st.sampled_from(["llama-3-8b", "qwen2.5-7b", "llama-3-70b", "gpt2"]),
    accelerator=st.sampled_from(["rtx-4090", "rtx-4060-laptop", "a100-sxm4-40", "t4", "mi300x"]),
    method=st.sampled_from(["finetune", "lora", "dpo"]),
    count=st.sampled_from([1, 2, 3, 4, 7, 8, 16]),
    training=st.fixed_dictionaries(
        {},
        optional={
            "micro_batch": st.sampled_from([1, 4, 16]),
            "global_batch": st.sampled_from([7, 60, 64]),
            "recompute": st.sampled_from(["none", "selective", "full"]),
            "software": st.sampled_from(["transformers", "deepspeed", "megatron", "unsloth"]),
            "precision": st.sampled_from(["fp32", "fp16"]),
        },
    ),
    layout=st.fixed_dictionaries(
        {},
        optional={
            "offload": st.sampled_from(["optimizer", "all"]),
            "tensor": st.sampled_from([1, 2, 4]),
            "sharding": st.sampled_from(["none", "zero3", "fsdp"]),
        },
    ),
)
def test_every_way_out_is_one(preset, accelerator, method, count, training, layout) -> None:
    run = {
        "model": {"preset": preset},
        "training": {"method": method, "samples": 1e4, "sequence_length": 1024, **training},
        "hardware": {"accelerator": accelerator, "count": count, "layout": layout or "auto"},
    }
    message = told(run)
    if "GiB at the least" not in message:
        return
    found = re.search(r"; ([\d,]+) such devices? (are|is) ", message)
    if found:
        fewest_ = int(found[1].replace(",", ""))
        assert on(run, fewest_) == ""
        for fewer in range(1, min(fewest_, 9)):
            assert on(run, fewer) != ""
    ways = re.search(r"; on \d+ it may fit with ([^;]*)", message)
    if ways:
        pairs = re.findall(r"((?:training|hardware)[\w.]+): ([\w-]+)", ways[1])
        assert pairs
        each = [dict(pairs)] if "together" in ways[1] else [dict([pair]) for pair in pairs]
        for changes in each:
            asked = {key: int(to) if to.isdigit() else to for key, to in changes.items()}
            assert told(run, **asked) == ""
