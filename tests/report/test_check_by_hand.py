"""Verifying by hand: each identity on a report of a few figures, at its tolerance and beyond."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import byhand
import pytest
from byhand import assumed, figure, report, results

import costcalc
from costcalc.report.check import Verdict, verify
from costcalc.report.closure import checked, close, discrepancies, known
from costcalc.report.recompute import Again, recompute

PUE = assumed("site.pue", 1.25)


def found(made: dict[str, Any]) -> list[str]:
    return list(discrepancies(made))


def test_two_figures_agree_to_a_millionth_of_the_larger() -> None:
    assert close(1_000_000.0, 1_000_001.0)  # 1 of 1,000,001 is less than 1e-6
    assert not close(1_000_000.0, 1_000_001.1)  # 1.1 of 1,000,001.1 is more
    assert close(100.0, 50.0, 0.5)  # exactly at the tolerance: 50 ≤ 0.5 × 100
    assert not close(100.0, 49.9, 0.5)
    assert close(-1.0, -1.0)
    assert not close(1.0, -1.0, 0.9)  # 2 > 0.9 × 1


@pytest.mark.parametrize(
    ("figures", "share", "holds"),
    [
        ("exact", 0.9e-6, True),
        ("exact", 1.2e-6, False),
        ("rounded", 0.0055, True),  # of figures rounded to three digits 0.6 % is allowed
        ("rounded", 0.0065, False),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_energy_follows_from_pue_to_the_tolerance(
    figures: str, share: float, sign: int, holds: bool, tmp_path: Path
) -> None:
    """80 kWh × PUE 1.25 = 100 kWh; stated a little beside it."""
    stated = 100.0 * (1 + sign * share)
    made = report(results(energy_it=80.0, energy=stated), PUE, figures=figures)
    assert (not verify(byhand.saved(made, tmp_path)).steps[1].discrepancies) is holds
    assert checked(made) == 1


def test_how_far_off_is_said() -> None:
    """100 kWh follow: 200 is twice it, 150 half as much again, 25 a quarter, 0 nothing of it."""
    for stated, said in (
        (200.0, "2 times as much"),
        (150.0, "1.5 times as much"),
        (25.0, "1/4 of it"),
        (0.0, "one of them is 0"),
        (-100.0, "-1 times as much"),
    ):
        made = report(results(energy_it=80.0, energy=stated), PUE)
        assert found(made)[-1:] == [
            f"results.energy: {stated:g} kWh does not follow from energy_it × pue, which is "
            f"100 kWh ({said})"
        ]


def test_what_a_meter_says_stands_unless_another_meter_says_otherwise() -> None:
    """A meter at 130 kWh may differ from a modelled 80 × 1.25 = 100, not from a metered 80."""
    metered = figure(130.0, "kWh", "measured")
    assert found(report(results(energy_it=80.0, energy=metered), PUE)) == []
    both = results(energy_it=figure(80.0, "kWh", "measured"), energy=metered)
    assert len(found(report(both, PUE))) == 1
    hours = figure(9.0, "device_hour", "measured")  # not 2 h × 4 × 1 = 8
    count = (assumed("hardware.count", 4, "device"), assumed("training.runs", 1))
    assert found(report(results(wall_clock=2.0, device_hours=hours), *count)) == []
    clock = figure(2.0, "h", "measured")
    assert len(found(report(results(wall_clock=clock, device_hours=hours), *count))) == 1
    bill = figure(70.0, "USD", "given")
    carbon = figure(70.0, "kgCO2e", "measured")  # no meter measures carbon: it has to follow
    paid = results(device_hours=10.0, energy=0.0, cost=bill)
    prices = (
        assumed("price.device_hour", 2, "USD/device_hour"),
        assumed("price.billed_share", 1),
        assumed("price.electricity", 0, "USD/kWh"),
    )
    assert found(report(paid, *prices)) == []
    assert len(found(report(paid | {"cost": figure(70.0, "USD")}, *prices))) == 1  # 10 × 2 = 20
    grid = assumed("site.grid", 500, "gCO2e/kWh")  # 100 kWh × 500 g = 50 kg
    assert len(found(report(results(energy=100.0, carbon_operational=carbon), grid))) == 1


def test_a_published_power_is_of_the_boards_alone() -> None:
    """10 device-hours × 700 W = 7 kWh; with a host's 100 W of its own it is another sum."""
    board = assumed("hardware.board_power", 700, "W")
    assert found(report(results(device_hours=10.0, energy_it=7.0), board)) == []
    assert len(found(report(results(device_hours=10.0, energy_it=8.0), board))) == 1
    host = assumed("hardware.host_power", 100, "W")
    assert "network_share" not in known(report(results(), board, host), report(results()))
    mean = assumed("hardware.mean_power", 600, "W")  # said by itself, it is taken
    assert known(report(results(), board, mean), report(results()))["mean_power"] == 600.0


def test_inputs_are_read_in_si_and_nonsense_is_left_out() -> None:
    listed = (
        assumed("hardware.board_power", 0.7, "kW"),
        assumed("site.pue", True),
        assumed("site.grid", 500, "parsec per fortnight"),
        assumed("hardware.count", 8, "device"),
    )
    made = report(results(), *listed)
    inputs = known(made, made)
    assert inputs["board_power"] == pytest.approx(700.0)
    assert inputs["devices"] == 8.0
    assert not {"pue", "grid"} & inputs.keys()
    shared = made | {"run": {"hardware": {"share": "1g.10gb"}}}  # the count is of whole cards
    assert "devices" not in known(shared, shared)


