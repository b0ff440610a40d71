"""Every rule of a run file: what breaks it, and the nearest thing that does not."""

from __future__ import annotations

from typing import Any

import pytest

from costcalc.runfile.rules import Lacking, faults
from costcalc.runfile.schema import Part

WHOLE: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1B"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
}


def found(sections: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    given = {key: value for key, value in {**WHOLE, **sections}.items() if value is not None}
    return [(".".join(map(str, f.path)), f.message) for f in faults(Part(**given), **more)]


def training(**keys: Any) -> dict[str, Any]:
    return {"training": keys}


def hardware(**keys: Any) -> dict[str, Any]:
    return {"hardware": {**WHOLE["hardware"], **keys}}


def layout(**axes: Any) -> dict[str, Any]:
    return hardware(layout=axes)


FP8 = {"tokens": "1B", "precision": "fp8"}
MEASURED = {"wall_clock": "1 h"}
GRPO = {"method": "grpo", "prompts": 5, "prompt_length": 1, "generation_length": 1}
TEACHER = {"tokens": "1B", "method": "distill"}


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"model": {"parameters": "8B", "layers": 32}},
        {"model": {"preset": "llama-3-8b", "labels": 2}},
        {"model": None, "training": None, "measured": MEASURED},
        {"training": None, "measured": MEASURED},
        {"model": {"flops": "1e21 FLOP"}, "training": None},
        training(steps=10, global_batch=4),
        training(epochs=3, dataset_tokens="1B"),
        training(epochs=3, dataset_samples=100),
        training(**GRPO),
        {"training": {"method": "grpo"}, "measured": MEASURED},
        {"training": {"method": "ppo"}, "model": {"flops": "1e21 FLOP"}},
        training(**TEACHER, teacher={"preset": "llama-3-8b"}),
        training(tokens="1B", method="lora", lora={"rank": 4}),
        {"hardware": {"instance": "p5.48xlarge", "nodes": 2}},
        {"hardware": {"accelerator": "h100-sxm5-80", "share": "1/7"}},
        hardware(count=1, share="1/7"),
        {**training(**FP8), **hardware(utilization=0.4, utilization_basis={"peak": "bf16"})},
        hardware(utilization=0.4),
        hardware(utilization=0.4, utilization_basis={"attention": "full"}),
        hardware(throughput="400 TFLOP/s", utilization_basis={"attention": "full"}),
        layout(virtual_pipeline=2, pipeline=2),
        layout(expert_overlap=True, expert=2),
        layout(data=4, tensor=2),
        layout(tensor=2, pipeline=2, context=2),
        layout(expert=8),
        layout(pipeline=4, expert=2),
        {"hardware": {"instance": "p5.48xlarge", "layout": {"tensor": 3}}},
        {"site": {"grid": "1 gCO2e/kWh", "grid_basis": "direct"}},
        {"price": {"device_hour": "2 EUR", "rate": "1.1 USD/EUR"}},
        {"price": {"device_hour": "2 USD"}},
        {"price": {"plan": "owned", "device_hour": "2 USD"}},
        {"price": {"owned": {"purchase": "1 USD"}}},
        {"price": {"plan": "owned", "owned": {"purchase": "1 USD"}}},
        {"price": {"owned": {"purchase": "1 USD"}, "electricity": "1 USD/kWh"}},
        {"measured": {"energy": "1 kWh"}},
        {"measured": {"cost": "1 USD"}},
    ],
)
def test_what_breaks_no_rule(sections: dict[str, Any]) -> None:
    assert found(sections) == []


SIZES = "tokens, samples, steps, epochs, prompts"


