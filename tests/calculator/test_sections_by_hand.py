"""The steps in words, and the sections of a report, by hand."""

from __future__ import annotations

from typing import Any

import pytest
from calculated import H100, run

import costcalc
from costcalc.base import writing
from costcalc.calculator.document import kind, own_profiles, run_id, sections


def test_the_steps_in_words() -> None:
    made = run()
    steps = dict(made.details["steps"])
    assert list(steps) == ["compute", "speed", "layout", "time", "power", "grid"]
    # 51.47 GFLOP a token at 8192 (Megatron-Bridge), of 1e9 tokens
    assert steps["compute"] == (
        "5.15e+19 FLOP = E 51.5 GFLOP × D 1.00 B tokens × H 1 run; 8.03 B parameters"
    )
    # 16 × 989.4 TFLOP/s × 0.4 / 51.47 GFLOP = 123,029 token/s; 64 × 8192 of them 4.26 s
    assert steps["speed"] == ("40 % of 989 TFLOP/s (bf16, dense) = 123,000 token/s, 4.26 s a step")
    held = made.results["memory_per_device"].value
    assert steps["layout"] == (
        f"data 16, zero3, micro-batch 1, recompute none, {held:.3g} of 79.6 GiB"
    )
    # 1e9 / 123,029 s are 2.258 h, and 0.8 of the time trains: 2.82 h
    assert steps["time"] == "2.82 hours × 16 devices = 45.2 device-hours; goodput 80 %"
    assert steps["power"].endswith(", PUE 1.25")
    board, host = made.values["mean_power"], made.values["host_power"]
    assert steps["power"].startswith(f"{board:.3g} W a board + {host:.3g} W of its host")
    assert made.details["price"] == "2.00 USD a device-hour, yours"
    assert made.details["work"] == {"data": 1e9, "datum": "token"}
    assert made.details["hardware"]["nodes"] == 2
    assert made.details["layout"]["chosen_by"] == "given"
    assert "walked" not in made.details["layout"]


def test_experts_runs_and_a_chosen_layout_in_words() -> None:
    hardware = {"accelerator": "h100-sxm5-80", "count": 64}
    made = run(model={"preset": "mixtral-8x7b"}, hardware=hardware, price={"provider": "aws"})
    steps = dict(made.details["steps"])
    assert steps["compute"].endswith("; 46.7 B parameters, 12.9 B active")
    walked = made.details["layout"]["walked"]
    assert walked > 100
    assert steps["layout"].endswith(f" GiB (auto: best of {walked:,})")
    assert made.details["price"].startswith("8.43 USD a device-hour, on-demand; ")
    spot = run(hardware=hardware, price={"provider": "aws", "plan": "spot"})
    assert spot.details["price"].startswith("2.48 USD a device-hour, spot; ")


def test_a_bare_budget_in_words() -> None:
    hardware = {**H100, "utilization": 0.4}
    one = run(model={"flops": "1e21 FLOP"}, training={}, hardware=hardware)
    two = run(model={"flops": "1e21 FLOP"}, training={"runs": 2}, hardware=hardware)
    assert dict(one.details["steps"])["compute"] == "1.00e+21 FLOP"
    assert dict(two.details["steps"])["compute"] == "2.00e+21 FLOP = 1.00e+21 FLOP × H 2 runs"
    assert " × 16 devices × 2 runs = " in dict(two.details["steps"])["time"]
    why = "the budget is given in FLOP: how many data it trains on is not known"
    assert one.results["throughput"].why == one.results["step_time"].why == why


def test_what_was_measured_in_words() -> None:
    made = costcalc.estimate(
        {"hardware": H100, "measured": {"wall_clock": "10 h", "energy_it": "1 MWh"},
         "site": {"region": "FR"}},
        ranges=False,
    )  # fmt: skip
    steps = dict(made.details["steps"])
    assert steps["time"] == "10.0 hours × 16 devices = 160 device-hours"
    assert "power" not in steps
    assert "layout" not in made.details
    assert made.results["utilization"].why == "no model and size of the data given"
    assert made.results["throughput"].unit == "token/s"


def figure(value: float | None, basis: str = "modelled", **more: Any) -> dict[str, Any]:
    return {"value": value, "basis": basis, **more}


NAMES = ("wall_clock", "device_hours", "energy", "energy_it", "carbon_embodied", "training_compute")


