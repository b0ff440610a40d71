"""Models that no configuration describes: by their shape, or by their parameter count.

:func:`from_shape` makes an architecture of the run file's ``model.architecture``;
:func:`from_parameters` makes the most of a count and of whatever stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from costcalc.base.errors import InputError, Problem
from costcalc.workload.architecture import Architecture
from costcalc.workload.counting import active_parameters, parameters, tally
from costcalc.workload.families.bert import encoder
from costcalc.workload.families.common import (
    Shape,
    attention,
    experts,
    language_model,
    mlp,
    weights,
)
from costcalc.workload.families.fields import MOST_LAYERS, Fields
from costcalc.workload.families.t5 import encoder_decoder
from costcalc.workload.families.vision import dit, vision_transformer
from costcalc.workload.work import Tally

KEY = "model.architecture."


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a run file says of a shape; None where it says nothing."""

    kind: str = "decoder"
    layers: int | None = None
    hidden: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    head_dim: int | None = None
    ffn: int | None = None
    vocabulary: int | None = None
    gated: bool | None = None
    tied: bool | None = None
    biases: bool | None = None
    experts: int | None = None
    experts_per_token: int | None = None
    shared_experts: int | None = None
    expert_ffn: int | None = None
    dense_layers: int | None = None
    decoder_layers: int | None = None
    window: int | None = None
    positions: int | None = None
    image_size: int | None = None
    patch_size: int | None = None
    channels: int | None = None
    classes: int | None = None


def from_shape(given: Given) -> Architecture:
    """The architecture of ``model.architecture``.

    A decoder is pre-norm with RMSNorm, rotary positions, a gated feed-forward and no biases unless
    said.  Sizes that are not given: ``heads`` hidden / 128 (or / head_dim), ``kv_heads`` = heads,
    ``head_dim`` hidden / heads, ``ffn`` 8/3·hidden rounded up to 256 if gated, else 4·hidden.
    ``notes`` lists them.

    Raises:
        InputError: a size that is missing and has no usual value, or sizes that do not fit.

    >>> llama = Given(layers=32, hidden=4096, heads=32, kv_heads=8, ffn=14336, vocabulary=128256)
    >>> parameters(from_shape(llama))
    8030261248
    """
    check, notes = Fields({}, KEY), list[str]()
    gated = given.kind == "decoder" if given.gated is None else given.gated
    shape = _shape(given, gated, check, notes)
    check.check()
    if given.kind not in _KINDS:
        message = f"expected one of {', '.join(_KINDS)}; got {given.kind}"
        raise InputError(Problem(key=KEY + "kind", message=message))
    architecture = _KINDS[given.kind](given, shape, gated, check)
    check.check()
    return replace(architecture, name=given.kind, notes=tuple(notes))


