"""Vision-language models: a tower, what projects its states, and a text model.

LLaVA: Liu et al. 2023 (arXiv:2304.08485); Qwen2.5-VL: arXiv:2502.13923; Qwen3-VL:
arXiv:2511.21631; Gemma 3: arXiv:2503.19786; PaliGemma: arXiv:2407.07726; Idefics 3 and SmolVLM:
arXiv:2408.12637, arXiv:2504.05299.  A datum is a token of the sequence that the text model sees,
the image's own tokens among them; each sequence has one image.  Defaults: transformers 5.24.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from costcalc.workload.architecture import Architecture, Stream
from costcalc.workload.families.common import Operators, beside, linear, weights
from costcalc.workload.families.fields import Fields
from costcalc.workload.families.towers import (
    GLM4V,
    KIMI,
    LLAMA4,
    LLAVA,
    ONE,
    PALI,
    QWEN2,
    QWEN3,
    QWEN25,
)
from costcalc.workload.families.vit import (
    PIXTRAL,
    SIGLIP2_VISION,
    SIGLIP_VISION,
    VITS,
    Tower,
    Vit,
    of_any_size,
    tower,
)
from costcalc.workload.families.whisper import Listener

Projector = Callable[[Fields, Fields, Tower, int], "Projected"]


@dataclass(frozen=True, slots=True)
class Projected:
    """What is between a tower and the text model, and how many tokens of an image come of it."""

    operators: Operators
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A family: what its parts are by default."""

    text: str
    vision: Vit
    projector: Projector
    tied: bool = False
    forwards: bool = False  # tied too where text_config alone says so, as its class forwards it
    sizes: Mapping[str, int] = field(default_factory=dict)  # of a text model that no file says


def dense(n_in: int, n_out: int, name: str, bias: bool = True) -> Operators:
    """One layer of a projector."""
    return (linear(n_in, n_out, "other", name, bias),)


def _two_layers(c: Fields, _: Fields, t: Tower, text: int) -> Projected:
    """LLaVA: two layers; ``vision_feature_layer`` may list several states of the tower."""
    listed = c.config.get("vision_feature_layer")
    states = len(listed) if isinstance(listed, list | tuple) else 1
    bias = c.flag("multimodal_projector_bias", True)
    made = dense(states * t.shape.hidden, text, "linear_1", bias)
    return Projected(made + dense(text, text, "linear_2", bias), t.patches)


def _with_newline(c: Fields, v: Fields, t: Tower, text: int) -> Projected:
    """LLaVA-NeXT: a token that ends a row."""
    made = _two_layers(c, v, t, text)
    return Projected(made.operators + weights(text, "embedding"), t.patches)


def _gemma3(c: Fields, _: Fields, t: Tower, text: int) -> Projected:
    tokens = c.integer("mm_tokens_per_image", 256)
    norm = weights(t.shape.hidden)
    return Projected((*norm, *dense(t.shape.hidden, text, "mm_input_projection", False)), tokens)


def _paligemma(c: Fields, _: Fields, t: Tower, text: int) -> Projected:
    width = c.integer("projection_dim", text)
    return Projected(dense(t.shape.hidden, width, "linear"), t.patches)


