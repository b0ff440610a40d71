"""A million scenarios compared: seconds, memory, and what the front and the limits add.

Run: python benchmarks/compare.py [scenarios].  The reference of the ratio is scenarios() alone on
the same axes, in the same run: what compare adds (chunks, front, limits) should be small beside it.
"""

from __future__ import annotations

import resource
import sys
import time

from costcalc.calculator.scenarios import scenarios
from costcalc.catalog import region
from costcalc.decide.comparing import compare

RUN = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1T"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
    "limits": {"time": "60 d"},
}
ACCELERATORS = ("h100-sxm5-80", "a100-sxm4-80", "h200-sxm-141", "b200-sxm-180", "mi300x")
PLANS = ("on-demand", "spot", "reserved-1y", "reserved-3y")


def main(wanted: int) -> None:
    """Compare about so many scenarios, twice: with compare and with scenarios alone."""
    regions = tuple(region.codes())
    number = max(wanted // (len(ACCELERATORS) * len(regions) * len(PLANS)), 1)
    counts = tuple(8 * k for k in range(1, number + 1))
    axes = {"accelerators": ACCELERATORS, "counts": counts, "regions": regions, "plans": PLANS}
    scenarios(RUN, **{**axes, "counts": (8,)})  # files are read once a process
    began = time.perf_counter()
    alone = scenarios(RUN, **axes)
    reference = time.perf_counter() - began
    del alone
    began = time.perf_counter()
    found = compare(RUN, **axes, minimize="carbon", ranges=False)
    taken = time.perf_counter() - began
    began = time.perf_counter()
    compare(RUN, **axes, minimize="carbon")
    ranged = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{found.number:,} scenarios in {taken:.2f} s ({taken / reference:.2f} of scenarios()"
        f" alone), {ranged:.2f} s with the ranges of the front; {len(found.front)} on the front, "
        f"{memory:.0f} MiB at most"
    )


if __name__ == "__main__":
    main(int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000)
