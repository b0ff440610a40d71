"""How long one estimate takes once everything is loaded, and a million scenarios in one call."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import costcalc
from costcalc.calculator.scenarios import scenarios
from costcalc.catalog.region import codes

RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {
        "tokens": "15T",
        "sequence_length": 8192,
        "global_batch": 1024,
        "precision": "bf16",
        "micro_batch": 1,
        "recompute": "none",
    },
    "hardware": {
        "accelerator": "h100-sxm5-80",
        "count": 1024,
        "layout": {"data": 1024, "sharding": "zero3"},
    },
    "site": {"region": "aws:us-east-1"},
}
AUTO: dict[str, Any] = {**RUN, "hardware": {"accelerator": "h100-sxm5-80", "count": 1024}}
ACCELERATORS = [
    "h100-sxm5-80",
    "a100-sxm4-80",
    "h200-sxm-141",
    "b200-sxm-180",
    "mi300x",
    "tpu-v5p",
    "l40s",
    "gh200-96",
    "h100-pcie-80",
    "a100-pcie-80",
]


def milliseconds(call: Callable[[], object], times: int) -> float:
    """The best of five rounds: what the machine can do when left alone."""
    call()
    rounds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(times):
            call()
        rounds.append((time.perf_counter() - start) / times * 1e3)
    return min(rounds)


def million() -> tuple[int, float]:
    """Number of scenarios and seconds: 10 accelerators × 10 counts × 250 regions × 40 prices."""
    run = {
        **RUN,
        "training": {**RUN["training"], "global_batch": 4096},
        "hardware": {**RUN["hardware"], "layout": {"sharding": "zero3"}},
    }
    regions = list(codes())[:250]
    plans = ["on-demand", "spot", *(f"{0.5 + 0.1 * i:.1f} USD" for i in range(38))]
    counts = [64 * (i + 1) for i in range(10)]
    for _ in range(2):  # the first call reads the data files
        start = time.perf_counter()
        found = scenarios(
            run, accelerators=ACCELERATORS, counts=counts, regions=regions, plans=plans
        )
        seconds = time.perf_counter() - start
    return found.number, seconds


def main() -> None:
    """Print each figure with its target."""
    plain = milliseconds(lambda: costcalc.estimate(RUN, ranges=False), 200)
    print(f"estimate(dict), layout given, no range: {plain:.2f} ms; target: 0.3 ms")
    ranged = milliseconds(lambda: costcalc.estimate(RUN), 50)
    print(f"estimate(dict), layout given, 10,000 draws: {ranged:.2f} ms; target: 2 ms")
    auto = milliseconds(lambda: costcalc.estimate(AUTO, ranges=False), 30)
    print(f"estimate(dict), layout auto: {auto:.2f} ms; target: 20 ms")
    number, seconds = million()
    print(
        f"{number:,} scenarios in one call: {seconds:.2f} s, {number / seconds:,.0f} a second; "
        "target: 1 s"
    )


if __name__ == "__main__":
    main()
