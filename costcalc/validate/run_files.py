"""A measured row as the run file that a user would write of it."""

from __future__ import annotations

import math
from typing import Any

from costcalc.base.vocabulary import AXES
from costcalc.catalog import preset
from costcalc.validate.measurements import Row, models, number

#: where a row's sequence length is not stated: what the measured frameworks default to
SEQUENCE = 2048
_SIZES = ("layers", "hidden", "heads", "kv_heads", "head_dim", "ffn", "vocabulary", "experts",
          "experts_per_token", "dense_layers", "window")  # fmt: skip
_WORDS = ("attention", "kernels", "method", "recompute", "base_precision", "optimizer", "software",
          "states", "logits", "gradients")  # fmt: skip
_KINDS = {"decoder": "decoder", "encoder": "encoder", "vision": "vit"}
_IMAGE = 224  # pixels a side, of which the measured transformers make their patches


def run_of(row: Row, *, hidden: bool = False) -> dict[str, Any]:
    """The run file of a row of ``throughput.csv`` or of a user's own table.

    What a source leaves out of the layout that it states follows by these rules: virtual stages of
    two layers in a pipeline; as micro-batch the largest power of two of sequences whose states stay
    within 2²⁴ elements (tokens × hidden / tensor); four micro-batches a pipeline stage as batch.
    All else is left to the calculator, and with ``hidden`` the layout too.  The rate does not
    depend on how much is trained on.
    """
    text = row["workload"] in ("llm", "bert")
    hardware: dict[str, Any] = {"accelerator": row["accelerator"], "count": _whole(row, "devices")}
    if row["scale_out"]:
        hardware["scale_out"] = f"{row['scale_out']} Gbit/s"
    if row["domain"]:
        hardware["scale_up_domain"] = _whole(row, "domain")
    precision = "fp4" if row["precision"] == "nvfp4" else row["precision"]
    training: dict[str, Any] = {"precision": precision, "tokens" if text else "samples": 1e9}
    if text:
        training["sequence_length"] = _whole(row, "sequence_length", SEQUENCE)
    training |= _recipe(row) | _batches(row)
    kept = {name: row[name] for name in ("offload", "activations") if row.get(name)}
    if kept:
        hardware["layout"] = kept
    if row["tensor"] and not hidden:
        hardware["layout"] = _layout(row) | kept
    elif not row["micro_batch"] or any(_whole(row, a) > 1 for a in ("tensor", "pipeline")):
        # micro-batches of another layout say something only where every device holds all
        training.pop("micro_batch", None)
    return {"model": model_of(row), "training": training, "hardware": hardware}


def model_of(row: Row) -> dict[str, Any]:
    """The preset of the name of the row's shape, else its sizes, its FLOPs or its parameters."""
    if row["shape"] in preset.names():
        return {"preset": row["shape"]}
    known = models().get(row["shape"])
    if known is None:
        active = row["active"] if row["active"] != row["parameters"] else ""
        counts = {"parameters": row["parameters"] or active, "active_parameters": active}
        return {name: float(text) for name, text in counts.items() if text}
    if known["forward_gflop"]:
        counted = {"activations": number(known, "activations_m") * 1e6}
        layers = {"layers": _whole(known, "layers")} if known["layers"] else {}
        return {"forward_flops": number(known, "forward_gflop") * 1e9, "kind": known["kind"],
                **layers, **(counted if known["activations_m"] else {})}  # fmt: skip
    return {"architecture": _architecture(known, row)}


def _architecture(known: Row, row: Row) -> dict[str, Any]:
    kind = _KINDS[known["kind"]]
    made: dict[str, Any] = {"kind": kind}
    made |= {name: _whole(known, name) for name in _SIZES if number(known, name, 0.0)}
    made |= {name: known[name] == "1" for name in ("gated", "tied") if known[name]}
    if kind == "vit":  # a token a patch, and one more
        made["patch_size"] = round(_IMAGE / math.sqrt(_whole(row, "sequence_length") - 1))
    if made["hidden"] % made["heads"]:  # as printed: the width of a head was rounded
        made.setdefault("head_dim", round(made["hidden"] / made["heads"]))
    if "experts" in made:
        made["expert_ffn"] = made["ffn"]
        made["ffn"] = _whole(known, "dense_ffn", made["ffn"])
        made["shared_experts"] = round(number(known, "shared_ffn", 0.0) / made["expert_ffn"])
    return made


def _recipe(row: Row) -> dict[str, Any]:
    made: dict[str, Any] = {name: row[name] for name in _WORDS if row.get(name)}
    made |= {name: row[name] != "0" for name in ("overlap", "compiled") if row.get(name)}
    if row.get("lora_rank"):
        made["lora"] = {"rank": _whole(row, "lora_rank")}
        if row.get("lora_targets"):
            made["lora"]["targets"] = row["lora_targets"].split()
    return made


def _batches(row: Row) -> dict[str, Any]:
    """Batch and micro-batch, those that follow by rule where the layout is stated."""
    batch, micro = number(row, "global_batch", 0.0), _whole(row, "micro_batch", 0)
    sizes = _layers_and_width(row)
    if not (row["tensor"] and sizes):
        said = {"global_batch": batch, "micro_batch": micro}
        return {name: value for name, value in said.items() if value}
    tensor, pipeline, data = (_axis(row, name) for name in ("tensor", "pipeline", "data"))
    if not micro:
        states = _whole(row, "sequence_length", SEQUENCE) * sizes[1] / tensor
        micro = max(1, 2 ** math.floor(math.log2(2.0**24 / states)))
    batch = batch or float(data * micro * (4 * pipeline if pipeline > 1 else 1))
    micro = min(micro, max(int(batch / data), 1))
    return {"global_batch": max(batch, float(data * micro)), "micro_batch": micro}


def _layout(row: Row) -> dict[str, Any]:
    made: dict[str, Any] = {name: _axis(row, name) for name in AXES if row[name]}
    sizes = _layers_and_width(row)
    if _axis(row, "pipeline") == 1:
        made.pop("virtual_pipeline", None)
    elif sizes:
        stages = max(1, round(sizes[0] / _axis(row, "pipeline") / 2.0))
        made.setdefault("virtual_pipeline", stages)
    if row["sharding"]:
        made["sharding"] = row["sharding"]
    if row["sequence_parallel"]:
        made["sequence_parallel"] = row["sequence_parallel"] != "0"
    return made


def _layers_and_width(row: Row) -> tuple[float, float] | None:
    known = models().get(row["shape"])
    if known is not None:
        return (number(known, "layers"), number(known, "hidden")) if known["hidden"] else None
    # the usual width to depth, as the calculator takes it where a count is all that is known
    layers = (number(row, "active", number(row, "parameters")) / 196608.0) ** (1.0 / 3.0)
    return None if math.isnan(layers) else (layers, 128.0 * layers)


def _axis(row: Row, name: str) -> int:
    if name == "data" and not row["data"]:
        others = math.prod(_axis(row, other) for other in ("tensor", "pipeline", "context"))
        return max(_whole(row, "devices") // others, 1)
    return _whole(row, name)


def _whole(row: Row, name: str, default: float = 1.0) -> int:
    return round(number(row, name, default))
