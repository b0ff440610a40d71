"""Software that trains: what each stack does unless it is told otherwise, fact by fact.

A fact names its source.  Where it depends on what is trained or on what, the first of several that
applies holds.  The facts are what a run of the stack does as its own examples set it up; what a
run file says of a run wins over them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from costcalc.base.errors import NotFoundError, Problem
from costcalc.base.vocabulary import GRADIENTS, LOGITS, RECOMPUTES, STATES
from costcalc.catalog.figure import Names, Source
from costcalc.catalog.index import index
from costcalc.catalog.loading import Record, shipped
from costcalc.catalog.matching import refusal, shipped_as

KIND = "software"
YES_OR_NO = (True, False)
#: what a stack is asked for, in the order in which it is shown, and the values that it may have
FACTS: Mapping[str, tuple[bool | str, ...]] = {
    "compiled": YES_OR_NO,
    "attention": ("flash", "flash2", "standard"),
    "states": STATES,
    "logits": LOGITS,
    "gradients": GRADIENTS,
    "recompute": ("auto", *RECOMPUTES),
    "overlap": YES_OR_NO,
    "parallel": ("data", "all"),
    "sequence_parallel": YES_OR_NO,
    "modules": ("fused", "plain"),
    "shards": ("deepspeed", "own"),
    "trainer": ("transformers", "own"),
    "sums": YES_OR_NO,
    "checkpoints": ("host", "device"),
    "selective": ("core", "matmuls"),
    "cast": ("tensor", "row"),
    "experts": ("grouped", "looped"),
}


class Fact(BaseModel):
    """What a stack does, who says so, and of which runs: all of them where nothing is said."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    value: bool | str
    source: str
    methods: Names = Field((), description="only of these methods")
    generations: Names = Field((), description="only on these generations of chips")
    alone: bool | None = Field(None, description="only on one device, or only on several")
    cut: bool | None = Field(None, description="only where layers are cut over devices, or not")
    packed: bool | None = Field(None, description="only beside a base of 8 or 4 bits, or not")
    note: str | None = None

    def holds(
        self, method: str, generation: str, devices: int, *, cut: bool = False, packed: bool = False
    ) -> bool:
        """Whether it is of this method on so many devices of this generation.

        ``cut``: the run says tensor or pipeline parallelism; ``packed``: its base is of 8 or 4
        bits.
        """
        return (
            (not self.methods or method in self.methods)
            and (not self.generations or generation in self.generations)
            and self.alone in (None, devices == 1)
            and self.cut in (None, cut)
            and self.packed in (None, packed)
        )

    @property
    def everywhere(self) -> bool:
        """Whether it is said of every run."""
        narrowed = {self.alone, self.cut, self.packed} != {None}
        return not (self.methods or self.generations or narrowed)


Facts = tuple[Fact, ...]


