"""What stands beside a model's shape on disk: an adapter's own configuration, a quantised base.

``adapter_config.json`` is PEFT's (https://huggingface.co/docs/peft, "LoraConfig");
``quantization_config`` stands in a config.json and is transformers'.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from costcalc.base.errors import InputError, Problem
from costcalc.workload.architecture import Architecture, Linear

FILE = "adapter_config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A LoRA adapter: its base by name, its rank, the layers that it adapts."""

    base: str
    rank: int
    targets: tuple[str, ...] | str  # names, or a regular expression over paths of modules
    layers: int | None = None  # how many it adapts; None: all
    saved: tuple[str, ...] = ()  # modules that train whole beside it
    notes: tuple[str, ...] = ()

    def names(self, model: Architecture) -> tuple[str, ...]:
        """The targets as names of this model's layers."""
        if not isinstance(self.targets, str):
            return self.targets
        paths = "model.layers.0.self_attn.", "model.layers.0.mlp.", ""
        found = {
            o.name: None
            for block in model.blocks
            for o in block.operators
            if isinstance(o, Linear) and o.name
            if any(re.fullmatch(self.targets, path + o.name) for path in paths)
        }
        return tuple(found) or ("all",)


def adapter(config: Mapping[str, object], file: str) -> Adapter:
    """What an ``adapter_config.json`` says.

    >>> adapter({"peft_type": "LORA", "r": 8, "target_modules": "all-linear",
    ...          "base_model_name_or_path": "org/model"}, FILE)
    Adapter(base='org/model', rank=8, targets=('all',), layers=None, saved=(), notes=())
    """
    problems = []
    kind, rank = config.get("peft_type"), config.get("r", 8)
    if kind != "LORA":
        problems.append(Problem(key="peft_type", message=f"expected LORA; got {kind}"))
    if type(rank) is not int or rank < 1:
        message = f"expected a whole number, 1 or more; got {rank}"
        problems.append(Problem(key="r", message=message))
    targets = config.get("target_modules")
    names: tuple[str, ...] | str
    if isinstance(targets, str):
        names = ("all",) if targets == "all-linear" else _checked(targets, problems)
    elif isinstance(targets, list) and targets and all(isinstance(t, str) for t in targets):
        names = tuple(sorted({t.rsplit(".", 1)[-1] for t in targets}))
    else:
        names = ("attention",)
        problems.append(Problem(key="target_modules", message=f"expected names; got {targets}"))
    if problems:
        raise InputError(problem.at(file, None, None) for problem in problems)
    notes = [
        f"{key} of the adapter is not read: {config[key]}"
        for key in ("rank_pattern", "use_dora")
        if config.get(key)
    ]
    whole = config.get("modules_to_save")
    saved = [name for name in whole if isinstance(name, str)] if isinstance(whole, list) else []
    base = config.get("base_model_name_or_path")
    return Adapter(
        base=base if isinstance(base, str) else "",
        rank=rank if isinstance(rank, int) else 1,
        targets=names,
        layers=_number_of(config.get("layers_to_transform")),
        saved=tuple(dict.fromkeys(name.rsplit(".", 1)[-1] for name in saved)),
        notes=tuple(notes),
    )


def _number_of(layers: object) -> int | None:
    """How many layers are named: one by its index, several by a list; None where none is."""
    if isinstance(layers, int) and not isinstance(layers, bool):
        return 1
    return len(set(layers)) if isinstance(layers, list) and layers else None


def _checked(pattern: str, problems: list[Problem]) -> str:
    try:
        re.compile(pattern)
    except re.error:
        problems.append(Problem(key="target_modules", message=f"expected a pattern; got {pattern}"))
    return pattern


def base_precision(config: Mapping[str, object]) -> tuple[str | None, tuple[str, ...]]:
    """What a frozen base is stored in by ``quantization_config``, and what is to be told of it.

    >>> base_precision({"quantization_config": {"quant_method": "bitsandbytes",
    ...                                         "load_in_4bit": True}})[0]
    'nf4'
    """
    found = config.get("quantization_config")
    if not isinstance(found, Mapping):
        return None, ()
    method = str(found.get("quant_method", "")).lower()
    bits = _bits(found, method)
    kind = {4: "nf4", 8: "int8"}.get(bits or 0)
    if kind is None:
        return None, (f"quantization_config ({method or 'no method'}) is not read",)
    exact = method == "bitsandbytes"
    as_if = "" if exact else f", counted as {kind}"
    return kind, (f"quantization_config: a base of {bits} bits a weight ({method}){as_if}",)


def _bits(config: Mapping[str, object], method: str) -> int | None:
    if config.get("load_in_4bit") or config.get("_load_in_4bit"):
        return 4
    if config.get("load_in_8bit") or config.get("_load_in_8bit"):
        return 8
    if method in ("mxfp4", "fp8", "fbgemm_fp8"):
        return 4 if method == "mxfp4" else 8
    groups = config.get("config_groups")  # compressed-tensors
    for group in groups.values() if isinstance(groups, Mapping) else ():
        weights = group.get("weights") if isinstance(group, Mapping) else None
        if isinstance(weights, Mapping) and isinstance(weights.get("num_bits"), int):
            return int(weights["num_bits"])
    inner = config.get("quant_config")
    params = inner.get("weight_quant_params") if isinstance(inner, Mapping) else None  # hqq
    found = [config.get("bits"), config.get("w_bit"), config.get("nbits")]
    found += [params.get("nbits")] if isinstance(params, Mapping) else []
    return next((bits for bits in found if isinstance(bits, int)), None)


def folder_of(path: Path) -> Path | None:
    """The adapter's file of a folder, where it has one."""
    file = path / FILE if path.is_dir() else path
    return file if file.name == FILE and file.is_file() else None
