"""Edits with a digest made anew: each kind is found, and so is that of any leaf."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kinds import made as made_kind
from kinds import two_hours

import costcalc
from costcalc.base import writing
from costcalc.base.document import Document
from costcalc.report.check import _again, _closure, verify
from costcalc.report.files import schema_problems, text
from costcalc.report.importing import nvidia_smi
from costcalc.report.importing.build import Recorded
from costcalc.report.importing.build import report as recorded
from costcalc.report.importing.costed import Costing
from costcalc.report.project import merge
from costcalc.report.tools import BOUNDARIES, OWN_FACTOR

ROOT = Path(__file__).parent.parent.parent
RUN = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "20B", "runs": 2},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
    "site": {"region": "aws:us-east-1"},
    "limits": {"cost": "500 USD"},
}
Report = dict[str, Any]
# What nobody but the author knows, and the seal itself.
FREE = ("name", "subject", "software", "digest")
# What only a meter, or the tool that recorded it, could know.
METERS = (
    "id",
    "name",
    "role",
    "hardware",
    "unknown",
    "pue",
    "grid",
    "energy_it",
    "began",
    "machine",
    "place",
    "cpu",
    "gpu",
    "ram",
)


def results(made: Report, key: str, **values: float) -> None:
    made["results"][key] |= values


def narrowed(made: Report) -> None:
    for figure in made["results"].values():
        figure |= {"low": figure["value"], "high": figure["value"]}


def measured(made: Report) -> None:
    made["kind"] = "measured"
    for figure in made["results"].values():
        figure["basis"] = "measured"


def everything(made: Report) -> None:
    for item in made["boundary"]["components"]:
        item["counted"] = True


def halved(made: Report) -> None:
    made["data"][next(iter(made["data"]))] = "sha256:" + "0" * 64
    results(made, "parameters", value=4e9, low=4e9, high=4e9)


def part_moved(made: Report) -> None:
    cost = made["breakdown"]["cost"]
    cost["training"], cost["shortfall"] = cost["shortfall"], cost["training"]


KINDS: dict[str, Callable[[Report], object]] = {
    "region": lambda made: made["run"]["site"].update(region="SE"),
    "accelerator": lambda made: made["run"]["hardware"].update(accelerator="rtx-4090"),
    "no data": lambda made: made["data"].clear(),
    "a digest of data": halved,
    "name of the hardware": lambda made: made["details"]["hardware"].update(name="RTX 4090"),
    "place": lambda made: made["details"].update(place="Sweden"),
    "measured": measured,
    "meters": lambda made: made["measurement"]["meters"].append({"name": "NVML"}),
    "ranges": narrowed,
    "E": lambda made: made["work"]["E"].update(value=made["work"]["E"]["value"] / 2),
    "hours": lambda made: made["runs"][0].update(hours=made["runs"][0]["hours"] / 10),
    "no runs": lambda made: made["runs"].clear(),
    "breakdown": part_moved,
    "shares": lambda made: made["drivers"][0].update(share=0.0),
    "low": lambda made: made["assumptions"][-1].update(low=made["assumptions"][-1]["value"]),
    "an assumption": lambda made: made["assumptions"].append(
        {"key": "site.solar", "value": 1.0, "basis": "given", "source": "us"}
    ),
    "boundary": everything,
    "judgement": lambda made: made["limits"][0].update(passed=False),
    "market": lambda made: made["results"].update(
        carbon_operational_market={
            **made["results"]["carbon_operational"],
            **dict.fromkeys(("value", "low", "high"), 0.0),
        }
    ),
    "unknown key": lambda made: made.update(approved_by="the editor"),
    "model version": lambda made: made.update(model_version="1"),
    "no release": lambda made: made.update(costcalc_version="0.0.1"),
    "no version": lambda made: made.pop("costcalc_version"),
    "no run": lambda made: made.update(run={}, data={}),
}


@pytest.fixture(scope="module")
def estimate() -> Report:
    return costcalc.estimate(RUN).to_dict()


@pytest.mark.parametrize("kind", list(KINDS))
def test_each_kind_of_forgery_is_found(kind: str, estimate: Report, tmp_path: Path) -> None:
    made = copy.deepcopy(estimate)
    KINDS[kind](made)
    made["digest"] = writing.digest(made)
    path = tmp_path / "r.yaml"
    path.write_text(text(made), encoding="utf-8")
    verdict = verify(path)
    assert verdict.steps[0].said == "valid costcalc/report/v1, digest intact"
    assert verdict.discrepancies


def test_a_part_removed_of_a_merged_report_is_found(estimate: Report) -> None:
    made = merge([("a", estimate), ("b", estimate)], name="p", distinct=True)
    assert holds(made)
    made = copy.deepcopy(made)
    made["details"]["parts"].pop()
    assert not holds(made)
    assert "details.parts: cover 1 of 2 stages" in _closure(made).discrepancies


def test_what_cannot_be_is_warned_of_and_found() -> None:
    """20e9 tokens x 51.5 GFLOP in 0.5 h of 64 H100 of 989 TFLOP/s are 9.03 of the peak."""
    run = {
        **RUN,
        "measured": {"wall_clock": "0.5 h", "energy": "1 kWh"},
        "training": {"tokens": "20B"},
    }
    made = costcalc.estimate(run).to_dict()
    assert any(line.startswith("utilization of 903 %") for line in made["warnings"])
    assert any("W a device: less than a board draws when idle" in line for line in made["warnings"])
    assert len([line for line in _closure(made).discrepancies if "cannot be right" in line]) == 2


def test_an_honest_report_with_a_layout_left_open_holds() -> None:
    """Sharding is open, the axes are given: they are kept, and not listed as found."""
    hardware = {"accelerator": "a100-sxm4-80", "count": 4, "layout": {"data": 2, "tensor": 2}}
    run = {
        "model": {"preset": "gpt2"},
        "training": {"global_batch": 4, "sequence_length": 64, "tokens": 10240},
        "hardware": {**hardware, "throughput": "2444 token/s", "goodput": 0.5},
    }
    made = costcalc.estimate(run).to_dict()
    assert "hardware.layout" not in [item["key"] for item in made["assumptions"]]
    assert holds(made)


# --- any leaf -------------------------------------------------------------------------------------


def leaves(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    listed = enumerate(value) if isinstance(value, list) else ()
    inner = value.items() if isinstance(value, dict) else listed
    found = False
    for key, item in inner:
        found = True
        yield from leaves(item, (*path, key))
    if not found:
        yield path


def edited(report: Report, path: tuple[Any, ...]) -> Report:
    made = copy.deepcopy(report)
    holder: Any = made
    for key in path[:-1]:
        holder = holder[key]
    old = holder[path[-1]]
    if isinstance(old, bool):
        new: object = not old
    elif isinstance(old, (int, float)):
        new = old * 1.1 if old else 1.0
    elif isinstance(old, str):
        new = f"{old}x"
    else:
        new = "forged" if old is None else {"forged": 1.0} if old == {} else [{"forged": 1.0}]
    holder[path[-1]] = new
    return made


def holds(report: Report) -> bool:
    if schema_problems(Document(report, "r")):
        return False
    return not (_closure(report).discrepancies or _again(report).discrepancies)


CODECARBON: Any = {
    "tool": "CodeCarbon",
    "version": "1",
    "boundary": BOUNDARIES["CodeCarbon"],
    "warnings": [OWN_FACTOR],
}


def imported() -> Report:
    rows = [
        Recorded(
            key=k,
            name=k,
            hours=2.0,
            devices=4.0,
            energy_it=3.0,
            pue=1.5,
            grid=200.0,
            place="Poland",
            parts={"cpu": 1.0, "gpu": 1.5, "ram": 0.5},
        )
        for k in "ab"
    ]
    return dict(recorded(rows, name="n", **CODECARBON))


def costed() -> Report:
    """What a tool recorded of a run, with a place: cost and making are calculated."""
    row = Recorded(key="a", name="a", hours=2.0, devices=4.0, energy_it=3.0, pue=1.5, grid=200.0)
    place = Costing(changes={"hardware.accelerator": "a100-sxm4-80", "price.device_hour": "2 USD"})
    return dict(recorded([row], name="n", **CODECARBON, costing=place))


def boards() -> Report:
    """A log of one board that says 300 W, for 90 of 100 s nothing."""
    rows = [f"2026/11/27 10:00:{s:02d}.000, 0, NVIDIA A100-SXM4-80GB, 300 W\n" for s in range(11)]
    later = "2026/11/27 10:01:40.000, 0, NVIDIA A100-SXM4-80GB, 300 W\n"
    head = "timestamp, index, name, power.draw [W]\n"
    return dict(nvidia_smi.read(f"{head}{''.join(rows)}{later}", "gpu.csv"))


def unprofiled() -> Report:
    """Two hours of 300 W of a board that no profile describes: 0.6 kWh, and nobody saw the host."""
    run = {"model": {"preset": "gpt2"}, "site": {"region": "FR"}}
    counted = {"tokens": 10**9, "steps": 1000, "timed": 900, "busy": 6300.0}
    return dict(two_hours(run, ["NVIDIA H900"], 300.0, **counted))


def of_kind(kind: str, estimate: Report) -> Report:
    if kind == "merged":
        parts = [("a", estimate), ("b", imported()), ("c", made_kind("tracked"))]
        return dict(merge(parts, name="p"))
    stages = ROOT / "examples" / "project.yaml"
    others = {
        "estimate": lambda: estimate,
        "stages": lambda: costcalc.estimate(stages).to_dict(),
        "imported": imported,
        "costed": costed,
        "boards": boards,
        "unprofiled": unprofiled,
    }
    return others[kind]() if kind in others else made_kind(kind)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "kind",
    [
        "estimate",
        "stages",
        "merged",
        "imported",
        "costed",
        "boards",
        "typed",
        "tracked",
        "unprofiled",
    ],
)
def test_an_edit_of_any_leaf_is_found(kind: str, seed: int, estimate: Report) -> None:
    """Of what costcalc calculates any, of what was measured any that follows from the rest."""
    made = of_kind(kind, estimate)
    assert holds(made)
    found = [path for path in leaves(made) if path[0] not in FREE and not only_a_meter(path)]
    for path in random.Random(seed).sample(found, min(25, len(found))):
        assert not holds(edited(made, path)), path


# In docs/report.md, under "What verify cannot know".
TRACKER = ("after_hours", "processes", "ranks", "nodes", "status", "steps", "notes", "predicted")
# Of hardware without a profile: what was counted and timed, and what it is called.
UNPROFILED = (("details", "hardware"), ("details", "work", "data"))


def only_a_meter(path: tuple[Any, ...]) -> bool:
    """Whether nobody but the author, a meter, a clock or another tool knows a leaf."""
    if path[0] == "runs" and path[-1] in METERS:
        return True
    if path == ("run", "name"):
        return True
    if path[:2] == ("details", "parts"):
        own = any(key in ("subject", "name", "warnings") for key in path[2:])
        return own or path[-1] in ("gaps", "nodes", "meter") or _of_a_tool(path[3:])
    if path[0] == "stages":
        return _of_a_tool(path[2:])
    return path[-1] in ("gaps", "nodes", "meter") or _of_a_tool(path)


def _of_a_tool(path: tuple[Any, ...]) -> bool:
    told = path[:2] == ("details", "tracking") and any(key in TRACKER for key in path[2:])
    told = told or any(path[: len(known)] == known for known in UNPROFILED)
    tool = path[:2] == ("details", "imported") and path[2] in ("version", "warnings")
    return told or tool


# --- the form of what only a meter knows ----------------------------------------------------------


def noted(made: Report) -> list[str]:
    """What a tool's record is warned of, which all else of the warnings stands beside."""
    told: list[str] = made["details"]["imported"]["warnings"]
    made["warnings"] = told
    return told


