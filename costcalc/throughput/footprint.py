"""What a model keeps in memory while it trains, before any layout: parameters and activations.

Every linear operator keeps its input for the backward pass, every non-linearity its own; for the
blocks of GPT-3 this gives the 34·s·b·h bytes a layer of Korthikanti et al. 2022 (arXiv:2205.05198,
equation 1) less their two dropout masks.  Where no shapes are known the same figures are guessed
from the parameter count, or from the forward FLOPs, and ``spread`` says how far off that may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from costcalc.workload.architecture import (
    Architecture,
    Attention,
    Block,
    Convolution,
    Linear,
    Operator,
    Weights,
)
from costcalc.workload.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Sizes of a model: parameters a layer, and elements kept for the backward pass.

    Elements are those of one sample in one layer (the mean layer).  ``split``: what tensor
    parallelism divides; ``whole``: what it divides only with sequence parallelism; ``scores``: the
    attention matrix, which flash attention never stores; ``stream``: a layer's input.
    ``spread``: low and high of the activations where they are guessed.  ``basis`` says from what.
    """

    layers: float
    dense: float
    expert: float = 0.0
    embedding: float = 0.0
    head: float = 0.0
    tied: float = 0.0  # parameters of the head that are the embedding's
    whole: float = 0.0
    split: float = 0.0
    scores: float = 0.0
    stream: float = 0.0
    logits: float = 0.0
    largest: float = 0.0  # parameters of the largest matrix multiplication of one layer
    parameters: float = 0.0
    spread: tuple[float, float] = (1.0, 1.0)
    basis: str = "shapes"


def footprint_of(work: Work) -> Footprint | None:
    """The footprint of what is trained; None where not even its parameters are known.

    Shapes first; without them the parameters of a language model (Kaplan et al. 2020,
    arXiv:2001.08361: N = 12·layers·hidden²); without tokens the forward FLOPs of a sample.
    """
    length = work.sequence_length or 0
    if work.architecture is not None:
        return _by_shapes(work.architecture, length)
    if work.parameters is None:
        return None
    if work.datum == "token" and length:
        return _by_parameters(work.parameters, length)
    return _by_flops(work.parameters, work.forward_flops_per_datum)


@lru_cache(maxsize=64)
def _by_shapes(model: Architecture, length: int) -> Footprint:
    positions = {stream.name: float(stream.length or length) for stream in model.streams}
    sums = dict.fromkeys(
        ("dense", "expert", "embedding", "head", "tied", "whole", "split", "scores", "stream"), 0.0
    )
    logits = largest = 0.0
    for block in model.blocks:
        _count(block, sums)
        here = positions.get(block.stream, float(length))
        if block.layer:
            largest = max(largest, *(_size(op) for op in block.operators), 0.0)
            for name, elements in _kept(block, model.hidden, here, positions).items():
                sums[name] += elements * block.repeat
        else:
            logits += _logits(block, here)
    layers = float(max(model.layers, 1))
    return Footprint(
        layers=layers,
        embedding=sums["embedding"],
        head=sums["head"],
        tied=sums["tied"],
        dense=sums["dense"] / layers,
        expert=sums["expert"] / layers,
        whole=sums["whole"] / layers,
        split=sums["split"] / layers,
        scores=sums["scores"] / layers,
        stream=sums["stream"] / layers,
        logits=logits,
        largest=largest,
        parameters=sums["dense"] + sums["expert"] + sums["embedding"] + sums["head"],
    )


def _size(operator: Operator) -> float:
    """Parameters of one copy."""
    if isinstance(operator, Linear):
        return float(operator.n_in * operator.n_out + operator.bias * operator.n_out)
    if isinstance(operator, Convolution):
        inner = operator.c_in // operator.groups * operator.kernel
        return float(operator.c_out * (inner + operator.bias))
    return float(operator.count) if isinstance(operator, Weights) else 0.0


