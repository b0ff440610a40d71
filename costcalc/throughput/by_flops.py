"""The time of a sample where only its forward FLOPs are known: convolutional nets and the like.

A step spends its time on arithmetic, on reading and writing activations layer by layer, and on
layers that do little with each element (depthwise convolutions), which run at the vector rate.  The
elements that a network's layers put out are counted, or go as the square root of its forward FLOPs
(Radosavovic et al. 2020, arXiv:2003.13678, section 4), so that

    seconds a sample = 3·F/(peak · ceiling · share) + passes·elements·bytes/bandwidth
                       + light·elements·max(0, 1 − (F/elements)/dense)/vector.

Where the forward pass is run again (``training.recompute: full``), all of it takes a third longer.

Where a framework launches kernels one by one, a step of few samples waits for its host, which needs
about the same time for each layer however few they are.  Several devices add up their gradients
each step, which takes the same time however few samples they have (:class:`Replicas`).
``share`` is calibrated per class of model, the other constants for all together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from costcalc.base.numbers import Number
from costcalc.throughput.coefficients import ceiling_of, coefficients_of, rates_of
from costcalc.throughput.constants import Constants
from costcalc.throughput.layer import SHARP
from costcalc.throughput.layout import Layout, Machine, Recipe, training_of
from costcalc.throughput.network import Network, host_time, network_of, replicas_time
from costcalc.throughput.shape import ModelShape
from costcalc.throughput.step import update_on_host

#: share of the matmul ceiling that the arithmetic of a class reaches in 16 bits: prior
SHARE = {"cnn": 0.70, "vit": 0.70, "diffusion": 0.50}
#: of all classes, prior.  tf32, fp32: share of their own peak, against that of 16 bits (fp32 also
#: takes the Winograd form, with fewer products).  passes: times that an activation is read or
#: written in a step.  fused: what is left of them where normalization, activation and addition are
#: one kernel.  light: vector FLOP an element of layers that do little with it.  late: what each
#: doubling of the devices adds to a step.  layer: seconds of the host for a layer with weights and
#: what goes with it, forward and backward, launched one by one.
PRIOR = {
    "tf32": 0.5,
    "fp32": 1.0,
    "passes": 26.0,
    "fused": 0.6,
    "light": 300.0,
    "late": 0.013,
    "layer": 5e-4,
}
#: forward FLOP an element from which a network has no light layers: between those of dense ones
#: (ResNet-50 737, ResNeXt-101 760) and of depthwise ones (EfficientNet-B0 116, MobileNetV2 90)
DENSE = 600.0
#: elements for each √FLOP: ResNet-50, 11.1 M of 8.2 GFLOP (timm, benchmark-infer)
ELEMENTS = 122.0
#: layers with weights of a convolutional net where nobody says: ResNet-50's
LAYERS = 54.0
_FALLBACK = "cnn"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleTime:
    """Device-seconds of a training sample; the parts add up to ``seconds``.

    ``late``: what more devices add, which wait for each other and for gradients; ``launch``: what
    the device waits for its host; ``host``: for what is kept in its memory; ``update``: for
    what the optimizer does there.
    """

    seconds: Number
    compute: Number
    memory: Number
    late: Number = 0.0
    launch: Number = 0.0
    host: Number = 0.0
    update: Number = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a layout and packed weights add to a sample.

    ``again``: forward passes that recompute runs once more.  Seconds: ``unpacking`` weights,
    copies ``over`` the link to the host, which run beside the rest at best, and the ``update`` in
    its memory.
    """

    again: float = 0.0
    unpacking: float = 0.0
    over: float = 0.0
    update: float = 0.0

    def over_share(self, share: float) -> Beside:
        """The same beside a training whose FLOPs count ``share`` of a full one's.

        A sample is timed as if all of it were trained, and then taken times that share.
        """
        return Beside(
            again=self.again / share,
            unpacking=self.unpacking / share,
            over=self.over / share,
            update=self.update / share,
        )


