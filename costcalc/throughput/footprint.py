"""What a model keeps in memory while it trains, before any layout: parameters and activations.

The walk of an architecture counts both.  Where no shapes are known they are guessed from the
parameter count, or from the forward FLOPs, and ``spread`` says how far off that may be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from costcalc.workload.architecture import Architecture
from costcalc.workload.work import Tally, Work


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
    length = work.longest or work.sequence_length
    if work.architecture is not None:
        one = work.held or work.tally
        found = _by_shapes(work.architecture, one) if one else None
    elif work.parameters is None:
        return None
    elif work.datum == "token" and length:
        found = _by_parameters(work.parameters, length)
    else:
        found = _by_flops(work.parameters, work.forward_flops_per_datum)
    if found is None or work.longest is None or not work.sequence_length:
        return found
    low, high = found.spread  # at the least a micro-batch is of the mean length
    return replace(found, spread=(low * work.sequence_length / work.longest, high))


def _by_shapes(model: Architecture, one: Tally) -> Footprint:
    layers = float(max(model.layers, 1))
    return Footprint(
        layers=layers,
        embedding=float(one.stored_embedding),
        head=float(one.stored_head),
        tied=float(one.stored_tied),
        dense=one.stored_dense / layers,
        expert=one.stored_experts / layers,
        whole=one.kept_whole / layers,
        split=one.kept_split / layers,
        scores=one.kept_scores / layers,
        stream=one.kept_stream / layers,
        logits=float(one.logits),
        largest=float(one.largest),
        parameters=float(one.stored),
    )


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