def _count(block: Block, sums: dict[str, float]) -> None:
    """Adds the parameters of a block to the sums of where they lie."""
    for operator in block.operators:
        size = _size(operator) * block.repeat
        part = getattr(operator, "part", "other")
        if isinstance(operator, Linear):
            size *= operator.copies
            if operator.tied:
                sums["tied"] += size
                continue
            if operator.copies > operator.active and block.layer:
                sums["expert"] += size
                continue
        if block.layer:
            sums["dense"] += size
        elif part == "embedding" or isinstance(operator, Convolution):
            sums["embedding"] += size
        else:
            sums["head"] += size


def _logits(block: Block, positions: float) -> float:
    heads = [op.n_out for op in block.operators if isinstance(op, Linear) and op.part == "head"]
    return float(max(heads, default=0)) * positions


def _kept(block: Block, hidden: int, here: float, positions: dict[str, float]) -> dict[str, float]:
    """Elements that one layer keeps of one sample."""
    kept = {"whole": 0.0, "split": 0.0, "scores": 0.0, "stream": hidden * here}
    linears = [op for op in block.operators if isinstance(op, Linear)]
    for place, op in enumerate(linears):
        before = linears[place - 1] if place else None
        after = linears[place + 1] if place + 1 < len(linears) else None
        starts = before is None or _group(before) != _group(op)
        ends = after is None or _group(after) != _group(op)
        whole = "whole" if starts and op.active <= 1 else "split"
        if starts and op.part != "router":
            kept["whole"] += hidden * here  # the block's input, which its norm keeps
        if starts or ends or before is None or before.n_in != op.n_in:  # q, k, v share theirs
            kept[whole] += op.n_in * op.active * here
        if not ends or op.copies > op.active:
            kept["split"] += op.n_out * op.active * here
    for other in block.operators:
        if isinstance(other, Attention):
            keys = positions.get(other.over or block.stream, here)
            kept["scores"] += other.heads * here * min(keys, other.window or keys)
        elif isinstance(other, Convolution):
            kept["split"] += (other.c_in + other.c_out) * other.positions * here
    return kept


def _group(operator: Linear) -> str:
    return "mlp" if operator.part == "expert" else operator.part


# hidden / layers of published decoders from 1B to 500B parameters lies around 128: GPT-3 175B has
# 12288/96 (arXiv:2005.14165, table 2.1), Llama 3 8B 4096/32 (arXiv:2407.21783, table 3).
_ASPECT = 128.0


def _by_parameters(parameters: float, length: int) -> Footprint:
    hidden = (parameters * _ASPECT / 12) ** (1 / 3)
    layers = max(1.0, round(hidden / _ASPECT))
    return Footprint(
        layers=layers,
        dense=parameters / layers,
        parameters=parameters,
        largest=4 * hidden**2,
        whole=4 * hidden * length,
        split=12 * hidden * length,
        stream=hidden * length,
        scores=hidden / _ASPECT * length**2,
        logits=64e3 * length,
        spread=(0.5, 2.0),
        basis="parameters",
    )


# Elements that convolutional networks put out go as the square root of their forward FLOPs
# (Radosavovic et al. 2020, arXiv:2003.13678, section 4): ResNet-50 11.1 M of 8.2 GFLOP,
# EfficientNet-B0 6.7 M of 0.78 GFLOP, VGG-16 13.6 M of 31 GFLOP: 77 to 240 times the root.
_ROOT = (75.0, 150.0, 300.0)


def _by_flops(parameters: float, forward_flops: float | None) -> Footprint:
    if not forward_flops:
        return Footprint(
            layers=1.0,
            dense=parameters,
            parameters=parameters,
            spread=(0.0, 4.0),
            basis="parameters",
        )
    low, value, high = _ROOT
    kept = 2 * value * forward_flops**0.5  # the output of a convolution and of its normalisation
    layers = 50.0
    return Footprint(
        layers=layers,
        dense=parameters / layers,
        parameters=parameters,
        split=kept / layers,
        stream=kept / layers / 4,
        spread=(low / value, high / value),
        basis="forward_flops",
    )
