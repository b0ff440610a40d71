"""What a run file leaves out is filled in: with which value, and what it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from costcalc.base.errors import InputError
from costcalc.calculator.calculate import estimate
from costcalc.catalog import accelerator, host
from costcalc.catalog.prices import offers
from costcalc.resolve.embodied import embodied
from costcalc.resolve.hardware import devices_of
from costcalc.resolve.names import look_up
from costcalc.resolve.time import fixed_by, timed
from costcalc.resolve.workload import trained
from costcalc.runfile.loading import Input, load

RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1B"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
}


def part(**sections: Any) -> Input:
    return load({**RUN, **sections}, look_up).parts[0]


def default(choices: Any, key: str) -> Any:
    return next((item.value for item in choices if item.key == key), None)


RL = {"prompts": "1k", "prompt_length": 128, "generation_length": 128}


@pytest.mark.parametrize(
    ("training", "key", "value"),
    [
        ({"tokens": "1B"}, "training.method", "pretrain"),
        ({"tokens": "1B"}, "training.packing", "packed"),
        ({"tokens": "1B", "method": "lora"}, "training.lora.rank", 16),
        ({"tokens": "1B", "method": "lora"}, "training.lora.targets", "all"),
        ({**RL, "method": "grpo"}, "training.group", 16),
        ({**RL, "method": "ppo"}, "training.group", 1),
        ({**RL, "method": "grpo"}, "training.inner_epochs", 1),
        ({**RL, "method": "grpo", "group": 4}, "training.group", None),
        ({"tokens": "1B", "sequence_length": 4096}, "training.sequence_length", None),
    ],
)
def test_defaults_of_the_training(training: dict[str, Any], key: str, value: Any) -> None:
    assert default(trained(part(training=training)).assumptions, key) == value


def test_the_length_of_a_sequence_is_the_presets_else_2048() -> None:
    found = default(trained(part()).assumptions, "training.sequence_length")
    assert found == 8192  # as Llama 3 was trained
    bare = trained(part(model={"parameters": "1B"})).assumptions
    assert default(bare, "training.sequence_length") == 2048


@pytest.mark.parametrize(
    "model", [{"flops": "1e21 FLOP"}, {"forward_flops": "8 GFLOP"}, {"preset": "resnet-50"}]
)
def test_what_is_no_text_needs_no_length(model: dict[str, Any]) -> None:
    found = trained(part(model=model, training={"samples": "1M"}))
    assert default(found.assumptions, "training.sequence_length") is None
    assert found.work is not None
    assert found.work.datum == "sample"


def test_reinforcement_says_its_lengths_itself() -> None:
    found = trained(part(training={**RL, "method": "grpo"}))
    assert default(found.assumptions, "training.sequence_length") is None


def test_a_config_is_read_from_its_file() -> None:
    folder = Path(__file__).parents[2] / "examples"
    given = load(folder / "config-json.yaml", look_up).parts[0]
    found = trained(given)
    assert found.work is not None
    assert found.work.architecture is not None
    assert found.name == found.work.architecture.name


def recipe_of(**sections: Any) -> Any:
    given = part(**sections)
    work = trained(given)
    assert work.work is not None
    devices = devices_of(given, None, ())
    return timed(given, work.work, devices, "bf16", work.workload)


def test_the_recipe_of_text_and_of_images() -> None:
    text = recipe_of()
    assert (text.recipe.sequence_length, text.recipe.kernels) == (8192, "plain")
    assert (text.recipe.attention, text.recipe.optimizer) == ("flash", "adamw")
    assert text.recipe.trainable_share == 1.0
    assert default(text.assumptions, "training.kernels") is None
    images = recipe_of(model={"preset": "resnet-50"}, training={"samples": "1M"})
    assert (images.recipe.sequence_length, images.recipe.kernels) == (1, "plain")
    assert default(images.assumptions, "training.kernels") == "plain"
    fused = {"samples": "1M", "kernels": "fused"}
    assert recipe_of(model={"preset": "resnet-50"}, training=fused).recipe.kernels == "fused"


def test_adapters_train_their_share_of_the_parameters() -> None:
    made = recipe_of(training={"tokens": "1B", "method": "lora"})
    assert 0.0001 < made.recipe.trainable_share < 0.02


def test_what_a_layout_says_is_fixed_and_the_rest_is_open() -> None:
    asked = {**RUN["hardware"], "layout": {"tensor": 8, "sharding": "fsdp"}}
    found = fixed_by(part(hardware=asked))
    # an axis that is left out of a layout is 1, and data is the rest
    assert (found.tensor, found.sharding, found.pipeline, found.context) == (8, "zero3", 1, 1)
    assert found.data is None
    aside = {"offload": "optimizer", "activations": "host", "sequence_parallel": False}
    kept = fixed_by(part(hardware={**RUN["hardware"], "layout": aside}))
    assert (kept.offload, kept.activations, kept.sequence_parallel) == ("optimizer", "host", False)
    assert (kept.tensor, kept.pipeline, kept.sharding) == (None, None, None)
    free = fixed_by(part())
    assert (free.tensor, free.sharding, free.recompute) == (None, None, None)


def test_a_given_layout_is_the_layout() -> None:
    axes = {"tensor": 4, "pipeline": 2, "sharding": "fsdp", "offload": "optimizer"}
    made = recipe_of(
        training={"tokens": "1B", "global_batch": 64, "micro_batch": 2},
        hardware={**RUN["hardware"], "layout": axes},
    ).throughput.layout
    assert (made.data, made.tensor, made.pipeline) == (8, 4, 2)
    assert (made.sharding, made.offload, made.micro_batch) == ("zero3", "optimizer", 2)
    plain = {"tensor": 8, "sharding": "zero1"}
    made = recipe_of(hardware={**RUN["hardware"], "layout": plain}).throughput.layout
    assert (made.data, made.offload, made.micro_batch, made.recompute) == (8, "none", 1, "none")


# --- embodied ------------------------------------------------------------------------------------


def test_the_host_is_shared_by_its_devices_and_its_range_is_the_hosts() -> None:
    given = part()
    found = embodied(given, devices_of(given, None, ()))
    box = host.find("dgx-h100")
    share = found.known["embodied_host"]
    assert devices_of(given, None, ()).host.host.id == box.id
    assert box.embodied is not None
    assert share.value == pytest.approx(box.embodied.si / 8)
    assert share.low <= share.value <= share.high
    assert share.low == pytest.approx((box.embodied.si_low or box.embodied.si) / 8)
    assert share.high == pytest.approx((box.embodied.si_high or box.embodied.si) / 8)
    assert share.source == box.sources[box.embodied.source].title != box.name


def test_what_nobody_knows_of_the_making_is_said() -> None:
    from dataclasses import replace

    given = part()
    devices = devices_of(given, None, ())
    chip = devices.accelerator.model_copy(update={"embodied": None})
    box = replace(devices.host, host=devices.host.host.model_copy(update={"embodied": None}))
    found = embodied(given, replace(devices, accelerator=chip, host=box))
    assert set(found.known) == {"lifetime", "lifetime_utilization"}
    assert found.why["embodied_device"] == f"no embodied carbon of {chip.name} is known"
    assert found.why["embodied_host"] == f"no embodied carbon of {box.host.name} is known"


# --- names and prices that are not known ---------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "said", "message"),
    [
        ("model", {"preset": "llama-3-9b"}, "llama-3-8b"),
        ("model", {"config": "nowhere/config.json"}, '"nowhere/config.json" is not there'),
        ("hardware", {"accelerator": "h101", "count": 1}, "h101"),
        ("site", {"region": "aws:us-esat-1"}, "aws:us-east-1"),
        ("price", {"provider": "awz"}, "no provider awz; nearest: aws"),
    ],
)
def test_unknown_names_are_told_with_the_nearest(
    section: str, said: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load({**RUN, section: said}, look_up)


def test_a_name_that_is_missing_is_looked_up_nowhere() -> None:
    assert list(look_up({"model": {}, "hardware": {"accelerator": ""}, "site": 3}, None)) == []


def test_where_no_price_is_known_the_known_ones_stand_beside() -> None:
    made = estimate({**RUN, "site": {"region": "FR"}}, ranges=False)
    why = made.results["cost"].why
    assert why.startswith("no price.provider, and site.region names none (known: other providers")
    assert " to " in why
    assert "USD/device_hour" in why


def test_a_chip_that_nobody_rents_has_no_price_beside() -> None:
    names = [found.id for found in accelerator.all_accelerators() if not offers(found)]
    bare = {"accelerator": names[0], "count": 1}
    made = estimate({**RUN, "measured": {"wall_clock": "1 h"}, "hardware": bare}, ranges=False)
    assert made.results["cost"].why == "no price.provider, and site.region names none"
