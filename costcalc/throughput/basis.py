"""Utilisation in one convention: model FLOPs, no recompute, over the dense peak of the precision.

Attention is counted causal (half) for decoders.  What users measure may refer to another peak (a
framework that reports fp8 runs against the bf16 peak) or count attention in full (Narayanan et al.
2021, arXiv:2104.04473, does); everything is turned into this convention here.
"""

from __future__ import annotations

from costcalc.base.errors import listing, wrong
from costcalc.base.vocabulary import NARROW, PEAK_KEY
from costcalc.throughput.layout import Machine, Recipe
from costcalc.workload.work import Work


def peak_of(machine: Machine, precision: str, key: str = "training.precision") -> float:
    """Dense peak (FLOP/s) of a device at a precision; InputError if its profile has none.

    >>> v100 = Machine(accelerator="v100-sxm2-32", generation="volta", kind="gpu", devices=1,
    ...                per_node=8, peak={"fp32": 15.7e12, "fp16": 125e12})
    >>> peak_of(v100, "bf16")
    Traceback (most recent call last):
    ...
    costcalc.base.errors.InputError: training.precision: v100-sxm2-32 has no peak for bf16; it \
has: fp16, fp32
    """
    found = machine.peak.get(PEAK_KEY.get(precision, precision))
    if not found:
        known = (
            listing(sorted(name for name in machine.peak if name not in ("fp64", "int8"))) or "none"
        )
        raise wrong(key, f"{machine.accelerator} has no peak for {precision}; it has: {known}")
    return found


def kind_of(work: Work) -> str | None:
    """The kind of workload for the measured efficiencies; None where it is not known."""
    if work.architecture is not None:
        model = work.architecture
        convolutional = model.kind == "vision" and not model.heads
        return "cnn" if convolutional else model.kind
    return "decoder" if work.datum == "token" and work.parameters else None


def convention(work: Work, precision: str) -> str:
    """The convention of the utilisation, in words."""
    return (
        f"MFU: model FLOPs without recompute over the dense {precision} peak; "
        f"{work.convention}".rstrip("; ")
    )


def data_per_step(work: Work, recipe: Recipe) -> float:
    """Tokens or samples an optimizer step."""
    per_sequence = recipe.sequence_length if work.datum == "token" else 1
    return recipe.global_batch * per_sequence


def full_over_causal(work: Work) -> float:
    """FLOPs with attention counted in full over FLOPs as counted here; 1 where nothing is causal.

    A measured figure in full knows of no documents either.  Every pass forward has the core once,
    every pass back twice (it has no weights).
    """
    one, passes = work.tally, work.passes
    if one is None or not work.flops_per_datum:
        return 1.0
    cores = passes.forward + 2.0 * passes.backward
    if passes.generated:
        cores += 1.0
    per_sample = work.flops_per_datum * (one.tokens if work.datum == "token" else 1.0)
    return 1.0 + cores * (one.attention_in_full - one.attention) / per_sample


def from_utilization(
    work: Work,
    machine: Machine,
    precision: str,
    value: float,
    *,
    peak: str | None,
    attention: str | None,
) -> float:
    """A measured utilisation, over another peak or with attention counted in full, in ours."""
    if peak is None and precision in NARROW:
        raise wrong(
            "hardware.utilization_basis.peak",
            "expected the precision whose peak hardware.utilization refers to (reports "
            f"of {precision} runs use bf16 or {precision}); got nothing",
        )
    against = peak_of(machine, peak or precision, "hardware.utilization_basis.peak")
    over = full_over_causal(work) if attention == "full" else 1.0
    return value * against / peak_of(machine, precision) / over


def from_throughput(
    work: Work,
    machine: Machine,
    precision: str,
    value: float,
    unit: str,
    *,
    attention: str | None = None,
) -> float:
    """A measured throughput (token/s, sample/s; FLOP/s a device) as utilisation."""
    ours = peak_of(machine, precision)
    if unit == "FLOP/s":
        return value / ours / (full_over_causal(work) if attention == "full" else 1.0)
    per_datum = work.model_flops / work.data if work.data else work.flops_per_datum
    if not per_datum:
        raise wrong(
            "hardware.throughput",
            f"expected TFLOP/s a device, as nothing says how many FLOPs a "
            f"{work.datum} takes; got {unit}",
        )
    if unit != f"{work.datum}/s":
        if not work.sequence_length:
            raise wrong("hardware.throughput", f"expected {work.datum}/s; got {unit}")
        length = float(work.sequence_length)
        value = value / length if work.datum == "sample" else value * length
    return value * per_datum / (ours * machine.devices)


def from_step_time(
    work: Work, machine: Machine, recipe: Recipe | None, precision: str, seconds: float
) -> float:
    """One measured optimizer step as utilisation."""
    if recipe is None or not recipe.global_batch or not work.flops_per_datum:
        raise wrong(
            "hardware.calibrate.step_time",
            "expected training.global_batch and a model beside it: they say what a step is",
        )
    flops = data_per_step(work, recipe) * work.flops_per_datum
    return flops / (seconds * peak_of(machine, precision) * machine.devices)