def document(results: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    made = {name: figure(10.0) for name in NAMES} | (results or {})
    return sections({"name": "n", "results": made, **more})


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ({}, "estimated"),
        ({"device_hours": figure(1.0, "measured")}, "mixed"),
        ({"energy": figure(1.0, "measured")}, "mixed"),
        ({"energy": figure(None, "measured")}, "estimated"),  # measured, they say, and no figure
        ({"wall_clock": figure(1.0, "measured"), "energy_it": figure(1.0, "measured")}, "measured"),
    ],
)
def test_what_kind_of_report(results: dict[str, Any], said: str) -> None:
    assert kind({name: figure(10.0) for name in NAMES} | results) == said


def test_an_id_is_of_the_name_and_the_run() -> None:
    one = run_id("a", {"x": 1, "y": 2})
    assert one == run_id("a", {"y": 2, "x": 1})
    assert len({one, run_id("b", {"x": 1, "y": 2}), run_id("a", {"x": 2, "y": 2})}) == 3
    assert len(one) == len("run-") + 12


def test_the_work_of_a_report() -> None:
    work = {"work": {"data": 4.0, "datum": "token"}}
    runs = [{"key": "training.runs", "value": 3}]
    made = document(details=work, assumptions=runs)["work"]
    assert made["E"] == {"value": 10 / 4, "unit": "FLOP/token"}
    assert made["D"] == {"value": 4.0, "unit": "token"}
    assert made["H"] == {"value": 3.0, "unit": "1"}
    bare = document()["work"]
    why = "the number of data is not known"
    assert bare["E"] == {"value": None, "unit": "FLOP/datum", "why": why}
    assert bare["D"] == {"value": None, "unit": "datum", "why": why}
    assert bare["H"]["value"] == 1.0
    no_flops = document({"training_compute": figure(None)}, details=work)["work"]
    assert no_flops["E"]["why"] == "the compute of the model is not known"
    assert no_flops["D"] == {"value": 4.0, "unit": "token"}
    part = {"name": "a", "results": {name: figure(1.0) for name in NAMES}}
    staged = document(stages=[part])["work"]
    assert [staged[name]["why"] for name in "EDH"] == ["differs from stage to stage"] * 3


def test_the_runs_and_the_project_of_a_report() -> None:
    runs = [{"key": "training.runs", "value": 4}, {"key": "hardware.count", "value": 7.0}]
    made = document({"device_hours": figure(40.0)}, assumptions=runs)
    (entry,) = made["runs"]
    assert (entry["number"], entry["hours"], entry["devices"]) == (4.0, 10.0, 7.0)
    assert made["project"]["reported_device_hours"] == 40 / 4
    assert (made["project"]["total_device_hours"], made["project"]["ratio"]) == (40, 4)
    assert "why" not in made["project"]
    details = {"hardware": {"count": 8, "nodes": 2}}
    counted = document(details=details, assumptions=runs)
    assert counted["runs"][0]["devices"] == 8.0
    assert counted["measurement"]["nodes"] == 2
    for hours in (figure(None), figure(0.0)):
        open_ = document({"device_hours": hours})["project"]
        assert open_["ratio"] is None
        assert open_["why"] == "device-hours are not known"
    lost = document({"energy": figure(None, why="no power"), "wall_clock": figure(1, "measured")})
    assert lost["runs"][0]["why"] == "no power"
    assert lost["runs"][0]["measured_by"] == "the user, as the run file says"


@pytest.mark.parametrize(
    ("results", "listed", "counted"),
    [
        ({}, ["hardware.board_power"], [True, False, False]),
        ({}, ["hardware.host_power", "hardware.network_power"], [False, True, True]),
        ({"energy_it": figure(None)}, ["hardware.board_power"], [False, False, False]),
        ({"energy_it": figure(1.0, "measured")}, ["hardware.board_power"], [None, None, None]),
    ],
)
def test_what_a_report_covers(results, listed, counted) -> None:
    made = document(results, assumptions=[{"key": key, "value": 1.0} for key in listed])
    parts = made["boundary"]["components"]
    assert [part["counted"] for part in parts[:3]] == counted
    for part in parts[:3]:
        assert ("why" in part) == (part["counted"] is not True)
    assert [part["counted"] for part in parts[3:]] == [True, True, False, False, False]
    less = document({"energy": figure(None), "carbon_embodied": figure(None)})["boundary"]
    assert [part["counted"] for part in less["components"][3:5]] == [False, False]
    names = [stage["name"] for stage in made["boundary"]["stages"]]
    assert names[0] == "training"
    assert [stage["counted"] for stage in made["boundary"]["stages"]] == [True] + [False] * 9
    assert made["boundary"]["functional_unit"]["amount"] == 1.0


