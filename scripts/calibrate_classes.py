"""Constants of models that are known by their FLOPs alone: convolutional nets, ViTs, diffusion.

:func:`samples_of` is called by ``calibrate_throughput.py``, which writes what it finds; alone this
script prints the constants of all measurements and the errors on each group left out.  The centres
of the priors were set from what the operations are (and the old number of passes); their widths
leave most to the data.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import least_squares

sys.path.insert(0, str(Path(__file__).parent.parent))
from measured_cases import SampleCase, between, sample_case, sample_error

from costcalc.throughput import by_flops
from costcalc.throughput.constants import shipped as shipped_constants
from costcalc.validate.measurements import all_measured

# Widths of the priors: of the logarithms of shares, then of PRIOR's constants.
SHARES = 0.4
WIDTHS = {
    "tf32": 0.4,
    "fp32": 0.4,
    "passes": 0.4,
    "fused": 0.5,
    "light": 0.7,
    "late": 1.0,
    "layer": 0.3,
}
NOISE = 0.15  # of a measurement, log: errors above count less and less


def known_by_flops() -> list[SampleCase]:
    """The configurations that are known by FLOPs."""
    return [case for case in map(sample_case, all_measured()) if case is not None]


def samples_of(
    known: list[SampleCase], others: Mapping[str, Any], without: str | None = None
) -> dict[str, Any]:
    """``classes`` and ``samples`` of :mod:`costcalc.throughput.by_flops`, one group left out.

    ``others``: the constants that they are used with, such as the share of the bandwidth.
    """
    given = [case for case in known if case.group != without]
    nets = [between(case, others) for case in given]
    kinds = sorted({case.kind for case in given})
    number = {g: sum(case.group == g for case in given) for g in {case.group for case in given}}
    weights = 3.0 * np.array([number[case.group] ** -0.5 for case in given])

    def constants(theta: np.ndarray) -> dict[str, Any]:
        shares = {
            kind: {
                "share": min(by_flops.SHARE[kind] * float(np.exp(t * SHARES)), 1.0),
                "n": sum(case.kind == kind for case in given),
            }
            for kind, t in zip(kinds, theta, strict=False)
        }
        samples = {
            name: by_flops.PRIOR[name] * float(np.exp(t * width))
            for (name, width), t in zip(WIDTHS.items(), theta[len(kinds) :], strict=True)
        }
        return {"classes": shares, "samples": samples}

    def residuals(theta: np.ndarray) -> np.ndarray:
        made = constants(theta)
        used = {**others, **made}
        off = [sample_error(case, used, net) for case, net in zip(given, nets, strict=True)]
        e = np.array(off) / NOISE
        soft = np.sign(e) * np.sqrt(2.0 * (np.sqrt(1.0 + e * e) - 1.0))
        return np.concatenate([weights * soft, theta])

    found = least_squares(residuals, np.zeros(len(kinds) + len(WIDTHS)), max_nfev=30).x
    made = constants(found)
    for own in (*made["classes"].values(), made["samples"]):
        own |= {name: float(f"{value:.4g}") for name, value in own.items() if name != "n"}
    return made


def main() -> None:
    """Print the constants, and how far off each group is that the fit has not seen."""
    known = known_by_flops()
    others = shipped_constants()
    print(samples_of(known, others))
    errors: dict[str, list[float]] = {}
    for group in sorted({case.group for case in known}):
        made = {**others, **samples_of(known, others, group)}
        for case in known:
            if case.group == group:
                off = sample_error(case, made, between(case, made))
                errors.setdefault(f"{case.kind}, {group}", []).append(off)
    for name, found in sorted(errors.items()):
        apart = np.abs(np.exp(found) - 1.0)
        print(
            f"{name:28} n {len(found):4}  median {np.median(apart):5.0%}  "
            f"90th {np.quantile(apart, 0.9):5.0%}  bias {np.median(found):+.2f}"
        )


if __name__ == "__main__":
    main()
