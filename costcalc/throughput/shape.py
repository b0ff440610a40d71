"""What the time and memory models need to know of a model: one flat record of numbers.

A shape is built from an :class:`~costcalc.workload.architecture.Architecture` by :func:`shape_of`,
from the usual names of a decoder by :func:`decoder_shape`, or, where only a parameter count is
known, by the stated rule of :func:`shape_from_parameters`.  Every number may be a NumPy array, so
that a calibration evaluates a thousand models at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from costcalc.workload.architecture import (
    Architecture,
    Attention,
    Convolution,
    Linear,
    Scan,
    Weights,
)

Number = Any  # float or NumPy array of floats, broadcast against each other


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """Sizes of a model, a layer's figures being the mean over the ``layers`` of the stack.

    ``attention_weights``, ``mlp_weights`` (dense MLP and shared experts) and ``expert_weights``
    (one routed expert) count matrix elements a layer; ``moe_share`` is the share of layers that
    hold routed experts.  ``keys`` are the keys that a query sees (half the sequence if causal),
    ``score_width`` is heads × (query-key width + value width).  ``other_flops``: forward FLOP a
    token and layer outside those, at the vector rate (scans) or as convolutions.
    """

    layers: Number
    hidden: Number
    heads: Number = 0.0
    kv_heads: Number = 0.0
    head_dim: Number = 0.0
    ffn: Number = 0.0
    gated: Number = 1.0
    vocabulary: Number = 0.0
    experts: Number = 0.0
    experts_per_token: Number = 0.0
    expert_ffn: Number = 0.0
    shared_ffn: Number = 0.0
    dense_layers: Number = 0.0
    window: Number = 0.0
    tied: bool = False
    kind: str = "decoder"
    sequence_length: Number = 1.0
    attention_weights: Number = 0.0
    mlp_weights: Number = 0.0
    expert_weights: Number = 0.0
    moe_share: Number = 0.0
    keys: Number = 0.0
    score_width: Number = 0.0
    other_flops: Number = 0.0
    head_weights: Number = 0.0
    embedding_weights: Number = 0.0
    parameters: Number = 0.0
    known: bool = True  # False: derived from a parameter count alone

    @property
    def layer_weights(self) -> Number:
        """Matrix elements stored in a mean layer, all experts counted."""
        return self.attention_weights + self.mlp_weights + self.expert_stored

    @property
    def expert_stored(self) -> Number:
        """Matrix elements of all routed experts of a mean layer."""
        return self.moe_share * self.experts * self.expert_weights

    @property
    def expert_active(self) -> Number:
        """Matrix elements of routed experts that a token passes in a mean layer."""
        return self.moe_share * self.experts_per_token * self.expert_weights

    @property
    def active_weights(self) -> Number:
        """Matrix elements that a token is multiplied with, the logits included."""
        layer = self.attention_weights + self.mlp_weights + self.expert_active
        return self.layers * layer + self.head_weights

    @property
    def forward_flops(self) -> Number:
        """Model FLOP a token, forward: 2·weights + 2·score_width·keys a layer."""
        core = 2.0 * self.score_width * self.keys + self.other_flops
        return 2.0 * self.active_weights + self.layers * core


def mean_keys(sequence_length: Number, window: Number = 0.0, causal: bool = True) -> Number:
    """Keys that a query sees on average.

    Causal, no window: s/2 (the convention that halves); a window w < s: w − w²/2s; not causal:
    min(s, w).

    >>> float(mean_keys(4096.0)), float(mean_keys(4096.0, 1024.0))
    (2048.0, 896.0)
    """
    seen: Number = np.where(
        np.asarray(window) > 0, np.minimum(sequence_length, window), sequence_length
    )
    return seen - seen * seen / (2.0 * sequence_length) if causal else seen * 1.0


def decoder_shape(
    *,
    layers: Number,
    hidden: Number,
    heads: Number,
    ffn: Number,
    vocabulary: Number,
    sequence_length: Number,
    kv_heads: Number | None = None,
    head_dim: Number | None = None,
    gated: Number = 1.0,
    experts: Number = 0.0,
    experts_per_token: Number = 0.0,
    shared_ffn: Number = 0.0,
    dense_layers: Number = 0.0,
    dense_ffn: Number = 0.0,
    window: Number = 0.0,
    windowed_share: Number = 1.0,
    attention_weights: Number | None = None,
    score_width: Number | None = None,
    tied: bool = False,
    causal: bool = True,
) -> ModelShape:
    """Shape of a decoder from the usual names; ``ffn`` is that of one expert where there are any.

    ``windowed_share``: share of the layers that the window holds for.  ``attention_weights`` and
    ``score_width`` replace heads × head_dim where the projections are others (latent attention).

    >>> llama = decoder_shape(layers=32, hidden=4096, heads=32, kv_heads=8, ffn=14336,
    ...                       vocabulary=128256, sequence_length=8192)
    >>> float(llama.active_weights), float(3 * llama.forward_flops)
    (7504658432.0, 51470401536.0)
    """
    kv_heads = heads if kv_heads is None else kv_heads
    head_dim = hidden / heads if head_dim is None else head_dim
    maps = 2.0 + gated
    if attention_weights is None:
        attention_weights = 2.0 * hidden * (heads + kv_heads) * head_dim
    moe = np.where(np.asarray(experts) > 0, (layers - dense_layers) / layers, 0.0)
    wide = np.where(np.asarray(experts) > 0, dense_ffn, ffn)
    mlp = maps * hidden * ((1.0 - moe) * wide + moe * shared_ffn)
    expert = maps * hidden * ffn * (np.asarray(experts) > 0)
    full, cut = mean_keys(sequence_length, 0.0, causal), mean_keys(sequence_length, window, causal)
    head = hidden * vocabulary
    stored = attention_weights + mlp + moe * experts * expert
    return ModelShape(
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        ffn=ffn,
        gated=gated,
        vocabulary=vocabulary,
        experts=experts,
        experts_per_token=experts_per_token,
        expert_ffn=ffn * (np.asarray(experts) > 0),
        shared_ffn=shared_ffn,
        dense_layers=dense_layers,
        window=window,
        tied=tied,
        sequence_length=sequence_length,
        attention_weights=attention_weights,
        mlp_weights=mlp,
        expert_weights=expert,
        moe_share=moe,
        keys=full + (cut - full) * windowed_share,
        score_width=2.0 * heads * head_dim if score_width is None else score_width,
        head_weights=head,
        embedding_weights=0.0 if tied else head,
        parameters=layers * stored + head * (1.0 if tied else 2.0),
    )


def shape_from_parameters(
    parameters: Number, sequence_length: Number, vocabulary: Number = 50304.0
) -> ModelShape:
    """A decoder of ``parameters`` where nothing else is known, by one rule.

    hidden = 128 · layers, so that parameters ≈ 12·layers·hidden² = 196608·layers³ (the width to
    depth ratio of GPT-3, LLaMA and OPT between 1B and 400B); heads of 128, MLP of 4 · hidden.

    >>> rule = shape_from_parameters(7e9, 2048.0)
    >>> round(float(rule.layers)), round(float(rule.hidden))
    (33, 4211)
    """
    layers = (np.asarray(parameters) / 196608.0) ** (1.0 / 3.0)
    hidden = 128.0 * layers
    shape = decoder_shape(
        layers=layers,
        hidden=hidden,
        heads=layers,
        ffn=4.0 * hidden,
        gated=0.0,
        vocabulary=np.minimum(vocabulary, 0.2 * parameters / hidden),
        sequence_length=sequence_length,
    )
    values = {name: getattr(shape, name) for name in ModelShape.__slots__}
    return ModelShape(**(values | {"known": False, "parameters": parameters}))


def shape_of(architecture: Architecture, sequence_length: int) -> ModelShape:
    """Shape of any known architecture, its figures a mean over the layers of the whole stack.

    Counts are a token of the first stream (a whole sample where the model counts samples: then a
    token is a position of the stream with most of them).  ``sequence_length``: tokens a sample.
    """
    totals = _Totals(architecture, float(sequence_length))
    layers = float(max(architecture.layers, 1))
    return ModelShape(
        layers=layers,
        hidden=float(architecture.hidden),
        heads=float(architecture.heads),
        kv_heads=float(architecture.kv_heads),
        head_dim=float(architecture.head_dim),
        ffn=float(architecture.ffn),
        gated=1.0 if architecture.gated else 0.0,
        vocabulary=float(architecture.vocabulary),
        experts=float(architecture.experts),
        experts_per_token=float(architecture.experts_per_token),
        expert_ffn=float(architecture.ffn if architecture.experts else 0),
        dense_layers=layers - totals.moe_layers,
        window=float(totals.window),
        tied=totals.tied,
        kind=architecture.kind,
        sequence_length=totals.length,
        attention_weights=totals.attention / layers,
        mlp_weights=totals.mlp / layers,
        expert_weights=totals.expert_active
        / max(totals.moe_layers * architecture.experts_per_token, 1.0),
        moe_share=totals.moe_layers / layers,
        keys=totals.pairs / max(totals.width, 1.0),
        score_width=totals.width / layers,
        other_flops=totals.other / layers,
        head_weights=totals.head,
        embedding_weights=totals.embedding,
        parameters=totals.parameters,
    )


class _Totals:
    """Sums over the operators of an architecture, each a token of the main stream."""

    def __init__(self, architecture: Architecture, sequence_length: float) -> None:
        lengths = {s.name: float(s.length or sequence_length) for s in architecture.streams}
        self.length = max(lengths.values(), default=1.0)
        self.lengths = lengths
        self.attention = self.mlp = self.expert_active = self.head = self.embedding = 0.0
        self.moe_layers = self.pairs = self.width = self.other = self.parameters = 0.0
        self.window, self.tied = 0, False
        for block in architecture.blocks:
            share = lengths.get(block.stream, self.length) / self.length
            routed = False
            for operator in block.operators:
                routed |= self._add(operator, float(block.repeat), share, block.stream)
            self.moe_layers += block.repeat if routed else 0

    def _add(self, operator: object, repeat: float, share: float, stream: str) -> bool:
        if isinstance(operator, Linear):
            return self._linear(operator, repeat, share)
        if isinstance(operator, Attention):
            keys = self.lengths.get(operator.over or stream, self.length)
            mean = mean_keys(keys, float(operator.window or 0), operator.causal)
            width = operator.heads * (operator.qk_dim + operator.v_dim) * repeat
            self.width += width
            self.pairs += width * share * float(mean)
            self.window = operator.window or self.window
        elif isinstance(operator, Convolution):
            weights = operator.c_in / operator.groups * operator.c_out * operator.kernel
            self.other += 2.0 * weights * operator.positions * share * repeat
            self.parameters += weights * repeat
        elif isinstance(operator, Scan):
            self.other += operator.flops * share * repeat
        elif isinstance(operator, Weights):
            self.parameters += operator.count * repeat
            self.embedding += operator.count * repeat if operator.part == "embedding" else 0.0
        return False

    def _linear(self, operator: Linear, repeat: float, share: float) -> bool:
        one = float(operator.n_in) * operator.n_out
        active = one * operator.active * repeat * share
        if not operator.tied:
            self.parameters += one * operator.copies * repeat
        routed = operator.part == "expert" and operator.copies > operator.active
        if routed:
            self.expert_active += one * operator.active * repeat
        elif operator.part == "head":
            self.head += active
            self.tied |= operator.tied
        elif operator.part == "attention":
            self.attention += active
        else:
            self.mlp += active
        return routed
