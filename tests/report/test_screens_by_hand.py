"""What the table and the explanation print of figures made by hand; the working stands beside."""

from __future__ import annotations

import io
from typing import Any

import pytest
from byhand import report
from byhand import results as figures
from rich.console import Console

import costcalc
from costcalc.base import units
from costcalc.base.assumption import Assumption
from costcalc.calculator import explaining as explain
from costcalc.calculator.result import UNITS, Estimate, Result, unknown
from costcalc.report import table
from costcalc.report.check import Step, Verdict
from costcalc.report.importing import codecarbon
from costcalc.report.project import merge


def estimate(known: dict[str, float | tuple[float, float, float]], **more: Any) -> Estimate:
    """An estimate of a few figures; what is not given is unknown."""
    results = {}
    for name, unit in UNITS.items():
        if name not in known:
            results[name] = unknown(unit, "not said")
            continue
        found = known[name]
        ends = found if isinstance(found, tuple) else (found, found, found)
        value, low, high = (end * units.unit(unit).factor for end in ends)
        results[name] = Result.of(value, low, high, unit, "modelled")
    return Estimate(name="by hand", results=results, **more)


def screen(made: Estimate, *, verbose: bool = False, width: int = 160) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, highlight=False).print(table.render(made, verbose=verbose))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def assumption(key: str, value: float, unit: str = "1", basis: str = "default", **more: Any) -> Any:
    ends = {"low": value, "high": value} | more
    return Assumption(key=key, value=value, unit=unit, basis=basis, source="S", **ends)  # type: ignore[arg-type]


def line(lines: list[str], word: str) -> str:
    (found,) = [each for each in lines if each.strip().startswith(word)]
    return found.strip()


# --- the table ------------------------------------------------------------------------------------


def test_the_headline_says_what_a_figure_is_made_of() -> None:
    """10 h of 8 devices are 80 device-hours; 30 of 36 kWh are before PUE; 3 + 1 kg are 4."""
    known = {
        "wall_clock": 10.0,
        "device_hours": 80.0,
        "energy_it": 30.0,
        "energy": (36.0, 30.0, 45.0),
        "carbon_operational": 3.0,
        "carbon_embodied": 1.0,
        "carbon_total": 4.0,
    }
    lines = screen(estimate(known, details={"price": "a list price"}))
    assert line(lines, "Time").split() == ["Time", "10.0", "hours", "80.0", "device-hours"]
    assert "36.0 kWh" in line(lines, "Energy")
    assert "30.0 – 45.0" in line(lines, "Energy")
    assert "30.0 kWh before the facility's share" in line(lines, "Energy")
    assert "3.00 kgCO2e electricity, 1.00 kgCO2e hardware" in line(lines, "CO2e")
    assert line(lines, "Cost").split() == ["Cost", "unknown", "not", "said"]
    # a facility's meter said 36 kWh: before a PUE of 1.2 to 1.5 that nobody told it is a range
    metered = known | {"energy": 36.0, "energy_it": (30.0, 24.0, 33.0)}
    told = line(screen(estimate(metered)), "Energy")
    assert "30.0 kWh (24.0 – 33.0) before the facility's share" in told


def test_on_a_narrow_screen_notes_are_broken_and_figures_are_not() -> None:
    known = {"cost": (12_345.0, 10_000.0, 15_000.0)}
    lines = screen(estimate(known, details={"price": "word " * 20}), width=50)
    found = line(lines, "Cost")
    assert "12,300 USD" in found
    assert "10,000 – 15,000" in found
    assert sum("word" in each for each in lines) > 3
    parts = {f"a long name {n}": 1.0 for n in range(4)}
    found = line(screen(estimate({}, breakdown={"cost": parts}), width=50), "cost")
    assert sum(letter in table.FILLS for letter in found) == 24  # the bar in one piece


def test_parts_that_are_not_known_are_not_told() -> None:
    lines = screen(estimate({"wall_clock": 1.0, "energy": 1.0, "carbon_total": 1.0}))
    assert line(lines, "Time").split() == ["Time", "1.00", "hours"]
    assert "before" not in line(lines, "Energy")
    assert "electricity" not in line(lines, "CO2e")


