"""What a run file says of its software and its fabric reaches the model of the step."""

from __future__ import annotations

from typing import Any

import pytest

import costcalc
from costcalc.base.errors import InputError
from costcalc.calculator.calculate import HardwareSide, hardware_side
from costcalc.calculator.layouts import layouts
from costcalc.resolve.names import look_up
from costcalc.resolve.place import region_of
from costcalc.runfile.loading import load

RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": 1e9, "precision": "bf16"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 16},
}
NET: dict[str, Any] = {
    "model": {"forward_flops": 4e9},
    "training": {"samples": 1e6, "precision": "bf16"},
    "hardware": {"accelerator": "a100-sxm4-80", "count": 1},
}


def side(**changes: object) -> HardwareSide:
    request = load(RUN, look_up, changes={k.replace("__", "."): v for k, v in changes.items()})
    return hardware_side(request.parts[0], request, region_of(request.parts[0]))


def test_communication_runs_beside_computation_unless_said_otherwise() -> None:
    timed = [side(), side(training__overlap=True), side(training__overlap=False)]
    assert [one.timed and one.timed.recipe.overlap for one in timed] == [True, True, False]
    layout = {"hardware.layout": {"tensor": 8, "sharding": "zero1"}}
    beside = costcalc.estimate(RUN, changes=layout, ranges=False)
    waits = costcalc.estimate(RUN, changes=layout | {"training.overlap": False}, ranges=False)
    assert waits.results["step_time"].value > beside.results["step_time"].value


def test_the_fast_fabric_joins_as_many_devices_as_said() -> None:
    assert side().devices.machine.scale_up_domain == 8  # of a DGX H100
    assert side(hardware__scale_up_domain=4).devices.machine.scale_up_domain == 4


@pytest.mark.parametrize("sharding", ["zero1", "auto"])
def test_a_layout_without_sequence_parallelism_stays_so(sharding: str) -> None:
    said = {"tensor": 8, "sharding": sharding}
    for parallel in (True, False):
        made = side(hardware__layout={**said, "sequence_parallel": parallel}).timed
        assert made is not None
        assert made.throughput.layout is not None
        assert made.throughput.layout.sequence_parallel == parallel
    found = layouts(RUN, top=3, full=False,
                    changes={"hardware.layout": {"sequence_parallel": False}})  # fmt: skip
    assert {one.layout.sequence_parallel for one in found.best} == {0}


def test_activations_are_what_memory_moves() -> None:
    # seconds of memory = passes · elements · 2 B / bandwidth, so twice the elements take twice it
    some, more = (
        costcalc.estimate(NET, changes={"model.activations": n}, ranges=False).breakdown["step"]
        for n in (3e6, 6e6)
    )
    assert more["memory"] == pytest.approx(2 * some["memory"])
    assert more["compute"] == pytest.approx(some["compute"])  # 667 FLOP an element: dense
    # unsaid, 122 · √(4e9) = 7.716 million elements
    unsaid = costcalc.estimate(NET, ranges=False).breakdown["step"]
    assert unsaid["memory"] == pytest.approx(some["memory"] * 7.716 / 3, rel=1e-3)


def test_the_kind_of_what_is_known_by_its_flops() -> None:
    # the share of the matmul ceiling of its class: seconds of compute go as one over it
    classes = {kind: costcalc.estimate(NET, changes={
        "model.kind": kind, "model.activations": 1e6, "training.global_batch": 32},
        ranges=False).breakdown["step"]["compute"]
        for kind in ("cnn", "vit", "diffusion")}  # fmt: skip
    from costcalc.throughput.constants import shipped

    shares = {kind: shipped()["classes"][kind]["share"] for kind in classes}
    assert classes["diffusion"] / classes["cnn"] == pytest.approx(
        shares["cnn"] / shares["diffusion"]
    )
    assert classes["vit"] / classes["cnn"] == pytest.approx(shares["cnn"] / shares["vit"])


@pytest.mark.parametrize("key", ["kind", "activations"])
def test_they_go_with_forward_flops_alone(key: str) -> None:
    value = {"kind": "cnn", "activations": 1e6}[key]
    with pytest.raises(InputError, match=f"model.{key}: goes with model.forward_flops"):
        costcalc.estimate(RUN, changes={f"model.{key}": value})


def test_a_preset_carries_its_activations() -> None:
    run = {**NET, "model": {"preset": "mobilenet-v2"}}
    like = {**NET, "model": {"forward_flops": 601548544, "activations": 6.7e6, "kind": "cnn"}}
    like["model"]["layers"] = 53
    ours, by_hand = (costcalc.estimate(one, ranges=False).results for one in (run, like))
    assert ours["throughput"].value == pytest.approx(by_hand["throughput"].value, rel=0.02)


def test_what_the_software_does_reaches_the_recipe() -> None:
    said = {"compiled": False, "states": "bf16", "logits": "fused", "gradients": "freed"}
    asked = {f"training__{key}": value for key, value in said.items()}
    timed = side(training__software="transformers", **asked).timed
    assert timed is not None
    assert {key: getattr(timed.recipe, key) for key in said} == said
    assert timed.recipe.told == {"software", "states", "logits", "gradients"}
    assert (timed.recipe.shards, timed.recipe.trainer) == ("deepspeed", "transformers")
    by_torch = side(training__software="transformers", hardware__layout={"sharding": "fsdp"}).timed
    assert by_torch is not None
    assert by_torch.recipe.shards == "own"


@pytest.mark.parametrize("layout", [{}, {"tensor": 8, "sharding": "zero1"}])
def test_activations_kept_on_the_host_are_so_in_any_layout(layout: dict[str, object]) -> None:
    timed = side(hardware__layout={**layout, "activations": "host"}).timed
    assert timed is not None
    assert timed.throughput.layout is not None
    assert timed.throughput.layout.activations == 1.0


def test_the_mean_document_is_told_once() -> None:
    with pytest.raises(InputError) as wrong:
        costcalc.estimate(RUN, changes={"training.documents": 210, "training.sample_tokens": 200})
    assert str(wrong.value) == (
        "command line: training.documents: expected documents or sample_tokens, the mean length "
        "of a sample; got both\n1 problem in command line"
    )