@pytest.mark.parametrize(
    ("sections", "key", "message"),
    [
        ({"model": {}}, "model", "got none of them"),
        ({"model": None}, "model", "missing: what is trained"),
        ({"model": {"preset": "a", "config": "b"}}, "model", "got preset and config"),
        ({"model": {"preset": "a", "layers": 2}}, "model.layers", "model.preset says the shape"),
        ({"model": {"config": "a", "hidden": 2}}, "model.hidden", "model.config says the shape"),
        ({"model": {"parameters": 9, "labels": 2}}, "model.labels", "got parameters"),
        (training(), "training", "missing the size of the data"),
        (training(tokens=1, steps=2, global_batch=1), "training", f"expected one of {SIZES}"),
        (training(method="ppo"), "training", "ppo needs prompts: how many prompts"),
        (training(tokens="1B", method="grpo"), "training", "grpo needs prompts: how many"),
        (training(prompts=1, prompt_length=1, generation_length=1), "training.prompts",
         "prompts go with method: ppo or grpo"),
        (training(**{**GRPO, "prompt_length": None}), "training.prompts",
         "prompts need training.prompt_length beside them"),
        (training(**{**GRPO, "generation_length": None}), "training.prompts",
         "prompts need training.generation_length beside them"),
        (training(steps=10), "training.steps", "steps need training.global_batch"),
        (training(epochs=3), "training.epochs", "epochs need dataset_tokens or dataset_samples"),
        (training(epochs=3, dataset_tokens=1, dataset_samples=1), "training.epochs", "one of them"),
        (training(tokens=1, dataset_samples=1), "training.dataset_samples", "needs epochs"),
        (training(**TEACHER), "training.method", "distill needs training.teacher"),
        (training(tokens=1, teacher={"preset": "a"}), "training.teacher",
         "goes with method: distill"),
        (training(**TEACHER, teacher={}), "training.teacher", "expected one of preset, config"),
        (training(**TEACHER, teacher={"preset": "a", "parameters": 1}), "training.teacher",
         "expected one of preset, config"),
        (training(tokens=1, lora={"rank": 4}), "training.lora",
         "adapters go with method: lora, distill, dpo or grpo"),
        (training(tokens=1, method="finetune", base_precision="nf4"), "training.base_precision",
         "all weights learn under finetune: it goes with adapters (method: lora)"),
        ({"hardware": None}, "hardware", "missing on what"),
        ({"hardware": {"count": 8}}, "hardware", "missing on what"),
        (hardware(nodes=2), "hardware.nodes", "nodes go with hardware.instance"),
        ({"hardware": {"instance": "p5.48xlarge", "count": 8}}, "hardware.count",
         "expected count with accelerator, or nodes with instance"),
        ({"hardware": {"instance": "p5.48xlarge", "host": "dgx-h100"}}, "hardware.host",
         "hardware.instance says the host already"),
        (hardware(share="1/7"), "hardware.share", "a share is of one device; count is 8"),
        ({**training(**FP8), **hardware(utilization=0.4)}, "hardware.utilization", "which peak"),
        ({**training(**FP8), **hardware(utilization=0.4, utilization_basis={"attention": "full"})},
         "hardware.utilization", "add utilization_basis: {peak: bf16} or {peak: fp8}"),
        (hardware(utilization_basis={"peak": "bf16"}), "hardware.utilization_basis", "goes with"),
        (hardware(throughput="1 token/s", utilization_basis={"peak": "bf16"}),
         "hardware.utilization_basis", "goes with hardware.utilization or TFLOP/s"),
        (layout(virtual_pipeline=2), "hardware.layout.virtual_pipeline",
         "2 needs a pipeline above"),
        (layout(expert_overlap=True), "hardware.layout.expert_overlap", "needs experts apart"),
        (layout(data=2, tensor=2), "hardware.layout", "= 4; expected the count, 8"),
        (layout(tensor=3), "hardware.layout", "= 3 does not divide the count, 8"),
        (layout(tensor=2, pipeline=3), "hardware.layout", "= 6 does not divide the count, 8"),
        (layout(tensor=2, context=3), "hardware.layout", "= 6 does not divide the count, 8"),
        (layout(expert=3), "hardware.layout",
         "expert 3 does not divide data × tensor × context = 8"),
        (layout(pipeline=4, expert=4), "hardware.layout", "expert 4 does not divide data × tensor"),
        ({"site": {"grid_basis": "direct"}}, "site.grid_basis", "goes with site.grid"),
        ({"price": {"device_hour": "2 EUR"}}, "price.device_hour", "EUR needs an exchange rate"),
        ({"price": {"device_hour": "2 EUR", "rate": "1 USD/CHF"}}, "price.device_hour",
         "EUR needs"),
        ({"price": {"owned": {"purchase": "1 CHF"}}}, "price.owned.purchase", "CHF needs"),
        ({"price": {"device_hour": "1 USD", "instance_hour": "1 USD"}}, "price", "got both"),
        ({"price": {"owned": {"purchase": "1 USD", "electricity": "1 USD/kWh"},
                    "electricity": "1 USD/kWh"}}, "price.electricity", "got both"),
        ({"measured": {}}, "measured", "got none"),
        ({"measured": {"wall_clock": "1 h", "device_hours": 1}}, "measured", "got both"),
        ({"measured": {"cost": "1 EUR"}}, "measured.cost", "EUR needs an exchange rate"),
    ],
)  # fmt: skip
def test_what_breaks_a_rule(sections: dict[str, Any], key: str, message: str) -> None:
    told = found(sections)
    assert [path for path, _ in told] == [key], told
    assert message in told[0][1]


def test_what_a_tracker_sees_for_itself_may_be_lacking() -> None:
    bare: dict[str, Any] = {"model": None, "training": None, "hardware": None}
    assert [path for path, _ in found(bare)] == ["model", "training", "hardware"]
    assert found(bare, may_lack=Lacking) == []
    assert [path for path, _ in found(bare, may_lack=[Lacking.MODEL])] == ["training", "hardware"]
    # of hardware that is not named nothing else is asked
    unnamed = {"hardware": {"count": 8, "nodes": 2, "share": "1/7"}}
    assert len(found(unnamed)) == 1
    assert [path for path, _ in found(unnamed, may_lack=[Lacking.HARDWARE])] == [
        "hardware.nodes", "hardware.share",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["samples", "tokens"])
def test_epochs_of_a_size_that_is_all_are_told_what_to_say(name: str) -> None:
    (_, several), (path, message) = found(training(**{"epochs": 3, name: 67000}))
    assert several.endswith(f"got {name} and epochs")
    assert path == "training.epochs"
    assert message == (
        "epochs need dataset_tokens or dataset_samples, one of them; "
        f"{name} is all that is trained on: say dataset_{name} instead"
    )