def test_four_assumptions_are_shown_and_the_others_counted() -> None:
    """Of seven that nobody gave, the four of most weight; three more."""
    listed = [assumption(f"k.{n}", float(n)) for n in range(7)]
    given = assumption("k.given", 1.0, basis="given")
    drivers = [
        {"of": "cost", "key": "k.6", "share": 0.5},
        {"of": "energy", "key": "k.6", "share": 0.1},  # the larger of the two counts
        {"of": "energy", "key": "k.5", "share": 0.3},
        {"of": "cost", "key": "k.4", "share": 0.2},
    ]
    made = estimate({}, inputs=[*listed, given], drivers=drivers)
    lines = screen(made)
    shown = [each.split()[0] for each in lines if each.strip().startswith("k.")]
    assert shown == ["k.6", "k.5", "k.4", "k.0"]
    assert "  and 3 more: -v lists them, costcalc explain shows formulas" in lines
    every = screen(made, verbose=True)
    assert sum(each.strip().startswith("k.") for each in every) == 8
    assert not any("more: -v" in each for each in every)
    few = screen(estimate({}, inputs=listed[:4]))
    assert not any("more: -v" in each for each in few)


def test_texts_are_cut_to_52_letters() -> None:
    assert table._cut("x" * 52) == "x" * 52
    assert table._cut("x" * 53) == "x" * 50 + "…)"
    assert table._cut("x" * 49 + " yyyy") == "x" * 49 + "…)"


def test_three_drivers_of_each_figure_are_told() -> None:
    drivers = [{"of": "cost", "key": f"d{n}", "share": (5 - n) / 10} for n in range(5)]
    assert list(table._drivers(estimate({}, drivers=drivers))) == [
        ("Cost", "d0 50 %, d1 40 %, d2 30 %")
    ]


@pytest.mark.parametrize(
    ("shares", "widths"),
    [
        ([0.9, 0.1], [22, 2]),  # 21.6 and 2.4 of 24: the larger rest, 0.6, gets the one left
        ([0.5, 0.5], [12, 12]),
        ([0.34, 0.33, 0.33], [8, 8, 8]),  # 8.16, 7.92, 7.92
        ([0.25, 0.25], [6, 6]),  # of parts of a whole no more than their half
    ],
)
def test_bars_by_largest_remainder(shares: list[float], widths: list[int]) -> None:
    assert table._widths(shares) == widths


def test_of_many_parts_eight_are_drawn_largest_first() -> None:
    parts = {f"p{n}": float(n) for n in range(1, 11)}  # 55 in all: the largest is 10 / 55 = 18 %
    lines = screen(estimate({}, breakdown={"cost": parts}))
    found = line(lines, "cost")
    assert "p10 18 %, p9 16 %" in found
    assert "p3 5.5 %" in found
    # 52 of 55 are drawn, 22.7 of 24 letters; the fifth is filled as the first
    assert sum(letter in table.FILLS for letter in found) == 23
    assert "p2" not in found


def test_likened_from_a_tenth_of_one_on() -> None:
    """A seat to New York is 833 kg (DESNZ): 83.3 kg are a tenth, 80 kg are too little to say."""
    for kg, said in ((1666.0, "2 seats"), (833.0, "1 seat on"), (83.4, "0.1 seats"), (80.0, "")):
        words = table.likened(estimate({"carbon_total": kg}))
        assert ("seat" in words) is bool(said)
        assert said in words
        # 248.5 g a km (EPA: 400 g a mile): to two figures
        assert words.startswith(f"{float(f'{kg / 0.2485:.2g}'):,.0f} km by car")
    home = table.likened(estimate({"energy": 10715.0}))  # EIA: a US home's 10,715 kWh a year
    assert home.startswith("1 ")
    assert table.likened(estimate({})) == ""