FORMS: dict[str, tuple[str, Callable[[Report], object], str]] = {
    "a key of the tracker's": (
        "tracked",
        lambda made: made["details"]["tracking"].update(approved=True),
        "details.tracking.approved: unknown key; costcalc writes none",
    ),
    "hours of an attempt": (
        "tracked",
        lambda made: made["details"]["tracking"]["attempts"][0].update(hours=None),
        "details.tracking.attempts[0].hours: expected a number, 0 or more; got null",
    ),
    "devices as text": (
        "tracked",
        lambda made: made["details"]["tracking"]["attempts"][0].update(devices="8"),
        "details.tracking.attempts[0].devices: expected a whole number, 0 or more; got 8",
    ),
    "what was predicted": (
        "tracked",
        lambda made: made["details"]["tracking"]["predicted"]["figures"].reverse(),
        "details.tracking.predicted.figures: in another order, or one twice",
    ),
    "a range of what was predicted": (
        "tracked",
        lambda made: made["details"]["tracking"]["predicted"]["figures"][0].update(high=0.0),
        "details.tracking.predicted.figures[0]: its range does not contain what was predicted",
    ),
    "a rate over all of the time": (
        "unprofiled",
        lambda made: made["details"]["tracking"].pop("throughput_of_wall_clock"),
        "details.tracking.throughput_of_wall_clock: missing; data were counted",
    ),
    "gaps": (
        "tracked",
        lambda made: made["measurement"].update(gaps=-1.0),
        "measurement.gaps: expected a number, 0 or more; got -1",
    ),
    "one end of a part": (
        "tracked",
        lambda made: made["measurement"]["components"][1].pop("low"),
        "measurement.components[1]: has one end of a range",
    ),
    "what is not counted": (
        "unprofiled",
        lambda made: made["measurement"].update(not_counted=["memory"]),
        "measurement.not_counted: ['memory']; it is processors, memory, the rest of the machine",
    ),
    "nodes": (
        "unprofiled",
        lambda made: made["details"]["hardware"].update(nodes=5),
        "details.hardware.nodes: measurement.nodes is 1",
    ),
    "a row's key": (
        "imported",
        lambda made: made["runs"][0].update(approved=True),
        "runs[0].approved: unknown key; costcalc writes none",
    ),
    "a row's PUE": (
        "imported",
        lambda made: made["runs"][0].update(pue=0.5),
        "runs[0].pue: expected a number, 1 or more, or null; got 0.5",
    ),
    "a row's time": (
        "imported",
        lambda made: made["runs"][0].update(began="yesterday"),
        "runs[0].began: expected a time of ISO 8601, or null; got yesterday",
    ),
    "a reason for a figure that is known": (
        "imported",
        lambda made: made["runs"][0].update(unknown={"energy": "not metered"}),
        "runs a.unknown.energy: unknown key; recomputed there is none",
    ),
    "the tool": (
        "costed",
        lambda made: made["details"]["imported"].update(audited_by="us"),
        "details.imported.audited_by: unknown key; costcalc writes none",
    ),
    "a tool that there is not": (
        "imported",
        lambda made: made["details"]["imported"].update(name="an auditor's meter"),
        "details.imported.name: expected one of CodeCarbon, carbontracker, Slurm accounting, "
        "nvidia-smi, dcgmi, Weights & Biases, MLflow, Zeus, a fleet's ledger, of Slurm, a fleet's "
        "ledger, of LSF, a fleet's ledger, of PBS, a fleet's ledger, of Kubernetes, a fleet's "
        "ledger, of costcalc track; got an auditor's meter",
    ),
    "a PUE that the tool does not record": (
        "boards",
        lambda made: made["runs"][0].update(pue=1.0),
        "runs[0].pue: 1; nvidia-smi records none",
    ),
    "a grid that the tool does not record": (
        "boards",
        lambda made: made["runs"][0].update(grid=5.0),
        "runs[0].grid: 5; nvidia-smi records none",
    ),
    "a place that the tool does not record": (
        "boards",
        lambda made: made["runs"][0].update(place="Sweden"),
        "runs[0].place: Sweden; nvidia-smi records none",
    ),
    "that a meter saw the boards alone": (
        "boards",
        lambda made: noted(made).pop(0),
        "warnings: lack that the energy is that of the boards, as their driver reports their "
        "power; not the host, nor cooling",
    ),
    "that a log has gaps": (
        "boards",
        lambda made: noted(made).pop(1),
        "warnings: lack that the energy is a lower bound; 0.9 was not sampled",
    ),
    "what a tool meters": (
        "costed",
        lambda made: made["details"]["imported"].update(what="the plug, as auditors read it"),
        "details.imported.what: the plug, as auditors read it; CodeCarbon meters CPU, GPU and "
        "memory of the machine as CodeCarbon counts them",
    ),
}


@pytest.mark.parametrize("kind", list(FORMS))
def test_what_only_a_meter_knows_keeps_its_form(kind: str, estimate: Report) -> None:
    of, forge, line = FORMS[kind]
    made = of_kind(of, estimate)
    assert holds(made)
    forge(made)
    assert line in _again(made).discrepancies


def test_rows_gone_are_a_discrepancy_and_no_crash() -> None:
    made = imported()
    made["runs"] = []
    line = "the run cannot be calculated again (IndexError)"
    assert _again(made).discrepancies == (line,)


def test_the_leaves_that_only_a_meter_knows_are_in_the_docs() -> None:
    text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    section = text.partition("## What verify cannot know")[2].partition("\n## ")[0]
    for leaf in {*METERS, *TRACKER, "gaps", "nodes", "meter", "subject", "software"} - {"steps"}:
        assert f"`{leaf}`" in section, leaf
