"""What encoders differ by from decoders in the step-time model: scales of three constants.

BERT's measured software is older than that of the language models: dropout and normalisation in
kernels of their own, smaller matrix products.  Fitted after the decoders, with their constants
kept; :mod:`calibrate_throughput` calls it, with each group of sources left out in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from measured_cases import Case
from scipy.optimize import least_squares
from step_fit import loss, stack

from costcalc.throughput.coefficients import Coefficients, coefficients_of, rates_of
from costcalc.throughput.step import step_of
from costcalc.validate.measurements import Measured

#: standard deviation of the logarithm of each scale, around 1
PRIOR = {"matmul": 0.15, "elementwise": 0.4, "fixed": 0.7}
SPREAD = np.array(list(PRIOR.values()))
ROUND = 0.15  # below this error the loss is quadratic

Residuals = Callable[[np.ndarray], np.ndarray]


def encoders_of(
    cases: list[tuple[Measured, Case]], constants: Mapping[str, Any], without: str | None
) -> dict[str, float]:
    """The scales, fitted without one group; a group of n counts n^1/2."""
    residuals = residuals_of(cases, constants, without)
    found = np.exp(least_squares(residuals, np.zeros(len(PRIOR))).x * SPREAD)
    return {name: float(f"{value:.4g}") for name, value in zip(PRIOR, found, strict=True)}


def cost(residuals: Residuals, scales: Mapping[str, float]) -> float:
    """Half the sum of squares that a fit makes least, at these scales."""
    theta = np.log([scales[name] for name in PRIOR]) / SPREAD
    return float(np.sum(residuals(theta) ** 2) / 2)


def residuals_of(
    cases: list[tuple[Measured, Case]], constants: Mapping[str, Any], without: str | None
) -> Residuals:
    """What the fit makes small, as a function of the scales (logarithms over their spread)."""
    cases = [(m, c) for m, c in cases if m.row["workload"] == "bert" and m.group != without]
    known = [c for _, c in cases]
    plain = {key: value for key, value in constants.items() if key != "models"}
    each: Coefficients = stack([coefficients_of(plain, c.machine, c.precision) for c in known])
    shape, axes = stack([c.shape for c in known]), stack([c.axes for c in known])
    rates = stack([rates_of(c.machine, c.precision) for c in known])
    training = stack([c.training for c in known])
    rate = np.array([c.per_step / c.machine.devices / m.rate for m, c in cases])
    groups = [m.group for m, _ in cases]
    weight = np.array([groups.count(g) ** -0.25 * 3.0 for g in groups])

    def residuals(theta: np.ndarray) -> np.ndarray:
        scale = dict(zip(PRIOR, np.exp(theta * SPREAD), strict=True))
        c = replace(
            each,
            matmul=np.minimum(each.matmul * scale["matmul"], 1.0),
            matmul_base=np.minimum(each.matmul_base * scale["matmul"], 1.0),
            elementwise=each.elementwise * scale["elementwise"],
            fixed=each.fixed * scale["fixed"],
        )
        e = np.log(rate / step_of(shape, rates, axes, training, c).seconds) / ROUND
        return np.concatenate([weight * loss(e), theta])

    return residuals
