"""Families of models: a Hugging Face configuration to an architecture.

Most decoders are a record in :mod:`~costcalc.workload.families.table`, which says how they differ
from Llama; what no record says is a function from
:class:`~costcalc.workload.families.fields.Fields` to
:class:`~costcalc.workload.architecture.Architecture`, named in :data:`FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from costcalc.base.errors import InputError, Problem, nearest
from costcalc.workload.architecture import Architecture
from costcalc.workload.families.clips import spectrum, video, vivit, vjepa2
from costcalc.workload.families.decoder import decoder
from costcalc.workload.families.detection import detr, sam, sam_encoder
from costcalc.workload.families.diffusers import DIFFUSERS
from costcalc.workload.families.encoders import TEXT_ENCODERS, TEXT_TOPS
from costcalc.workload.families.fields import LANGUAGE, Asked, Fields, shown
from costcalc.workload.families.heads import (
    DENSE,
    IMAGE,
    PLAIN,
    TOWERS,
    Tops,
    asked,
    class_of,
    crowned,
    foreign,
)
from costcalc.workload.families.mamba import mamba, mamba2
from costcalc.workload.families.mllama import mllama
from costcalc.workload.families.moonshine import moonshine
from costcalc.workload.families.pi0 import pi0
from costcalc.workload.families.pruned import pruned
from costcalc.workload.families.rt_detr import rt_detr
from costcalc.workload.families.seq2seq import SEQ2SEQ, bart
from costcalc.workload.families.speech import parakeet, w2v_bert, wav2vec2
from costcalc.workload.families.stages import convnext, segformer, swin
from costcalc.workload.families.t5 import t5
from costcalc.workload.families.t5gemma import t5gemma
from costcalc.workload.families.table import DECODERS
from costcalc.workload.families.unlike import deepseek_v4, gemma3n, gemma4, nemotron_h, rwkv, zamba2
from costcalc.workload.families.vision import resnet
from costcalc.workload.families.vit import (
    CLIP_VISION,
    SIGLIP2_VISION,
    SIGLIP_VISION,
    VITS,
    clip,
    clip_text,
    image_model,
    masked_autoencoder,
)
from costcalc.workload.families.vlm import PAIRS, Pair, contradicted, text_part, with_vision
from costcalc.workload.families.whisper import (
    LISTENERS,
    Listener,
    sound_encoder,
    whisper,
    with_sound,
)

#: model_type of a config.json -> what makes an architecture of it
FAMILIES: dict[str, Callable[[Fields], Architecture]] = {
    **{
        name: partial(decoder, name=name.removesuffix("_text"), d=record)
        for name, record in DECODERS.items()
    },
    **TEXT_ENCODERS,
    **{name: partial(bart, name=name, d=record) for name, record in SEQ2SEQ.items()},
    "falcon_mamba": partial(mamba, name="falcon_mamba"),
    "mamba": mamba,
    "mamba2": mamba2,
    "mt5": partial(
        t5, name="mt5", heads=6, ffn=1024, vocabulary=250112, layers=8, act="gated-gelu"
    ),
    **{name: partial(image_model, name=name, d=record) for name, record in VITS.items()},
    "clip": partial(clip, name="clip", d=CLIP_VISION, projected=True, words=49408, positions=77),
    "metaclip_2": partial(
        clip, name="metaclip_2", d=CLIP_VISION, projected=True, words=49408, positions=77
    ),
    "siglip": partial(
        clip, name="siglip", d=SIGLIP_VISION, projected=False, words=32000, positions=64
    ),
    "siglip2": partial(
        clip, name="siglip2", d=SIGLIP2_VISION, projected=False, words=32000, positions=64
    ),
    "clip_text_model": partial(clip_text, name="clip_text_model"),
    "audio-spectrogram-transformer": spectrum,
    "videomae": video,
    "vivit": vivit,
    "vjepa2": vjepa2,
    "vit_mae": partial(masked_autoencoder, d=VITS["vit"]),
    "deepseek_v4": deepseek_v4,
    "gemma3n_text": gemma3n,
    "gemma4_text": gemma4,
    "gemma4_unified_text": partial(gemma4, per_layer=0, window=1024),
    "nemotron-nas": pruned,
    "nemotron_h": nemotron_h,
    "rwkv": rwkv,
    "zamba2": zamba2,
    "detr": detr,
    "pi0": pi0,
    "rt_detr": partial(rt_detr, name="rt_detr"),
    "rt_detr_v2": partial(rt_detr, name="rt_detr_v2"),
    "sam": sam,
    "sam_vision_model": sam_encoder,
    "resnet": resnet,
    "swin": partial(swin, name="swin"),
    "swinv2": partial(swin, name="swinv2", version=2),
    "convnext": partial(convnext, name="convnext"),
    "convnextv2": partial(convnext, name="convnextv2", version=2),
    "dinov3_convnext": partial(convnext, name="dinov3_convnext"),
    "segformer": segformer,
    **{
        name: partial(wav2vec2, name=name, d=besides)
        for name, besides in {
            "wav2vec2": "",
            "hubert": "",
            "unispeech": "",
            "unispeech-sat": "",
            "wavlm": "buckets",
            "data2vec-audio": "layers",
            "sew": "squeeze",
            "wav2vec2-conformer": "conformer",
        }.items()
    },
    "mllama": mllama,
    "moonshine": moonshine,
    "t5gemma": t5gemma,
    "parakeet_ctc": parakeet,
    "parakeet_rnnt": partial(parakeet, durations=()),
    "parakeet_tdt": partial(parakeet, durations=range(5)),
    "wav2vec2-bert": w2v_bert,
    "parakeet_encoder": partial(parakeet, encoder=True),
    "longt5": partial(
        t5, name="longt5", heads=8, ffn=2048, vocabulary=32128, layers=6, act="relu", local=True
    ),
    "t5": partial(t5, name="t5", heads=8, ffn=2048, vocabulary=32128, layers=6, act="relu"),
    "umt5": partial(
        t5,
        name="umt5",
        heads=6,
        ffn=1024,
        vocabulary=250112,
        layers=8,
        act="gated-gelu",
        each_layer=True,
    ),
    **{
        f"{name}_encoder": partial(sound_encoder, name=f"{name}_encoder")
        for name in ("audioflamingo3", "qwen2_audio", "voxtral")
    },
    "whisper": whisper,
}

#: another spelling, or a model that wraps a text model: the family its text model has
ALIASES: dict[str, str] = {
    "gemma3n": "gemma3n_text",
    "gemma4": "gemma4_text",
    "gemma4_unified": "gemma4_unified_text",
    "gpt-sw3": "gpt2",
    "bailing_moe_v2": "bailing_moe",
    "deepseek_ref": "deepseek_v4",
    "kimi_k2": "deepseek_v3",
    "kimi_k3": "kimi_linear",
    "mimo": "qwen2",
    "minimax_m1": "minimax",
    "new": "gte",
    "minimax_text_01": "minimax",
    "minimax_m3": "minimax_m3_vl_text",
    "minimax_m3_vl": "minimax_m3_vl_text",
    "step3p7": "step3p5",
    "RefinedWeb": "falcon",
    "RefinedWebModel": "falcon",
}

#: keys of a family's files that say what another key says elsewhere
RENAMED: dict[str, dict[str, str]] = {
    "internlm3": {"qkv_bias": "attention_bias", "bias": "mlp_bias"},
    "mellum": {"num_mtp_layers": "num_nextn_predict_layers"},
}

#: a text model and what it sees or hears by
BOTH: dict[str, Pair | Listener] = {**PAIRS, **LISTENERS}

NESTED = ("text_config", "llm_config", "language_config")


def supported() -> list[str]:
    """Every ``model_type`` that can be counted, sorted."""
    return sorted({*FAMILIES, *ALIASES, *BOTH}, key=str.lower)


CLIPS = ("audio-spectrogram-transformer", "videomae", "vivit")
STAGES = ("swin", "swinv2", "convnext", "convnextv2", "dinov3_convnext", "segformer")
CONFORMERS = ("parakeet_ctc", "parakeet_encoder", "wav2vec2-bert", "wav2vec2-conformer")
TRANSDUCERS = ("parakeet_rnnt", "parakeet_tdt")
SPEECH = ("wav2vec2", "hubert", "unispeech", "unispeech-sat", "wavlm", "data2vec-audio", "sew")
#: what stands on top of a family instead of its own head, where that is not a decoder's one matrix
TOPS: dict[str, Tops] = {
    **TEXT_TOPS,
    **dict.fromkeys((*SEQ2SEQ, "t5", "mt5", "umt5", "longt5", "whisper"), DENSE),
    **dict.fromkeys((*VITS, *CLIPS, "resnet", "vit_mae", *STAGES), IMAGE),
    "segformer": replace(IMAGE, own=("classifier", "segmentation")),
    **dict.fromkeys(("detr", "rt_detr", "rt_detr_v2"), Tops(own=("detection",))),
    "vjepa2": Tops(own=("none", "classifier")),
    **dict.fromkeys(("sam", "sam_vision_model"), Tops(own=("none", "masks"))),
    **dict.fromkeys(TRANSDUCERS, Tops(own=("transducer",))),
    "eurobert": DENSE,
    "t5gemma": Tops(dense=False),
    **dict.fromkeys((*SPEECH, *CONFORMERS), Tops(own=("ctc",))),
    **dict.fromkeys(("vit", "deit", "vivit"), replace(IMAGE, pooler=True)),
    **dict.fromkeys(("clip", "metaclip_2", "siglip", "siglip2", "clip_text_model"), TOWERS),
    "clip_vision_model": replace(IMAGE, own=("classifier", "projected")),
}


def build(
    config: Mapping[str, object], *, head: str | None = None, labels: int | None = None
) -> Architecture:
    """The architecture that a Hugging Face configuration describes.

    ``head`` (one of :data:`~costcalc.workload.families.heads.HEADS`) and ``labels`` win over what
    ``architectures`` says.  A model with several parts (``text_config`` and others) is counted by
    its text model; a note says so, and names what else was not read.  Raises
    :class:`~costcalc.base.errors.InputError` with every problem of the configuration, and for an
    unknown ``model_type``.

    >>> build({"model_type": "llama", "num_hidden_layers": 2}).layers
    2
    >>> build({"model_type": "lama"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    costcalc.base.errors.InputError: model_type: no family lama; did you mean llama, ...
    """
    if not isinstance(config, Mapping):
        raise InputError(Problem(key="", message=f"expected a mapping; got {shown(config)}"))
    if "_class_name" in config and "model_type" not in config:
        return _of_diffusers(config)
    pair = _pair(config)
    inner, prefix = _text_part(config) if pair is None else (text_part(config, pair), "")
    if pair is not None and isinstance(config.get("text_config"), Mapping):
        prefix = "text_config."
    name = _family(inner, prefix)
    fields, wanted = Fields(inner, prefix), asked(config, head, labels)
    fields.head, whole = wanted, Fields(config)
    for old, new in RENAMED.get(name, {}).items():
        if old in inner:
            fields.put(new, fields.config[old])
    try:
        architecture = FAMILIES[name](fields)
        outputs = fields.labels() if wanted.labels is None else wanted.labels
        architecture = crowned(architecture, wanted, outputs, TOPS.get(name, PLAIN))
        if isinstance(pair, Pair):
            architecture = with_vision(whole, pair, architecture)
        elif pair is not None:
            architecture = with_sound(whole, pair, architecture)
    finally:
        fields.problems += whole.problems
        fields.check()
    model_type = str(inner.get("model_type") if pair is None else config.get("model_type"))
    notes = [*architecture.notes, *_passed_over(config, fields, model_type)]
    notes += contradicted(config, pair) if pair is not None else ()
    if filled := fields.defaults | whole.defaults:
        said = ", ".join(f"{key} {value}" for key, value in filled.items())
        notes.append(f"not in the configuration, so the default of {model_type}: {said}")
    if prefix and pair is None:
        _worth(wanted, name)
        notes.append("only the text model is counted; towers for images or sound are left out")
    return replace(architecture, notes=tuple(notes))


def _of_diffusers(config: Mapping[str, object]) -> Architecture:
    """The model of a configuration file of diffusers, which names its class."""
    name = config["_class_name"]
    family = DIFFUSERS.get(name) if isinstance(name, str) else None
    if family is None:
        known = ", ".join(DIFFUSERS)
        message = (
            f"{shown(name)} is a class of diffusers that is not counted; counted are {known}. Any "
            "other: model.forward_flops (costcalc.count gives them) or model.parameters"
        )
        raise InputError(Problem(key="_class_name", message=message))
    fields = Fields(config)
    try:
        return family(fields)
    finally:
        fields.check()


def _pair(config: Mapping[str, object]) -> Pair | Listener | None:
    """The family that sees or hears, of a configuration that says more than its text model."""
    name = config.get("model_type")
    if not isinstance(name, str) or name not in BOTH:
        return None
    tower = "vision_config" if name in PAIRS else "audio_config"
    return None if "text_config" in config and tower not in config else BOTH[name]


def _passed_over(config: Mapping[str, object], fields: Fields, model_type: str) -> list[str]:
    """What of a configuration changes the model, or may, and was not read."""
    notes, name = [], class_of(config)
    if name is not None and foreign(name, model_type) and "auto_map" not in config:
        notes.append(f"{name} is no class of {model_type}: counted as that family's model")
    if "auto_map" in config:
        notes.append(f"its own code (auto_map) is not read: counted as a model of {model_type}")
    if unread := fields.unread():
        more = f" and {len(unread) - 8} more" if len(unread) > 8 else ""
        notes.append(f"not read, and may change the model: {', '.join(unread[:8])}{more}")
    return notes


def _worth(wanted: Asked, name: str) -> None:
    """Refuse a model that is no language model and whose text model is but a part of it."""
    if wanted.said_by == "model.head" or (wanted.head in OF_TEXT and name not in TEXT_TOWERS):
        return
    message = (
        f"{wanted.said_by or 'the whole'} is more than its text model, and no family that is "
        "counted: model.forward_flops (costcalc.count gives them) or model.parameters"
    )
    key = "architectures" if wanted.said_by else "model_type"
    raise InputError(Problem(key=key, message=message))


#: text models that only ever stand beside a tower for images
TEXT_TOWERS = ("clip_text_model",)
OF_TEXT = (LANGUAGE, "classifier", "regression", "tokens", "answers", "reward")


def _text_part(config: Mapping[str, object]) -> tuple[Mapping[str, object], str]:
    own_type = config.get("model_type")
    if isinstance(own_type, str) and own_type in FAMILIES:
        return config, ""
    for name in NESTED:
        inner = config.get(name)
        if isinstance(inner, Mapping):
            own = {key: config[key] for key in ("model_type",) if key in config} | dict(inner)
            if config.get("tie_word_embeddings") is not None:  # what the whole says wins
                own["tie_word_embeddings"] = config["tie_word_embeddings"]
            return own, f"{name}."
    return config, ""


def _family(config: Mapping[str, object], prefix: str) -> str:
    name = config.get("model_type")
    if isinstance(name, str):
        name = ALIASES.get(name, BOTH[name].text if name in BOTH else name)
    if isinstance(name, str) and name in FAMILIES:
        return name
    known = f"{len(supported())} are counted (docs/architectures.md lists them)"
    if not isinstance(name, str):
        message = f"expected the name of a family; got {shown(name)}: {known}"
    else:
        near = nearest(name, supported())
        hint = f"; did you mean {', '.join(near)}? " if near else ". "
        message = (
            f"no family {name}{hint}{known[0].upper()}{known[1:]}. Any other model: "
            "model.forward_flops (costcalc.count gives them), model.parameters or "
            "model.architecture"
        )
    raise InputError(Problem(key=f"{prefix}model_type", message=message))
