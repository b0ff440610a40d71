"""Imports of which something is not known: what is known of the rest, what is a bound, by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from kinds import made as made_kind
from records import CODECARBON, PLACE, SLURM, SMI, recorded

from costcalc.base.errors import InputError
from costcalc.report.compare import show
from costcalc.report.importing import codecarbon, nvidia_smi, slurm
from costcalc.report.importing.build import Recorded
from costcalc.report.importing.build import report as of_runs
from costcalc.report.importing.costed import Costing
from costcalc.report.project import merge
from costcalc.report.recompute import recompute
from costcalc.report.renderings import render
from costcalc.report.tools import BOARDS

GRID = Costing(changes={**PLACE.changes, "site.grid": "50 gCO2e/kWh"})


def plainly(said: str) -> str:
    return " ".join(said.replace("{-}", "-").split())


# --- runs without an accelerator ------------------------------------------------------------------


def test_processors_alone_stay_in_the_energy_and_their_cost_is_unknown() -> None:
    """Of a table of two, 10 and 2 kWh: × 1.2 = 14.4, × 50 g = 720 g; 40 device-hours at 2 USD."""
    table = "".join(SLURM.splitlines(keepends=True)[:3])
    found: Any = slurm.read(table, "jobs.txt", costing=GRID)["results"]
    assert found["energy"]["value"] == pytest.approx(14.4)
    assert found["carbon_operational"]["value"] == pytest.approx(0.72)
    assert found["device_hours"]["value"] == pytest.approx(40.0)
    assert found["wall_clock"]["value"] == pytest.approx(20.0)
    why = "without an accelerator: price and making of its processors are not known"
    assert found["cost"]["value"] is None
    assert found["cost"]["known"] == {
        "value": pytest.approx(80.0),
        "runs": 1.0,
        "of": 2.0,
        "lacking": [{"why": why, "runs": 1.0}],
    }
    assert found["cost"]["why"] == f"unknown for 1 of 2 runs: {why}; 80.0 USD of the other 1"


def test_a_table_of_processors_alone_has_energy_and_place() -> None:
    """2 kWh × 1.2 × 50 g = 120 g."""
    head, _, job, *_ = SLURM.splitlines(keepends=True)
    made = slurm.read(head + job, "jobs.txt", costing=GRID)
    found: Any = made["results"]
    assert found["carbon_operational"]["value"] == pytest.approx(0.12)
    assert found["device_hours"]["value"] is None  # it counts none by gres at all
    assert recompute(made).found == ()


def test_how_many_devices_nobody_knows_is_not_one() -> None:
    """CodeCarbon's third row counts no GPU: 0.5 kWh / 1.2 × 1.2, and not one A100 at 2 USD."""
    made: Any = codecarbon.read(CODECARBON, "e.csv", costing=PLACE)
    third = made["stages"][2]["results"]
    assert third["energy"]["value"] == pytest.approx(0.5)
    assert third["cost"]["value"] is None
    assert "how many devices is not recorded" in third["device_hours"]["why"]
    assert made["results"]["cost"]["known"]["value"] == pytest.approx(24.0)  # 8 + 4 device-hours
    assert recompute(made).found == ()


@pytest.mark.parametrize("shape", ["neurips", "acl", "latex", "model-card"])
def test_what_is_known_of_a_sum_stands_beside_that_it_is_not(shape: str) -> None:
    said = plainly(render(recorded("slurm", costed=True), shape))
    assert "ost (168 USD of 3 of 4 runs)" in said


