"""The step-time model turned into a utilisation with its range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from costcalc.assumption import Assumption
from costcalc.throughput.basis import peak_of
from costcalc.throughput.constants import load
from costcalc.throughput.fitting import Placed, shape_for
from costcalc.throughput.layout import Machine, Recipe
from costcalc.throughput.step import StepTime, step_time
from costcalc.workload.work import Work

# Predicted over true utilisation, 5th and 95th percentile, before any calibration has been scored.
_PRIOR = (0.65, 1.3)
_NO_LAYOUT = (0.85, 1.1)  # further, where the layout is costcalc's own choice
_NO_SHAPES = (0.8, 1.2)  # further, where shapes are guessed from a parameter count


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A modelled utilisation and where the step's seconds go."""

    utilization: Assumption
    breakdown: Mapping[str, float]


def predict(
    work: Work, machine: Machine, recipe: Recipe | None, placed: Placed
) -> Prediction | None:
    """The modelled MFU, or None where the step-time model does not apply.

    MFU = FLOPs of the modelled step / (its seconds · devices · peak); the step is a whole model's
    forward and backward pass, or a LoRA step, whose frozen weights get no gradient.
    """
    shape = shape_for(work)
    if shape is None or recipe is None or placed.layout is None:
        return None
    recipe = replace(recipe, sequence_length=int(shape.sequence_length))
    step = placed.step or step_time(shape, machine, placed.layout, recipe, load())
    passes = 3.0 * float(shape.forward_flops)
    if recipe.method == "lora" and work.flops_per_datum:
        per_datum = shape.sequence_length if work.datum == "sample" else 1.0
        passes = work.flops_per_datum / float(per_datum)
    flops = passes * float(shape.sequence_length) * recipe.global_batch
    peak = peak_of(machine, recipe.precision)
    value = flops / (float(step.seconds) * machine.devices * peak)
    return Prediction(utilization=_ranged(value, placed, known=shape.known),
                      breakdown=_seconds(step))


def _seconds(step: StepTime) -> dict[str, float]:
    return {name: float(part) for name, part in step.breakdown().items()}


def _ranged(value: float, placed: Placed, *, known: bool) -> Assumption:
    low, high = _PRIOR
    why = ["modelled step (costcalc/throughput/step.py)"]
    if placed.by == "auto":
        low, high = low * _NO_LAYOUT[0], high * _NO_LAYOUT[1]
        why.append(f"layout chosen among {placed.walked}")
    if not known:
        low, high = low * _NO_SHAPES[0], high * _NO_SHAPES[1]
        why.append("shapes guessed from the parameter count")
    return Assumption(
        key="hardware.utilization", value=value, low=value * low,
        high=max(value, min(value * high, 1.0)),
        unit="1", basis="modelled", source="step-time model (costcalc/data/throughput.yaml)",
        why="; ".join(why),
    )
