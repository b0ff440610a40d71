"""Fit what one measured step says of others: writes data/transfer.yaml and its folds.

The constants of :mod:`costcalc.throughput.transfer` maximise the likelihood of the errors that the
time model makes on groups of sources that its fit had not seen, machine by machine, with priors
around 0.1 to 0.5 and lengths of a few doublings.  A word of precision, kind or method has a prior
length of 2, one of the software and its settings of 1: few of the measured machines ran two of
them, and of one that none ran (int8 beside nf4, TRL beside Transformers) nothing says that it errs
alike (a stated judgement).  Each fold leaves one group out.

    python scripts/calibrate_transfer.py [--check]
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from costcalc.throughput.transfer import (
    NAMES,
    SIZES,
    WORDS,
    Compared,
    Spreads,
    compared,
    covariance,
    log_likelihood,
)
from costcalc.validate.measurements import all_measured
from costcalc.validate.transfer import machines

DATA = Path(__file__).parent.parent / "costcalc" / "data"
#: spreads of machines: as modelled, a little off, another box; their weights are fitted
MACHINE = (0.03, 0.15, 0.5)
#: repeats of one configuration differ by as much (validate: the noise floor, and its tail)
NOISE = 0.03
#: prior lengths of words: of what a run trains, then of how its software does it
WORD = [2.0] * 3 + [1.0] * (len(WORDS) - 3)
START = np.log([0.15, 0.3, 0.4, 0.3, 0.2, 0.05, *[4.0] * len(SIZES), *WORD])
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

Machine = tuple[str, Compared, np.ndarray]


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
            among = near + spread**2 * runs.related + found.noise**2 * np.eye(len(errors))
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
            compared([h.step.run for _, h in steps]),
            np.array([h.step.error for _, h in steps]),
        )
        for steps in machines(all_measured())
    ]
    texts = {DATA / "transfer.yaml": HEAD + SOURCES + written(fitted(known))}
    folds = HEAD.replace("from", "each fold leaves a group out, from")
    groups = sorted({group for group, _, _ in known})
    with ProcessPoolExecutor() as pool:
        without = pool.map(fitted, [[k for k in known if k[0] != group] for group in groups])
        for group, found in zip(groups, without, strict=True):
            made = written(found).splitlines()
            folds += f"{group}:\n" + "".join(f"  {line}\n" for line in made)
    texts[DATA / "measurements" / "transfer_folds.yaml"] = folds
    for path, text in texts.items():
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.name} is not what this script writes")


if __name__ == "__main__":
    main()
