"""The shipped measurements as inputs of the step-time model.

``data/measurements/throughput.csv`` restates measured training throughput, a source a row;
``models.csv`` the shapes that its ``shape`` column names.  Sources of the form ``owner/repository
path`` are on github.com.  Rows of one ``group`` publish one another's figures, or measure with one
team's code on one team's machines: they are left out together.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from statistics import median
from typing import Any

from costcalc.base.errors import InputError
from costcalc.catalog import accelerator as accelerators
from costcalc.catalog.files import data_root
from costcalc.throughput import by_flops
from costcalc.throughput.coefficients import MACHINE_PRECISIONS, rates_of
from costcalc.throughput.constants import Constants
from costcalc.throughput.layout import TORUS, Layout, Machine, StepRecipe
from costcalc.throughput.shape import ModelShape, decoder_shape, shape_from_parameters
from costcalc.throughput.space import Fixed
from costcalc.validate.unsaid import filled, recipe_for

Row = Mapping[str, str]

#: where a row's sequence length is not stated: what the measured frameworks default to
SEQUENCE = 2048.0
#: network of a device where neither source nor profile states one, byte/s (100 Gbit/s)
SCALE_OUT = 12.5e9
_ZERO = {"": 0.0, "none": 0.0, "zero1": 1.0, "zero2": 2.0, "zero3": 3.0, "fsdp": 3.0, "hsdp": 3.0}
_KEY = (
    "group", "workload", "model", "shape", "accelerator", "devices", "precision",
    "sequence_length", "data", "tensor", "pipeline", "virtual_pipeline", "context", "expert",
    "sharding", "micro_batch", "global_batch", "recompute", "attention", "method",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One configuration and its measured rate; ``rate`` in tokens or samples a second and device.

    ``repeats`` are the rates of all rows of this configuration, ``rate`` their median.
    """

    row: Row
    rate: float
    repeats: tuple[float, ...]

    @property
    def group(self) -> str:
        """Who published it; groups are left out together."""
        return self.row["group"]

    @property
    def layout_given(self) -> bool:
        """Whether the source states the axes."""
        return bool(self.row["tensor"])

    @property
    def shape_given(self) -> bool:
        """Whether the shape is known, beyond a parameter count."""
        return bool(self.row["shape"])

    @property
    def sized(self) -> bool:
        """Whether the source states a shape or a parameter count: without, nothing can be said."""
        known = self.row["shape"] or self.row["active"] or self.row["parameters"]
        return bool(known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A configuration as the step-time model takes it; ``unit`` is tokens a datum (1: tokens)."""

    shape: ModelShape
    machine: Machine
    axes: Layout
    training: StepRecipe
    precision: str
    per_step: float  # data a step: tokens, or samples
    fixed: Fixed  # what is no layout: recompute and micro-batch, where the source states them


COLUMNS = (
    "id", "group", "source", "workload", "model", "shape", "parameters", "active", "accelerator",
    "devices", "precision", "sequence_length", "data", "tensor", "pipeline", "virtual_pipeline",
    "context", "expert", "sharding", "micro_batch", "global_batch", "recompute", "attention",
    "method", "sequence_parallel", "scale_out", "domain", "overlap", "tokens_per_s",
    "samples_per_s", "note",
)  # fmt: skip


def shipped(name: str) -> list[dict[str, str]]:
    """A table that ships under ``data/measurements``."""
    path = data_root() / "measurements" / f"{name}.csv"
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@cache
def models() -> dict[str, dict[str, str]]:
    """Shapes by name."""
    return {row["shape"]: row for row in shipped("models")}


def workload(row: Row) -> str:
    """What kind of language model's training a row is, as tables are split by it.

    >>> workload({"shape": "", "active": "3.7e10", "parameters": "6.71e11", "method": ""})
    'experts'
    """
    if row.get("method") == "lora":
        return "low-rank adapters"
    known = models().get(row.get("shape", ""))
    sparse = known["experts"] if known is not None else row["active"]
    return "experts" if sparse and sparse != row["parameters"] else "dense"


def number(row: Row, key: str, default: float = math.nan) -> float:
    """A column as a number; ``default`` where it is empty."""
    text = row.get(key) or ""
    return float(text) if text else default


def configurations(rows: Iterable[Row]) -> list[Measured]:
    """Rows with a rate, repeats of one configuration counted once by their median."""
    found: dict[tuple[str, ...], list[tuple[Row, float]]] = {}
    for row in rows:
        rate = number(row, "tokens_per_s", number(row, "samples_per_s"))
        if rate > 0:
            key = tuple(row.get(name, "") for name in _KEY)
            found.setdefault(key, []).append((row, rate))
    return [
        Measured(
            row=group[0][0],
            rate=median(rate for _, rate in group),
            repeats=tuple(rate for _, rate in group),
        )
        for group in found.values()
    ]


def shape_for(row: Row) -> ModelShape | None:
    """The shape that a row names, or the rule's where only a parameter count is known."""
    length = number(row, "sequence_length", SEQUENCE)
    known = models().get(row["shape"])
    if known is not None and known["layers"]:
        return _known(known, length)
    parameters = number(row, "active", number(row, "parameters"))
    if row["workload"] == "llm" and parameters > 0:
        return shape_from_parameters(parameters, length)
    return None


@cache
def _shape(name: str, length: float) -> ModelShape:
    known = models()[name]
    optional = {
        key: number(known, key)
        for key in ("kv_heads", "head_dim", "gated", "experts", "experts_per_token", "shared_ffn",
                    "dense_layers", "dense_ffn", "window", "windowed_share")
        if known[key]
    }  # fmt: skip
    shape = decoder_shape(
        layers=number(known, "layers"),
        hidden=number(known, "hidden"),
        heads=number(known, "heads"),
        ffn=number(known, "ffn"),
        vocabulary=number(known, "vocabulary", 0.0),
        sequence_length=length,
        tied=known["tied"] == "1",
        causal=known["causal"] != "0",
        **optional,
    )
    return replace(shape, kind=known["kind"])


def _known(known: Row, length: float) -> ModelShape:
    return _shape(known["shape"], length)


@cache
def _profile(name: str) -> Any:
    return accelerators.find(name)


def machine_for(row: Row) -> Machine:
    """The machine of a row: its accelerator's profile, and the network that the source states."""
    profile = _profile(row["accelerator"])
    fabric = profile.scale_up
    host = profile.host_link.si if profile.host_link else SCALE_OUT
    out = profile.scale_out.si if profile.scale_out else SCALE_OUT
    devices = number(row, "devices", 1.0)
    domain = number(row, "domain", float(fabric.domain if fabric else 1))
    if profile.kind == "tpu" and not row.get("domain"):
        domain = max(domain, devices)
    return Machine(
        accelerator=profile.id,
        generation=profile.generation,
        kind=profile.kind,
        devices=int(devices),
        per_node=8,
        peak=profile.peak.rates(),
        memory=profile.memory.si,
        memory_bandwidth=profile.memory_bandwidth.si,
        scale_up=fabric.bandwidth.si if fabric else host,
        scale_up_domain=int(domain),
        torus=TORUS.get(fabric.topology, 0) if fabric else 0,
        scale_out=number(row, "scale_out") * 1e9 / 8 if row.get("scale_out") else out,
        matmul_ceiling={name: s.si for name, s in profile.matmul_ceiling.items()},
        sub_devices=profile.sub_devices.count,
    )


def axes_for(row: Row, shape: ModelShape) -> tuple[Layout, float]:
    """Layout and global batch of a row; what its source leaves out follows by these rules.

    Virtual stages of two layers where a pipeline of the Megatron family does not say; the largest
    power of two of sequences whose states stay within 2²⁴ elements (tokens × hidden / tensor) as
    micro-batch; four micro-batches a pipeline stage as batch.  Sharding and recompute follow from
    memory (:func:`costcalc.validate.unsaid.filled`).
    """
    tensor, pipeline = number(row, "tensor", 1.0), number(row, "pipeline", 1.0)
    context = number(row, "context", 1.0)
    devices = number(row, "devices", 1.0)
    data = number(row, "data", max(devices / (tensor * pipeline * context), 1.0))
    stages = max(1.0, round(float(shape.layers) / pipeline / 2.0)) if pipeline > 1 else 1.0
    batch = number(row, "global_batch")
    micro = number(row, "micro_batch")
    if not micro > 0:
        size = float(shape.sequence_length) * float(shape.hidden) / tensor
        micro = max(1.0, 2.0 ** math.floor(math.log2(2.0**24 / size)))
    if not batch > 0:
        batch = data * micro * (4.0 * pipeline if pipeline > 1 else 1.0)
    micro = min(micro, max(batch / data, 1.0))
    kind = row.get("recompute", "")
    axes = Layout(
        data=data,
        tensor=tensor,
        pipeline=pipeline,
        virtual_pipeline=number(row, "virtual_pipeline", stages),
        context=context,
        expert=number(row, "expert", 1.0),
        micro_batch=micro,
        zero=_ZERO[row.get("sharding", "")],
        hybrid=1.0 if row.get("sharding") == "hsdp" else 0.0,
        full=1.0 if kind == "full" else 0.0,
        selective=1.0 if kind == "selective" else 0.0,
        sequence_parallel=number(row, "sequence_parallel", 1.0),
    )
    return axes, max(batch, data * micro)


def case_for(measured: Measured) -> Case | None:
    """A configuration as the model takes it; None where neither shape nor size is known."""
    row = measured.row
    shape = shape_for(row)
    precision = row["precision"]
    if shape is None or precision not in MACHINE_PRECISIONS:
        return None
    try:
        machine = machine_for(row)
        rates_of(machine, precision)
    except InputError:
        return None  # no profile, or no peak for this precision: a refused row
    axes, batch = axes_for(row, shape)
    lora = row.get("method") == "lora"
    training = StepRecipe(
        sequence_length=float(shape.sequence_length),
        global_batch=batch,
        flash=0.0 if row.get("attention") == "standard" else 1.0,
        older=1.0 if row.get("attention") == "flash2" else 0.0,
        overlap=number(row, "overlap", 1.0),
        weights=0.0 if lora else 1.0,
        head=1.0 if lora else 2.0,
        trainable=0.005 if lora else 1.0,
    )
    unsaid = not row.get("sharding"), not row.get("recompute")
    if row["workload"] == "llm" and any(unsaid):
        recipe = recipe_for(shape, training, precision)
        axes = filled(axes, shape, machine, recipe, sharding=unsaid[0], recompute=unsaid[1])
    tokens = 1.0 if row.get("samples_per_s") and not row.get("tokens_per_s") else None
    return Case(
        shape=shape,
        machine=machine,
        axes=axes,
        training=training,
        precision=precision,
        per_step=batch * (tokens or float(shape.sequence_length)),
        fixed=_fixed(row, axes),
    )


def _fixed(row: Row, axes: Layout) -> Fixed:
    stated = row.get("micro_batch") or ""
    apart = row.get("context") if not row.get("tensor") else ""  # all that is said of the layout
    one = axes.tensor == axes.pipeline == axes.context == 1
    return Fixed(
        recompute=row.get("recompute") or None,
        context=int(apart) if apart else None,
        # sequences of a micro-batch: those of another layout only where every device holds all
        micro_batch=int(axes.micro_batch) if stated and one else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCase:
    """A configuration whose model is known by its FLOPs alone."""

    group: str
    kind: str
    forward_flops: float
    elements: float | None
    machine: Machine
    precision: str
    rate: float  # samples a second and device
    fused: bool = False


def sample_case(measured: Measured) -> SampleCase | None:
    """A configuration for :func:`costcalc.throughput.by_flops.sample_time`, or None."""
    row = measured.row
    known = models().get(row["shape"])
    if known is None or not known["forward_gflop"]:
        return None
    try:
        machine = machine_for(row)
        rates_of(machine, row["precision"])
    except InputError:
        return None
    return SampleCase(
        group=row["group"],
        kind=known["kind"],
        forward_flops=number(known, "forward_gflop") * 1e9,
        elements=number(known, "activations_m") * 1e6 if known["activations_m"] else None,
        machine=machine,
        precision=row["precision"],
        rate=measured.rate,
        fused=row.get("kernels") == "fused",
    )


def sample_error(case: SampleCase, constants: Constants) -> float:
    """Logarithm of predicted over measured rate, with these constants."""
    time = by_flops.sample_time(
        case.forward_flops, case.machine, case.precision, constants, case.kind, case.elements,
        fused=case.fused,
    )  # fmt: skip
    return -math.log(time.seconds * case.rate)