def test_of_a_run_that_generates_the_flops_trained_stand_apart() -> None:
    flops = assumed("training.model_flops", 3e20, "FLOP")
    waiting = assumed("training.generation_time", 60, "s")
    details = {"work": {"training_flops": 1e20}}
    made = report(results(), flops, waiting, details=details)
    assert known(made, made)["training_flops"] == 1e20
    none = report(results(), flops, assumed("training.generation_time", 0, "s"), details=details)
    assert known(none, none)["training_flops"] == 3e20


@pytest.mark.parametrize(
    ("low", "high", "holds"),
    [
        (100.0, 100.0, True),
        (90.0, 100.0 * (1 - 0.9e-9), True),  # digits lost in writing: 1e-9 of the largest
        (90.0, 100.0 * (1 - 1.1e-9), False),
        (100.0 * (1 + 1.2e-9), 110.0, False),
        (None, 90.0, True),  # no range
    ],
)
def test_a_range_contains_its_value(low: float | None, high: float, holds: bool) -> None:
    made = results(energy=figure(100.0, "kWh", low=low, high=high))
    assert (found(report(made)) == []) is holds
    item = assumed("x.y", 100.0, low=low, high=high)
    assert (found(report(results(), item)) == []) is holds


def test_units_signs_and_reasons_of_figures() -> None:
    assert found(report(results(energy=figure(1.0, "MWh")))) == [
        "results.energy: in MWh; its unit is kWh"
    ]
    assert found(report(results(throughput=figure(1.0, "sample/s")))) == []
    assert found(report(results(water=-1.0))) == ["results.water: negative"]
    assert found(report(results(water=0.0))) == []
    assert found(report(results(water=figure(None, "L", why="")))) == [
        "results.water: null without a why"
    ]


def test_a_breakdown_sums_to_its_figure() -> None:
    """60 + 40 = 100 kg; 60 + 40.001 is off by 1e-5."""
    for of, name in (("cost", "cost"), ("energy", "energy"), ("carbon", "carbon_total")):
        whole = results(**{name: 100.0})
        assert found(report(whole, breakdown={of: {"a": 60.0, "b": 40.0}})) == []
        assert found(report(whole, breakdown={of: {"a": 60.0, "b": 40.001}})) == [
            f"breakdown.{of}: its parts sum to 100.001, but results.{name} is 100"
        ]


def test_stages_and_runs_sum_to_the_whole() -> None:
    """Stages of 2 and 3 kWh are 5, not 6; of an unknown one nothing is said."""
    stages = [{"name": n, "results": results(energy=v)} for n, v in (("a", 2.0), ("b", 3.0))]
    assert found(report(results(energy=5.0), stages=stages)) == []
    assert found(report(results(energy=6.0), stages=stages)) == [
        "results.energy: 6 kWh, but the stages sum to 5"
    ]
    unknown = [*stages, {"name": "c", "results": results()}]
    assert found(report(results(energy=6.0), stages=unknown)) == []
    runs = [{"id": n, "role": "final", "device_hours": h} for n, h in (("a", 2.0), ("b", 3.0))]
    assert found(report(results(device_hours=5.0), runs=runs)) == []
    assert found(report(results(device_hours=4.0), runs=runs)) == [
        "results.device_hours: 4 device_hour, but the runs sum to 5"
    ]
    assert found(report(results(), runs=[runs[0], runs[0]])) == [
        "runs[1].id: a stands twice: it is counted twice"
    ]


def test_a_limit_is_passed_above_it_not_at_it() -> None:
    for value, passed, fine in ((5.0, False, True), (5.0, True, False), (5.1, True, True)):
        limits = [{"value": value, "limit": 5.0, "passed": passed}]
        assert (found(report(results(), limits=limits)) == []) is fine


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return costcalc.estimate(Path(__file__).parents[2] / "examples" / "llama-3-8b.yaml").to_dict()


@pytest.mark.parametrize(
    ("part", "share", "holds"),
    [
        ("value", 0.5e-9, True),
        ("value", 1.1e-9, False),
        ("low", 0.5e-6, True),
        ("low", 1.1e-6, False),
        ("high", 1.1e-6, False),
    ],
)
def test_calculating_again_gives_values_to_1e9_and_ranges_to_1e6(
    part: str, share: float, holds: bool, made: dict[str, Any]
) -> None:
    report = copy.deepcopy(made)
    report["results"]["energy"][part] *= 1 + share
    again = recompute(report)
    assert (again.found == ()) is holds
    assert all(line.startswith(f"results.energy.{part}: ") for line in again.found)


def test_what_was_calculated_again_is_said() -> None:
    every = "every section as it was; values to 1e-9, ranges to 1e-6"
    assert Again(done=1, of=1).said() == every
    assert Again(done=2, of=2).said() == f"2 of 2 parts: {every}"
    assert Again(done=0, of=1, reasons=("x",)).said() == "not recomputed here: x"
    assert Again(done=1, of=1, found=("x",)).said() == "differs"


def test_a_verdict_counts_its_discrepancies(tmp_path: Path) -> None:
    def newer(**known: float) -> dict[str, Any]:
        return report(results(**known), costcalc_version="99.0")

    for made, said in (
        # each, the ends of its range, and that no run says how they came about
        (newer(parameters=-1.0, cost=-1.0), "7 discrepancies."),
        (report(results()), "1 discrepancy."),  # of no release
    ):
        verdict = verify(byhand.saved(made, tmp_path))
        assert isinstance(verdict, Verdict)
        assert verdict.lines()[-1] == said  # what fails is not said to be consistent
    lines = verify(byhand.saved(newer(), tmp_path)).lines()
    assert lines[0] == "NOT RECOMPUTED: needs costcalc 99.0; its arithmetic is checked, no more"
    assert lines[-2] == "What could be checked holds."
