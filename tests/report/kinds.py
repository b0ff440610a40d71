"""The five kinds of report that people have, each small enough to be read by eye in every form.

``python tests/report/kinds.py`` writes the texts of each kind under ``tests/report/texts``: read
them before they are committed.  Most inputs are given, so that a change of data changes few texts.
"""

from __future__ import annotations

import copy
import functools
import re
from pathlib import Path
from typing import Any, cast

import costcalc
from costcalc import __version__
from costcalc.report.compare import show
from costcalc.report.importing import codecarbon
from costcalc.report.project import merge
from costcalc.report.renderings import render
from costcalc.tracking.ledger import Written
from costcalc.tracking.merge import totals
from costcalc.tracking.plan import predicted, prepare
from costcalc.tracking.records import Device, Energy, Place, Sample, Start
from costcalc.tracking.reporting import report

KINDS = ("estimate", "typed", "tracked", "imported", "merged")

_ESTIMATE = {
    "name": "llama-3-8b, two seeds",
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "20B", "runs": 2},
    "hardware": {
        "accelerator": "h100-sxm5-80",
        "count": 64,
        "utilization": 0.4,
        "goodput": 0.9,
        "board_power": "600 W",
        "host_power": "1600 W",
    },
    "site": {"region": "aws:us-east-1", "grid": "400 gCO2e/kWh", "pue": 1.2},
    "price": {"device_hour": "3 USD"},
}
_TYPED = {
    "name": "our finished job",
    "measured": {"wall_clock": "36 h", "energy_it": "52 kWh"},
    "hardware": {"accelerator": "a100-sxm4-80", "count": 4},
    "site": {"region": "FR", "grid": "56 gCO2e/kWh"},
    "price": {"device_hour": "1.50 USD"},
}
_TRACKED = {
    "name": "gpt2 on one node",
    "model": {"preset": "gpt2"},
    "training": {"tokens": "1e9", "sequence_length": 1024, "global_batch": 64},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
    "site": {"region": "SE", "grid": "40 gCO2e/kWh", "pue": 1.1},
    "price": {"device_hour": "2 USD"},
}
_CODECARBON = """\
timestamp,project_name,run_id,experiment_id,duration,emissions,energy_consumed,country_name,\
country_iso_code,region,cloud_provider,cloud_region,codecarbon_version,cpu_model,gpu_count,\
gpu_model,pue
2026-05-01T12:00:00,p,r1,e1,7200,0.336,6.0,France,FRA,ile-de-france,,,3.0.4,EPYC,4,\
4 x NVIDIA A100-SXM4-80GB,1.0
2026-05-02T12:00:00,p,r2,e1,3600,0.168,3.0,France,FRA,ile-de-france,,,3.0.4,EPYC,4,\
4 x NVIDIA A100-SXM4-80GB,1.0
"""


@functools.cache
def _made(kind: str) -> dict[str, Any]:
    if kind == "estimate":
        return costcalc.estimate(_ESTIMATE).to_dict()
    if kind == "typed":
        return costcalc.estimate(_TYPED).to_dict()
    if kind == "tracked":
        return _tracked()
    if kind == "imported":
        return dict(codecarbon.read(_CODECARBON, "emissions.csv"))
    parts = [(name, _made(name)) for name in ("estimate", "tracked")]
    return dict(merge(parts, name="the whole project"))


def made(kind: str) -> dict[str, Any]:
    """A copy of the report of a kind."""
    return cast("dict[str, Any]", copy.deepcopy(_made(kind)))


def _tracked() -> dict[str, Any]:
    """One node of eight H100 at 500 W for two hours: 8 kWh of boards, and a host nobody metered."""
    return two_hours(_TRACKED, 8 * ["NVIDIA H100 80GB HBM3"], 500.0, tokens=10**9, steps=15259)


def two_hours(run: dict[str, Any], boards: list[str], watts: float, **counted: Any) -> Any:
    """What a tracker reports of a node whose boards drew that for two hours, by NVML."""
    seen = Energy(joules=watts * 7200, basis="measured", meter="NVML", component="device")
    start = Start(
        job="slurm:42",
        writer="w",
        machine={},
        time=0.0,
        boot="b",
        host="node-17",
        devices=tuple(Device(uuid=f"G{n}", name=name) for n, name in enumerate(boards)),
        place=Place(job="slurm:42", node=0, nodes=1),
    )
    energy = {f"gpu:G{n}": seen for n in range(len(boards))}
    last = Sample(time=7200.0, elapsed=7200.0, energy=energy, status="completed", **counted)
    plan = prepare(run)
    before, why = predicted(plan)
    return report(totals([Written(start=start, last=last)]), plan, before, why_not=why)


# --- their texts ----------------------------------------------------------------------------------

FOLDER = Path(__file__).parent / "texts"
VENUES = {
    "show": "txt",
    "neurips": "txt",
    "acl": "txt",
    "annex-xi": "txt",
    "annex-xi-json": "json",
    "model-card": "md",
    "latex": "tex",
    "latex-1": "tex",
}
_CHANGES = re.compile(r"sha256:[0-9a-f]{64}|run-[0-9a-f]{12}|(?<=costcalc )\d+\.\d+\.\d+")


def text(kind: str, venue: str) -> str:
    """A kind as a venue has it, without digests and versions."""
    report_ = made(kind)
    if venue == "show":
        shown = "\n".join(show(report_)) + "\n"
    else:
        columns = 1 if venue == "latex-1" else 2
        shown = render(report_, venue.removesuffix("-1"), columns=columns)
    shown = shown.replace(f"version = {{{__version__}}}", "version = {V}")
    return _CHANGES.sub("V", shown)


def file(kind: str, venue: str) -> Path:
    return FOLDER / f"{kind}.{venue}.{VENUES[venue]}"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for one in KINDS:
        for place in VENUES:
            file(one, place).write_text(text(one, place), encoding="utf-8", newline="\n")
