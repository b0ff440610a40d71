"""What the time and memory models need to know of a model: one flat record of numbers.

A shape is built from an :class:`~costcalc.workload.architecture.Architecture` by :func:`shape_of`,
from the usual names of a decoder by :func:`decoder_shape`, or, where only a parameter count is
known, by the stated rule of :func:`shape_from_parameters`.  Every number may be a NumPy array, so
that a calibration evaluates a thousand models at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costcalc.base.numbers import Number
from costcalc.workload.architecture import Architecture
from costcalc.workload.work import Passes, Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """Sizes of a model, a layer's figures being the mean over the ``layers`` of the stack.

    ``attention_weights``, ``mlp_weights`` (dense MLP and shared experts) and ``expert_weights``
    (one routed expert) count matrix elements a layer; ``moe_share`` is the share of layers that
    hold routed experts.  ``keys`` are the keys that a query sees (half the sequence if causal),
    ``keys_unfused`` those that kernels compute which mask afterwards; ``filled`` is the share of
    the positions that a mean layer has, ``answered`` that of the head; ``score_width`` is
    heads × (query-key width + value width).  ``other_flops``: forward FLOP a token and layer
    outside those, at the vector rate (scans) or as convolutions.
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
    tied: bool = False
    kind: str = "decoder"
    sequence_length: Number = 1.0
    attention_weights: Number = 0.0
    mlp_weights: Number = 0.0
    expert_weights: Number = 0.0
    moe_share: Number = 0.0
    keys: Number = 0.0
    keys_unfused: Number = 0.0
    score_width: Number = 0.0
    other_flops: Number = 0.0
    head_weights: Number = 0.0
    parameters: Number = 0.0
    filled: Number = 1.0
    answered: Number = 1.0
    known: bool = True  # False: derived from a parameter count alone

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

    def flops_of(self, passes: Passes) -> Number:
        """Model FLOP a token of the passes of a method, adapters and generation left out."""
        core = self.layers * (2.0 * self.score_width * self.keys + self.other_flops)
        head = 2.0 * self.head_weights
        layers = self.forward_flops - head
        back = passes.backward * (layers + core) + passes.weights * (layers - core)
        return passes.forward * self.forward_flops + back + passes.head * head


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
        tied=tied,
        sequence_length=sequence_length,
        attention_weights=attention_weights,
        mlp_weights=mlp,
        expert_weights=expert,
        moe_share=moe,
        keys=full + (cut - full) * windowed_share,
        keys_unfused=sequence_length * 1.0,
        score_width=2.0 * heads * head_dim if score_width is None else score_width,
        head_weights=head,
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


def shape_of(architecture: Architecture, one: Tally) -> ModelShape | None:
    """Shape of any known architecture from its walk, a mean over the layers of the whole stack.

    A token is a position of the longest stream; what other streams compute is shared out to those.
    None where nothing is made of layers of matrix multiplications.
    """
    layers, length = float(architecture.layers), float(one.longest)
    if not (architecture.hidden and layers and length):
        return None
    a_layer = 1.0 / (layers * length)
    core = 2.0 * one.attention_width * length
    routing, chosen = float(one.routing_layers), architecture.experts_per_token
    light = one.scan + one.convolution
    dense = one.forward - one.attention - one.projections - one.routed - one.head - light
    if not (one.projections or dense):
        return None
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
        experts_per_token=float(chosen),
        expert_ffn=float(architecture.ffn if architecture.experts else 0),
        kind=architecture.kind,
        sequence_length=length,
        attention_weights=one.projections / 2.0 * a_layer,
        mlp_weights=dense / 2.0 * a_layer,
        expert_weights=one.routed / 2.0 / length / max(routing * chosen, 1.0),
        moe_share=routing / layers,
        keys=one.attention / core
        if core
        else 1.0,  # no attention: its terms are nothing times this
        keys_unfused=one.attention_unfused / core if core else 1.0,
        score_width=one.attention_width / layers,
        other_flops=light * a_layer,
        head_weights=one.head / 2.0 / length,
        parameters=float(one.stored),
        filled=one.positions * a_layer,
        answered=one.answered / length if one.answered else 1.0,
    )
