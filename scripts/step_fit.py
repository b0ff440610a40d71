"""The robust fit of the step-time model's constants: priors, pooling, loss.

Every constant has a prior (its physical value and how far it may be off), every generation and
precision a deviation from its measured matmul ceiling, and every source, alone and on each
generation, an offset of its own that stands for its software and is not kept.  The loss is the
absolute error of the logarithm, rounded near zero; a source counts with the square root of its
number of configurations.  ``calibrate_throughput.py`` writes what it finds.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from measured_cases import Case
from scipy.optimize import least_squares

from costcalc.throughput.coefficients import CLASS, Coefficients, Rates, ceiling_of, rates_of
from costcalc.throughput.layout import Layout, StepRecipe
from costcalc.throughput.shape import ModelShape
from costcalc.throughput.step import step_of
from costcalc.validate.measurements import Measured

#: constant: (prior, standard deviation of its logarithm), from public figures before any fit.
#: ``module`` and ``call`` are of vTrain's timings of Megatron's layers on A100 (VIA-Research,
#: data/ground_truth_single.csv): one of 1,024 wide takes 3.0 ms forward, again and backward, which
#: launches 24 + 24 + 40 kernels; cut over two devices 0.33 ms more, for six all-reduces.
PRIOR = {
    "sustained": (0.88, 0.06),
    "attention": (0.60, 0.20),
    "attention_older": (0.55, 0.20),
    "softmax": (80.0, 0.4),
    "tile": (256.0, 0.5),
    "traffic": (0.6, 0.5),
    "bandwidth": (0.85, 0.10),
    "elementwise": (1.0, 0.4),
    "cast": (1.0, 0.5),
    "matmul_start": (5e-6, 0.7),
    "kernel": (5e-6, 0.4),
    "hooked_exposed": (0.7, 0.3),
    "launch": (1.5e-5, 0.3),
    "module": (3.4e-5, 0.15),
    "call": (5e-5, 0.2),
    "hook": (2e-3, 0.5),
    "plain_traffic": (2.5, 0.4),
    "unpack": (1.0, 0.5),
    "adapter": (1.0, 0.5),
    "expert_launch": (5e-6, 0.4),
    "expert_kernels": (6.0, 0.3),
    "scale_up": (0.70, 0.15),
    "scale_host": (0.25, 0.1),
    "scale_out": (0.75, 0.20),
    "tensor_exposed": (0.5, 0.3),
    "context_exposed": (0.4, 0.4),
    "pipeline_exposed": (0.5, 0.4),
    "expert_exposed": (0.95, 0.1),  # what overlaps is said: expert_overlap
    "data_exposed": (0.15, 0.4),
    "shard_exposed": (0.15, 0.5),
    "imbalance": (1.1, 0.1),
    "expert_matmul": (0.75, 0.2),
    "jitter": (0.006, 0.6),
    "fixed": (0.01, 0.7),
    "meet": (0.003, 0.7),
}
ATMOST = {"bandwidth": 0.95, "scale_up": 0.95, "scale_host": 1.0, "scale_out": 1.0,
          "tensor_exposed": 1.0, "pipeline_exposed": 1.0, "expert_exposed": 1.0,
          "hooked_exposed": 1.0, "data_exposed": 1.0}  # fmt: skip
#: generations whose tensor cores FlashAttention-2 was not written for: it reaches 35 % of an H100
#: where kernels written for it reach 75 % (Shah et al. 2024, arXiv 2407.08608, abstract)
NEWER = {"hopper", "blackwell", "blackwell-ultra"}
DEVIATION = 0.06  # of a generation and precision from its ceiling
ATTENTION = 0.15  # of a generation's attention
OFFSET = 0.15  # of a source
OFFSET_MACHINE = 0.10  # of a source on a generation
ROUND = 0.12  # below this error the loss is quadratic


def stack(records: list[Any]) -> Any:
    """One record of arrays from many of numbers; what is no number is left at its default."""
    kind = type(records[0])
    names = [f.name for f in fields(kind) if f.name not in ("kind", "tied", "known")]
    return kind(**{n: np.array([float(getattr(r, n)) for r in records]) for n in names})


class Fit:
    """The configurations as arrays, and the model as a function of what is fitted."""

    def __init__(self, known: list[tuple[Measured, Case]]) -> None:
        self.measured = [m for m, _ in known]
        self.shape: ModelShape = stack([c.shape for _, c in known])
        self.rates: Rates = stack([rates_of(c.machine, c.precision) for _, c in known])
        self.axes: Layout = stack([c.axes for _, c in known])
        self.training: StepRecipe = stack([c.training for _, c in known])
        self.per_step = np.array([c.per_step / c.machine.devices for _, c in known])
        self.rate = np.array([m.rate for m in self.measured])
        self.ceiling = np.array([ceiling_of(c.machine, c.precision) for _, c in known])
        self.ceiling_base = np.array([ceiling_of(c.machine, "bf16") for _, c in known])
        generation = [c.machine.generation for _, c in known]
        self.cells, self.cell = index(
            list(zip(generation, [CLASS[c.precision] for _, c in known], strict=True))
        )
        self.generations, self.generation = index(generation)
        self.newer = np.array([g in NEWER for g in generation])
        base = {cell: i for i, cell in enumerate(self.cells)}
        self.base = np.array([base.get((g, "bf16"), -1) for g in generation])
        groups = [m.group for m in self.measured]
        self.groups, self.group = index(groups)
        self.places, self.place = index(list(zip(groups, generation, strict=True)))
        sizes = [len(PRIOR), len(self.cells), len(self.generations), len(self.groups),
                 len(self.places)]  # fmt: skip
        self.ends = np.cumsum([0, *sizes])

    def part(self, theta: np.ndarray, which: int) -> np.ndarray:
        """Global constants, deviations, attention, offsets of sources, and on generations."""
        return theta[self.ends[which] : self.ends[which + 1]]

    def constants(self, theta: np.ndarray) -> dict[str, float]:
        """Global constants in their units."""
        scaled = zip(PRIOR.items(), self.part(theta, 0), strict=True)
        values = {n: v * float(np.exp(t * sd)) for (n, (v, sd)), t in scaled}
        return {n: min(v, ATMOST.get(n, v)) for n, v in values.items()}

    def coefficients(self, theta: np.ndarray) -> Coefficients:
        """What the kernel takes, an element a configuration."""
        values: dict[str, Any] = self.constants(theta)
        deviation = np.exp(self.part(theta, 1) * DEVIATION)
        sustained = values.pop("sustained")
        wide = np.where(self.base >= 0, deviation[self.base], 1.0)
        values["attention"] *= np.exp(self.part(theta, 2) * ATTENTION)[self.generation]
        values["attention_older"] = np.where(self.newer, values["attention_older"], 1.0)
        return Coefficients(
            matmul=np.minimum(self.ceiling * sustained * deviation[self.cell], 1.0),
            matmul_base=np.minimum(self.ceiling_base * sustained * wide, 1.0),
            **values,
        )

    def errors(self, theta: np.ndarray) -> np.ndarray:
        """Logarithm of predicted over measured rate."""
        step = step_of(self.shape, self.rates, self.axes, self.training, self.coefficients(theta))
        return np.log(self.per_step / step.seconds / self.rate)

    def solve(self, weights: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
        """The constants with the least weighted loss, the priors counted in."""

        def scaled(theta: np.ndarray) -> np.ndarray:
            offset = self.part(theta, 3)[self.group] * OFFSET
            offset = offset + self.part(theta, 4)[self.place] * OFFSET_MACHINE
            return (self.errors(theta) - offset) / ROUND

        def residuals(theta: np.ndarray) -> np.ndarray:
            return np.concatenate([weights * loss(scaled(theta)), theta])

        def slopes(theta: np.ndarray) -> np.ndarray:
            each = weights * slope(scaled(theta)) / ROUND
            return np.vstack([each[:, None] * self.gradient(theta), np.eye(len(theta))])

        start = np.zeros(self.ends[-1]) if start is None else start
        return least_squares(residuals, start, jac=slopes, max_nfev=40).x

    def gradient(self, theta: np.ndarray) -> np.ndarray:
        """How the errors, less the offsets, change with each constant.

        A configuration has one cell, one generation and one source, so that one step in all of them
        at once tells its slope for each.
        """
        made = np.zeros((len(self.rate), len(theta)))
        here, step, rows = self.errors(theta), 1e-4, np.arange(len(self.rate))

        def moved(columns: Any) -> np.ndarray:
            there = theta.copy()
            there[columns] += step
            return (self.errors(there) - here) / step

        for j in range(self.ends[1]):
            made[:, j] = moved(j)
        cells, wide = self.ends[1], [i for i, cell in enumerate(self.cells) if cell[1] == "bf16"]
        narrow = [i for i in range(len(self.cells)) if i not in wide]
        own, known = np.isin(self.cell, narrow), self.base >= 0
        by_wide, by_own = (moved([cells + i for i in some]) for some in (wide, narrow))
        made[rows[known], cells + self.base[known]] = by_wide[known]
        made[rows[own], cells + self.cell[own]] = by_own[own]
        made[rows, self.ends[2] + self.generation] = moved(slice(self.ends[2], self.ends[3]))
        made[rows, self.ends[3] + self.group] = -OFFSET
        made[rows, self.ends[4] + self.place] = -OFFSET_MACHINE
        return made

    def weights(self, without: str | None = None) -> np.ndarray:
        """Square root of the weight of each configuration: n^-1/2 within a group of n."""
        sizes = np.bincount(self.group).astype(float)
        typical = np.median(sizes[sizes >= 20])
        weights = (sizes / typical) ** -0.25
        keep = np.array([g != without for g in self.groups])
        return weights[self.group] * keep[self.group]


def loss(e: np.ndarray) -> np.ndarray:
    """Root of the pseudo-Huber loss: e²/2 near zero, |e| far away."""
    return np.sign(e) * np.sqrt(2.0 * (np.sqrt(1.0 + e * e) - 1.0))


def slope(e: np.ndarray) -> np.ndarray:
    """Of :func:`loss`."""
    small = np.abs(e) < 1e-6
    safe = np.where(small, 1.0, e)
    return np.where(small, 1.0, np.abs(safe) / np.sqrt(1.0 + safe * safe) / np.abs(loss(safe)))


def index(labels: list[Any]) -> tuple[list[Any], np.ndarray]:
    """The distinct labels in order, and the number of each one's."""
    names = sorted(set(labels))
    where = {name: i for i, name in enumerate(names)}
    return names, np.array([where[label] for label in labels])