def test_a_report_that_says_no_runs_is_of_one() -> None:
    made = document({"device_hours": figure(40.0)})["project"]
    assert (made["reported_device_hours"], made["ratio"]) == (40, 1)
    two = [{"name": "n", "results": {n: figure(v) for n in NAMES}} for v in (10.0, 30.0)]
    two[1]["assumptions"] = [{"key": "training.runs", "value": 3}]
    staged = document({"device_hours": figure(40.0)}, stages=two)["project"]
    assert staged["reported_device_hours"] == 10 + 30 / 3


@pytest.mark.parametrize(
    ("hardware", "redone"),
    [
        # a default goodput of 128 devices and more is mostly slow training, which draws as training
        # does; 16 devices are a quarter of the doublings from 8 to 128: 0.3 + (0.8 − 0.3) / 4
        ({}, 0.425),
        ({"count": 128}, 0.8),
        ({"count": 8}, 0.3),
        ({"goodput": 0.7}, 0.3),  # the user's is time lost, 0.3 of it on what is done again
        ({"utilization": 0.4}, 0.3),
    ],
)
def test_what_lost_time_draws(hardware: dict[str, Any], redone: float) -> None:
    known = {"model": {"preset": "llama-3-8b"}, "training": {"tokens": "1B"}}
    made = costcalc.estimate({**known, "hardware": {**H100, **hardware}}, ranges=False)
    assert made.values["redone"] == pytest.approx(redone, rel=1e-12)


def test_the_subject_of_a_report() -> None:
    given = {"paper": "p", "code": None, "why": "no repository"}
    made = document(
        subject=given,
        run={
            "model": {"preset": "a"},
            "stages": [{"model": {"preset": "b"}}, {"model": {"preset": "a"}}],
        },
    )["subject"]
    # what is said to be nothing is not lacking
    assert made == {
        "paper": "p", "code": None, "commit": None, "models": ["a", "b"],
        "why": "no repository; commit: not said in the run file",
    }  # fmt: skip
    whole = {"paper": "p", "code": "c", "commit": "x", "models": ["m"]}
    assert document(subject=whole, run={"model": {"preset": "a"}})["subject"] == whole


def test_a_price_of_other_regions_says_so_beside_its_figure() -> None:
    asked = {
        "measured": {"wall_clock": "10 h"},
        "hardware": {"instance": "p4d.24xlarge"},
        "site": {"region": "aws:eu-west-3"},  # Amazon lists no p4d there
    }
    price = costcalc.estimate(asked, ranges=False).details["price"]
    assert price.startswith("3.16 USD a device-hour, on-demand, of other regions; ")
    there = {**asked, "site": {"region": "aws:us-east-1"}}
    assert "of other regions" not in costcalc.estimate(there, ranges=False).details["price"]


@pytest.mark.parametrize(
    "path", ["/home/ada/mine/chip.yaml", "C:\\ada\\mine\\chip.yaml", "chip.yaml"]
)
@pytest.mark.parametrize("listed", ["path", "name"])
def test_profiles_of_the_authors_own_as_carried(path: str, listed: str) -> None:
    """The digest of what is carried takes the place of the file's, under its path or its name."""
    source = {"title": "ours", "url": "https://ada.example"}
    chip = {"id": "chip", "sources": {"a": source}}
    shipped = {"hardware_profiles/hosts/dgx-h100.yaml": "sha256:1", "data/power.yaml": "sha256:2"}
    data = {**shipped, path if listed == "path" else "chip.yaml": "sha256:3"}
    bare = {"id": "chip", "sources": {"a": {"title": "ours"}}}
    for identify, carried in ((True, chip), (False, bare)):
        assert own_profiles({path: chip}, data, identify=identify) == {
            "profiles": {"chip.yaml": carried},
            "data": {**shipped, "chip.yaml": writing.digest(carried)},
        }
    assert own_profiles({}, data, identify=False) == {}
