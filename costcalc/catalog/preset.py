"""Presets: well-known models by name, each with where its shape and its counts come from.

A preset says what a model is in one of the ways that a run file can: by the keys of its published
``config.json`` that determine its shape, by an ``architecture``, or by the FLOPs of one forward
pass.  Matching is by id (the file's name) or by a declared alias, exact but for case.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, ClassVar, Literal, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from costcalc.base.errors import NotFoundError, Problem
from costcalc.catalog.figure import Date, Flops, Share, Source, Tokens, source_faults
from costcalc.catalog.index import Head, index, plain
from costcalc.catalog.loading import Record, shipped
from costcalc.catalog.matching import letters, refusal, shipped_as

Kind = Literal["decoder", "encoder", "encoder-decoder", "ssm", "vision", "diffusion", "speech"]
Family = Literal[
    "dense",
    "moe",
    "encoder",
    "encoder-decoder",
    "ssm",
    "cnn",
    "detector",
    "vit",
    "unet",
    "dit",
    "speech",
]
Count = Share  # a figure without a dimension, more than 0
KIND = "presets"
WAYS = ("config", "architecture", "forward_flops")


class Published(BaseModel):
    """What the publisher states of the model and of its training; facts, not inputs."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    parameters: Count | None = None
    active_parameters: Count | None = Field(None, description="that one token passes")
    training_tokens: Tokens | None = Field(None, description="of its pretraining")
    training_compute: Flops | None = None
    forward_flops: Flops | None = Field(None, description="of one sample, beside a config")


