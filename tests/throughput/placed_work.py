"""Work of round sizes, and where it is placed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from throughput_models import LLAMA8, machine, work_of

from costcalc.throughput.layout import Layout
from costcalc.throughput.placement import place
from costcalc.workload.stage import WorkloadInput, workload
from costcalc.workload.work import Work

# Two FLOP a weight of a layer of 1e6, of 1000 tokens: everything is round
WORK = replace(
    work_of(LLAMA8), flops_per_datum=6e9, model_flops=6e9 * 1e6, data=1e6, sequence_length=1000
)
ON = machine(4, peak={"bf16": 1e15, "fp8": 2e15})


def placed(work: Work, on: Any, made: Any, layout: Layout | None = None, **more: Any) -> Any:
    asked = {"fixed": None, "recompute_free": False, "must_fit": True} | more
    return place(work, on, made, layout, asked.pop("fixed"), **asked)


NET = workload(WorkloadInput(forward_flops=1e10, parameters=1e8, samples=1e6))