def _shuffled(c: Fields, _: Fields, t: Tower, text: int) -> Projected:
    """Idefics 3: blocks of pixels side by side, one layer without a bias."""
    factor = c.integer("scale_factor", 2)
    made = dense(t.shape.hidden * factor**2, text, "proj", False)
    return Projected(made, max(1, t.patches // factor**2))


def _mistral3(c: Fields, _: Fields, t: Tower, text: int) -> Projected:
    merge, bias = c.integer("spatial_merge_size", 2), c.flag("multimodal_projector_bias", False)
    width = t.shape.hidden
    made = (
        *weights(width),
        *dense(width * merge**2, width, "merging_layer", False),
        *dense(width, text, "linear_1", bias),
        *dense(text, text, "linear_2", bias),
    )
    return Projected(made, max(1, t.patches // merge**2))


def _vip(c: Fields, _: Fields, t: Tower, text: int) -> Projected:
    """ViP-LLaVA: states of five layers side by side, behind a norm."""
    listed = c.config.get("vision_feature_layer")
    wide = t.shape.hidden * (len(listed) if isinstance(listed, list | tuple) else 5)
    made = (*weights(2 * wide), *dense(wide, text, "linear_1"), *dense(text, text, "linear_2"))
    return Projected(made, t.patches)


def _llama4(_: Fields, v: Fields, t: Tower, text: int) -> Projected:
    """Llama 4: pixels side by side, two layers and one into the text."""
    ratio, out = v.number("pixel_shuffle_ratio", 0.5), v.integer("projector_output_dim", 4096)
    made = (
        *dense(
            v.integer("intermediate_size", 5632),
            v.integer("projector_input_dim", 4096),
            "fc1",
            False,
        ),
        *dense(out, out, "fc2", False),
        *dense(v.integer("vision_output_dim", 7680), text, "linear_1", False),
    )
    return Projected(made, max(1, int(t.patches * ratio**2)))


def _aligned(c: Fields, _: Fields, t: Tower, text: int) -> Projected:
    """Command A Vision: blocks of patches, and a gated layer between."""
    factor, inner = (
        c.integer("downsample_factor", 2),
        c.integer("alignment_intermediate_size", 36864),
    )
    made = dense(t.shape.hidden * factor**2, inner, "linear_1")
    return Projected(made + dense(inner // 2, text, "linear_2"), max(1, t.patches // factor**2))


def _internvl(c: Fields, _: Fields, t: Tower, text: int) -> Projected:
    factor = round(1 / c.number("downsample_ratio", 0.5))
    width = t.shape.hidden * factor**2
    made = (*weights(2 * width), *dense(width, text, "linear_1"), *dense(text, text, "linear_2"))
    return Projected(made, max(1, t.patches // factor**2))


def _lfm2(c: Fields, _: Fields, t: Tower, text: int) -> Projected:
    factor = c.integer("downsample_factor", 2)
    inner, bias = c.integer("projector_hidden_size", 2560), c.flag("projector_bias", True)
    width = t.shape.hidden * factor**2
    norm = weights(2 * width * c.flag("projector_use_layernorm", True))
    made = (*norm, *dense(width, inner, "linear_1", bias), *dense(inner, text, "linear_2", bias))
    return Projected(made, max(1, t.patches // factor**2))


def _merged(norm: int, out: str, *, deep: int = 0) -> Projector:
    """Qwen's merger: patches side by side, two layers; ``deep`` ones of states on the way."""

    def projector(_: Fields, v: Fields, t: Tower, text: int) -> Projected:
        merge, hidden = v.integer("spatial_merge_size", 2), t.shape.hidden
        wide, to = hidden * merge**2, v.integer(out, text if v.config else 3584)
        layers = dense(wide, wide, "merger_1") + dense(wide, to, "merger_2")
        made = weights(norm * hidden) + layers
        if deep:
            listed = v.integers("deepstack_visual_indexes")
            made += (weights(2 * wide) + layers) * (deep if listed is None else len(listed))
        return Projected(made, max(1, t.patches // merge**2))

    return projector


def _glm4v(_: Fields, v: Fields, t: Tower, text: int) -> Projected:
    """GLM-4.1V: a convolution that merges, a layer and a gated feed-forward one."""
    merge, to = v.integer("spatial_merge_size", 2), v.integer("out_hidden_size", 4096)
    ffn, hidden = v.integer("intermediate_size", 13696), t.shape.hidden
    del text
    made = (
        *dense(hidden * merge**2, to, "downsample"),
        *dense(to, to, "proj", False),
        *weights(2 * to + hidden),  # and a norm behind the convolution of the patches
        *dense(to, 2 * ffn, "gate_up_proj", False),
        *dense(ffn, to, "down_proj", False),
    )
    return Projected(made, max(1, t.patches // merge**2))


def _kimi(c: Fields, v: Fields, t: Tower, text: int) -> Projected:
    merge = (v.integers("merge_kernel_size", 2) or [2, 2])[0]
    wide = t.shape.hidden * merge**2
    del c
    made = (
        weights(2 * t.shape.hidden) + dense(wide, wide, "in_proj") + dense(wide, text, "out_proj")
    )
    return Projected(made, max(1, t.patches // merge**2))


MISTRAL_SMALL = {
    "vocab_size": 131072,
    "hidden_size": 5120,
    "intermediate_size": 32768,
    "num_hidden_layers": 40,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
}
QWEN3_SMALL = {
    "vocab_size": 151936,
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
}
GEMMA_2B = {
    "vocab_size": 257152,
    "hidden_size": 2048,
    "intermediate_size": 16384,
    "num_hidden_layers": 18,
    "num_attention_heads": 8,
    "num_key_value_heads": 1,
}

PAIRS: dict[str, Pair] = {
    "qwen2_vl": Pair(
        text="qwen2_vl_text", vision=QWEN2, projector=_merged(2, "hidden_size"),
    ),
    "qwen2_5_vl": Pair(
        text="qwen2_5_vl_text", vision=QWEN25, projector=_merged(1, "out_hidden_size"),
    ),
    "qwen3_vl": Pair(
        text="qwen3_vl_text", vision=QWEN3, projector=_merged(2, "out_hidden_size", deep=3),
    ),
    "qwen3_vl_moe": Pair(
        text="qwen3_vl_moe_text", vision=QWEN3, projector=_merged(2, "out_hidden_size", deep=3),
    ),
    "qwen3_5": Pair(
        text="qwen3_5_text", vision=QWEN3, projector=_merged(2, "out_hidden_size"),
    ),
    "qwen3_5_moe": Pair(
        text="qwen3_5_moe_text", vision=QWEN3, projector=_merged(2, "out_hidden_size"),
    ),
    "glm4v": Pair(text="glm4v_text", vision=GLM4V, projector=_glm4v),
    "glm4v_moe": Pair(text="glm4v_moe_text", vision=GLM4V, projector=_glm4v),
    "kimi_k25": Pair(text="deepseek_v3", vision=KIMI, projector=_kimi, tied=True),
    "llava": Pair(text="llama", vision=LLAVA, projector=_two_layers),
    "llava_next": Pair(text="llama", vision=LLAVA, projector=_with_newline),
    "llava_next_video": Pair(text="llama", vision=LLAVA, projector=_with_newline),
    "llava_onevision": Pair(text="qwen2", vision=ONE, projector=_with_newline),
    "gemma3": Pair(text="gemma3_text", vision=SIGLIP_VISION, projector=_gemma3, tied=True),
    "paligemma": Pair(
        text="gemma", vision=PALI, projector=_paligemma, tied=True, sizes=GEMMA_2B,
    ),
    "idefics3": Pair(text="llama", vision=VITS["smolvlm_vision"], projector=_shuffled),
    "smolvlm": Pair(text="llama", vision=VITS["smolvlm_vision"], projector=_shuffled),
    "mistral3": Pair(
        text="mistral", vision=replace(PIXTRAL, image=1540, patch=14), projector=_mistral3,
        tied=True, sizes=MISTRAL_SMALL,
    ),
    "deepseek_vl": Pair(text="llama", vision=SIGLIP_VISION, projector=_two_layers, tied=True),
    "internvl": Pair(text="qwen2", vision=VITS["internvl_vision"], projector=_internvl, tied=True),
    "lfm2_vl": Pair(text="lfm2", vision=SIGLIP2_VISION, projector=_lfm2, tied=True),
}  # fmt: skip
PAIRS["llama4"] = Pair(text="llama4_text", vision=LLAMA4, projector=_llama4)
PAIRS["vipllava"] = Pair(text="llama", vision=LLAVA, projector=_vip)
PAIRS["cohere2_vision"] = Pair(
    text="cohere2", projector=_aligned, tied=True,
    vision=replace(SIGLIP_VISION, hidden=1152, layers=27, image=512),
)  # fmt: skip
PAIRS["lighton_ocr"] = Pair(
    text="qwen3", vision=replace(PIXTRAL, image=1540, patch=14), projector=_mistral3, tied=True,
    sizes=QWEN3_SMALL,
)  # fmt: skip
for _forwarding in (
    *("qwen2_vl", "qwen2_5_vl", "glm4v", "glm4v_moe"),
    *("llava", "llava_next_video", "llava_onevision"),
):
    PAIRS[_forwarding] = replace(PAIRS[_forwarding], forwards=True)
PAIRS["shieldgemma2"] = PAIRS["gemma3"]
PAIRS["glm46v"] = PAIRS["glmga"] = PAIRS["glm4v"]


TOWERS = ("vision_config", "audio_config", "model_type")


def text_part(config: Mapping[str, object], d: Pair | Listener) -> dict[str, object]:
    """The configuration of the text model; what the whole says of tying wins.

    Files of the first versions have its keys beside ``vision_config``, not under ``text_config``.
    """
    inner = config.get("text_config")
    own = config if not isinstance(inner, Mapping) else inner
    made = {key: value for key, value in own.items() if key not in TOWERS}
    found = inner.get("model_type") if isinstance(inner, Mapping) else None
    if not isinstance(inner, Mapping) or not inner:
        made = {**d.sizes, **made}
    return made | {"model_type": found or d.text, "tie_word_embeddings": _tied(config, d)}


def _tied(config: Mapping[str, object], d: Pair | Listener) -> object:
    """Whether the whole's head is its embedding: by its own key, its class's default behind it."""
    tied, said = config.get("tie_word_embeddings"), _inner_tied(config)
    if isinstance(d, Pair) and d.forwards and said is True and not tied:
        return True
    return d.tied if tied is None else tied


def _inner_tied(config: Mapping[str, object]) -> object:
    inner = config.get("text_config")
    return inner.get("tie_word_embeddings") if isinstance(inner, Mapping) else None


def contradicted(config: Mapping[str, object], d: Pair | Listener) -> Iterator[str]:
    """What is to be said where ``text_config`` says another tying than the whole is counted with.

    transformers reads the key of the whole, or its class's default; checkpoints that were saved
    by others may follow the text model's.
    """
    tied, said = _tied(config, d), _inner_tied(config)
    if isinstance(said, bool) and isinstance(tied, bool) and said is not tied:
        by = "its class has it" if config.get("tie_word_embeddings") is None else "the whole says"
        yield (
            f"text_config.tie_word_embeddings: {str(said).lower()} is not what {by}: counted "
            f"{'tied' if tied else 'untied'}, as transformers does; the weights may be otherwise"
        )


def with_vision(c: Fields, d: Pair, text: Architecture) -> Architecture:
    """The text model with its tower before it: the image's tokens are among the sequence's."""
    vision = c.within("vision_config")
    for key in [each for each in vision.config if each.startswith("vt_")]:  # as Kimi spells them
        vision.put(key.removeprefix("vt_"), vision.config[key])
    named = vision.config.get("model_type")
    made = tower(vision, VITS.get(named, d.vision) if isinstance(named, str) else d.vision)
    projected = d.projector(c, vision, made, text.hidden)
    before = (*made.blocks, beside("projector", projected.operators, "merged"))
    streams = (*text.streams, *made.streams, Stream(name="merged", length=projected.tokens))
    note = f"one image a sequence, {projected.tokens:,} of its tokens"
    notes = (*text.notes, note, *of_any_size(made))
    return replace(text, blocks=(*before, *text.blocks), streams=streams, notes=notes)
