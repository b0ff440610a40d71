"""The software catalogue: every fact sourced, names found, faults told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from costcalc.base.errors import NotFoundError
from costcalc.catalog.software import FACTS, Fact, Software, all_software, find

ASKED = [
    *("axolotl", "deepspeed", "jax", "keras", "lightning", "litgpt", "llama-factory", "maxtext"),
    *("megatron", "ms-swift", "nanotron", "nemo", "olmo-core", "primus", "pytorch", "torchtitan"),
    *("torchtune", "transformers", "trl", "unsloth"),
]
KNOWN = [one.id for one in all_software()]


def test_the_stacks_asked_for_are_there_each_in_a_file_of_its_name() -> None:
    assert [id_ for id_ in KNOWN if id_ in ASKED] == ASKED
    assert all(Path(one.file).stem == one.id for one in all_software())


def test_the_recipe_and_the_schema_name_every_key_and_what_narrows_a_fact() -> None:
    root = Path(__file__).parents[2]
    text = (root / "CONTRIBUTING.md").read_text("utf-8")
    recipe = text.partition("## Add software")[2].partition("\n## ")[0]
    narrowing = set(Fact.model_fields) - {"value", "source", "note"}
    assert [name for name in (*FACTS, *narrowing) if f"`{name}`" not in recipe] == []
    schema = json.loads((root / "costcalc/data/schemas/software.schema.json").read_text("utf-8"))
    assert [name for name in FACTS if name not in schema["properties"]] == []
    needed = [name for name in FACTS if name in schema["required"]]
    first = recipe.partition("where they apply")[0]
    assert [name for name in FACTS if f"`{name}`" in first] == needed


@pytest.mark.parametrize("id_", KNOWN)
def test_every_fact_has_a_source_that_can_be_opened(id_: str) -> None:
    one = find(id_)
    for name, fact in one.facts():
        source = one.sources[fact.source]
        assert source.url is not None, name
        assert source.url.startswith("https://")
        assert source.checked is not None
        if "@" in source.title:  # repository@commit:path is what its address says
            repository, _, rest = source.title.partition("@")
            commit, _, path = rest.partition(":")
            assert f"{repository}/blob/{commit}" in source.url
            assert source.url.endswith(path)


def test_no_name_stands_for_two() -> None:
    named = [alias.lower() for one in all_software() for alias in (one.id, *one.aliases)]
    assert len(named) == len(set(named))


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("HF", "transformers"),
        ("Hugging Face", "transformers"),
        ("peft", "transformers"),
        ("torch", "pytorch"),
        ("mcore", "megatron"),
        ("Megatron-LM", "megatron"),
        ("NeMo", "nemo"),
        ("LLaMA Factory", "llama-factory"),
        ("llamafactory", "llama-factory"),
        ("OLMo_core", "olmo-core"),
        ("MS Swift", "ms-swift"),
        ("flax", "jax"),
    ],
)
def test_names_as_people_write_them(name: str, id_: str) -> None:
    assert find(name).id == id_


def test_a_name_that_is_none() -> None:
    with pytest.raises(NotFoundError) as wrong:
        find("torchtitn")
    assert str(wrong.value) == (
        "training.software: no software torchtitn; nearest: torchtitan, torchtune, pytorch, "
        "lightning; or leave training.software out: what is usual for method and size is taken"
    )
    with pytest.raises(NotFoundError) as wrong:
        find("qqq")
    assert str(wrong.value) == (
        f"training.software: no software qqq; known: {', '.join(KNOWN)}; or leave "
        "training.software out: what is usual for method and size is taken"
    )


def test_the_first_fact_that_applies_holds() -> None:
    tune = find("torchtune")
    freed = [
        tune.fact("gradients", method, "ada", devices)
        for method, devices in (("finetune", 1), ("finetune", 2), ("lora", 1))
    ]
    assert [one and one.value for one in freed] == ["freed", "kept", "kept"]
    lit = find("litgpt")
    assert [
        one.value
        for method in ("pretrain", "lora")
        if (one := lit.fact("compiled", method, "ampere", 8))
    ] == [True, False]
    older = [find("trl").fact("attention", "lora", chip, 1) for chip in ("ampere", "hopper")]
    assert [one and one.value for one in older] == ["flash", "flash2"]
    assert find("keras").fact("experts", "pretrain", "hopper", 8) is None


def _whole(**changes: Any) -> dict[str, Any]:
    source = {"title": "a page", "publisher": "somebody"}
    facts = {name: [{"value": FACTS[name][0], "source": "page"}] for name in FACTS}
    return {"id": "mine", "name": "Mine", "organisation": "me", "on": "PyTorch", **facts,
            "sources": {"page": source}, **changes}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        (
            {"logits": [{"value": "half", "source": "page"}]},
            "logits: expected one of full, chunked, fused; got half",
        ),
        (
            {"compiled": [{"value": "yes", "source": "page"}]},
            "compiled: expected one of true, false; got yes",
        ),
        (
            {"states": [{"value": "bf16", "source": "book"}]},
            "states: expected a name from sources; got 'book'",
        ),
        (
            {"states": [{"value": "bf16", "source": "page", "methods": ["lora"]}]},
            "states: expected a last fact that is said of every run",
        ),
        (
            {"states": [{"value": "bf16", "source": "page", "alone": True}]},
            "states: expected a last fact that is said of every run",
        ),
        (
            {
                "sources": {
                    "page": {"title": "a page", "publisher": "x"},
                    "idle": {"title": "b", "publisher": "y"},
                }
            },
            "sources.idle: no fact uses it",
        ),
    ],
)
def test_faults_of_a_file(changes: dict[str, Any], fault: str) -> None:
    assert Software.model_validate(_whole()).id == "mine"
    with pytest.raises(ValidationError, match="1 validation error") as wrong:
        Software.model_validate(_whole(**changes))
    assert fault in str(wrong.value)
