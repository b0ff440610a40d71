"""The time of a sample where only its forward FLOPs are known: convolutional nets and the like.

A step spends its time on arithmetic and, layer by layer, on reading and writing activations.  The
elements that a network's layers put out are counted, or go as the square root of its forward FLOPs
(Radosavovic et al. 2020, arXiv:2003.13678, section 4), so that

    seconds a sample = 3·F/(peak · ceiling · share) + passes·elements·bytes/bandwidth.

``share`` and ``passes`` are calibrated per class of model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from costcalc.throughput.coefficients import ceiling_of, rates_of
from costcalc.throughput.layout import Machine

Number = Any  # float or NumPy array of floats

#: share of the matmul ceiling, and times that an activation is read or written in a step: prior
PRIOR = {"cnn": (0.70, 26.0), "vit": (0.70, 26.0), "diffusion": (0.70, 26.0)}
#: elements for each √FLOP: ResNet-50, 11.1 M of 8.2 GFLOP (timm, benchmark-infer)
ELEMENTS = 122.0
#: the class that answers for a kind of architecture without shapes
CLASS_OF_KIND = {"vision": "cnn", "diffusion": "diffusion"}
_FALLBACK = "cnn"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTime:
    """Device-seconds of a training sample; ``compute`` and ``memory`` add up to ``seconds``."""

    seconds: Number
    compute: Number
    memory: Number


def sample_seconds(
    forward_flops: Number, rate: Number, moved: Number, bandwidth: Number
) -> SampleTime:
    """The formula above: ``rate`` FLOP/s reached by arithmetic alone, ``moved`` bytes a sample.

    >>> sample_seconds(4e9, 1e14, 1e9, 1e12).compute
    0.00012
    """
    compute = 3.0 * forward_flops / rate
    memory = moved / bandwidth
    return SampleTime(seconds=compute + memory, compute=compute, memory=memory)


def sample_time(
    forward_flops: float,
    machine: Machine,
    precision: str,
    constants: Mapping[str, Any],
    kind: str = "cnn",
    elements: float | None = None,
) -> SampleTime:
    """Device-seconds of one training sample of ``forward_flops`` (2 a multiply-add).

    ``kind``: cnn, vit or diffusion; another one is taken as cnn.  ``elements``: activations
    that the layers put out, where they were counted.  Raises InputError where the
    machine has no peak for the precision.
    """
    rates = rates_of(machine, precision)
    own = constants.get("classes", {}).get(kind) or constants.get("classes", {}).get(_FALLBACK)
    prior = PRIOR.get(kind, PRIOR[_FALLBACK])
    share, passes = (own["share"], own["passes"]) if own else prior
    count = elements or ELEMENTS * float(np.sqrt(forward_flops))
    late = constants.get("global", {}).get("jitter", 0.0)
    late = late * float(np.log2(max(machine.devices / 8.0, 1.0)))
    bandwidth = rates.bandwidth * constants.get("global", {}).get("bandwidth", 0.85)
    rate = rates.peak * ceiling_of(machine, precision) * share
    time = sample_seconds(forward_flops, rate, passes * count * rates.activation_bytes, bandwidth)
    return SampleTime(
        seconds=float(time.seconds) * (1.0 + late),
        compute=float(time.compute) * (1.0 + late),
        memory=float(time.memory) * (1.0 + late),
    )
