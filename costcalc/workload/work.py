"""The record that the workload stage hands on: what has to be computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from costcalc.workload.architecture import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What one walk of an architecture counts of one sample: FLOPs forward, elements, lengths.

    ``layers`` is the part of ``forward`` inside layers (attention included), ``head`` the output
    head, ``first`` what computes no gradient of its input, ``last`` the last multiplication of each
    layer (PyTorch does not run it again), ``projections`` attention's matrices, ``routed`` those of
    experts.  ``attention`` is the core as it runs and is counted: within documents, windows and
    chunks; ``attention_in_full`` with every causal core counted in full and no documents;
    ``attention_unfused`` of all keys, as kernels that mask afterwards compute it;
    ``attention_width``: Σ heads·(qk + v).

    ``tokens``: length of the first stream, ``longest`` of the longest, ``lengths`` of each;
    ``positions``: Σ length over the layers; ``answered``: positions that the head sees.

    ``stored_…``: parameters by where they lie (``tied``: of the head, stored as the embedding);
    ``largest``: of the largest operator of a layer; ``routing_layers``: layers with routed experts.
    ``kept_…``: elements kept for the backward pass over all layers: ``split`` is what tensor
    parallelism divides, ``whole`` what it divides only with sequence parallelism, ``scores`` the
    attention matrix, ``stream`` the layers' inputs; ``logits``: elements of the output.
    """

    forward: float
    attention: float = 0
    scan: float = 0
    layers: float = 0
    head: float = 0
    first: float = 0
    last: float = 0
    tokens: float = 1
    convolution: float = 0
    projections: float = 0
    routed: float = 0
    attention_in_full: float = 0
    attention_unfused: float = 0
    attention_width: float = 0
    longest: float = 1
    lengths: tuple[tuple[str, int], ...] = ()
    positions: float = 0
    answered: float = 0
    routing_layers: float = 0
    stored_dense: float = 0
    stored_experts: float = 0
    stored_embedding: float = 0
    stored_head: float = 0
    stored_tied: float = 0
    largest: float = 0
    kept_whole: float = 0
    kept_split: float = 0
    kept_scores: float = 0
    kept_stream: float = 0
    logits: float = 0

    @property
    def training(self) -> float:
        """Forward and backward: 3 x forward, less the input gradients that nobody needs."""
        return 3 * self.forward - self.first

    @property
    def input_gradient(self) -> float:
        """Backward with frozen weights: linears once, the attention core and scans twice."""
        return self.forward - self.first + self.attention + self.scan

    @property
    def stored(self) -> float:
        """All parameters, tied ones once."""
        return self.stored_dense + self.stored_experts + self.stored_embedding + self.stored_head


@dataclass(frozen=True, slots=True, kw_only=True)
class Recompute:
    """Hardware FLOPs that activation recompute adds, as a share of the model FLOPs."""

    none: float = 0.0
    selective: float = 0.0
    full: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """What a method runs for one sequence (or sample).

    ``flops``: of all of it; ``generated``: the part of it that generates the sequence;
    ``adapters``: that of LoRA's own matrices.  ``adapted``: how many matrices have an adapter;
    ``adapted_width``: elements that go in and come out of them for a position.
    ``forward``: passes through the whole model, other models in units of it, generation left out.
    ``backward``: passes back through the layers, before each of which they may be recomputed;
    ``weights``: those with gradients of the weights; ``head``: passes back through the output head,
    the gradients of its input and of its weights being one each.  ``updates``: optimizer steps.
    """

    flops: float = 0.0
    generated: float = 0.0
    adapters: float = 0.0
    adapted: float = 0.0
    adapted_width: float = 0.0
    forward: float = 1.0
    backward: float = 1.0
    weights: float = 1.0
    head: float = 2.0
    updates: float = 1.0

    def recompute(self, one: Tally) -> Recompute:
        """Hardware FLOPs that recompute adds, as shares of the model FLOPs."""
        if not self.flops:
            return Recompute()
        return Recompute(
            selective=self.backward * one.attention / self.flops,
            full=self.backward * one.layers / self.flops,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """Tokens that a policy generates (PPO, GRPO): decoding is bound by memory, not by FLOPs."""

    sequences: float  # generated in the whole run
    prompt_length: int
    generation_length: int
    group: int  # sequences that share a prompt
    flops: float  # of all of it, once; part of ``Work.model_flops``


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """FLOPs and sizes of one run.

    ``model_flops`` is one run's budget without recompute, with what a policy generates
    (``generation.flops``) and what a teacher or a reference computes; ``flops_per_datum`` that of a
    token or a sample (``datum``); ``data`` how many of them one run trains on.  ``architecture`` is
    None where only FLOPs or parameter counts were given.  Figures that
    cannot be had are None.
    """

    architecture: Architecture | None
    method: str
    datum: Literal["token", "sample"]
    parameters: float | None
    active_parameters: float | None
    trainable_parameters: float | None
    data: float | None
    sequence_length: int | None
    flops_per_datum: float | None
    forward_flops_per_datum: float | None
    model_flops: float
    recompute: Recompute
    convention: str
    activations: float | None = None  # elements that the layers put out for a sample, if counted
    layers: float | None = None  # with weights, of what is known by its FLOPs, if counted
    tally: Tally | None = None  # of one sequence, where the shapes are known
    longest: int | None = None  # sequence, where ``sequence_length`` is their mean
    held: Tally | None = None  # of the longest, which is what memory has to hold
    passes: Passes = field(default_factory=Passes)  # of one sequence
    generation: Generation | None = None
    base_precision: str | None = None  # of the checkpoint that is trained on
    exact: bool = True  # counted from shapes or given; False: by 6·N·D or the like
    spread: float = 1.0  # high/value (and value/low) of the FLOP count where it is not exact
    padding: float = 1.0  # high/value of it for padding to the longest of a micro-batch
    notes: tuple[str, ...] = ()  # what was assumed on the way, a sentence each
