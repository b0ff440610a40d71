"""What stands on top of a model: ``architectures`` of a config.json says it, or ``model.head``.

A class of transformers is named by its family and its task: ``XLMRobertaForSequenceClassification``
is an XLM-R with a classifier and no logits over its words.  A family is built with the head that it
is pretrained with; :func:`crowned` puts another one in its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from costcalc.base.errors import InputError, Problem
from costcalc.workload.architecture import Architecture, Linear, Stream
from costcalc.workload.families.common import Operators, beside, linear, weights
from costcalc.workload.families.fields import LANGUAGE, Asked

#: the values of ``model.head``; a configuration's class may say others
HEADS = (LANGUAGE, "classifier", "regression", "tokens", "none")

#: how the name of a class ends -> its head
ENDINGS: dict[str, str] = {
    "ForCausalLM": LANGUAGE,
    "LMHeadModel": LANGUAGE,
    "WithLMHeadModel": LANGUAGE,
    "ForConditionalGeneration": LANGUAGE,
    "MTModel": LANGUAGE,
    "GenerationDecoder": LANGUAGE,
    "ForMaskedLM": LANGUAGE,
    "ForPreTraining": "pretraining",
    "ForSequenceClassification": "classifier",
    "ForImageClassification": "classifier",
    "ForVideoClassification": "classifier",
    "ForAudioClassification": "classifier",
    "ForRewardModel": "reward",
    "RewardModel": "reward",
    "ForTokenClassification": "tokens",
    "ForQuestionAnswering": "answers",
    "ForMultipleChoice": "choice",
    "EncoderModel": "encoder",
    "Model": "none",
    "VisionTransformer": "none",
    "ModelWithProjection": "projected",
    "Encoder": "none",
    "ForCTC": "ctc",
    "ForRNNT": "transducer",
    "ForTDT": "transducer",
    "ForObjectDetection": "detection",
    "ForSemanticSegmentation": "segmentation",
    "ForMaskGeneration": "masks",
}

_CLASS = re.compile(
    r"^(\w+?)(For[A-Z]\w*|(?:With)?LMHeadModel|GenerationDecoder|(?:MT|Reward|Encoder)?Model|VisionTransformer|Encoder|ModelWithProjection)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tops:
    """What a family puts on top beside the head that it is pretrained with.

    ``pooler``: the bare model ends in a dense layer over one position.  ``dense``: a classifier of
    sequences has one before its output, ``each`` a tagger of tokens too; ``norm``: parameters of
    the norm behind it, in widths; ``bias``: the classifier's output has one (taggers always have).
    ``own``: heads that the family is built with.
    """

    own: tuple[str, ...] = ()
    discriminates: bool = False  # the head of pretraining is built by the family
    pooler: bool = False
    dense: bool = True
    each: bool = False
    dense_bias: bool = True
    norm: int = 0
    bias: bool = True


PLAIN = Tops(dense=False, bias=False)  # decoders: one matrix
POOLED = Tops(pooler=True)  # BERT and its kin
DENSE = Tops()
IMAGE = Tops(own=("classifier",))
TOWERS = Tops(own=("classifier", "regression", "none", "projected"))


def asked(config: Mapping[str, object], head: str | None, labels: int | None) -> Asked:
    """The head of a configuration; ``head`` and ``labels`` of the run file win.

    Raises:
        InputError: a class whose task is not known: it is not the family's model.

    >>> asked({"architectures": ["BertModel"]}, None, None).head
    'none'
    """
    if head is not None:
        return Asked(head, 1 if head == "regression" else labels, "model.head")
    name = class_of(config)
    if name is None:
        return Asked(labels=labels)
    found = _CLASS.match(name)
    if found is None or found[2] not in ENDINGS:
        message = (
            f"{name} is no class that is counted: its name ends in no known task (ForCausalLM, "
            "ForSequenceClassification, Model, …), so that its layers may be others. Where it is a "
            f"model of this family for all that, say its head: model.head: {', '.join(HEADS)}"
        )
        raise InputError(Problem(key="architectures", message=message))
    return Asked(ENDINGS[found[2]], labels, name)


def class_of(config: Mapping[str, object]) -> str | None:
    """The first of ``architectures``."""
    names = config.get("architectures")
    first = names[0] if isinstance(names, list | tuple) and names else None
    return first if isinstance(first, str) else None


def foreign(name: str, model_type: str) -> bool:
    """Whether a class belongs to another family than the one of ``model_type``.

    >>> foreign("XLMRobertaModel", "xlm-roberta"), foreign("LlamaBidirectionalModel", "llama")
    (False, True)
    >>> foreign("HunYuanDenseV1ForCausalLM", "hunyuan_v1_dense")  # the same words
    False
    """
    found = _CLASS.match(name)
    own, family = (re.sub(r"[^a-z0-9]", "", text.lower()) for text in (
        found[1] if found else name, re.sub("_(text|encoder|ctc|rnnt|tdt)$", "", model_type),
    ))  # fmt: skip
    parts = [part.lower() for part in re.split("[-_]", model_type) if part]
    initials = "".join(part[0] for part in parts)
    same_words = len(own) == sum(map(len, parts)) and all(part in own for part in parts)
    return own not in (family, f"{family}text", initials) and not same_words


def crowned(
    model: Architecture, wanted: Asked, labels: int, tops: Tops | None = None
) -> Architecture:
    """The model with the head that is wanted in place of the one it is pretrained with.

    >>> from costcalc.workload.counting import parameters
    >>> from costcalc.workload.families import build
    >>> config = {"model_type": "bert", "architectures": ["BertForSequenceClassification"]}
    >>> parameters(build(config)) == parameters(build({"model_type": "bert"}, head="none")) + 1538
    True
    """
    head, tops = wanted.head, tops or (PLAIN if model.kind == "decoder" else POOLED)
    plain = tops.discriminates or not tops.pooler
    if head in (LANGUAGE, *tops.own) or (head == "pretraining" and plain):
        return model
    old = [o for b in model.blocks if b.name == "head" for o in b.operators]
    body = tuple(block for block in model.blocks if block.name != "head")
    width = next((o.n_in for o in old if isinstance(o, Linear) and o.part == "head"), model.hidden)
    width = width if tops is PLAIN else model.hidden
    if head == "pretraining":  # and whether two sentences follow each other
        body, head, labels = model.blocks, "classifier", 2
    outputs = {"reward": 1, "answers": 2, "choice": 1}.get(head, labels)
    whole = head in ("classifier", "regression", "reward", "choice")
    dense: Operators = ()
    if (whole and tops.dense) or (head in ("tokens", "answers") and tops.each):
        dense = (linear(width, width, "other", "dense", tops.dense_bias),)
        dense += weights(tops.norm * width)
    bias = tops.bias or not whole
    out: Operators = (linear(width, outputs, "head", "score", bias),)
    if head == "none" or (head == "encoder" and model.kind in ("encoder", "encoder-decoder")):
        pooler = tops.pooler and head == "none"
        whole, out, head = True, (), "none"
        dense = (linear(width, width, "other", "pooler", bias=True),) if pooler else ()
    elif not whole and head not in ("tokens", "answers"):
        key = "architectures" if wanted.said_by != "model.head" else wanted.said_by
        message = f"{wanted.said_by or head} is not counted for {model.name}"
        raise InputError(Problem(key=key, message=message))
    top = (*dense, *out)
    main = model.blocks[-1].stream
    streams = model.streams + ((Stream(name="pooled", length=1),) if whole and top else ())
    blocks = body + ((beside("head", top, "pooled" if whole else main),) if top else ())
    what = {"none": "no head", "tokens": f"{outputs} labels a token"}.get(
        head, f"{outputs} outputs a sequence" if whole else f"{outputs} outputs a token"
    )
    beside_words = "beside the" if body is model.blocks else "no"
    note = f"head: {what}, {beside_words} logits over words ({wanted.said_by})"
    notes = (*model.notes, note)
    return replace(model, streams=streams, blocks=blocks, further=(), notes=notes)