class Preset(Record):
    """One well-known model.

    ``tested_parameters`` is the count of its stored parameters, tied ones once, that tests hold
    the calculator to.  ``first_layer_flops`` is the part of ``forward_flops`` in the first layers,
    whose inputs need no gradient: training takes 3·forward - first layers.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    name: str
    aliases: tuple[str, ...] = Field((), description="other names: Hub repositories, short forms")
    kind: Kind
    family: Family
    organisation: str
    released: Date
    config: dict[str, Any] | None = Field(
        None, description="the keys of the published config.json that determine the shape"
    )
    config_source: str | None = Field(None, description="the name of the config's source")
    architecture: dict[str, Any] | None = Field(None, description="as model.architecture")
    forward_flops: Flops | None = Field(
        None, description="FLOP of one sample forward, 2 a multiply-add"
    )
    first_layer_flops: Flops | None = None
    activations: Count | None = Field(
        None, description="elements that the layers put out for a sample, where they were counted"
    )
    layers: Count | None = Field(
        None, description="layers with weights, where FLOPs are a sample's: what a host launches"
    )
    sample: str | None = Field(None, description="what one sample is, where FLOPs are a sample's")
    sequence_length: Tokens | None = Field(None, description="tokens a sequence, in pretraining")
    tested_parameters: Count
    published: Published = Field(default_factory=lambda: Published.model_validate({}))
    note: str | None = None
    sources: dict[str, Source]

    @model_validator(mode="after")
    def _whole(self) -> Preset:
        ways = [way for way in WAYS if getattr(self, way) is not None]
        if len(ways) != 1:
            found = " and ".join(ways) or "none of them"
            raise ValueError(f"expected one of {', '.join(WAYS)}; got {found}")
        if self.forward_flops is not None and self.sample is None:
            raise ValueError("forward_flops need sample: what one sample is")
        if (self.config is None) != (self.config_source is None):
            raise ValueError("config and config_source go together")
        if self.config_source is not None and self.config_source not in self.sources:
            raise ValueError(f"config_source: no {self.config_source} among sources")
        also_used = (self.config_source,) if self.config_source else ()
        for path, fault in source_faults(self, self.sources, also_used):
            raise ValueError(f"{path}: {fault}")
        return self

    @property
    def way(self) -> str:
        """Which of ``config``, ``architecture``, ``forward_flops`` says what the model is."""
        return next(way for way in WAYS if getattr(self, way) is not None)

    @property
    def parameters(self) -> float:
        """Stored parameters, tied ones once."""
        return self.tested_parameters.si


def find(name: str) -> Preset:
    """The preset that a name stands for: an id, an alias, or one of those with other dressing.

    ``Qwen/Qwen2.5-7B-Instruct`` finds ``qwen2.5-7b``: how it was tuned or quantised leaves the
    shape as it is (:func:`stored_as` says the precision). Who uploaded it is passed over where it
    is its maker, or one who copies or quantises models as they are; another's of the same name may
    be another.

    Raises:
        NotFoundError: no preset of that name; the message names the nearest.

    >>> find("llama-3-8b").name
    'Llama 3 8B'
    >>> find("meta-llama/Meta-Llama-3-8B-Instruct").id, find("unsloth/llama-3-8b-bnb-4bit").id
    ('llama-3-8b', 'llama-3-8b')
    """
    given, name = name, repository(name)
    owner, _, bare = name.rpartition("/")
    for one in (name, _TUNED.sub("", name)):
        if len(found := shipped_as(one, (KIND,))) == 1:
            return shipped(found[0].file, Preset)
    shape = _QUANTISED.sub("", bare)
    candidates = next(
        (found for one in (bare, shape, _TUNED.sub("", shape))
         if (found := shipped_as(one, (KIND,)) or _copied(one))), ()
    )  # fmt: skip
    if len(candidates) == 1:
        made = shipped(candidates[0].file, Preset)
        quantised = shape != bare and owner.lower() in QUANTISERS
        if not owner or quantised or _same(owner, made):
            return made
        message = (
            f"no preset {given[:60]}; {made.id} is another's model of that name, write it if the "
            f"shapes are equal, {WAY_OUT}"
        )
        raise NotFoundError(Problem(key="model.preset", message=message))
    heads = index().heads(KIND)
    raise refusal("model.preset", "preset", name, heads, candidates, WAY_OUT)


# Addresses of a repository: the Hub's and its mirrors', a file or folder in it, its cache's folder.
_ADDRESS = re.compile(
    r"(?:hf:/*|(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co|hf-mirror\.com"
    r"|modelscope\.(?:cn|ai)/models)/)(?P<id>[^/?#@\s]+(?:/[^/?#@\s]+)?)(?:[/?#@].*)?",
    re.IGNORECASE,
)
_CACHED = re.compile(r"models--(?P<id>[^/]+--[^/]+?)(?:/.*)?")


def repository(name: str) -> str:
    """The repository that an address stands for; any other name as it is.

    >>> repository("https://huggingface.co/Qwen/Qwen2.5-7B/tree/main"), repository("gpt2")
    ('Qwen/Qwen2.5-7B', 'gpt2')
    """
    if (address := _ADDRESS.fullmatch(name.strip())) is not None:
        return address["id"]
    cached = _CACHED.fullmatch(name.strip())
    return cached["id"].replace("--", "/", 1) if cached else name.removesuffix(":latest")


def _copied(bare: str) -> tuple[Head, ...]:
    """The presets whose makers call a model so, their own name left out of it."""
    wanted = plain(bare)
    return tuple(
        head
        for head in index().heads(KIND)
        if any(name.rpartition("/")[2] == wanted for name in head.names if "/" in name)
    )


def _same(owner: str, made: Preset) -> bool:
    """Whether an uploader's model of a preset's name is that preset."""
    makers = {alias.rpartition("/")[0].lower() for alias in made.aliases} | {made.organisation}
    return owner.lower() in COPYISTS or letters(owner) in set(map(letters, makers))


def stored_as(name: str) -> tuple[str | None, str] | None:
    """What a name says that its weights are quantised to, and the words that say it; None: nothing.

    The precision is one of a frozen base (``nf4`` for any of 4 bits, ``int8`` for any of 8), None
    where the words leave it open.

    >>> stored_as("Qwen/Qwen2.5-7B-Instruct-AWQ"), stored_as("org/model-GPTQ-Int8")
    (('nf4', 'AWQ'), ('int8', 'GPTQ-Int8'))
    >>> stored_as("bartowski/model-GGUF"), stored_as("llama-3-8b")
    ((None, 'GGUF'), None)
    """
    name = repository(name)
    match = _QUANTISED.search(name)
    if match is None or shipped_as(name, (KIND,)):
        return None
    words = match[0].strip("-_")
    if re.search(r"8bit|int8|fp8|w8a", words, re.I):
        return "int8", words
    return (None if words.lower() == "gguf" else "nf4"), words


WAY_OUT = "or give model.config, the config.json of its repository, or model.parameters"
# Who uploads the models of others as they are, or quantised.
COPYISTS = {"unsloth", "nousresearch", "huggyllama", "mlx-community", "redhatai", "neuralmagic"}
COPYISTS |= {"thebloke", "bartowski", "hugging-quants", "lmstudio-community", "casperhansen"}
QUANTISERS = {"nvidia", "amd", "intel"}  # of others' models; under their own names, makers
_TUNED = re.compile(r"(?:[-_](?:instruct|chat|it|base|pt|hf|sft|dpo|2507|thinking|bf16))+$", re.I)
_QUANTISED = re.compile(
    r"[-_](?:gptq(?:[-_]int[48])?|awq(?:[-_]int4)?|gguf|fp8(?:[-_]dynamic)?|nvfp4|fp4|int[48]|hqq"
    r"|quantized\.w[48]a\d+|(?:unsloth[-_])?bnb[-_][48]bit|[48]bit)$",
    re.I,
)


def all_presets() -> list[Preset]:
    """Every preset, by id.

    >>> len(all_presets()) >= 60
    True
    """
    return [shipped(head.file, Preset) for head in index().heads(KIND)]


class Listed(NamedTuple):
    """What finds a preset in a list, and its stored parameters, tied ones once."""

    id: str
    name: str
    aliases: tuple[str, ...]
    kind: str
    family: str
    organisation: str
    parameters: float


@cache
def listed() -> tuple[Listed, ...]:
    """Every preset, by id, without its configuration and sources: a quarter of the time and room.

    >>> [each.parameters for each in listed() if each.id == "gpt2"]
    [124439808.0]
    """
    told = (cast("dict[str, Any]", index().data(head.file)) for head in index().heads(KIND))
    return tuple(
        Listed(
            *(one["id"], one["name"], tuple(one.get("aliases", ()))),
            *(one["kind"], one["family"], one["organisation"]),
            float(one["tested_parameters"]["value"]),  # of unit 1
        )
        for one in told
    )


def names() -> dict[str, str]:
    """Every id and alias in lower case, and the id that it stands for; reads no figures.

    >>> names()["gpt-3"]
    'gpt-3-175b'
    """
    ids = {head.file: head.id for head in index().heads(KIND)}
    return {name: ids[file] for name, file in index().names(KIND).items()}


def schema() -> dict[str, Any]:
    """The JSON Schema of a preset.

    >>> schema()["title"]
    'costcalc preset'
    """
    made = Preset.model_json_schema()
    made["title"] = "costcalc preset"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
