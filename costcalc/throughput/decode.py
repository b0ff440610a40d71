"""The time of generating tokens (PPO, GRPO): bound by memory, not by FLOPs.

Each decode step reads the weights once for the whole batch and every sequence's keys and values;
arithmetic matters only for large batches (Pope et al. 2022, arXiv:2211.05102, section 2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from costcalc.throughput.basis import peak_of
from costcalc.throughput.coefficients import ceiling_of
from costcalc.throughput.constants import Constants
from costcalc.throughput.layout import Machine
from costcalc.throughput.shape import ModelShape

#: true over predicted time, 5th and 95th percentile: a prior, as nothing measured ships.  A tuned
#: server keeps its batch full and reaches the bandwidth; rollouts wait for the longest answer,
#: and a generation loop inside a training framework loses several times that.
RANGE = (0.8, 4.0)
#: share of the memory bandwidth that decoding reaches, and of the peak that a prompt does
BANDWIDTH, PREFILL = 0.6, 0.5
#: share of the memory that weights and keys and values may take
MEMORY = 0.85
#: seconds a layer of launching a decode step's kernels, and collectives
LAYER = 2.0e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeTime:
    """Seconds of generating everything; ``low`` and ``high`` the 5th and 95th percentile.

    ``batch``: sequences that one replica of the model decodes together; ``shards``: devices that
    one replica takes.
    """

    seconds: float
    low: float
    high: float
    prefill: float
    decode: float
    batch: float
    shards: int


def decode_time(
    shape: ModelShape,
    machine: Machine,
    *,
    sequences: float,
    prompt_length: float,
    generation_length: float,
    precision: str = "bf16",
    constants: Constants | None = None,
) -> DecodeTime:
    """Seconds that all devices of ``machine`` take to generate ``sequences`` answers.

    Weights in 16 bits, split over as many devices as hold them with room for one sequence; the
    rest of the memory bounds the batch.  Raises InputError where the machine has no peak for the
    precision.
    """
    peak = peak_of(machine, precision) * ceiling_of(machine, precision) * PREFILL
    weights = 2.0 * float(shape.parameters)
    held = prompt_length + generation_length
    a_token = 4.0 * float(shape.layers) * float(shape.kv_heads) * float(shape.head_dim)
    room = MEMORY * machine.memory if machine.memory else math.inf
    shards = 1
    while weights + a_token * held > room * shards and shards < machine.devices:
        shards *= 2
    shards = min(shards, machine.devices)
    replicas = max(machine.devices // shards, 1)
    most = (room * shards - weights) / max(a_token * held, 1.0)
    batch = max(min(sequences / replicas, most), 1.0)
    rounds = math.ceil(sequences / (batch * replicas) - 1e-9)
    share = (constants or {}).get("global", {}).get("bandwidth", 0.85)
    bandwidth = machine.memory_bandwidth * min(share, BANDWIDTH) * shards
    mean = prompt_length + generation_length / 2.0
    read = _weights_read(shape, batch) + batch * a_token * mean
    flops = 2.0 * batch * float(shape.active_weights)
    a_step = max(read / bandwidth, flops / (peak * shards)) + LAYER * float(shape.layers)
    decode = rounds * generation_length * a_step
    prefill = rounds * batch * prompt_length * 2.0 * float(shape.active_weights) / (peak * shards)
    total = decode + prefill
    return DecodeTime(
        seconds=total,
        low=total * RANGE[0],
        high=total * RANGE[1],
        prefill=prefill,
        decode=decode,
        batch=batch,
        shards=shards,
    )


def _weights_read(shape: ModelShape, batch: float) -> float:
    """Bytes of weights that a decode step reads: of experts, those that some sequence is sent to.

    A batch of B tokens, each to k of E experts, reaches E·(1 − (1 − k/E)^B) of them.
    """
    experts = float(shape.layers) * float(shape.expert_stored)
    share = 1.0
    if float(shape.experts) > 0:
        missed = 1.0 - float(shape.experts_per_token) / float(shape.experts)
        share = 1.0 - missed**batch
    return 2.0 * (float(shape.parameters) - experts * (1.0 - share))
