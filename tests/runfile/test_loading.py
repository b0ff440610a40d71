"""A run file's problems, all at once, each at its line; stages laid over; keys changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import costcalc
from costcalc import InputError, Run
from costcalc.runfile.laying import apply, lay_over
from costcalc.runfile.loading import Request, load

RUN: dict[str, Any] = {
    "model": {"flops": "1e21 FLOP"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
}


def read(source: Any, **changes: Any) -> Request:
    return load(source, lambda raw, folder: [], changes=changes)


def problems(source: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(source)
    return str(caught.value).splitlines()


def test_the_contracts_own_example(tmp_path: Path) -> None:
    file = tmp_path / "llama.yaml"
    file.write_text(
        "model: {preset: llama-3-8b}\ntraining:\n  tokens: 15T\nhardware:\n"
        "  accelerator: h100-sxm5-80\n  count: eight\n  acelerator: x\nsite:\n  pue: 0.5\n"
        "  grid: 400 Wh\n"
    )
    assert problems(file) == [
        f'{file}:6:10: hardware.count: expected a whole number of devices, 1 or more; got "eight"',
        f"{file}:7:3: hardware.acelerator: unknown key; did you mean accelerator?",
        f"{file}:9:8: site.pue: expected a power usage effectiveness, from 1 to 5; got 0.5",
        f'{file}:10:9: site.grid: expected a carbon intensity (gCO2e/kWh); got "400 Wh", which is '
        "an energy",
        f"4 problems in {file}",
    ]


@pytest.mark.parametrize(
    ("sections", "line"),
    [
        (
            {"model": None},
            "model: missing: what is trained (model.preset, model.config, …) or what was measured",
        ),
        (
            {"model": {"preset": "a", "flops": "1e20 FLOP"}},
            "model: expected one of preset, config, architecture, parameters, forward_flops, "
            "flops; got "
            "preset and flops",
        ),
        (
            {"hardware": None},
            "hardware: missing on what: hardware.accelerator with count, or instance",
        ),
        (
            {"hardware": {"count": 0}},
            "hardware.count: expected a whole number of devices, 1 or more; got 0",
        ),
        (
            {"hardware": {"count": True}},
            "hardware.count: expected a whole number of devices, 1 or more; got true",
        ),
        (
            {"hardware": {"layout": {"virtual_pipeline": 4}}},
            "4 needs a pipeline above 1: it cuts each stage up",
        ),
        (
            {"hardware": {"layout": {"expert_overlap": True}}},
            "needs experts apart: say hardware.layout.expert, 2 or more",
        ),
        ({"hardware": {"layout": {"tensor": 3}}}, "does not divide the count, 8"),
        ({"hardware": {"layout": {"data": 2, "tensor": 2}}}, "expected the count, 8"),
        (
            {"hardware": {"layout": "best"}},
            "hardware.layout: expected auto or a mapping such as {data: 128, tensor: 8}; "
            'got "best"',
        ),
        ({"hardware": {"nodes": 2}}, "hardware.nodes: nodes go with hardware.instance"),
        (
            {"hardware": {"utilization": 41}},
            "hardware.utilization: expected a share, more than 0 to 1; got 41",
        ),
        (
            {"hardware": {"throughput": "3 GB/s"}},
            "hardware.throughput: expected a throughput of the whole job",
        ),
        ({"training": {"method": "pretain"}}, "did you mean pretrain?"),
        (
            {"training": {"precision": "fp8"}, "hardware": {"utilization": 0.4}},
            "hardware.utilization: which peak does it refer to? precision is fp8: add "
            "utilization_basis: "
            "{peak: bf16} or {peak: fp8}",
        ),
        (
            {"training": {"lora": {"rank": 8}}},
            "training.lora: adapters go with method: lora, distill, dpo or grpo",
        ),
        (
            {"training": {"method": "distill"}},
            "distill needs training.teacher: the model that teaches",
        ),
        (
            {"price": {"device_hour": "2.49"}},
            'price.device_hour: expected a price a device-hour such as 2.49 USD; got "2.49"',
        ),
        (
            {"price": {"device_hour": "2 EUR"}},
            "price.device_hour: EUR needs an exchange rate: price.rate: … USD/EUR",
        ),
        (
            {"site": {"grid_basis": "lifecycle"}},
            "site.grid_basis: goes with site.grid, your own figure",
        ),
        (
            {"measured": {"wall_clock": "3 h", "device_hours": 4}},
            "measured: expected wall_clock or device_hours; got both",
        ),
        (
            {"limits": {"cost": 500}},
            "limits.cost: expected an amount of money such as 2.49 USD; got "
            "500, which has no currency",
        ),
        ({"stages": [{"nam": "x"}]}, "stages[0].nam: unknown key; did you mean name?"),
        ({"hardware": 8}, "hardware: expected a mapping with keys such as accelerator, count"),
        (
            {"model": "qwen2.5-1.5b"},
            "model: expected a mapping with keys such as preset, config, architecture, parameters; "
            'got "qwen2.5-1.5b"; a name stands as {preset: NAME}',
        ),
        ({"hardware": "8xA100"}, 'got "8xA100"; a name stands as {accelerator: NAME}'),
        ({"site": "France"}, 'got "France"; a name stands as {region: NAME}'),
    ],
)
def test_what_is_wrong_is_said(sections: dict[str, Any], line: str) -> None:
    made: dict[str, Any] = dict(RUN)
    for name, keys in sections.items():
        if keys is None:
            made.pop(name)
        elif isinstance(keys, dict) and name not in ("model",):
            made[name] = {**made.get(name, {}), **keys}
        else:
            made[name] = keys
    found = problems(made)
    assert any(line in text for text in found), found


@pytest.mark.parametrize(
    ("training", "line"),
    [
        ({}, "missing the size of the data: tokens, samples, steps or epochs"),
        (
            {"tokens": "1T", "samples": 5},
            "expected one of tokens, samples, steps, epochs, prompts; got tokens and samples",
        ),
        ({"steps": 100}, "steps need training.global_batch beside them"),
        ({"epochs": 3}, "epochs need dataset_tokens or dataset_samples, one of them"),
        ({"tokens": "1T", "dataset_tokens": 4}, "dataset_tokens needs epochs"),
        ({"method": "grpo"}, "grpo needs prompts: how many prompts are trained on"),
        ({"method": "grpo", "prompts": "50k"}, "prompts need training.prompt_length beside them"),
        ({"tokens": -1}, "training.tokens: expected a number of tokens, more than 0; got -1"),
    ],
)
def test_the_size_of_the_data(training: dict[str, Any], line: str) -> None:
    found = problems({**RUN, "model": {"preset": "llama-3-8b"}, "training": training})
    assert any(line in text for text in found), found


def test_stages_are_laid_over_the_top_level() -> None:
    made = read(
        {
            **RUN,
            "training": {"precision": "bf16"},
            "site": {"region": "FR"},
            "stages": [
                {"name": "a"},
                {"name": "b", "training": {"method": "finetune"}, "hardware": {"count": 16}},
            ],
        }
    )
    first, second = made.parts
    assert first.name == "a"
    assert first.part.hardware is not None
    assert first.part.hardware.count == 8
    assert second.part.training is not None
    assert second.part.training.precision == "bf16"
    assert second.part.training.method == "finetune"
    assert second.part.hardware is not None
    assert second.part.hardware.count == 16
    assert second.part.site is not None
    assert second.part.site.region == "FR"


def test_a_stages_own_kind_drops_the_other_kinds() -> None:
    base = {"model": {"preset": "a"}, "training": {"tokens": 1, "precision": "bf16"}}
    top = {"model": {"config": "b"}, "training": {"samples": 2}}
    assert lay_over(base, top) == {
        "model": {"config": "b"},
        "training": {"samples": 2, "precision": "bf16"},
    }


def test_problems_of_a_stage_point_at_the_stage(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(
        "model: {flops: 1e20 FLOP}\nhardware: {accelerator: x, count: 8}\nstages:\n"
        "  - name: a\n    hardware: {layout: {tensor: 3}}\n"
    )
    found = problems(file)
    assert found[0].startswith(f"{file}:5:24: stages[0].hardware.layout: tensor × pipeline")


def test_changed_keys_and_sources_of_every_kind(tmp_path: Path) -> None:
    assert apply({"a": {"b": 1}}, {"a.c": 2, "d.e": 3}) == {"a": {"b": 1, "c": 2}, "d": {"e": 3}}
    part = read(RUN, **{"hardware.count": 16}).parts[0].part
    assert part.hardware is not None
    assert part.hardware.count == 16
    again = read(Run.model_validate(RUN)).run
    assert again.model is not None
    assert again.model.flops == 1e21
    with pytest.raises(InputError, match="expected a run file; got a folder"):
        read(tmp_path)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read(tmp_path / "none.yaml")
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    with pytest.raises(InputError, match="expected a mapping of keys; got nothing"):
        read(empty)


def test_the_error_carries_its_problems() -> None:
    with pytest.raises(InputError) as caught:
        read({**RUN, "site": {"pue": "x"}})
    problem = caught.value.problems[0]
    assert (problem.key, problem.line) == ("site.pue", None)
    import pickle

    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({1: 2}, "run: expected text as a key; got 1"),
        ({None: 3}, "run: expected text as a key; got nothing"),
        ({**RUN, "site": {2.5: "FR"}}, "run: site: expected text as a key; got 2.5"),
    ],
)
def test_a_mapping_whose_keys_are_no_text_is_refused(source: Any, told: str) -> None:
    assert problems(source) == [told, "1 problem in run"]


def test_a_mapping_that_holds_itself_is_refused() -> None:
    source: dict[str, Any] = {**RUN}
    source["site"] = source
    assert problems(source)[0].endswith("nested deeper than 100 levels")


def test_a_stage_that_is_not_there_is_named_whole() -> None:
    with pytest.raises(InputError) as caught:
        read({**RUN, "stages": [{"name": "a"}]}, **{"stages[7].name": "x"})
    assert str(caught.value).splitlines()[0] == (
        "command line: stages[7].name: there is no [7]; 1 stand there"
    )


@pytest.mark.parametrize("key", ["profiles", "config"])
def test_a_name_that_no_file_can_have_is_not_there(key: str) -> None:
    from costcalc.resolve.names import look_up

    name = "n" * 5000
    source = (
        {**RUN, "profiles": name}
        if key == "profiles"
        else {**RUN, "model": {"config": name}, "training": {"tokens": "1B"}}
    )
    with pytest.raises(InputError) as caught:
        load(source, look_up)
    assert "expected" in str(caught.value)


def test_a_run_file_of_an_impossible_name_or_a_folder_cannot_be_read(tmp_path: Path) -> None:
    assert problems("n" * 300)[0].endswith("cannot be read: File name too long")
    assert problems(tmp_path)[0] == f"{tmp_path}: expected a run file; got a folder"


def test_a_shape_beside_a_preset_is_refused_not_passed_over() -> None:
    model = {"preset": "llama-3-8b", "layers": 16}
    assert problems({**RUN, "model": model, "training": {"tokens": "1B"}})[0] == (
        "run: model.layers: goes with model.parameters; model.preset says the shape already"
    )
    counted = {"parameters": "8B", "layers": 32, "hidden": 4096}
    assert read({**RUN, "model": counted, "training": {"tokens": "1B"}}).parts


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "model",
                    "training",
                    "hardware",
                    "site",
                    "price",
                    "limits",
                    "stages",
                    "count",
                    "tokens",
                    "preset",
                    "accelerator",
                    "region",
                    "layout",
                    "flops",
                    "measured",
                    "energy",
                    "name",
                    "owned",
                    "x",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(JSON)
def test_any_mapping_is_a_run_or_an_input_error(data: Any) -> None:
    if not isinstance(data, dict):
        return
    try:
        read(data)
    except InputError as error:
        assert error.problems


@pytest.mark.parametrize("stages", [{}, {"stages": [{"name": "a"}]}])
def test_a_key_that_its_section_needs_and_that_cannot_be_read(stages: dict[str, Any]) -> None:
    """The section goes whole, and nothing is said of it beside what is wrong in it."""
    run = {
        "model": {"architecture": {"layers": 12, "hidden": "wide", "heads": 12}},
        "training": {"tokens": "1B"},
        "hardware": {"accelerator": "nothing-such", "count": 2},
        **stages,
    }
    with pytest.raises(InputError) as caught:
        costcalc.estimate(run)
    hidden, device = sorted(caught.value.problems, key=lambda problem: len(problem.message))
    assert (hidden.key, hidden.message) == (
        "model.architecture.hidden",
        'expected a whole number, 1 or more; got "wide"',
    )
    assert device.message.startswith("no accelerator nothing-such;")
