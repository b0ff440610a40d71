"""Fit what one measured step says of others: writes data/transfer.yaml and its folds.

The constants of :mod:`costcalc.throughput.transfer` maximise the likelihood of the errors that the
time model makes on groups of sources that its fit had not seen, machine by machine, with priors
around 0.1 to 0.5 and lengths of a few doublings.  Each fold leaves one group out.

    python scripts/calibrate_transfer.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from costcalc.throughput.transfer import (
    NAMES,
    SIZES,
    WORDS,
    Likeness,
    Spreads,
    covariance,
    log_likelihood,
    related,
)
from costcalc.validate.measurements import all_measured
from costcalc.validate.transfer import machines

DATA = Path(__file__).parent.parent / "costcalc" / "data"
#: spreads of machines: as modelled, a little off, another box; their weights are fitted
MACHINE = (0.03, 0.15, 0.5)
#: repeats of one configuration differ by as much (validate: the noise floor, and its tail)
NOISE = 0.03
START = np.log([0.15, 0.3, 0.4, 0.3, 0.2, 0.05, *[4.0] * len(SIZES), *[2.0] * len(WORDS)])
WIDTH = 1.0  # of the prior, log
HEAD = """\
# Written by scripts/calibrate_transfer.py from measurements/throughput.csv; do not edit.
# What a run's error (log of measured over modelled rate) shares with others of its machine:
# standard deviations, and lengths in doublings (of a word that differs: 1 / length).
"""
SOURCES = """\
sources:
  measurements:
    title: Measured training throughput (measurements/throughput.csv, a source a row)
    publisher: costcalc
    url: null
    date: 2026-11
source: measurements
"""

Machine = tuple[str, list[Likeness], np.ndarray]


def spreads_at(theta: np.ndarray) -> Spreads:
    """The spreads that a vector of logarithms stands for."""
    values = np.exp(theta[: len(START)])
    weights = np.exp(np.append(theta[len(START) :], 0.0))
    weights = weights / weights.sum()
    return Spreads(
        machine=tuple(zip(MACHINE, weights.tolist(), strict=True)),
        parts=tuple(values[: len(NAMES)].tolist()),
        alike=float(values[len(NAMES)]),
        own=float(values[len(NAMES) + 1]),
        noise=NOISE,
        lengths=tuple(values[len(NAMES) + 2 :].tolist()),
    )


def unlikely(theta: np.ndarray, known: list[Machine]) -> float:
    """Minus the logarithm of likelihood and prior; a machine counts as the root of its steps."""
    found = spreads_at(theta)
    total = 0.0
    for _, runs, errors in known:
        near = covariance(runs, found)
        likely = []
        for spread, weight in found.machine:
            among = near + spread**2 * related(runs) + found.noise**2 * np.eye(len(errors))
            solved = np.linalg.solve(among, errors)
            likely.append(np.log(weight) + log_likelihood(errors, among, solved))
        total += np.logaddexp.reduce(likely) / len(errors) ** 0.5
    prior = np.append(START, [1.0, 0.5])
    return float(-total + 0.5 * np.sum(((theta - prior) / WIDTH) ** 2))


def fitted(known: list[Machine]) -> Spreads:
    """The most likely spreads of some machines."""
    start = np.append(START, [1.0, 0.5])
    found = minimize(unlikely, start, args=(known,), method="L-BFGS-B", options={"maxiter": 60})
    return spreads_at(found.x)


def written(found: Spreads) -> str:
    """Spreads as the file holds them."""

    def listed(names: tuple[str, ...], values: tuple[float, ...]) -> str:
        return ", ".join(f"{n}: {v:.4g}" for n, v in zip(names, values, strict=True))

    spread = ", ".join(f"{value:g}" for value, _ in found.machine)
    weight = ", ".join(f"{value:.4g}" for _, value in found.machine)
    return (
        f"machine: {{spread: [{spread}], weight: [{weight}]}}\n"
        f"parts: {{{listed(NAMES, found.parts)}}}\n"
        f"alike: {found.alike:.4g}\n"
        f"own: {found.own:.4g}\n"
        f"noise: {found.noise:.4g}\n"
        f"lengths: {{{listed((*SIZES, *WORDS), found.lengths)}}}\n"
    )


def main() -> None:
    """Write both files, or check that they are what would be written."""
    known = [
        (
            steps[0][0].group,
            [h.step.run for _, h in steps],
            np.array([h.step.error for _, h in steps]),
        )
        for steps in machines(all_measured())
    ]
    texts = {DATA / "transfer.yaml": HEAD + SOURCES + written(fitted(known))}
    folds = HEAD.replace("from", "each fold leaves a group out, from")
    for group in sorted({group for group, _, _ in known}):
        made = written(fitted([one for one in known if one[0] != group]))
        folds += f"{group}:\n" + "".join(f"  {line}\n" for line in made.splitlines())
    texts[DATA / "measurements" / "transfer_folds.yaml"] = folds
    for path, text in texts.items():
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.name} is not what this script writes")


if __name__ == "__main__":
    main()
