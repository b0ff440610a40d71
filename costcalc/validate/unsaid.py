"""What a source leaves out of its layout, filled in by what fits in memory."""

from __future__ import annotations

from dataclasses import replace

from costcalc.throughput.footprint import Footprint
from costcalc.throughput.layout import Layout, Machine, Recipe, StepRecipe
from costcalc.throughput.memory import LOW, bytes_at
from costcalc.throughput.shape import ModelShape
from costcalc.workload.work import Passes

#: sharding (0 none, 1 optimizer states, 3 weights) and recompute (selective, full) in the order in
#: which they are tried: what costs least first
_TRIED = ((1.0, 0.0, 0.0), (1.0, 1.0, 0.0), (3.0, 0.0, 0.0), (3.0, 1.0, 0.0), (1.0, 0.0, 1.0),
          (3.0, 0.0, 1.0))  # fmt: skip


def footprint_for(shape: ModelShape) -> Footprint:
    """What a layer stores and keeps (Korthikanti et al. 2022, section 4.1), from a shape."""
    hidden, length = float(shape.hidden), float(shape.sequence_length)
    wide = float(shape.heads) * float(shape.head_dim) + 2 * float(shape.kv_heads * shape.head_dim)
    inner = float(shape.mlp_weights) / hidden + float(shape.expert_active) / hidden
    # a routed expert keeps its own copy of its input, and its output until they are summed
    inner += 2.0 * hidden * float(shape.moe_share * shape.experts_per_token)
    return Footprint(
        layers=float(shape.layers),
        dense=float(shape.attention_weights + shape.mlp_weights),
        expert=float(shape.expert_stored),
        embedding=float(shape.embedding_weights),
        head=float(shape.head_weights),
        whole=4 * hidden * length,
        split=(2 * wide + inner) * length,
        scores=float(shape.heads) * length**2,
        stream=hidden * length,
        logits=float(shape.vocabulary) * length,
        largest=hidden * max(float(shape.ffn), hidden),
        parameters=float(shape.parameters),
    )


def recipe_for(shape: ModelShape, training: StepRecipe, precision: str) -> Recipe:
    """The recipe of a configuration, from its numbers."""
    return Recipe(
        sequence_length=int(shape.sequence_length),
        global_batch=float(training.global_batch),
        precision=precision,
        attention="standard" if not training.flash else "flash2" if training.older else "flash",
        overlap=bool(training.overlap),
        method="pretrain" if training.weights else "lora",
        passes=Passes(weights=float(training.weights), head=float(training.head)),
        trainable_share=float(training.trainable),
    )


def filled(
    axes: Layout,
    shape: ModelShape,
    machine: Machine,
    recipe: Recipe,
    *,
    sharding: bool,
    recompute: bool,
) -> Layout:
    """The axes with the ``sharding`` and the ``recompute`` that are not said.

    Optimizer states are sharded, as Megatron-LM and DeepSpeed do, and nothing is recomputed, as far
    as the low end of the memory fits; else what costs least and fits.
    """
    footprint = footprint_for(shape)
    tried = axes
    for zero, selective, full in _TRIED:
        if sharding:
            tried = replace(tried, zero=zero if axes.data * axes.context > 1 else 0.0)
        if recompute:
            tried = replace(tried, selective=selective, full=full)
        held = float(bytes_at(footprint, machine, tried, recipe, level=LOW).total)
        if held <= (machine.memory or float("inf")):
            return tried
    return tried