class Software(Record):
    """One stack: of each key of :data:`FACTS` what it does, the last of them of every run."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    name: str
    aliases: tuple[str, ...] = Field((), description="other names, as people write them")
    organisation: str
    on: str = Field(description="what it is built on: PyTorch, JAX, …")
    compiled: Facts = Field(description="true: by torch.compile or jit, or fused throughout")
    attention: Facts = Field(
        description="flash: as good as any of its generation; flash2: FlashAttention-2; standard"
    )
    states: Facts = Field(description="fp32 or bf16: master weights and optimizer states")
    logits: Facts = Field(description="full, chunked or fused: what of them stays in memory")
    gradients: Facts = Field(description="kept, or freed where the optimizer steps in backward")
    recompute: Facts = Field(
        (), description="none, selective or full where nobody asks for it; auto: as memory needs"
    )
    overlap: Facts = Field(description="true: communication runs beside computation")
    parallel: Facts = Field(
        description="data: only the batch is divided; all: layers, stages and sequences too"
    )
    sequence_parallel: Facts = Field(
        description="true: what tensor parallelism does not divide is divided"
    )
    modules: Facts = Field((), description="fused: its own kernels; left out: plain, or compiled")
    shards: Facts = Field((), description="deepspeed: by it where a run says zero1 to zero3")
    trainer: Facts = Field(
        (),
        description="transformers: its Trainer, with peft's adapters; states are then as wide as "
        "the weights that were loaded",
    )
    sums: Facts = Field(
        (), description="true: 16-bit gradients are summed in 32 bits, held beside them"
    )
    checkpoints: Facts = Field((), description="where recompute keeps the inputs of layers")
    selective: Facts = Field(
        (),
        description="what selective recompute runs again: the core of attention (beside fused "
        "attention norms and activations), or all but every other matmul",
    )
    cast: Facts = Field(
        (),
        description="scales of 8 bits: one a tensor, or one a row or block; shown, no estimate "
        "rests on it",
    )
    experts: Facts = Field(
        (),
        description="grouped, or looped: products launched one by one; shown, no estimate rests "
        "on it",
    )
    note: str | None = None
    sources: dict[str, Source]

    @model_validator(mode="after")
    def _whole(self) -> Software:
        used = {fact.source for _, fact in self.facts()}
        for name, fact in self.facts():
            if fact.value not in FACTS[name]:
                words = ", ".join(str(word).lower() for word in FACTS[name])
                raise ValueError(f"{name}: expected one of {words}; got {fact.value}")
            if fact.source not in self.sources:
                raise ValueError(f"{name}: expected a name from sources; got {fact.source!r}")
        for name in set(self.sources) - used:
            raise ValueError(f"sources.{name}: no fact uses it")
        for name in FACTS:
            listed: Facts = getattr(self, name)
            # without modules of their own stacks are plain, or compiled
            if listed and name != "modules" and not listed[-1].everywhere:
                raise ValueError(f"{name}: expected a last fact that is said of every run")
        return self

    def facts(self) -> Iterator[tuple[str, Fact]]:
        """Every fact by its name."""
        for name in FACTS:
            for fact in getattr(self, name):
                yield name, fact

    def fact(
        self,
        name: str,
        method: str,
        generation: str,
        devices: int,
        *,
        cut: bool = False,
        packed: bool = False,
    ) -> Fact | None:
        """The fact that holds of a run; None where nothing is known.

        ``cut``: the run says tensor or pipeline parallelism; ``packed``: its base is of 8 or 4
        bits.

        >>> find("transformers").fact("attention", "lora", "hopper", 8).value
        'flash2'
        """
        listed: Facts = getattr(self, name)
        held = (
            one for one in listed if one.holds(method, generation, devices, cut=cut, packed=packed)
        )
        return next(held, None)


WAY_OUT = "or leave training.software out: what is usual for method and size is taken"


def find(name: str) -> Software:
    """The stack that a name stands for: an id, or an alias.

    Raises:
        NotFoundError: no stack of that name; the message names the nearest.

    >>> find("Megatron-LM").id, find("HF").id, find("torch").id
    ('megatron', 'transformers', 'pytorch')
    """
    candidates = shipped_as(name, (KIND,))
    if len(candidates) == 1:
        return shipped(candidates[0].file, Software)
    heads = index().heads(KIND)
    error = refusal("training.software", "software", name, heads, candidates, WAY_OUT)
    if candidates or "; nearest: " in error.problems[0].message:
        raise error
    known = ", ".join(head.id for head in heads)
    message = f"no software {name[:60]}; known: {known}; {WAY_OUT}"
    raise NotFoundError(Problem(key="training.software", message=message))


def all_software() -> list[Software]:
    """Every stack, by id.

    >>> len(all_software()) >= 20
    True
    """
    return [shipped(head.file, Software) for head in index().heads(KIND)]


def schema() -> dict[str, Any]:
    """The JSON Schema of a stack.

    >>> schema()["title"]
    'costcalc software'
    """
    made = Software.model_json_schema()
    made["title"] = "costcalc software"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
