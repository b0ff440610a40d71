"""Encoder-decoders of BART's kind: a record says how a family differs from BART.

BART: Lewis et al. 2019 (arXiv:1910.13461); Pegasus: Zhang et al. 2019 (arXiv:1912.08777); mBART:
Liu et al. 2020 (arXiv:2001.08210).  A datum is a token of the source.  The target is as long as the
source unless ``target_length`` is given, as in denoising and translation.  Defaults: transformers
5.24.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from costcalc.workload.architecture import Architecture, Stream
from costcalc.workload.families.common import (
    Operators,
    Shape,
    alike,
    architecture,
    attention,
    beside,
    linear,
    mlp,
    output_head,
    weights,
)
from costcalc.workload.families.fields import Fields

FC = ("fc1", "fc2")
EACH = ("q_proj", "k_proj", "v_proj", "out_proj")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seq2Seq:
    """A family; what is not said is as in BART."""

    hidden: int = 1024
    layers: tuple[int, int] = (12, 12)
    heads: int = 16
    ffn: int = 4096
    vocabulary: int = 50265
    positions: int | None = 1024
    offset: int = 2  # rows of a table of positions that are none
    embedding_norm: bool = True
    last_norm: bool = False
    bias: bool = True  # of attention
    labels: int = 2  # of a classifier whose file names none
    global_tokens: int = 0  # of the encoder, with a norm of their own in each layer


SEQ2SEQ: dict[str, Seq2Seq] = {
    "bart": Seq2Seq(labels=3),
    "mbart": Seq2Seq(last_norm=True),
    "mvp": Seq2Seq(vocabulary=50267),
    "plbart": Seq2Seq(hidden=768, layers=(6, 6), heads=12, ffn=3072, vocabulary=50005),
    "pegasus": Seq2Seq(offset=0, embedding_norm=False, last_norm=True),
    "pegasus_x": Seq2Seq(
        layers=(16, 16), vocabulary=96103, positions=None, embedding_norm=False, last_norm=True,
        bias=False, global_tokens=32,
    ),
    "bigbird_pegasus": Seq2Seq(
        layers=(16, 16), vocabulary=96103, positions=4096, offset=0, bias=False,
    ),
    "blenderbot": Seq2Seq(
        hidden=2560, layers=(2, 24), heads=32, ffn=10240, vocabulary=8008, positions=128, offset=0,
        embedding_norm=False, last_norm=True,
    ),
    "blenderbot-small": Seq2Seq(
        hidden=512, layers=(8, 8), ffn=2048, positions=512, offset=0,
    ),
    "marian": Seq2Seq(vocabulary=58101, offset=0, embedding_norm=False),
    "m2m_100": Seq2Seq(
        vocabulary=128112, positions=None, embedding_norm=False, last_norm=True,
    ),
}  # fmt: skip


def bart(c: Fields, name: str, d: Seq2Seq) -> Architecture:
    """An encoder-decoder of BART's kind; the sizes of the result are those of its encoder."""
    if not c.config.get("id2label"):
        c.put("num_labels", c.integer("num_labels", d.labels))
    hidden = c.integer("d_model", d.hidden, "hidden_size")
    vocabulary = c.integer("vocab_size", d.vocabulary)

    def stack(side: str, layers: int) -> Shape:
        heads = c.integer(f"{side}_attention_heads", d.heads)
        c.divides(f"{side}_attention_heads", heads, "d_model", hidden)
        return Shape.even(
            hidden=hidden,
            layers=c.layers(f"{side}_layers", layers),
            heads=heads,
            ffn=c.integer(f"{side}_ffn_dim", d.ffn),
            vocabulary=vocabulary,
            tied=c.flag("tie_word_embeddings", True),
        )

    s, t = stack("encoder", d.layers[0]), stack("decoder", d.layers[1])
    tokens = c.integer("num_global_tokens", d.global_tokens) if d.global_tokens else 0
    rows = 0
    if d.positions is not None:
        rows = c.integer("max_position_embeddings", d.positions) + d.offset
    norm = weights(2 * hidden)
    crossing = tuple(linear(hidden, hidden, "attention", n, d.bias) for n in ("k_proj", "v_proj"))
    own = attention(s, bias=d.bias, causal=False, names=EACH)
    own += _feed(s) + weights(4 * hidden + 2 * hidden * bool(tokens))
    masked = attention(t, bias=d.bias, names=EACH)
    masked += attention(t, bias=d.bias, over="source", names=(EACH[0], EACH[3]), keys_apart=True)
    masked += _feed(t) + weights(6 * hidden)
    words = weights(vocabulary * hidden * (1 if t.tied else 3), "embedding")  # untied, all apart
    place = weights(rows * hidden, "embedding") + norm * d.embedding_norm
    final = norm * d.last_norm
    blocks = (
        beside("embedding", words + place + weights(tokens * hidden, "embedding"), "source"),
        alike("encoder layer", own, "source", s.layers),
        beside("encoder norm", final, "source"),
        beside("cross keys", crossing, "source", t.layers),
        beside("decoder embedding", place, "target"),
        alike("decoder layer", masked, "target", t.layers),
        beside("decoder norm", final, "target"),
        beside("head", (output_head(t),), "target"),
    )
    streams = (Stream(name="source"), Stream(name="target", target=True))
    made = architecture(name, "encoder-decoder", s, blocks, streams=streams)
    if c.head.head == "encoder":
        body = [b for b in made.blocks if b.stream == "source" and b.name != "cross keys"]
        return replace(made, kind="encoder", streams=streams[:1], blocks=tuple(body))
    return made


def _feed(s: Shape) -> Operators:
    return mlp(s.hidden, s.ffn, gated=False, bias=True, names=FC)