def test_units_that_are_no_gpus_are_told() -> None:
    hardware = {"count": 1024, "name": "X", "unit": "chip"}
    assert table.subtitle({"hardware": hardware, "region": "FR"}) == "1,024 × X (chip) · FR"
    assert table.subtitle({"hardware": hardware | {"unit": "GPU"}}) == "1,024 × X"
    assert table.subtitle({"precision": "bf16"}) == "bf16"


def test_a_value_with_its_range_in_its_unit() -> None:
    """3600 s are an hour, half to twice."""
    ranged = assumption("t", 3600.0, "h", low=1800.0, high=7200.0)
    assert table.value_of(ranged) == "1.000 h [0.500 – 2.00]"
    assert table.value_of(assumption("pue", 1.25)) == "1.250"


# --- the explanation ------------------------------------------------------------------------------


def test_steps_of_the_pipeline_are_shown_in_their_units() -> None:
    """7200 s are 2 h; what is neither result nor step is a bare number."""
    made = estimate({"energy": (2.0, 1.0, 3.0)}, values={"training_time": 7200.0, "redone": 0.5})
    assert explain._value("training_time", made) == "2.000 h"
    assert explain._value("energy", made) == "2.00 kWh  (1.00 – 3.00)"
    assert explain._value("redone", made) == "0.500000"
    assert explain._value("mean_power", made) == "unknown"
    assert explain._value("cost", made) == "unknown"


def test_a_step_goes_to_its_parts_largest_first() -> None:
    made = estimate({}, breakdown={"step": {"network": 1.0, "compute": 3.0, "wait": 0.0}})
    assert "  a step goes to: compute 75 %, network 25 %" in list(explain.explain(made))


def test_what_worked_a_figure_out_and_why_another_is_unknown() -> None:
    """Parameters are counted, unless they are given; a measured step is worked out by none."""
    step = {"compute": 1.0}
    made = estimate({"parameters": 8e9, "step_time": 2.0}, breakdown={"step": step})
    lines = list(explain.explain(made))
    at = lines.index("parameters = 8.00 B")
    assert lines[at + 1 : at + 4] == [
        "  counted: the weights of its layers, tied ones once",
        "  worked out by costcalc/workload/stage.py, workload",
        "",
    ]
    assert list(explain._counted("active_parameters", estimate({"active_parameters": 2e9}))) == [
        "  counted: the same, of its experts those that a token passes",
        "  worked out by costcalc/workload/stage.py, workload",
    ]
    said = estimate({"parameters": 8e9}, run={"model": {"parameters": "8B"}})
    lines_given = list(explain.explain(said))
    assert lines_given[lines_given.index("parameters = 8.00 B") + 1] == ""
    timed = estimate({"throughput": 10.0}, values={"training_time": 1.0})
    assert list(explain._counted("throughput", timed)) == [
        "  = the data trained on / training_time  (costcalc/calculator/figures.py, rates)"
    ]
    at = lines.index("step_time = 2.00 s")
    assert lines[at + 1] == "  worked out by costcalc/throughput/step.py, step_time"
    at = lines.index("training_compute = unknown")
    assert lines[at + 1] == "  unknown: not said"
    given = list(explain.explain(estimate({"step_time": 2.0})))  # by no model of a step
    assert given[given.index("step_time = 2.00 s") + 1] == ""
    assert "  worked out by costcalc/throughput/stage.py, throughput" in list(
        explain.explain(estimate({"utilization": 0.4}))
    )


def test_five_drivers_are_told_of_a_figure() -> None:
    known = {"energy_it": 8.0, "energy": 10.0}
    drivers = [{"of": "energy", "key": f"d{n}", "share": 0.1} for n in range(7)]
    pue = assumption("site.pue", 1.25)
    values = {"energy_it": 8.0 * 3.6e6, "pue": 1.25, "energy": 10.0 * 3.6e6}
    measured = frozenset(UNITS) - {"energy"}  # what was measured needs no formula
    made = estimate(known, inputs=[pue], drivers=drivers, values=values, measured=measured)
    lines = list(explain.explain(made))
    (driven,) = [each for each in lines if "its range comes from" in each]
    assert driven.split(": ")[1] == ", ".join(f"d{n} 10 %" for n in range(5))
    assert "    pue = 1.250  (site.pue, default)" in lines
    assert lines.count("      S") == 1  # a source is told once
    assert not any(each.startswith("Other inputs") for each in lines)


