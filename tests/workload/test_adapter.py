"""Adapters and quantised bases as they lie on disk, and what a run makes of them."""

from __future__ import annotations

import json

import pytest

from costcalc import InputError
from costcalc.calculator.calculate import estimate
from costcalc.workload.adapter import adapter, base_precision
from costcalc.workload.families import build
from costcalc.workload.hf import load, load_adapter

PLAIN = {
    "peft_type": "LORA", "r": 8, "target_modules": ["q_proj", "v_proj"],
    "base_model_name_or_path": "meta-llama/Meta-Llama-3-8B",
}  # fmt: skip
SMALL = {
    "model_type": "llama", "vocab_size": 10, "hidden_size": 8, "intermediate_size": 12,
    "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
}  # fmt: skip


@pytest.mark.parametrize(("keys", "targets"), [
    ({}, ("q_proj", "v_proj")),
    ({"target_modules": "all-linear"}, ("all",)),
    ({"target_modules": ["layers.0.self_attn.k_proj", "o_proj"]}, ("k_proj", "o_proj")),
    ({"target_modules": r".*\.(q|k)_proj"}, ("q_proj", "k_proj")),
    ({"target_modules": r".*\.mlp\.(up|down)_proj"}, ("up_proj", "down_proj")),
])  # fmt: skip
def test_targets(keys, targets):
    found = adapter({**PLAIN, **keys}, "adapter_config.json")
    model = build(SMALL)
    assert found.names(model) == targets
    assert (found.rank, found.base) == (8, "meta-llama/Meta-Llama-3-8B")


def test_a_rank_of_one_and_none_at_all():
    assert adapter({**PLAIN, "r": 1}, "x").rank == 1
    assert adapter({k: v for k, v in PLAIN.items() if k != "r"}, "x").rank == 8  # as PEFT has it
    for rank in (0, 1.0, True, "8"):
        with pytest.raises(InputError, match="expected a whole number, 1 or more"):
            adapter({**PLAIN, "r": rank}, "x")


def test_a_pattern_that_meets_nothing_takes_all():
    found = adapter({**PLAIN, "target_modules": "encoder.*"}, "adapter_config.json")
    assert found.names(build(SMALL)) == ("all",)


def test_what_is_not_read_is_told():
    found = adapter({**PLAIN, "rank_pattern": {"q_proj": 4}, "use_dora": False}, "x")
    assert found.notes == ("rank_pattern of the adapter is not read: {'q_proj': 4}",)


@pytest.mark.parametrize(("said", "number"), [
    ([0, 1, 2, 3], 4), ([1, 1], 1), (0, 1), (7, 1), (None, None), ([], None), (True, None),
])  # fmt: skip
def test_how_many_layers_have_an_adapter(said, number):
    assert adapter({**PLAIN, "layers_to_transform": said}, "x").layers == number


def test_all_faults_at_once():
    wrong = {"peft_type": "IA3", "r": 0, "target_modules": [1]}
    with pytest.raises(InputError) as caught:
        adapter(wrong, "adapter_config.json")
    assert [str(problem) for problem in caught.value.problems] == [
        "adapter_config.json: peft_type: expected LORA; got IA3",
        "adapter_config.json: r: expected a whole number, 1 or more; got 0",
        "adapter_config.json: target_modules: expected names; got [1]",
    ]
    with pytest.raises(InputError, match="expected a pattern"):
        adapter({**PLAIN, "target_modules": "(q_proj"}, "x")


@pytest.mark.parametrize(("config", "precision"), [
    ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "nf4"),
    ({"quant_method": "bitsandbytes", "_load_in_8bit": True}, "int8"),
    ({"quant_method": "gptq", "bits": 4}, "nf4"), ({"quant_method": "awq", "bits": 8}, "int8"),
    ({"quant_method": "mxfp4"}, "nf4"), ({"quant_method": "fp8"}, "int8"),
    ({"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 4}}}, "nf4"),
    ({"quant_method": "awq", "w_bit": 4}, "nf4"), ({"quant_method": "hqq", "nbits": 8}, "int8"),
    ({"config_groups": {"g": {"weights": {"num_bits": 4}}}}, "nf4"),
    ({"quant_method": "gptq", "bits": 3}, None), ({"quant_method": "odd"}, None),
])  # fmt: skip
def test_a_quantised_base(config, precision):
    found, notes = base_precision({"quantization_config": config})
    assert found == precision
    assert len(notes) == 1
    assert ("is not read" in notes[0]) == (precision is None)
    assert ("counted as" in notes[0]) == (
        precision is not None and config.get("quant_method") != "bitsandbytes"
    )


def test_no_quantisation():
    assert base_precision({}) == base_precision({"quantization_config": None}) == (None, ())


def run(**model):
    return estimate(
        {
            "model": model,
            "training": {"tokens": "1M"},
            "hardware": {"accelerator": "h100-sxm5-80", "count": 1},
        }
    )


def chosen(found):
    return {one.key: one.value for one in found.assumptions if one.key.startswith("training.")}


def test_a_folder_with_an_adapter_is_lora_on_its_base(tmp_path):
    (tmp_path / "adapter_config.json").write_text(json.dumps(PLAIN))
    said = chosen(run(config=str(tmp_path)))
    assert said["training.method"] == "lora"
    assert said["training.lora.rank"] == 8
    assert list(said["training.lora.targets"]) == ["q_proj", "v_proj"]
    # the base in the same folder, or beside it, wins over a preset
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    assert run(config=str(tmp_path)).results["parameters"].value == 664
    assert load_adapter(tmp_path).rank == 8
    unknown = tmp_path / "other"
    unknown.mkdir()
    (unknown / "adapter_config.json").write_text(
        json.dumps(PLAIN | {"base_model_name_or_path": "nobody/nothing"})
    )
    with pytest.raises(InputError, match="whose base \\(nobody/nothing\\) is no preset"):
        run(config=str(unknown))


def test_a_quantised_configuration_is_the_base_of_lora(tmp_path):
    quantised = SMALL | {"quantization_config": {"quant_method": "bnb", "load_in_4bit": True}}
    (tmp_path / "config.json").write_text(json.dumps(quantised))
    assert load(tmp_path).base_precision == "nf4"
    made = {
        "model": {"config": str(tmp_path)},
        "training": {"tokens": "1M", "method": "lora"},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 1},
    }
    assert chosen(estimate(made))["training.base_precision"] == "nf4"
    made["training"]["method"] = "finetune"
    assert "training.base_precision" not in chosen(estimate(made))