def test_of_how_many_runs_is_the_same_everywhere() -> None:
    """A report of three runs of which one has no energy, and one of four: one of seven."""
    parts = [("a", recorded("codecarbon")), ("b", recorded("slurm", costed=True))]
    made = merge(parts, name="p")
    said = plainly("\n".join([*show(made), *(render(made, one) for one in ("neurips", "html"))]))
    assert {of for _, of in re.findall(r"unknown for (\w+) (?:of )?(\d+) runs", said)} == {"7"}
    whole: Any = made["results"]["energy"]
    assert (whole["known"]["runs"], whole["known"]["of"]) == (6.0, 7.0)
    # 6 + 0.5 of CodeCarbon beside what the other has of all its four
    slurms: Any = recorded("slurm", costed=True)["results"]["energy"]
    assert whole["known"]["value"] == pytest.approx(6.5 + slurms["value"])


def test_energy_before_pue_is_told_of_the_runs_that_have_one() -> None:
    """10, 2 and 10 kWh of four jobs, where no PUE is known."""
    made = recorded("slurm")
    said = "energy behind PUE, energy before PUE (22.0 kWh of 3 of 4 runs)"
    for shape in ("neurips", "acl", "model-card"):
        assert said in plainly(render(made, shape)), shape
    assert "; 22.0 kWh of the other 3" in render(made, "annex-xi")
    (energy,) = [one for one in made["boundary"]["components"] if one["name"].startswith("energy")]
    assert (energy["counted"], energy["why"]) == (True, "of 3 of 4 runs")


# --- a lower bound stays one ----------------------------------------------------------------------


def test_a_merged_report_says_which_part_of_its_logs_was_not_sampled() -> None:
    """Of an hour of two boards eleven minutes lack, 22 of 120 device-minutes."""
    log = recorded("nvidia-smi", costed=True)
    made: Any = merge([("a", log), ("b", made_kind("tracked"))], name="p")
    assert made["measurement"]["lower_bound"] is True
    lost = {"device_hours": pytest.approx(22 / 60), "of": pytest.approx(2.0)}
    assert made["measurement"]["unsampled"] == lost
    bounds = {name for name, one in made["results"].items() if one.get("bound") == "lower"}
    assert bounds == {"energy", "energy_it", "water", "carbon_operational", "carbon_total"}
    said = "a lower bound: 0.367 of the 2.00 device-hours of logs were not sampled"
    for shape in ("neurips", "acl", "latex", "markdown", "html", "model-card", "annex-xi"):
        assert said in plainly(render(made, shape)), shape
    partly: Any = merge([("a", log), ("b", recorded("codecarbon"))], name="p")
    assert partly["results"]["energy"]["known"]["bound"] == "lower"
    assert "(at least 7.09 kWh of 3 of 4 runs)" in render(partly, "neurips")  # 0.588 + 6.5
    whole: Any = merge([("a", made_kind("typed")), ("b", made_kind("tracked"))], name="p")
    assert not any("bound" in one for one in whole["results"].values())


def test_one_parts_place_hardware_and_meter_are_not_those_of_all() -> None:
    nowhere = dict(nvidia_smi.read(SMI, "smi.csv"))
    made = merge([("a", nowhere), ("b", made_kind("typed"))], name="p")
    said = render(made, "neurips")
    assert "France (FR) (of 1 of 2 parts not known)" in said
    author = "what the author's meter saw, which the report does not name (other parts)"
    assert f"{BOARDS} (nvidia-smi); {author}" in said
    assert "in part the boards alone, without hosts" in said
    assert "at 56.0 gCO2e/kWh" not in said  # the grid of one


def test_a_note_of_one_part_names_it_and_one_of_all_does_not() -> None:
    parts = [("a", log(0, 30)), ("b", made_kind("typed")), ("c", log(31, 50))]
    made = merge(parts, name="p")
    assert made["warnings"][0] == f"GPU log: energy: {BOARDS}"
    both = merge([parts[0], parts[2]], name="p")
    assert both["warnings"] == [f"energy: {BOARDS}"]
    assert recompute(made).found == recompute(both).found == ()
    table = [("s", recorded("slurm", costed=True)), ("t", made_kind("tracked"))]
    assert "job 1 and 3 more: jobs that still run are counted so far" in render(
        merge(table, name="p"), "neurips"
    )


