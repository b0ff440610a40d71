"""Families of models: a Hugging Face configuration to an architecture, one small file a family.

A new family is a function from :class:`~costcalc.workload.families.fields.Fields` to
:class:`~costcalc.workload.architecture.Architecture`, a line in :data:`FAMILIES`, and a row in the
test that builds the same model with transformers and compares the last parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from costcalc.base.errors import InputError, Problem, listing, nearest
from costcalc.workload.families.fields import Fields, shown

if TYPE_CHECKING:
    from costcalc.workload.architecture import Architecture

#: model_type of a config.json -> module:function below this package
FAMILIES: dict[str, str] = {
    "bert": "bert:bert",
    "bloom": "gpt:bloom",
    "cohere": "llama:cohere",
    "deepseek_v2": "deepseek:deepseek_v2",
    "deepseek_v3": "deepseek:deepseek_v3",
    "distilbert": "bert:distilbert",
    "falcon": "gpt:falcon",
    "gemma": "gemma:gemma",
    "gemma2": "gemma:gemma2",
    "gemma3_text": "gemma:gemma3",
    "glm4_moe": "mixture:glm4_moe",
    "gpt2": "gpt:gpt2",
    "gpt_neo": "gpt:gpt_neo",
    "gpt_neox": "gpt:gpt_neox",
    "gpt_oss": "mixture:gpt_oss",
    "gptj": "gpt:gptj",
    "granite": "llama:granite",
    "llama": "llama:llama",
    "llama4_text": "mixture:llama4",
    "mamba": "mamba:mamba",
    "mamba2": "mamba:mamba2",
    "mistral": "llama:mistral",
    "mixtral": "mixture:mixtral",
    "mpt": "gpt:mpt",
    "mt5": "t5:mt5",
    "olmo": "llama:olmo",
    "olmo2": "llama:olmo2",
    "olmoe": "mixture:olmoe",
    "opt": "gpt:opt",
    "phi": "phi:phi",
    "phi3": "phi:phi3",
    "qwen2": "qwen:qwen2",
    "qwen2_moe": "mixture:qwen2_moe",
    "qwen3": "qwen:qwen3",
    "qwen3_moe": "mixture:qwen3_moe",
    "qwen3_next": "qwen:qwen3_next",
    "resnet": "vision:resnet",
    "roberta": "bert:roberta",
    "smollm3": "llama:smollm3",
    "stablelm": "llama:stablelm",
    "starcoder2": "llama:starcoder2",
    "t5": "t5:t5",
    "vit": "vision:vit",
    "whisper": "whisper:whisper",
    "xlm-roberta": "bert:xlm_roberta",
}

#: another spelling, or a model that wraps a text model: the family its text model has
ALIASES: dict[str, str] = {
    "gemma3": "gemma3_text",
    "llama4": "llama4_text",
    "RefinedWeb": "falcon",
    "RefinedWebModel": "falcon",
}

NESTED = ("text_config", "llm_config", "language_config")


def supported() -> list[str]:
    """Every ``model_type`` that can be counted, sorted."""
    return sorted({*FAMILIES, *ALIASES}, key=str.lower)


def build(config: Mapping[str, Any]) -> Architecture:
    """The architecture that a Hugging Face configuration describes.

    A model with several parts (``text_config`` and others) is counted by its text model; a note
    says so.  Raises :class:`~costcalc.base.errors.InputError` with every problem of the
    configuration, and for an unknown ``model_type``.

    >>> build({"model_type": "llama", "num_hidden_layers": 2}).layers
    2
    >>> build({"model_type": "lama"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    costcalc.base.errors.InputError: model_type: no family lama; did you mean llama, llama4? ...
    """
    inner, prefix = _text_part(config)
    family = _family(inner, prefix)
    module, _, function = FAMILIES[family].partition(":")
    fields = Fields(inner, prefix)
    builder = getattr(import_module(f"{__name__}.{module}"), function)
    try:
        architecture: Architecture = builder(fields)
    finally:
        fields.check()
    if prefix:
        note = "only the text model is counted; towers for images or sound are left out"
        architecture = replace(architecture, notes=(*architecture.notes, note))
    return architecture


def _text_part(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    if not isinstance(config, Mapping):
        raise InputError(Problem(key="", message=f"expected a mapping; got {shown(config)}"))
    for name in NESTED:
        inner = config.get(name)
        if isinstance(inner, Mapping):
            outer = {"model_type": config.get("model_type")}
            if "tie_word_embeddings" in config:
                outer["tie_word_embeddings"] = config["tie_word_embeddings"]
            return {**outer, **inner}, f"{name}."
    return config, ""


def _family(config: Mapping[str, Any], prefix: str) -> str:
    name = config.get("model_type")
    name = ALIASES.get(name, name) if isinstance(name, str) else name
    if isinstance(name, str) and name in FAMILIES:
        return name
    known = listing(supported(), at_most=len(FAMILIES) + len(ALIASES))
    if not isinstance(name, str):
        message = f"expected the name of a family; got {shown(name)}. Supported: {known}"
    else:
        near = nearest(name, supported())
        hint = f"; did you mean {', '.join(near)}?" if near else "."
        message = (
            f"no family {name}{hint} Supported: {known}. Any other model: model.forward_flops, "
            "model.parameters or model.architecture"
        )
    raise InputError(Problem(key=f"{prefix}model_type", message=message))
