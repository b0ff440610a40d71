"""Modules that train whole beside an adapter: PEFT's ``modules_to_save``.

PEFT copies each such module, trains the copy and keeps the frozen one
(https://huggingface.co/docs/peft, "LoraConfig").  Of a model of few billion parameters its words'
embedding and head are many times what the adapters are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from costcalc.workload.architecture import Linear, Weights
from costcalc.workload.counting import lengths

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from costcalc.workload.architecture import Architecture, Block
    from costcalc.workload.work import Passes, Tally

#: what classes of transformers call the output head and the embedding of words
HEADS = ("lm_head", "embed_out")
WORDS = ("embed_tokens", "wte", "word_embeddings", "embed_in", "tok_embeddings")


def with_saved(
    passes: Passes,
    adapters: float,
    one: Tally,
    architecture: Architecture,
    names: Sequence[str],
    sizes: tuple[int | None, int | None],
) -> tuple[Passes, float, tuple[str, ...]]:
    """The passes and the parameters that learn, with those of modules that train whole.

    A matrix that learns takes the gradient of its weights beside that of its input, 2 FLOP a weight
    and token; an embedding is looked up.  A head that is tied is copied, so counted for itself.
    """
    if not names:
        return passes, adapters, ()
    met = [name for name in names if any(_named(architecture, name))]
    unmet = [name for name in names if name not in met]
    every = [found for name in met for found in _named(architecture, name)]
    more = sum(block.repeat * _stored(operator) for block, operator in every)
    ofs = lengths(architecture, *sizes)
    head = any(isinstance(o, Linear) and o.part == "head" for _, o in every)
    inner = sum(
        2.0 * b.repeat * o.n_in * o.n_out * min(o.active, o.copies) * ofs[b.stream]
        for b, o in every
        if isinstance(o, Linear) and o.part != "head"
    )
    made = replace(passes, flops=passes.flops + inner + head * one.head, head=passes.head + head)
    notes = []
    if met:
        share = f", {more / adapters:.3g} times the adapters" if adapters else ""
        said = f"{more:,} parameters{share}"
        notes.append(f"modules_to_save of the adapter train whole ({', '.join(met)}): {said}")
    if unmet:
        said = f"no layer of {architecture.name}"
        notes.append(f"modules_to_save of the adapter is not read: {', '.join(unmet)}: {said}")
    return made, adapters + more, tuple(notes)


def of_layers(
    passes: Passes, adapters: float, architecture: Architecture, number: int | None
) -> tuple[Passes, float]:
    """The passes and adapters where only so many layers have them (``layers_to_transform``).

    Layers are taken as alike.  Gradients are counted through all of them; where only the last have
    adapters, those before the first of these need none, so that it is less.
    """
    if number is None or number >= architecture.layers:
        return passes, adapters
    share = number / architecture.layers
    own = passes.adapters * share
    made = replace(
        passes, flops=passes.flops - passes.adapters + own, adapters=own,
        adapted=passes.adapted * share, adapted_width=passes.adapted_width * share,
    )  # fmt: skip
    return made, adapters * share


def _named(architecture: Architecture, name: str) -> Iterator[tuple[Block, Linear | Weights]]:
    for block in architecture.blocks:
        for operator in block.operators:
            if isinstance(operator, Weights):
                if operator.part == "embedding" and name in WORDS:
                    yield block, operator
            elif isinstance(operator, Linear) and (
                operator.name == name or (operator.part == "head" and name in HEADS)
            ):
                yield block, operator


def _stored(operator: Linear | Weights) -> int:
    if isinstance(operator, Weights):
        return operator.count
    return operator.copies * operator.n_out * (operator.n_in + operator.bias)