def test_what_no_formula_shows_is_listed_last() -> None:
    odd = assumption("x.odd", 3.0, why="so")
    assert list(explain.explain(estimate({}, inputs=[odd])))[-3:] == [
        "",
        "Other inputs",
        "  x.odd = 3.000  (default) S; so",
    ]


@pytest.mark.parametrize(("year", "told"), [(2023, "      S, 2023"), (None, "      S")])
def test_a_source_with_its_year(year: int | None, told: str) -> None:
    item = assumption("site.pue", 1.25, year=year, why="as read")
    first = list(explain._input("pue", item, again=False))
    assert first == ["    pue = 1.250  (site.pue, default)", told, "      as read"]
    assert list(explain._input("pue", item, again=True)) == first[:1]


# --- verifying, merging, importing ----------------------------------------------------------------


def test_steps_of_a_verdict_are_numbered_from_one() -> None:
    steps = tuple(Step(title=t, said="s", discrepancies=("d",)) for t in "ab")
    assert Verdict(steps=steps).lines()[:-1] == ["1. a: s", "   d", "2. b: s", "   d"]


def test_a_run_without_a_number_is_one() -> None:
    runs = [{"id": "a", "role": "final", "device_hours": 10.0}]
    made = report(figures(device_hours=30.0), runs=runs)
    project = merge([("a", made)], name="p")["project"]
    assert (project["reported_device_hours"], project["ratio"]) == (10.0, 3.0)


@pytest.mark.parametrize(
    ("row", "devices", "name"),
    [
        ({"gpu_count": "3", "gpu_model": "2 x A100"}, 3.0, "A100"),
        ({"gpu_count": "", "gpu_model": "2 x A100"}, 2.0, "A100"),
        ({"gpu_count": "4", "gpu_model": "A100"}, 4.0, "A100"),
        ({"gpu_model": "A100"}, None, "A100"),
        ({"gpu_count": "0", "gpu_model": ""}, None, None),
    ],
)
def test_devices_of_codecarbon(
    row: dict[str, str | None], devices: float | None, name: str | None
) -> None:
    assert codecarbon._hardware(row) == (devices, name)


@pytest.mark.parametrize(
    ("row", "region"),
    [
        ({"cloud_provider": "aws", "cloud_region": "eu-west-1", "region": "x"}, "aws:eu-west-1"),
        ({"cloud_provider": "aws", "region": "idf", "country_name": "France"}, "idf, France"),
        ({"country_name": "France"}, "France"),
        ({}, None),
    ],
)
def test_where_codecarbon_says_it_was(row: dict[str, str | None], region: str | None) -> None:
    assert codecarbon._region(row) == region


# --- the whole screen -----------------------------------------------------------------------------

SCREEN = """\
by hand
8 × A100 · FR

  Time     10.0 hours               80.0 device-hours
  Cost        160 USD  120 – 200    2 USD an hour
  Energy     36.0 kWh  30.0 – 45.0  30.0 kWh before the facility's share
  CO2e    4.00 kgCO2e  3.00 – 5.00  3.60 kgCO2e electricity, 400 gCO2e hardware
  limit cost 100 USD: PASSED
  limit time 1 d: kept

Stages
  by hand  4.00 hours  60.0 USD  unknown  unknown

How it comes about
  time  a ÷ b

Where it goes
  cost ██████████████████▓▓▓▓▓▓ rent 75 %, power 25 %
  as much as  16 km by car

What would narrow the range most
  Cost  price.device_hour 90 %

Assumed
  site.pue  1.200  (default: S)
note: w
"""


