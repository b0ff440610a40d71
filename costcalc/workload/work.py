"""The record that the workload stage hands on: what has to be computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from costcalc.workload.architecture import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """Tokens that a policy generates (PPO, GRPO): decoding is bound by memory, not by FLOPs."""

    sequences: float  # generated in the whole run
    prompt_length: int
    generation_length: int
    group: int  # sequences that share a prompt
    flops: float  # of all of it, once; part of ``Work.model_flops``


@dataclass(frozen=True, slots=True, kw_only=True)
class Recompute:
    """Hardware FLOPs that activation recompute adds, as a share of the model FLOPs."""

    none: float = 0.0
    selective: float = 0.0
    full: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """FLOPs and sizes of one run.

    ``model_flops`` is one run's budget without recompute, with what a policy generates
    (``generation.flops``) and what a teacher or a reference computes; ``flops_per_datum`` that of a
    token or a sample (``datum``); ``data`` how many of them one run trains on.  ``architecture`` is
    None where only FLOPs or parameter counts were given.  Figures that
    cannot be had are None.
    """

    architecture: Architecture | None
    method: str
    datum: Literal["token", "sample"]
    parameters: float | None
    active_parameters: float | None
    trainable_parameters: float | None
    data: float | None
    sequence_length: int | None
    flops_per_datum: float | None
    forward_flops_per_datum: float | None
    model_flops: float
    recompute: Recompute
    convention: str
    generation: Generation | None = None
    exact: bool = True  # counted from shapes or given; False: by 6·N·D or the like
    spread: float = 1.0  # high/value (and value/low) of the FLOP count where it is not exact
    notes: tuple[str, ...] = ()  # what was assumed on the way, a sentence each
