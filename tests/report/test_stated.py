"""What no release's report may lack, and what its run says that other places of it say too."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from kinds import KINDS, made
from test_follows_by_hand import foreign, put, times
from test_odd_but_honest import _RUNS, _SITE

from costcalc import estimate
from costcalc.base.reading import read
from costcalc.report import stated

Report = dict[str, Any]


def without(*path: Any) -> Callable[[Report], None]:
    def change(report: Report) -> None:
        holder: Any = report
        for key in path[:-1]:
            holder = holder[key]
        if isinstance(holder[path[-1]], list):
            holder[path[-1]] = []
        else:
            holder[path[-1]] = {}

    return change


def lacking(key: str) -> Callable[[Report], None]:
    def change(report: Report) -> None:
        report["assumptions"] = [one for one in report["assumptions"] if one["key"] != key]
        report["drivers"] = [one for one in report["drivers"] if one["key"] != key]

    return change


def fewer_parameters(report: Report) -> None:
    """Half the parameters, wherever a number is of them."""
    for name in ("parameters", "active_parameters"):
        for end in ("low", "value", "high"):
            report["results"][name][end] /= 2
    for end in ("low", "value", "high"):
        report["results"]["sci"]["per"]["parameter"][end] *= 2


def fewer_everywhere(report: Report) -> None:
    """And in words."""
    fewer_parameters(report)
    for step in report["details"]["steps"]:
        step[1] = step[1].replace("8.03 B parameters", "4.02 B parameters")


def less_memory(report: Report) -> None:
    for end in ("low", "value", "high"):
        report["results"]["memory_per_device"][end] /= 2


def all_of_each(report: Report) -> None:
    for driver in report["drivers"]:
        driver["share"] = 1.0


EDITS: dict[str, tuple[Callable[[Report], None], str]] = {
    "no run": (without("run"), "run: empty; nothing shows how parameters, active_parameters, "),
    "no data": (without("data"), "data: lacks the profile of details.hardware.id, h100-sxm5-80"),
    "no preset": (
        lambda report: report["data"].pop("costcalc/data/presets/llama-3-8b.yaml"),
        "data: lacks the preset of run.model.preset, llama-3-8b",
    ),
    "no regions": (
        lambda report: report.update(
            data={name: one for name, one in report["data"].items() if "regions/" not in name}
        ),
        "data: lacks the table of details.region, aws:us-east-1",
    ),
    "no runs": (without("runs"), "runs: none; results.device_hours are of some"),
    "no hardware": (without("details", "hardware"), "details.hardware: missing; run.hardware"),
    "no work": (without("details", "work"), "details.work: missing; work.E is of some"),
    "memory": (less_memory, "details.memory: its parts sum to 70.2"),
    "a part of the memory": (times(0.5, "details", "memory", "weights"), "details.memory: its pa"),
    "parameters": (fewer_parameters, "results.parameters: 4.01513e+09; details.steps say 8.03 B"),
    "parameters in words too": (
        fewer_everywhere,
        "results.parameters: 4015130624; of this model it is 8030261248",
    ),
    "tokens of the run": (
        put("40B", "run", "training", "tokens"),
        "run.training.tokens: 40B; details.work.data is 2e+10",
    ),
    "no number of tokens": (
        put("many", "run", "training", "tokens"),
        "run.training.tokens: many; no number",
    ),
    "no PUE": (lacking("site.pue"), "assumptions: lack site.pue, which results.energy follows fr"),
    "no grid": (lacking("site.grid"), "assumptions: lack site.grid, which results.carbon_operatio"),
    "no price": (lacking("price.device_hour"), "assumptions: lack price.device_hour, which re"),
    "what drives nothing": (put("money", "drivers", 0, "of"), "drivers[0].of: money; results have"),
    "a driver of nothing": (put("x.y", "drivers", 0, "key"), "drivers[0].key: x.y; the assumption"),
    "too much of a driver": (all_of_each, "drivers of energy: their shares come to 2"),
}


@pytest.mark.parametrize("kind", list(EDITS))
def test_of_another_release_it_is_found(kind: str) -> None:
    change, said = EDITS[kind]
    report = made("estimate")
    assert foreign(report, lambda _: None) == []
    found = foreign(report, change)
    assert any(line.startswith(said) for line in found), found


def shorter(report: Report) -> None:
    """The time of all runs, in the words beside it."""
    report["details"]["by_run"].update(hours=1.0, longest=1.0)


OTHERS: dict[str, tuple[str, Callable[[Report], None], str]] = {
    "time of all": (
        "imported",
        shorter,
        "details.by_run.hours: 1 is not results.wall_clock, which",
    ),
    "the longest": ("merged", shorter, "details.by_run.longest: 1 is not the longest of runs, whi"),
    "a PUE": (
        "imported",
        put(1.5, "runs", 0, "pue"),
        "runs[0].energy: 6 is not runs[0]: energy_it × pue, which is 9",
    ),
    "an energy": ("imported", times(0.5, "runs", 0, "energy_it"), "runs[0].energy: 6 is not runs"),
    "a grid": (
        "imported",  # 6 kWh at 28 and 3 at 56 gCO2e/kWh
        times(0.5, "runs", 0, "grid"),
        "results.carbon_operational: 0.504 is not the sum of runs' energy × grid, which is 0.336",
    ),
    "what it came to": (
        "tracked",
        times(0.5, "details", "tracking", "predicted", "figures", 0, "came"),
        "details.tracking.predicted.figures[0].came: 1 is not results.wall_clock, which is 2",
    ),
}


@pytest.mark.parametrize("kind", list(OTHERS))
def test_of_other_kinds_it_is_found(kind: str) -> None:
    source, change, said = OTHERS[kind]
    report = made(source)
    assert foreign(report, lambda _: None) == []
    found = foreign(report, change)
    assert any(line.startswith(said) for line in found), found


def test_parameters_of_another_model_version_may_be_others() -> None:
    def newer(report: Report) -> None:
        fewer_everywhere(report)
        report["model_version"] = "99"

    assert foreign(made("estimate"), newer) == []


@pytest.mark.parametrize("kind", KINDS)
def test_honest_reports_lack_nothing(kind: str) -> None:
    assert list(stated.discrepancies(copy.deepcopy(made(kind)))) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("name", _RUNS)
def test_odd_ones_lack_nothing(name: str) -> None:
    run = read(_RUNS[name] + _SITE, "run.yaml").data
    assert list(stated.discrepancies(estimate(run).to_dict())) == []