def whole() -> Estimate:
    """10 h of 8 devices; 120 of 160 USD are 18 of 24 letters; 4 kg over 248.5 g a km are 16 km."""
    known: dict[str, float | tuple[float, float, float]] = {
        "wall_clock": 10.0,
        "device_hours": 80.0,
        "cost": (160.0, 120.0, 200.0),
        "energy_it": 30.0,
        "energy": (36.0, 30.0, 45.0),
        "carbon_operational": 3.6,
        "carbon_embodied": 0.4,
        "carbon_total": (4.0, 3.0, 5.0),
        "water": 10.0,
    }
    return estimate(
        known,
        details={
            "hardware": {"count": 8, "name": "A100", "unit": "GPU"},
            "region": "FR",
            "price": "2 USD an hour",
            "steps": [("time", "a ÷ b")],
        },
        limits=[
            {"passed": True, "text": "limit cost 100 USD: PASSED"},
            {"passed": False, "text": "limit time 1 d: kept"},
        ],
        breakdown={"cost": {"rent": 120.0, "power": 40.0}, "step": {"compute": 1.0}},
        drivers=[{"of": "cost", "key": "price.device_hour", "share": 0.9}],
        inputs=[
            assumption("site.pue", 1.2, why="because"),
            assumption("hardware.count", 8.0, basis="given"),
        ],
        warnings=["w"],
        stages=[estimate({"wall_clock": 4.0, "cost": 60.0})],
    )


def test_the_whole_screen() -> None:
    assert screen(whole()) == SCREEN.splitlines()


def test_verbose_adds_water_steps_and_every_input_with_its_reason() -> None:
    more = SCREEN.replace("  limit cost", "  Water        10.0 L\n  limit cost", 1)
    more = more.replace("  as much", f"  step {'█' * 24} compute 100 %\n  as much", 1)
    before, _, after = more.partition("Assumed\n  site.pue  1.200  (default: S)\n")
    inputs = (
        "Every input, with its source\n"
        "  site.pue        1.200  (default: S); because\n"
        "  hardware.count  8.000  (given: S)\n"
    )
    assert screen(whole(), verbose=True) == f"{before}{inputs}{after}".splitlines()


def test_limits_are_green_where_they_are_kept() -> None:
    styles = [text.style for text in table._limits(whole().limits)]  # type: ignore[attr-defined]
    assert styles == ["bold red", "green"]
    unknown_ = [{"passed": None, "text": "cannot be judged"}]
    assert [text.style for text in table._limits(unknown_)] == ["bold red"]  # type: ignore[attr-defined]


def test_little_is_said_of_what_is_little_known() -> None:
    assert screen(estimate({})) == [
        "by hand",
        "",
        "  Time    unknown    not said",
        "  Cost    unknown    not said",
        "  Energy  unknown    not said",
        "  CO2e    unknown    not said",
    ]


def test_what_was_measured_is_not_explained_by_what_it_replaces() -> None:
    run = {
        "measured": {"device_hours": 144, "energy": "48 kWh"},
        "hardware": {"accelerator": "a100-sxm4-80", "count": 4},
        "site": {"pue": 1.2},
    }
    told = {block.name: block for block in explain.explained(costcalc.estimate(run))}
    assert {"mean_power", "lost_power"}.isdisjoint(told)  # 344 W of a model: 48 kWh was measured
    assert told["wall_clock"].title == "wall_clock = 36.0 hours"  # 144 h over 4 devices
    assert list(told["wall_clock"].lines) == [
        "  = device_hours / (devices × runs): the device-hours were measured"
    ]
    assert told["energy_it"].title == "energy_it = 40.0 kWh"  # 48 over 1.2
    assert list(told["energy_it"].lines)[:2] == [
        "  = energy / pue: the facility's energy was measured",
        "    pue = 1.200  (site.pue, given)",
    ]
    assert list(told["energy"].lines) == [
        "  measured: given in the run file, in place of its formula"
    ]
    del run["measured"]["energy"]  # its formula needs the power then
    told = {block.name: block for block in explain.explained(costcalc.estimate(run))}
    assert {"mean_power", "lost_power"} <= told.keys()
