"""Presets: well-known models by name, each with where its shape and its counts come from.

A preset says what a model is in one of the ways that a run file can: by the keys of its published
``config.json`` that determine its shape, by an ``architecture``, or by the FLOPs of one forward
pass.  Matching is by id (the file's name) or by a declared alias, exact but for case.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from costcalc.base.errors import not_found
from costcalc.base.reading import read
from costcalc.catalog.figure import Date, Flops, Share, Source, Tokens, source_faults
from costcalc.catalog.files import data_root
from costcalc.catalog.loading import Record, load

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

Kind = Literal["decoder", "encoder", "encoder-decoder", "ssm", "vision", "diffusion", "speech"]
Family = Literal[
    "dense", "moe", "encoder", "encoder-decoder", "ssm", "cnn", "vit", "unet", "dit", "speech"
]
Count = Share  # a figure without a dimension, more than 0
WAYS = ("config", "architecture", "forward_flops")


class Published(BaseModel):
    """What the publisher states of the model and of its training; facts, not inputs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    """The preset of that id or alias; case does not matter.

    Raises:
        NotFoundError: no preset of that name; the message names the nearest.

    >>> find("llama-3-8b").name
    'Llama 3 8B'
    >>> find("meta-llama/Meta-Llama-3-8B").id
    'llama-3-8b'
    """
    wanted = _plain(name)
    if re.fullmatch(r"[a-z0-9][a-z0-9.-]*", wanted) and (_folder() / f"{wanted}.yaml").is_file():
        return _load(f"{wanted}.yaml")
    file = _index().get(wanted)
    if file is None:
        raise not_found("model.preset", "preset", name, sorted(_index()))
    return _load(file)


def all_presets() -> list[Preset]:
    """Every preset, by id.

    >>> len(all_presets()) >= 60
    True
    """
    return [_load(path.name) for path in _files()]


def names() -> dict[str, str]:
    """Every id and alias in lower case, and the id that it stands for; reads only the heads.

    >>> names()["gpt-3"]
    'gpt-3-175b'
    """
    return {name: file.removesuffix(".yaml") for name, file in _index().items()}


def schema() -> dict[str, Any]:
    """The JSON Schema of a preset.

    >>> schema()["title"]
    'costcalc preset'
    """
    made = Preset.model_json_schema()
    made["title"] = "costcalc preset"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _plain(name: str) -> str:
    return " ".join(name.split()).lower()


def _folder() -> Traversable:
    return data_root() / "presets"


def _files() -> list[Traversable]:
    found = [path for path in _folder().iterdir() if path.name.endswith(".yaml")]
    return sorted(found, key=lambda path: path.name.removesuffix(".yaml"))


@cache
def _load(file: str) -> Preset:
    return load(_folder() / file, Preset, f"costcalc/data/presets/{file}")


_HEAD = re.compile(r"^(?:id|aliases):.*\n(?:[ \t].*\n)*", re.MULTILINE)


@cache
def _index() -> dict[str, str]:
    """Every id and alias in lower case, and its file: the rest of each file stays unread."""
    found: dict[str, str] = {}
    for path in _files():
        head = read("".join(_HEAD.findall(path.read_text(encoding="utf-8"))), path.name).data
        for name in (head["id"], *head.get("aliases", ())):
            found.setdefault(_plain(str(name)), path.name)
    return found
