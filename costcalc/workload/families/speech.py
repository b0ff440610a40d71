"""Encoders of speech: wav2vec 2.0 and its kin, conformers.

wav2vec 2.0: Baevski et al. 2020 (arXiv:2006.11477); HuBERT: Hsu et al. 2021 (arXiv:2106.07447);
WavLM: Chen et al. 2021 (arXiv:2110.13900); Fast Conformer: Rekesh et al. 2023 (arXiv:2305.05084);
transducers of tokens and durations: Xu et al. 2023 (arXiv:2304.06795).
A datum is a clip of SECONDS seconds at 16 kHz; ``sequence_length`` has no say.  Defaults:
transformers 5.24.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from costcalc.workload.architecture import Architecture, Attention, Block, Convolution, Stream
from costcalc.workload.families.common import (
    Operators,
    Shape,
    alike,
    architecture,
    attention,
    beside,
    linear,
    mlp,
    weights,
)
from costcalc.workload.families.fields import Fields

SECONDS, RATE = 15, 16_000  # of LibriSpeech's utterances, 12.3 s on average
FRAMES_A_SECOND = 100  # of mel spectra
TOKENS_A_SECOND = 3  # of read English, about as many as words; an assumption, told in the note
EACH = ("q_proj", "k_proj", "v_proj", "out_proj")
NOTE = f"a clip of {SECONDS} seconds"


def wav2vec2(c: Fields, name: str, *, d: str = "") -> Architecture:
    """Convolutions over the wave, then a transformer; ``ForCTC`` has letters a frame.

    ``d``: what the family has besides: WavLM's ``buckets``, data2vec's ``layers`` of positions,
    SEW's ``squeeze``, the ``conformer``'s layers.
    """
    hidden, heads = c.integer("hidden_size", 768), c.integer("num_attention_heads", 12)
    c.divides("num_attention_heads", heads, "hidden_size", hidden)
    s = Shape.even(
        hidden=hidden,
        layers=c.layers("num_hidden_layers", 12),
        heads=heads,
        ffn=c.integer("intermediate_size", 3072),
        vocabulary=c.integer("vocab_size", 32),
    )
    if c.flag("add_adapter", False):
        c.problem("add_adapter", "expected false, the only form that is counted; got true")
    stem, frames, width = _wave(c, d)
    squeeze = c.integer("squeeze_factor", 2) if d == "squeeze" else 1
    projection: Operators = weights(2 * width)
    if width != hidden or d != "squeeze":
        projection += (linear(width, hidden, "other", "projection", bias=True),)
    places = _places(c, hidden, d)
    layer: Operators = (
        *attention(s, bias=True, causal=False, names=EACH),
        *mlp(hidden, s.ffn, gated=False, bias=True, names=("intermediate_dense", "output_dense")),
        *weights(4 * hidden),
    )
    once = 0
    if d == "conformer":
        layer = _conformer(c, s, relative=c.text("position_embeddings_type", "relative"))
    if d == "buckets":  # a gate of 8 outputs on each head's place, and one table of places
        layer += weights(8 * (s.head_dim + 1) + heads)
        once = c.integer("num_buckets", 320) * heads
    off = (0, 0.0)
    masked = c.config.get("mask_time_prob") in off and c.config.get("mask_feature_prob") in off
    ends: tuple[Block, ...] = ()
    if squeeze > 1:
        wide = linear(hidden, hidden * squeeze, "other", "upsample", bias=True)
        ends = (beside("upsampling", (wide,), "frames"),)
    blocks = (
        *stem,
        beside("projection", projection + weights(hidden * (not masked)), "all"),
        beside("positions", places + weights(2 * hidden + once), "frames"),
        alike("layer", layer, "frames", s.layers),
        *ends,
        beside("head", (linear(hidden, s.vocabulary, "head", "lm_head", bias=True),), "all"),
    )
    lengths = {"frames": max(1, frames // squeeze), **_lengths(c, d), "all": frames}
    streams = tuple(Stream(name=n, length=length) for n, length in lengths.items())
    made = architecture(name, "speech", s, blocks, streams=streams, counts="sample")
    return replace(made, notes=(NOTE,))


def _conformer(c: Fields, s: Shape, *, relative: str) -> Operators:
    """Half a feed-forward layer, attention, a convolution, the other half; five norms."""
    d, kernel = s.hidden, c.integer("conv_depthwise_kernel_size", 31)
    feed = mlp(d, s.ffn, gated=False, bias=True, names=("intermediate_dense", "output_dense"))
    places: Operators = ()
    if relative == "relative":  # sinusoids of all distances, projected once a layer
        places = (linear(d, d, "attention", "linear_pos"), *weights(2 * d))
    elif relative == "relative_key":
        left, right = c.integer("left_max_position_embeddings", 64), 8
        right = c.integer("right_max_position_embeddings", right)
        places = weights((left + right + 1) * s.head_dim)
    return (
        *feed,
        *attention(s, bias=True, causal=False, names=EACH),
        *places,
        linear(d, 2 * d, "other", "pointwise_conv1"),
        Convolution(c_in=d, c_out=d, kernel=kernel, groups=d),
        linear(d, d, "other", "pointwise_conv2"),
        *feed,
        *weights(12 * d),
    )


def w2v_bert(c: Fields) -> Architecture:
    """Wav2Vec2-BERT: a conformer over mel spectra, two frames in one."""
    heads, hidden = c.integer("num_attention_heads", 16), c.integer("hidden_size", 1024)
    c.divides("num_attention_heads", heads, "hidden_size", hidden)
    s = Shape.even(
        hidden=hidden,
        layers=c.layers("num_hidden_layers", 24),
        heads=heads,
        ffn=c.integer("intermediate_size", 4096),
        vocabulary=c.integer("vocab_size", 32),
    )
    if c.flag("add_adapter", False):
        c.problem("add_adapter", "expected false, the only form that is counted; got true")
    given = c.integer("feature_projection_input_dim", 160)
    into: Operators = (
        *weights(2 * given + hidden),
        linear(given, hidden, "other", "projection", bias=True),
    )
    layer = _conformer(c, s, relative=c.text("position_embeddings_type", "relative_key"))
    blocks = (
        beside("projection", into, "frames"),
        alike("layer", layer, "frames", s.layers),
        beside("head", (linear(hidden, s.vocabulary, "head", "lm_head", bias=True),), "frames"),
    )
    streams = (Stream(name="frames", length=SECONDS * FRAMES_A_SECOND // 2),)
    made = architecture("wav2vec2-bert", "speech", s, blocks, streams=streams, counts="sample")
    return replace(made, notes=(NOTE,))


def _steps(c: Fields, d: str) -> list[tuple[int, int, int]]:
    """Width, kernel and stride of each convolution over the wave."""
    usual = ([512] * 7, [10, 3, 3, 3, 3, 2, 2], [5, 2, 2, 2, 2, 2, 2])
    if d == "squeeze":
        usual = (
            [64] + [128] * 4 + [256] * 4 + [512] * 4,
            [10, 3, 1, 3, 1, 3, 1, 3, 1, 2, 1, 2, 1],
            [5, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1],
        )
    widths = c.integers("conv_dim") or usual[0]
    kernels = c.integers("conv_kernel", len(widths)) or usual[1][: len(widths)]
    strides = c.integers("conv_stride", len(widths)) or usual[2][: len(widths)]
    return [
        (max(1, w), max(1, k), max(1, s)) for w, k, s in zip(widths, kernels, strides, strict=True)
    ]


def _lengths(c: Fields, d: str) -> dict[str, int]:
    """Positions behind each convolution."""
    found, length = {}, SECONDS * RATE
    for i, (_, kernel, stride) in enumerate(_steps(c, d)):
        length = max(1, (length - kernel) // stride + 1)
        found[f"wave {i + 1}"] = length
    return found


def _wave(c: Fields, d: str) -> tuple[Sequence[Block], int, int]:
    bias, group = c.flag("conv_bias", False), c.text("feat_extract_norm", "group") == "group"
    before, blocks = 1, []
    found = _lengths(c, d)
    for i, (width, kernel, _) in enumerate(_steps(c, d)):
        made = Convolution(c_in=before, c_out=width, kernel=kernel, bias=bias, first=not i)
        normed = d == "layers" or not group or not i
        blocks.append(
            beside(f"wave {i + 1}", (made, *weights(2 * width * normed)), f"wave {i + 1}")
        )
        before = width
    return blocks, found[f"wave {len(found)}"], before


def _places(c: Fields, hidden: int, d: str) -> Operators:
    """A grouped convolution that says where each frame is."""
    kernel, groups = (
        c.integer("num_conv_pos_embeddings", 128),
        c.integer("num_conv_pos_embedding_groups", 16),
    )
    if d == "layers":
        number = c.integer("num_conv_pos_embeddings", 5)
        size = c.integer("conv_pos_kernel_size", 19)
        one = Convolution(c_in=hidden, c_out=hidden, kernel=size, groups=groups, bias=True)
        return (one,) * number
    one = Convolution(c_in=hidden, c_out=hidden, kernel=kernel, groups=groups, bias=True)
    normed = 2 * hidden if c.flag("conv_pos_batch_norm", False) else kernel  # weight norm's lengths
    return (one, *weights(normed))


def parakeet(
    c: Fields, *, encoder: bool = False, durations: Sequence[int] | None = None
) -> Architecture:
    """Parakeet: a Fast Conformer over mel spectra, an eighth as many frames.

    ``durations``: a transducer in place of CTC, with these durations beside the tokens; it may have
    none.
    """
    inner = c if encoder else c.within("encoder_config")
    hidden, heads = inner.integer("hidden_size", 1024), inner.integer("num_attention_heads", 8)
    inner.divides("num_attention_heads", heads, "hidden_size", hidden)
    s = Shape.even(
        hidden=hidden,
        layers=inner.layers("num_hidden_layers", 24),
        heads=heads,
        ffn=inner.integer("intermediate_size", 4096),
        vocabulary=0 if encoder else c.integer("vocab_size", 1025 if durations is None else 8193),
    )
    bias, conv = inner.flag("attention_bias", True), inner.flag("convolution_bias", True)
    channels, mel = (
        inner.integer("subsampling_conv_channels", 256),
        inner.integer("num_mel_bins", 80),
    )
    factor, size = (
        inner.integer("subsampling_factor", 8),
        inner.integer("subsampling_conv_kernel_size", 3),
    )
    stride = inner.integer("subsampling_conv_stride", 2)
    steps, frames = 0, SECONDS * FRAMES_A_SECOND
    while stride > 1 and stride ** (steps + 1) <= factor:
        steps += 1
    bands, blocks, lengths = mel, [], {}
    for i in range(max(1, steps)):
        frames, bands = -(-frames // stride), -(-bands // stride)
        made: Operators = (
            Convolution(
                c_in=channels if i else 1,
                c_out=channels,
                kernel=size**2,
                groups=channels if i else 1,
                bias=True,
                positions=bands,
                first=not i,
            ),
        )
        if i:
            made += (
                Convolution(c_in=channels, c_out=channels, kernel=1, bias=True, positions=bands),
            )
        lengths[f"mel {i + 1}"] = frames
        blocks.append(beside(f"mel {i + 1}", made, f"mel {i + 1}"))
    into = linear(channels * bands, hidden, "other", "linear", bias=True)
    feed = mlp(hidden, s.ffn, gated=False, bias=bias, names=("linear1", "linear2"))
    kernel = inner.integer("conv_kernel_size", 9)
    relative = linear(hidden, hidden, "attention", "relative_k_proj")
    places = Attention(heads=heads, kv_heads=heads, qk_dim=s.head_dim, v_dim=0, over="places")
    layer = (
        *feed,
        *attention(s, bias=bias, causal=False, names=("q_proj", "k_proj", "v_proj", "o_proj")),
        places,
        linear(hidden, 2 * hidden, "other", "pointwise_conv1", conv),
        Convolution(c_in=hidden, c_out=hidden, kernel=kernel, groups=hidden, bias=conv),
        linear(hidden, hidden, "other", "pointwise_conv2", conv),
        *feed,
        *weights(2 * hidden + 2 * hidden + 10 * hidden),
    )
    blocks += [
        beside("into the encoder", (into,), "frames"),
        beside("places", (relative,), "places", s.layers),
        alike("layer", layer, "frames", s.layers),
    ]
    lengths["places"] = 2 * frames - 1  # each frame from each other, before and behind
    streams = tuple(Stream(name=n, length=k) for n, k in ({"frames": frames} | lengths).items())
    if durations is not None:
        blocks += _transducer(c, s, durations, frames)
        streams += (Stream(name="text", target=True, default=int(SECONDS * TOKENS_A_SECOND)),)
    elif not encoder:
        head = linear(hidden, s.vocabulary, "head", "ctc_head", bias=True)
        blocks.append(beside("head", (head,), "frames"))
    model = architecture("parakeet", "speech", s, blocks, streams=streams, counts="sample")
    text = f", {SECONDS * TOKENS_A_SECOND} tokens of text unless target_length is given"
    return replace(model, notes=(NOTE + text * (durations is not None),))


def _transducer(c: Fields, s: Shape, usual: Sequence[int], frames: int) -> Sequence[Block]:
    """An LSTM over the text, and a head over each pair of a frame and a token."""
    width, layers = c.integer("decoder_hidden_size", 640), c.integer("num_decoder_layers", 2)
    durations = (c.integers("durations") or usual) if usual else ()
    gates: Operators = (
        linear(2 * width, 4 * width, "other", "lstm", bias=True),  # the input's and the state's
        *weights(4 * width),  # torch's LSTM has a second vector of biases
    )
    joint = Convolution(
        c_in=width, c_out=s.vocabulary + len(durations), kernel=1, bias=True, positions=frames
    )
    projected = linear(width, width, "other", "decoder_projector", bias=True)
    return [
        beside(
            "into the joint",
            (linear(s.hidden, width, "other", "encoder_projector", bias=True),),
            "frames",
        ),
        beside("embedding", weights(s.vocabulary * width, "embedding"), "text"),
        beside("lstm", gates, "text", layers),
        beside("head", (projected, joint), "text"),
    ]