def _shape(given: Given, gated: bool, check: Fields, notes: list[str]) -> Shape:
    """Sizes with their usual values; each that was filled is named in the notes."""

    def need(key: str, value: int | None) -> int:
        if value is None or value < 1:
            check.problem(key, f"expected a whole number, 1 or more, for a {given.kind}; got none")
        return value or 1

    def usual(key: str, found: int | None, value: int, why: str) -> int:
        if found is None:
            notes.append(f"{key} {value}: {why}")
        return value if found is None else found

    hidden, layers = need("hidden", given.hidden), need("layers", given.layers)
    if layers > MOST_LAYERS:
        check.problem("layers", f"expected {MOST_LAYERS} layers at most; got {layers}")
    heads = usual("heads", given.heads, max(1, hidden // (given.head_dim or 128)), "hidden / 128")
    if given.head_dim is None:
        check.divides("heads", heads, "hidden", hidden)
    kv_heads = heads
    if given.kind == "decoder":
        kv_heads = usual("kv_heads", given.kv_heads, heads, "as many as heads")
        check.divides("kv_heads", kv_heads, "heads", heads)
    wide = -(-8 * hidden // 3 // 256) * 256 if gated else 4 * hidden
    ffn = usual("ffn", given.ffn, wide, "8/3 of hidden, up to 256" if gated else "4 x hidden")
    text = given.kind in ("decoder", "encoder", "encoder-decoder")
    vocabulary = need("vocabulary", given.vocabulary) if text else 0
    _check_experts(given.experts, given.experts_per_token, check)
    return Shape(
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=given.head_dim or max(1, hidden // heads),
        ffn=ffn,
        vocabulary=vocabulary,
        tied=given.kind != "decoder" if given.tied is None else given.tied,
    )


def _check_experts(number: int | None, chosen: int | None, check: Fields) -> None:
    if number is not None and chosen is None:
        check.problem("experts_per_token", "expected how many experts a token passes; got none")
    if number is not None and chosen is not None and chosen > number:
        message = f"expected at most the {number} experts; got {chosen}"
        check.problem("experts_per_token", message)


def _decoder(g: Given, s: Shape, gated: bool, check: Fields) -> Architecture:
    bias = bool(g.biases)
    norm = s.hidden * (2 if bias else 1)  # with biases, a layer norm, which has one too
    mine = attention(s, bias=bias, window=g.window) + weights(2 * norm)
    dense = mine + mlp(s.hidden, s.ffn, gated=gated, bias=bias)
    layers = [("layer", dense)] * s.layers
    number, chosen, ffn = g.experts or 0, g.experts_per_token or 0, s.ffn
    if number:
        ffn = g.expert_ffn or ffn
        first = min(g.dense_layers or 0, s.layers)
        shared = (g.shared_experts or 0) * ffn
        mixture = mine + experts(
            check, s.hidden, ffn, number, chosen, shared=shared, bias=bias, gated=gated
        )
        layers[first:] = [("sparse layer", mixture)] * (s.layers - first)
    made = language_model("decoder", s, layers, norm=norm, positions=g.positions or 0, gated=gated)
    return replace(made, experts=number, experts_per_token=chosen, ffn=ffn)


def _encoder(g: Given, s: Shape, gated: bool, _: Fields) -> Architecture:
    return encoder("encoder", s, g.positions or 0, gated=gated, bias=g.biases is not False)


def _encoder_decoder(g: Given, s: Shape, gated: bool, _: Fields) -> Architecture:
    both = g.decoder_layers or s.layers
    return encoder_decoder("encoder-decoder", s, decoder_layers=both, gated=gated)


def _patches(g: Given, check: Fields, *, image: int, patch: int) -> tuple[int, int]:
    """How many patches an image has, and the side of one in pixels."""
    image, patch = g.image_size or image, g.patch_size or patch
    if patch > image:
        check.problem("patch_size", f"expected at most image_size ({image}); got {patch}")
    return max(1, image // patch) ** 2, patch


def _vit(g: Given, s: Shape, _: bool, check: Fields) -> Architecture:
    patches, patch = _patches(g, check, image=224, patch=16)
    classes = 1000 if g.classes is None else g.classes
    channels = g.channels or 3
    return vision_transformer(s, patches=patches, patch=patch, channels=channels, classes=classes)


def _dit(g: Given, s: Shape, _: bool, check: Fields) -> Architecture:
    """``image_size`` is that of what it denoises: 32 for the latent of a 256-pixel image."""
    (tokens, patch), channels = _patches(g, check, image=32, patch=2), g.channels or 4
    return dit(
        s,
        tokens=tokens,
        patch=patch,
        channels=channels,
        out_channels=2 * channels,
        classes=1000 if g.classes is None else g.classes,
    )


_KINDS: dict[str, Callable[[Given, Shape, bool, Fields], Architecture]] = {
    "decoder": _decoder,
    "encoder": _encoder,
    "encoder-decoder": _encoder_decoder,
    "vit": _vit,
    "dit": _dit,
}

# -- by parameter count --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Rough:
    """A model of which little more than its size is known.

    ``per_token`` is the tally of one token; ``spread`` the factor that its FLOPs may be off by,
    either way (5th to 95th percentile).
    """

    architecture: Architecture | None
    parameters: float
    active: float
    per_token: Tally
    convention: str
    exact: bool
    spread: float
    notes: tuple[str, ...]


def from_parameters(
    total: float, active: float | None, given: Given, sequence_length: int | None
) -> Rough:
    """FLOPs a token from a parameter count: 2·N_m + A forward, with what is known of N_m and A.

    A full shape (layers, hidden, heads or head_dim, ffn, vocabulary) is counted exactly, and what
    the given count has beyond it multiplies like the rest: the counts win.  Otherwise N_m is the
    active count, less the input embedding where vocabulary and hidden tell it; A = 2·L·H·e·s needs
    layers and hidden (or heads and head_dim).  Without those, A is left out (the classic 6·N·D of
    Kaplan et al. 2020, arXiv:2001.08361), and the spread says what it may be worth.

    >>> rough = from_parameters(8.03e9, None, Given(), 8192)
    >>> rough.per_token.training, round(rough.spread, 2)
    (48180000000.0, 1.25)
    """
    architecture = _architecture(given)
    if active is None:
        active = _active(total, given, architecture)
    if active > total:
        message = f"expected at most the {total:g} parameters; got {active:g}"
        raise InputError(Problem(key="model.active_parameters", message=message))
    if architecture is not None and sequence_length is not None:
        return _by_shape(architecture, total, active, sequence_length)
    return _by_count(total, active, given, sequence_length, architecture)


def _architecture(given: Given) -> Architecture | None:
    width = given.heads is not None or given.head_dim is not None
    if not width or None in (given.layers, given.hidden, given.ffn, given.vocabulary):
        return None
    return replace(from_shape(given), name="decoder by its shape")


def _active(total: float, given: Given, architecture: Architecture | None) -> float:
    """The total, less the experts that a token does not pass."""
    if not given.experts:
        return total
    if architecture is not None:
        return total - (parameters(architecture) - active_parameters(architecture))
    message = "expected the active parameters of a mixture of experts; got none"
    hint = " (or give layers, hidden, heads, ffn, vocabulary and experts_per_token)"
    raise InputError(Problem(key="model.active_parameters", message=message + hint))


def _by_shape(
    architecture: Architecture, total: float, active: float, sequence_length: int
) -> Rough:
    one = tally(architecture, sequence_length=sequence_length)
    beyond = active - active_parameters(architecture)
    more = 2 * beyond
    per_token = Tally(
        forward=one.forward / one.tokens + more,
        attention=one.attention / one.tokens,
        scan=0,
        layers=one.layers / one.tokens + more,
        head=one.head / one.tokens,
        first=0,
        last=one.last / one.tokens,
        tokens=1,
    )
    notes = architecture.notes
    if beyond:
        count = f"{parameters(architecture):,}"
        notes += (f"the shape comes to {count} parameters; the given count wins",)
    return Rough(
        architecture=architecture,
        parameters=total,
        active=active,
        per_token=per_token,
        convention="2·N_m + A a token forward, from the shape; causal attention counted half",
        exact=not beyond,
        # What the shape does not explain may be embeddings as well as layers.
        spread=1 + abs(more) / per_token.forward,
        notes=notes,
    )


def _by_count(
    total: float,
    active: float,
    given: Given,
    sequence_length: int | None,
    architecture: Architecture | None,
) -> Rough:
    table = (given.vocabulary or 0) * (given.hidden or 0)
    multiplied = active - (table if table and given.tied is False else 0)
    notes: tuple[str, ...] = ()
    off = 0.0
    if not table:
        off += 0.1  # the input embedding, 1-10 % of a language model, is not told apart
    elif given.tied is None:
        off += table / active
    width = (given.heads or 0) * (given.head_dim or 0) or given.hidden
    core = 0.0
    if sequence_length and given.layers and width:
        core = 2.0 * given.layers * width * sequence_length
    elif sequence_length:
        # L = d/128 is usual (Kaplan et al. 2020, figure 5), so that N = 12·L·d² gives d.
        hidden = given.hidden or (active * 128 / 12) ** (1 / 3)
        off += sequence_length / (12 * hidden)  # A / 2N of such a shape
        notes = ("attention is not counted: layers and hidden are not given",)
    head = min(2.0 * table, multiplied)
    per_token = Tally(
        forward=2 * multiplied + core,
        attention=core,
        scan=0,
        layers=2 * multiplied + core - head,
        head=head,
        first=0,
        last=0,
        tokens=1,
    )
    parts = "6·N·D" + (" + attention, causal counted half" if core else ", attention left out")
    return Rough(
        architecture=architecture,
        parameters=total,
        active=active,
        per_token=per_token,
        convention=f"{parts}; N the active parameters",
        exact=False,
        spread=1 + off,
        notes=notes,
    )