# --- what nobody said -----------------------------------------------------------------------------


def test_no_tool_says_for_what_a_run_was_and_some_still_run() -> None:
    made: Any = recorded("slurm")
    told = [(run["role"], run["state"]) for run in made["runs"]]
    assert told == [("unknown", None), ("unknown", None), ("unknown", "running"), ("failed", None)]
    said = render(made, "neurips")
    assert "Run job 1: 10.0 hours" in said
    assert "Run job 3 (still running): 10.0 hours" in said
    assert "(final)" not in said


def test_one_import_is_no_whole_project() -> None:
    made = recorded("slurm", costed=True)
    assert "whole project" not in render(made, "annex-xi") + render(made, "neurips")
    assert "for all 4 runs that the report counts" in render(made, "annex-xi")
    assert "every run listed" not in render(made, "neurips")


# --- counted once ---------------------------------------------------------------------------------


def log(first: int, last: int, *, board: str = "0", watts: int = 300) -> dict[str, Any]:
    """A board's log of the minutes of an hour, both included."""
    head = "timestamp, index, name, power.draw [W]\n"
    rows = [f"2026/11/27 10:{m:02}:00.000, {board}, A100, {watts} W\n"
            for m in range(first, last + 1)]  # fmt: skip
    return dict(nvidia_smi.read(head + "".join(rows), "smi.csv"))


def test_two_logs_of_one_time_are_refused_counted_once_or_each() -> None:
    """Two samplers of one board over the same half hour: 0.15 kWh, and not 0.30."""
    pairs = [("a", log(0, 30)), ("b", log(0, 30, watts=301))]
    with pytest.raises(InputError, match="say --ranks one or --ranks each"):
        merge(pairs, name="p")
    one, each = (merge(pairs, name="p", ranks=said) for said in ("one", "each"))
    assert one["results"]["energy_it"]["value"] == pytest.approx(0.15)
    assert each["results"]["energy_it"]["value"] == pytest.approx(0.15 + 0.1505)


@pytest.mark.parametrize("said", [None, "one"])
def test_logs_that_share_a_part_of_their_time_are_refused(said: str | None) -> None:
    pairs = [("a", log(0, 30)), ("b", log(20, 50))]
    with pytest.raises(InputError, match="cut one of them where the other begins"):
        merge(pairs, name="p", ranks=said)


@pytest.mark.parametrize("other", [log(31, 50), log(0, 30, board="1")], ids=["later", "board"])
def test_logs_of_other_times_and_boards_are_added(other: dict[str, Any]) -> None:
    made = merge([("a", log(0, 30)), ("b", other)], name="p")
    assert len(made["runs"]) == 2


def test_a_run_that_stands_with_many_others_is_noticed() -> None:
    """150 runs as one entry, and one of them by itself: counted twice but for its id."""
    run = Recorded(key="0", name="run", hours=1.0, devices=4.0, energy_it=1.2)
    many = [replace(run, key=str(at)) for at in range(150)]
    kinds: Any = {"tool": "nvidia-smi", "version": None, "boundary": BOARDS, "name": "n",
                  "warnings": [f"energy: {BOARDS}"], "costing": PLACE}  # fmt: skip
    whole, alone = of_runs(many, **kinds), of_runs([many[7]], **kinds)
    assert len(whole["runs"]) == 1
    number = alone["runs"][0]["id"]
    with pytest.raises(InputError, match=f"run {number} stands in a already"):
        merge([("a", whole), ("b", alone)], name="p")
    other = of_runs([replace(run, key="another")], **kinds)
    assert len(merge([("a", whole), ("b", other)], name="p")["runs"]) == 2
    assert recompute(whole).found == ()
    members: Any = whole["runs"][0]
    members["members"] = members["members"][12:]
    assert "runs[0].members: are not those of" in str(recompute(whole).found)
