"""What a machine achieves: the calibrated coefficients, and the rates that follow from them.

``data/throughput.yaml`` holds them: global ones, and per generation and precision those that
measurements tell apart.  What a generation does not state falls back to the prior of its kind.
"""

from __future__ import annotations

from dataclasses import dataclass

from costcalc.base.numbers import Number
from costcalc.base.vocabulary import NARROW, PEAK_KEY
from costcalc.throughput.basis import peak_of
from costcalc.throughput.constants import Constants
from costcalc.throughput.layout import Machine

#: bytes of a weight on the wire and of an activation, where not two
ACTIVATION_BYTES = {"fp32": 4.0, "tf32": 4.0}
#: gradients are reduced in 32 bits but for fp16 (Megatron-LM, arguments.py: bf16 sets
#: accumulate_allreduce_grads_in_fp32)
GRADIENT_BYTES = {"fp16": 2.0}
#: precisions that share a deviation from the ceiling
CLASS = {"fp32": "fp32", "tf32": "tf32", "fp16": "bf16", "bf16": "bf16"}
CLASS |= {"fp8": "fp8", "mxfp8": "mxfp8", "fp4": "fp4", "nvfp4": "fp4"}
MACHINE_PRECISIONS = frozenset(CLASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """Free constants of the time model; shares are of 1, times in seconds.

    What has a value here is not told apart by measurements; the others are fitted
    (``data/throughput.yaml``), from the prior of ``scripts/step_fit.py``.
    """

    matmul: Number  # share of the peak that the layers' matmuls reach at large size
    matmul_base: Number  # the same at 16 bits: logits, and attention's projections in fp8
    attention: Number  # share of the 16-bit peak of fused attention with wide heads, long
    attention_older: Number = 1.0  # what kernels not written for this generation reach of that
    softmax: Number  # what a score costs beside its products, as a width of a head
    tile: Number  # keys that a query pays for beyond those it sees: masked parts of tiles
    traffic: Number  # exposed share of a matmul's own memory traffic
    bandwidth: Number  # share of the memory bandwidth
    elementwise: Number  # scale of the elementwise traffic of a layer
    cast: Number  # scale of the traffic that quantizing to 8 or 4 bits costs
    kernel: Number  # launching one kernel, host side
    launch: Number  # the same where a framework's modules launch an operation each
    module: Number  # the same of tuned modules, whose Python is long beside few kernels
    call: Number  # issuing one collective of a tensor group, host side
    hook: Number  # what DeepSpeed's sharding of weights does on the host, a layer and pass
    plain_traffic: Number  # elementwise traffic of such modules against that of fused ones
    unpack: Number  # scale of the traffic that unpacking quantised weights costs
    adapter: Number  # scale of that of adapters
    expert_launch: Number  # launching a kernel of an expert
    expert_kernels: Number  # launches a routed expert of a layer: two matmuls, three passes
    matmul_start: Number  # a matmul's ramp-up and tail (wave quantisation), device side
    scale_up: Number  # share of the fabric's rate that a collective reaches
    scale_host: Number  # the same of cards that talk through their host's PCIe
    scale_out: Number  # share of the network's rate
    latency_up: Number = 1.0e-5  # a collective inside the domain
    latency_out: Number = 3.0e-5  # a collective or message between nodes, a hop
    tensor_exposed: Number  # share of tensor-parallel traffic that compute does not hide
    context_exposed: Number
    pipeline_exposed: Number
    expert_exposed: Number
    data_exposed: Number  # of the gradient reduction
    hooked_exposed: Number  # the same of DeepSpeed's
    shard_exposed: Number  # of the gathers of sharded weights, though compute could hide it
    imbalance: Number  # fullest expert over mean expert
    expert_matmul: Number  # grouped matmul against a plain one of the same size
    jitter: Number  # time lost to the slowest device, a doubling of devices beyond a node
    fixed: Number  # a step's own: input, clipping, logging
    meet: Number  # devices meeting once a step, a doubling of them beyond a node


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Nominal rates of a machine for one precision: FLOP/s, byte/s, devices."""

    peak: Number  # of the layers' matmuls
    peak_base: Number  # at 16 bits (32 where the run is)
    bandwidth: Number
    scale_up: Number
    domain: Number
    scale_out: Number
    activation_bytes: Number = 2.0
    gradient_bytes: Number = 4.0
    low: Number = 0.0  # 1 where the matmuls run in 8 or 4 bits
    torus: Number = 0.0  # dimensions of the fabric where it is a torus, 0 where it switches
    eager: Number = 1.0  # 1 where a host launches kernels, 0 where a compiler fused the step
    host_link: Number = 25e9  # to host memory, a device, each way
    host_memory: Number = 25e9  # of its host's memory bandwidth, a device
    through_host: Number = 0.0  # 1 where cards have no fabric of their own
    vector_bound: Number = 1.0  # time of attention against that of a chip with whole matrix units


def rates_of(machine: Machine, precision: str) -> Rates:
    """Nominal rates; InputError where the profile has no peak for the precision.

    >>> h100 = Machine(accelerator="h", generation="hopper", kind="gpu", devices=8, per_node=8,
    ...                peak={"bf16": 989.4e12, "fp8": 1978.9e12}, memory_bandwidth=3.35e12)
    >>> rates_of(h100, "fp8").peak, rates_of(h100, "fp8").peak_base
    (1978900000000000.0, 989400000000000.0)
    """
    peak = peak_of(machine, precision)
    low = precision in NARROW
    base = machine.peak.get("bf16", machine.peak.get("fp16", peak)) if low else peak
    fabric = machine.scale_up or machine.scale_out
    return Rates(
        peak=peak,
        peak_base=base,
        bandwidth=machine.memory_bandwidth,
        scale_up=fabric,
        domain=float(max(machine.scale_up_domain, 1)),
        scale_out=machine.scale_out or fabric,
        activation_bytes=ACTIVATION_BYTES.get(precision, 2.0),
        gradient_bytes=GRADIENT_BYTES.get(precision, 4.0),
        low=1.0 if low else 0.0,
        torus=float(machine.torus),
        eager=0.0 if machine.kind in ("tpu", "asic") else 1.0,
        host_link=HOST_SHARE * (machine.host_link or HOST_LINK),
        host_memory=HOST_MEMORY / max(machine.per_node, 1),
        through_host=1.0 if machine.through_host else 0.0,
        vector_bound=1.0 - VECTOR_SHARE * (1.0 - cut_of(machine)),
    )


#: of a link to the host where none is known (PCIe 3.0 × 16), and what copies reach of one
HOST_LINK, HOST_SHARE = 16e9, 0.8
#: memory bandwidth of a node that an optimizer on the host reaches: half of two sockets' rate
HOST_MEMORY = 200e9
#: 16-bit matrix FLOP a vector FLOP: of chips made for training (A100 16, H100 14.8), and below
#: which a kernel waits for the matrix units (GeForce 2, H20 3.4; L40S, A10 and RTX A5000 have 4)
WHOLE, CUT = 15.0, 3.5
#: of fused attention's time on a whole chip, what goes to exponentials and to all that is no
#: product: 0.43 of the peak is reached where the products alone would reach 0.9
VECTOR_SHARE = 0.6
#: a chip whose matrix units are cut waits for them alone, at clocks above the rated: 168 of 165
#: TFLOP/s on an RTX 4090 (tinygrad pull request 11390)
CUT_CEILING = 0.96


def cut_of(machine: Machine) -> float:
    """Matrix FLOP a vector FLOP where the matrix units are cut, against whole chips; else 1.

    >>> h20 = Machine(accelerator="h20", generation="hopper", kind="gpu", devices=8, per_node=8,
    ...               peak={"bf16": 148e12, "fp32": 44e12})
    >>> round(cut_of(h20), 2)
    0.22
    """
    wide = machine.peak.get("bf16", machine.peak.get("fp16", 0.0))
    vector = machine.peak.get("fp32", 0.0)
    ratio = wide / vector if vector else WHOLE
    return ratio / WHOLE if machine.kind == "gpu" and 1.0 < ratio < CUT else 1.0


#: share of the peak of a large matmul where no measured one is known, by kind of device
CEILINGS = {"gpu": 0.77, "tpu": 0.92, "asic": 0.80, "cpu": 0.70}
#: what formats of fewer bits reach of the 16-bit share (H100, B200: fp8 0.71 and 0.76 of their
#: peak against 0.80 and 0.78 in bf16; open book on ML engineering, 2025)
NARROW_CEILING = {"fp8": 0.93, "fp4": 0.80}


def ceiling_of(machine: Machine, precision: str) -> float:
    """Measured share of the dense peak that a large matmul reaches, or the prior of the kind."""
    key = PEAK_KEY.get(precision, precision)
    known = machine.matmul_ceiling.get(key)
    if known is None and key in ("fp16", "tf32", "fp32"):
        known = machine.matmul_ceiling.get("bf16")
    if known is not None:
        return float(known)
    if not machine.matmul_ceiling and cut_of(machine) < 1.0:
        return CUT_CEILING * NARROW_CEILING.get(key, 1.0)
    wide = machine.matmul_ceiling.get("bf16", CEILINGS.get(machine.kind, CEILINGS["gpu"]))
    return float(wide) * NARROW_CEILING.get(key, 1.0)


#: kinds of model whose measured software differs from that of decoders
MODELS = {"encoder": "encoder", "encoder-decoder": "encoder", "speech": "encoder"}


def coefficients_of(
    constants: Constants, machine: Machine, precision: str, kind: str = "decoder"
) -> Coefficients:
    """The coefficients of one machine and precision, for a kind of model.

    The share of the peak is the measured ceiling × what a sustained step keeps of it (global) ×
    what the generation and precision deviate by; all else is global, a kind's, or a generation's.
    ``models`` scales them for models other than decoders.
    """
    values = dict(constants.get("global", {}))
    values.update(constants.get("kinds", {}).get(machine.kind, {}))
    own = constants.get("generations", {}).get(machine.generation, {})
    values.update(own.get("own", {}))
    sustained = values.pop("sustained")  # of its ceiling, what a matmul keeps inside a step
    deviation = own.get("precisions", {})
    wide = sustained * deviation.get(CLASS["bf16"], 1.0)
    values["matmul_base"] = min(ceiling_of(machine, "bf16") * wide, 1.0)
    of_class = deviation.get(CLASS.get(precision, precision), 1.0)
    values["matmul"] = min(ceiling_of(machine, precision) * sustained * of_class, 1.0)
    scales = constants.get("models", {}).get(MODELS.get(kind, ""), {})
    values["matmul_base"] *= scales.get("matmul", 1.0)
    for name, scale in scales.items():
        if name in values:
            values[name] *= scale
    return Coefficients(**values)
