"""What of a report stands twice is compared, whichever release wrote it: by hand, then any leaf."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from kinds import KINDS as REPORTS
from kinds import made as of_kind
from records import SOURCES, recorded

import costcalc
from costcalc.base import writing
from costcalc.base.document import Document
from costcalc.report import claims, follows
from costcalc.report.check import verified
from costcalc.report.importing import codecarbon

Report = dict[str, Any]
RUN = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "20B", "runs": 2},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
    "site": {"region": "aws:us-east-1"},
    "limits": {"cost": "500 USD"},
}


@pytest.fixture(scope="module")
def estimate() -> Report:
    return costcalc.estimate(RUN).to_dict()


def foreign(report: Report, change: Callable[[Report], object]) -> list[str]:
    """What is found of a report of a release that nobody here has, sealed anew."""
    made = copy.deepcopy(report)
    change(made)
    made["costcalc_version"] = "99.0"
    made["digest"] = writing.digest(made)
    verdict = verified(Document(made, "r"))
    assert verdict.steps[0].discrepancies == ()
    return list(verdict.discrepancies)


def times(share: float, *path: Any) -> Callable[[Report], None]:
    def change(made: Report) -> None:
        holder: Any = made
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] *= share

    return change


def put(value: object, *path: Any) -> Callable[[Report], None]:
    def change(made: Report) -> None:
        holder: Any = made
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = value

    return change


def narrowed(made: Report) -> None:
    for figure in made["results"].values():
        figure |= {"low": figure["value"], "high": figure["value"]}


def dressed(made: Report) -> None:
    made["kind"] = "measured"
    for key in ("wall_clock", "device_hours", "energy", "energy_it"):
        made["results"][key]["basis"] = "measured"


FORGED: dict[str, tuple[Callable[[Report], object], str]] = {
    # 595,713 token/s × 14.3 h × 0.652 are 20 B tokens; nine tenths of the rate are 18 B
    "throughput": (times(0.9, "results", "throughput", "value"), "results.throughput: "),
    "step time": (times(0.9, "results", "step_time", "value"), "results.step_time: "),
    "data": (times(0.9, "details", "work", "data"), "results.throughput: "),
    "unit of a rate": (put("sample/s", "results", "throughput", "unit"), "results.throughput.unit"),
    "CO2e a token": (
        times(0.5, "results", "sci", "per", "training_token", "value"),
        "results.sci.per.training_token.value: ",
    ),
    "ranges": (narrowed, "is narrower than"),
    "one range": (
        lambda made: made["results"]["energy"].update(
            low=made["results"]["energy"]["value"], high=made["results"]["energy"]["value"]
        ),
        "results.energy: its range",
    ),
    "a wide range": (times(3.0, "results", "carbon_total", "high"), "is wider than"),
    "range of the hours": (times(1.1, "results", "device_hours", "high"), "results.device_hours"),
    "kind": (put("measured", "kind"), "kind: measured; by the basis of its time and energy it is"),
    "basis": (dressed, "results.energy.basis: measured; nothing in the report measured it"),
    "meters": (
        lambda made: made["measurement"]["meters"].append({"name": "NVML"}),
        "measurement.meters: of an estimate, which no meter saw",
    ),
    "who measured": (put("NVML", "runs", 0, "measured_by"), "runs[0].measured_by: NVML; of an"),
    "accelerator of the run": (
        put("rtx-4090", "run", "hardware", "accelerator"),
        "run.hardware.accelerator: rtx-4090 is rtx-4090; details.hardware.id is h100-sxm5-80",
    ),
    "name of the hardware": (
        put("NVIDIA RTX 4090", "details", "hardware", "name"),
        "details.hardware.name: NVIDIA RTX 4090 is ",
    ),
    "id of the hardware": (
        put("rtx-4090", "details", "hardware", "id"),
        "details.hardware.id: rtx-4090; data lists ",
    ),
    "count": (put(8, "details", "hardware", "count"), "details.hardware.count: 8; hardware.count"),
    "count of the run": (put(8, "run", "hardware", "count"), "run.hardware.count: 8; the assump"),
    "layout": (times(2, "details", "layout", "data"), "details.layout: 128 devices by its axes"),
    "region": (put("SE", "run", "site", "region"), "run.site.region: SE is SE; details.region"),
    "place": (put("Sweden", "details", "place"), "details.place: Sweden; aws:us-east-1 is"),
    "PUE of the run": (put(1.01, "run", "site", "pue"), "run.site.pue: 1.01; the assumptions"),
    "grid of the run": (
        put("30 gCO2e/kWh", "run", "site", "grid"),
        "run.site.grid: 30 gCO2e/kWh; the assumptions have 322.4 gCO2e/kWh",
    ),
    "software of the run": (
        put("litgpt", "run", "training", "software"),
        "run.training.software: litgpt; the assumptions have megatron",
    ),
    "a limit": (put(5e5, "limits", 0, "limit"), "limits[0].limit: 500000 USD; run.limits.cost is"),
    "value of a limit": (put(400.0, "limits", 0, "value"), "limits[0].value: 400 is not results."),
    "hours of one run": (times(0.5, "details", "by_run", "hours"), "details.by_run.hours: "),
    "runs": (put(1.0, "work", "H", "value"), "work.H: 1; training.runs is 2"),
    "unit of the work": (put("FLOP/sample", "work", "E", "unit"), "work.E.unit: FLOP/sample"),
    "unit of an assumption": (put("furlong", "assumptions", 19, "unit"), ".unit: furlong; no unit"),
    "what is known of what is known": (
        put({"value": 1.0, "runs": 1.0, "of": 1.0, "lacking": []}, "results", "energy", "known"),
        "results.energy.known: of a figure that is known",
    ),
    "a bound of a price": (put("lower", "results", "cost", "bound"), "results.cost.bound: of a"),
    "an assumption twice": (
        lambda made: made["assumptions"].append({**made["assumptions"][3], "value": 8.0}),
        "assumptions hardware.count: stands twice",
    ),
    "range of parameters": (times(1.1, "results", "parameters", "high"), "results.parameters: has"),
}


@pytest.mark.parametrize("kind", list(FORGED))
def test_of_another_release_an_edit_of_what_stands_twice_is_found(
    kind: str, estimate: Report
) -> None:
    change, said = FORGED[kind]
    assert foreign(estimate, lambda _: None) == []
    assert any(said in line for line in foreign(estimate, change)), foreign(estimate, change)


def test_what_is_not_made_again_is_said_in_the_first_line(estimate: Report) -> None:
    made = {**copy.deepcopy(estimate), "costcalc_version": "99.0"}
    made["digest"] = writing.digest(made)
    lines = verified(Document(made, "r")).lines()
    assert lines[0] == "NOT RECOMPUTED: needs costcalc 99.0; its arithmetic is checked, no more"
    assert lines[2].endswith(
        "; from nothing that it carries follow parameters, active_parameters, memory_per_device"
    )


@pytest.mark.parametrize("kind", REPORTS)
def test_an_honest_report_of_each_kind_agrees(kind: str) -> None:
    made: Any = of_kind(kind)
    assert [*follows.discrepancies(made), *claims.discrepancies(made)] == []


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("costed", [False, True])
def test_an_honest_import_agrees(source: str, costed: bool) -> None:
    made: Any = recorded(source, costed=costed)
    assert [*follows.discrepancies(made), *claims.discrepancies(made)] == []


ONE = "\n".join(SOURCES["codecarbon"].splitlines()[:2]) + "\n"  # 1.5, 4 and 0.5 kWh of 6


def nowhere_counted(made: Report) -> None:
    """No devices, neither in the row nor in what was made of it."""
    made["runs"][0]["devices"] = made["details"]["hardware"]["count"] = None
    made["assumptions"] = [a for a in made["assumptions"] if a["key"] != "hardware.count"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (nowhere_counted, "runs[0].device_hours: 8; of 2 hours on null devices"),
        (
            put(None, "runs", 0, "parts", "cpu"),
            "runs[0].parts: of the energy of some runs not all parts are recorded; no warning",
        ),
        (
            times(1.02, "runs", 0, "parts", "ram"),
            "runs[0].parts: the parts of the energy are rounded: they sum to it within 1 %; no",
        ),
    ],
)
def test_an_import_of_one_run_holds_its_devices_and_parts(
    change: Callable[[Report], object], said: str
) -> None:
    made: Report = dict(codecarbon.read(ONE, "e.csv"))

    def found(report: Report) -> list[str]:
        sealed = report | {"digest": writing.digest(report)}
        return list(verified(Document(sealed, "r")).discrepancies)

    assert found(made) == []
    change(made)
    assert any(line.startswith(said) for line in found(made)), found(made)


def test_parts_that_were_rounded_or_are_lacking_are_told_where_they_are_read() -> None:
    """1.5 + 4 + 0.52 kWh are 6.02, a third of a per cent more than 6; a cell is empty."""
    for cells, said in (
        ("1.5,4.0,0.52", "the parts of the energy are rounded: they sum to it within 1 %"),
        (",4.0,0.5", "of the energy of some runs not all parts are recorded"),
    ):
        made: Report = dict(codecarbon.read(ONE.replace("1.5,4.0,0.5", cells), "e.csv"))
        assert said in made["warnings"]
        assert verified(Document(made, "r")).discrepancies == ()


IMPORTED: dict[str, tuple[Callable[[Report], object], str]] = {
    # eleven minutes of sixty were not sampled
    "gaps taken out": (
        put(0.0, "measurement", "gaps"),
        "measurement.gaps: 0; warnings say nothing",
    ),
    "gaps halved": (times(0.5, "measurement", "gaps"), "measurement.gaps: 0.09"),
    "no bound": (put(False, "measurement", "lower_bound"), "measurement.lower_bound: false; gaps"),
    "a figure without its bound": (
        lambda made: made["results"]["energy_it"].pop("bound"),
        "results.energy_it.bound: null; lower_bound is true",
    ),
    "another meter": (
        put("a calorimeter", "measurement", "meters", 0, "name"),
        "measurement.meters: ['a calorimeter']; details.imported is of nvidia-smi",
    ),
    "kind": (
        put("estimated", "kind"),
        "kind: estimated; by the basis of its time and energy it is",
    ),
}


@pytest.mark.parametrize("kind", list(IMPORTED))
@pytest.mark.parametrize("costed", [False, True])
def test_of_another_release_an_edit_of_an_import_is_found(kind: str, costed: bool) -> None:
    change, said = IMPORTED[kind]
    made = recorded("nvidia-smi", costed=costed)
    assert foreign(made, lambda _: None) == []
    assert any(line.startswith(said) for line in foreign(made, change)), foreign(made, change)


def test_what_the_run_says_was_measured_is_the_figure() -> None:
    """52 kWh were typed; the run says 5.2, as of a tenth."""
    made = of_kind("typed")
    found = foreign(made, put("5.2 kWh", "run", "measured", "energy_it"))
    assert "run.measured.energy_it: 5.2 kWh; results.energy_it is 52 kWh" in found


def test_a_project_with_a_part_that_was_measured_is_no_estimate() -> None:
    found = foreign(of_kind("merged"), put("estimated", "kind"))
    assert any(line.startswith("kind: estimated; gpt2 on one node is m") for line in found), found