def beside_of(
    parameters: float,
    machine: Machine,
    recipe: Recipe,
    layout: Layout,
    constants: Constants,
    stored: float = 0.0,
) -> Beside:
    """What a layout adds to a sample of a model of ``parameters``.

    A micro-batch unpacks quantised weights for each pass, and weights that live on the host come
    for it; ``stored``: bytes of its activations that go there and back.
    """
    rates, how = rates_of(machine, recipe.precision), training_of(recipe)
    c = coefficients_of(constants, machine, recipe.precision)
    share = max(recipe.global_batch / machine.devices, 1.0)
    size = min(float(layout.micro_batch), share)
    shape = ModelShape(layers=1.0, hidden=1.0, parameters=parameters)
    axes = Layout(data=machine.devices, hosted=layout.hosted, zero=layout.zero)
    passes = how.forward + how.backward
    unpacked = (passes + how.backward * float(layout.full)) * parameters * how.unpack_bytes
    over = host_time(
        shape, axes, network_of(rates, axes, c, how), how, link=rates.host_link, busy=0.0,
        passes=passes, micro_batches=share / size, stored=stored,
    )  # fmt: skip
    own = parameters * recipe.trainable_share / (machine.devices if layout.zero else 1)
    update = update_on_host(rates, how, own) if layout.hosted else 0.0
    return Beside(
        again=float(layout.full),
        unpacking=float(unpacked * c.unpack / (rates.bandwidth * c.bandwidth)) / size,
        over=float(over) / size,
        update=float(update) / share,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """Devices that each hold all of a model, of ``parameters``, and take ``samples`` a step."""

    parameters: float
    samples: float
    net: Network


def replicas_of(
    parameters: float | None, machine: Machine, recipe: Recipe, constants: Constants
) -> Replicas | None:
    """Several devices and the network between them; None where nothing passes over it."""
    if machine.devices <= 1 or not parameters:
        return None
    rates = rates_of(machine, recipe.precision)
    c = coefficients_of(constants, machine, recipe.precision)
    return Replicas(
        parameters=parameters * recipe.trainable_share,
        samples=max(recipe.global_batch / machine.devices, 1.0),
        net=network_of(rates, Layout(data=machine.devices), c, training_of(recipe)),
    )


def waits(device: float, host: float) -> float:
    """Seconds that a device waits for its host, which works beside it.

    >>> waits(1.0, 0.0), round(waits(0.001, 1.0), 3)
    (0.0, 0.999)
    """
    return float((device**SHARP + host**SHARP) ** (1.0 / SHARP) - device)


def sample_seconds(
    forward_flops: Number,
    rate: Number,
    moved: Number,
    bandwidth: Number,
    light: Number = 0.0,
    vector: Number = 1.0,
    again: Number = 0.0,
) -> SampleTime:
    """The formula above: ``rate`` FLOP/s reached by arithmetic alone, ``moved`` bytes a sample,
    ``light`` FLOP a sample at the ``vector`` rate; ``again``: a third more of all of it, each.

    >>> sample_seconds(4e9, 1e14, 1e9, 1e12).compute
    0.00012
    """
    more = 1.0 + again / 3.0
    compute = (3.0 * forward_flops / rate + light / vector) * more
    memory = moved / bandwidth * more
    return SampleTime(seconds=compute + memory, compute=compute, memory=memory)


def sample_time(
    forward_flops: float,
    machine: Machine,
    precision: str,
    constants: Constants,
    kind: str = "cnn",
    elements: float | None = None,
    *,
    fused: bool = False,
    layers: float | None = None,
    batch: float = math.inf,
    replicas: Replicas | None = None,
    beside: Beside | None = None,
) -> SampleTime:
    """Device-seconds of one training sample of ``forward_flops`` (2 a multiply-add).

    ``kind``: cnn, vit or diffusion; another one is taken as cnn.  ``elements``: activations
    that the layers put out, where they were counted.  ``fused``: normalization, activation and
    addition run in one kernel, as in tuned benchmarks.  ``batch``: samples of a step on a device
    whose host launches each of its ``layers``; infinite where a compiled graph is launched.
    ``replicas``: who adds up gradients with whom; ``beside``: what its layout adds.

    Raises:
        InputError: the machine has no peak for the precision.
    """
    beside = beside or Beside()
    rates = rates_of(machine, precision)
    own = {**PRIOR, **constants.get("samples", {})}
    count = elements or ELEMENTS * float(np.sqrt(forward_flops))
    kind = kind if kind in SHARE else _FALLBACK
    share = constants.get("classes", {}).get(kind, {}).get("share", SHARE[kind])
    share *= own.get(precision, 1.0)
    passes = own["passes"] * (own["fused"] if fused else 1.0)
    sparse = max(0.0, 1.0 - forward_flops / count / DENSE) if kind == "cnn" else 0.0
    doublings = float(np.log2(max(machine.devices, 1.0)))
    time = sample_seconds(
        forward_flops,
        rates.peak * ceiling_of(machine, precision) * share,
        passes * count * rates.activation_bytes,
        rates.bandwidth * constants.get("global", {}).get("bandwidth", 0.85),
        own["light"] * count * sparse,
        machine.peak.get("fp32", rates.peak),
        beside.again,
    )
    time = replace(
        time, seconds=time.seconds + beside.unpacking, memory=time.memory + beside.unpacking
    )
    late = float(time.seconds) * own["late"] * doublings
    late += _added_up(replicas, machine.devices, float(time.seconds))
    together = float(time.seconds) + late
    host = own["layer"] * (layers or (LAYERS if kind == "cnn" else 0.0)) / batch
    launch = waits(together, host * (1.0 + beside.again / 3.0))
    over = max(beside.over - together - launch, 0.0)
    return SampleTime(
        seconds=together + launch + over + beside.update,
        compute=float(time.compute),
        memory=float(time.memory),
        late=late,
        launch=launch,
        host=over,
        update=beside.update,
    )


def _added_up(replicas: Replicas | None, devices: float, seconds: float) -> float:
    """Seconds a sample that gradients add to the ``seconds`` of one."""
    if replicas is None:
        return 0.0
    busy = seconds * replicas.samples
    return replicas_time(replicas.net, devices, replicas.parameters, busy) / replicas.samples
