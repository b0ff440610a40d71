"""How a model is spread over devices, and the machine that it runs on: records in SI units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from costcalc.workload.work import Passes

Sharding = Literal["none", "zero1", "zero2", "zero3", "hsdp"]
#: dimensions of a fabric by its topology in a profile; a switch has none
TORUS = {"torus-2d": 2, "torus-3d": 3}
RecomputeKind = Literal["none", "selective", "full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """data × tensor × pipeline × context = devices; ``expert`` divides data × tensor × context."""

    data: int = 1
    tensor: int = 1
    pipeline: int = 1
    virtual_pipeline: int = 1
    context: int = 1
    expert: int = 1
    sharding: Sharding = "none"
    offload: str = "none"
    micro_batch: int = 1
    recompute: RecomputeKind = "none"
    sequence_parallel: bool = True

    @property
    def devices(self) -> int:
        """How many devices the layout fills."""
        return self.data * self.tensor * self.pipeline * self.context


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The devices of a run.  Rates are a device's, links each way.

    ``peak``: dense FLOP/s by precision.  ``generation`` keys the calibration.  ``scale_up_domain``:
    devices inside the fast fabric.  ``torus``: dimensions of that fabric, 0 where it switches.
    """

    accelerator: str
    generation: str
    kind: str  # gpu | tpu | asic | cpu
    devices: int
    per_node: int
    peak: Mapping[str, float] = field(default_factory=dict)
    memory: float = 0.0
    memory_bandwidth: float = 0.0
    scale_up: float = 0.0
    scale_up_domain: int = 1
    torus: int = 0
    scale_out: float = 0.0
    matmul_ceiling: Mapping[str, float] = field(default_factory=dict)
    sub_devices: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one step is trained: what the time and memory models need beside shapes and machine.

    ``attention``: flash2 is FlashAttention-2, which is as good as any on Ampere and half as fast as
    kernels written for Hopper there.  ``overlap``: communication runs beside computation;
    ``expert_overlap``: so does the experts', beside another micro-batch (DualPipe).  ``kernels``:
    fused where normalization, activation and addition of a convolutional net are one.
    """

    sequence_length: int
    global_batch: float  # sequences (or samples) an optimizer step
    precision: str
    attention: Literal["flash", "flash2", "standard"] = "flash"
    overlap: bool = True
    expert_overlap: bool = False
    kernels: Literal["plain", "fused"] = "plain"
    optimizer: str = "adamw"
    method: str = "pretrain"
    passes: Passes = field(default_factory=Passes)  # of a sequence, as the method runs them
    base_precision: str | None = None  # frozen weights of LoRA: nf4 | int8 | None (as precision)
    trainable_share: float = 1.0
