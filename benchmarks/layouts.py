"""Layouts a second: the search over the full space, memory and time of each, on one core.

    python benchmarks/layouts.py [--check]

The reference of the same run is the same evaluation one layout at a time.  ``--check`` fails below
a million layouts a second, or where the pruned set of ``layout: auto`` takes more than 15 ms.
"""

from __future__ import annotations

import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from costcalc.throughput.constants import load
from costcalc.throughput.footprint import footprint_of
from costcalc.throughput.layout import Layout, Machine, Recipe
from costcalc.throughput.memory import memory
from costcalc.throughput.placement import shape_for
from costcalc.throughput.search import search
from costcalc.throughput.space import pruned
from costcalc.throughput.step import step_time
from costcalc.workload.generic import Given, from_shape
from costcalc.workload.stage import WorkloadInput, workload

DEVICES = 64
A100 = Machine(
    accelerator="a100-sxm4-80",
    generation="ampere",
    kind="gpu",
    devices=DEVICES,
    per_node=8,
    peak={"bf16": 312e12},
    memory=80 * 2.0**30,
    memory_bandwidth=2.039e12,
    scale_up=300e9,
    scale_up_domain=8,
    scale_out=25e9,
)
GPT3 = from_shape(
    Given(layers=96, hidden=12288, heads=96, ffn=49152, vocabulary=51200, gated=False, tied=True)
)
RECIPE = Recipe(sequence_length=2048, global_batch=1536, precision="bf16", attention="standard")


def best_of(times: int, call: object) -> float:
    """The shortest of several runs, in seconds."""
    shortest = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        call()  # type: ignore[operator]
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def main() -> int:
    """Prints the rates; 1 with ``--check`` where one is missed."""
    work = workload(WorkloadInput(architecture=GPT3, tokens=3e11, sequence_length=2048))
    shape, kept, constants = shape_for(work), footprint_of(work), load()
    assert shape is not None
    assert kept is not None

    def walk(*, full: bool) -> object:
        return search(shape, A100, RECIPE, footprint=kept, constants=constants, full=full)

    def one() -> None:
        layout = Layout(data=2, tensor=8, pipeline=4, sharding="zero1", recompute="full")
        memory(kept, A100, layout, RECIPE)
        step_time(shape, A100, layout, RECIPE, constants)

    whole = walk(full=True)
    seconds = best_of(5, lambda: walk(full=True))
    pruned.cache_clear()
    cold = best_of(1, lambda: walk(full=False))
    warm = best_of(20, lambda: walk(full=False))
    single = best_of(200, one)
    rate = whole.walked / seconds  # type: ignore[attr-defined]
    print(
        f"full space, GPT-3 175B on {DEVICES} devices: {whole.walked:,} layouts "  # type: ignore[attr-defined]
        f"in {seconds:.3f} s: {rate:,.0f} layouts/s"
    )
    print(f"one at a time: {1 / single:,.0f} layouts/s; all at once is {rate * single:,.0f} times")
    print(f"pruned set: {cold * 1e3:.1f} ms the first time, {warm * 1e3:.1f} ms after")
    missed = rate < 1e6 or cold > 0.015
    return int(missed and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
