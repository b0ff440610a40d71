"""What documents say of reports made by hand: parts, shares, bills, cards; the working beside."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from byhand import assumed, figure, report, results

from costcalc import __version__
from costcalc.base.document import Document
from costcalc.base.errors import InputError
from costcalc.calculator.result import MODEL_VERSION
from costcalc.report.closure import checked, discrepancies
from costcalc.report.compare import lines, show
from costcalc.report.files import schema_problems, text
from costcalc.report.importing import carbontracker, codecarbon, slurm
from costcalc.report.importing.build import Recorded
from costcalc.report.importing.build import report as recorded
from costcalc.report.listing import listed
from costcalc.report.project import merge, runs_of
from costcalc.report.recompute import Again, asked, recompute
from costcalc.report.renderings import render
from costcalc.report.renderings.html import _ranges, _tables, splits
from costcalc.report.renderings.latex import number, quantity
from costcalc.report.renderings.model_card import END, START, into
from costcalc.report.view import View, plain, shown


def stage(name: str, **known: float) -> dict[str, Any]:
    return {"name": name, "results": results(**known), "assumptions": []}


# --- parts that train and parts that tune ---------------------------------------------------------


def tuned_after_pretraining() -> dict[str, Any]:
    run = {
        "stages": [
            {"name": "a", "training": {"method": "pretrain"}},
            {"name": "b", "training": {"method": "lora"}},
            {"name": "c"},
        ]
    }
    parts = [stage("a", energy=10.0, carbon_operational=4.0), stage("b", energy=1.0), stage("c")]
    return report(results(energy=11.0), run=run, stages=parts)


def test_which_parts_are_fine_tunings() -> None:
    view = View(tuned_after_pretraining())
    assert [tuned for tuned, _ in view.trained] == [False, True, False]
    alone = report(results(), run={"training": {"method": "dpo"}})
    assert [tuned for tuned, _ in View(alone).trained] == [True]
    assert [tuned for tuned, _ in View(report(results())).trained] == [False]


def test_bills_list_the_energy_of_each_part() -> None:
    """10 kWh of training with 4 kg, 1 kWh of fine-tuning without a figure; the third is unknown."""
    view = tuned_after_pretraining()
    made = json.loads(render(view, "cyclonedx"))
    assert (made["specVersion"], made["version"]) == ("1.6", 1)  # the first of its kind
    card = made["components"][0]["modelCard"]["considerations"]["environmentalConsiderations"]
    said = [
        (one["activity"], one["activityEnergyCost"]["value"], one.get("co2CostEquivalent"))
        for one in card["energyConsumptions"]
    ]
    assert said == [
        ("training", 10.0, {"value": 0.004, "unit": "tCO2eq"}),
        ("fine-tuning", 1.0, None),
    ]
    graph = json.loads(render(view, "spdx"))["@graph"]
    (package,) = [item for item in graph if item["type"] == "ai_AIPackage"]
    used = package["ai_energyConsumption"]
    assert [one["ai_energyQuantity"] for one in used["ai_trainingEnergyConsumption"]] == ["10"]
    assert [one["ai_energyQuantity"] for one in used["ai_finetuningEnergyConsumption"]] == ["1"]
    bare = json.loads(render(report(results()), "spdx"))["@graph"]
    assert not any("ai_energyConsumption" in item for item in bare)


def test_properties_of_a_bill_say_what_is_not_known_and_why() -> None:
    made = json.loads(render(report(results(cost=5.0), costcalc_version="1.2"), "cyclonedx"))
    card = made["components"][0]["modelCard"]["considerations"]["environmentalConsiderations"]
    said = {each["name"]: each["value"] for each in card["properties"]}
    assert said["costcalc:cost"] == "5.0 USD (modelled)"
    assert said["costcalc:energy"] == "unknown: not said"
    assert said["costcalc:kind"] == "estimated"
    assert card["energyConsumptions"] == []  # the format has no way to say unknown
    (tool,) = made["metadata"]["tools"]["components"]
    assert tool["version"] == "1.2"
    bare = json.loads(render(report(results()), "cyclonedx"))
    assert "version" not in bare["metadata"]["tools"]["components"][0]


def test_a_row_of_csv_for_each_figure_of_each_part() -> None:
    named = report(results(cost=5.0), stages=[stage("=a", cost=5.0), stage("")])
    rows = list(csv.DictReader(io.StringIO(render(named, "csv"))))
    assert len(rows) == 3 * len(results())
    cost = [row for row in rows if row["figure"] == "cost"]
    assert [(row["scope"], row["value"]) for row in cost] == [
        ("total", "5.0"),
        ("'=a", "5.0"),
        ("stage", ""),
    ]
    assert cost[2]["why"] == "not said"


# --- figures and assumptions as text --------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "text", "held"),
    [
        (assumed("k", 1234.0, "W"), "1,234 W", 1234.0),
        (assumed("k", 1.5), "1.50", 1.5),
        (assumed("k", 10.0, "W", low=5.0, high=20.0), "10.0 W (5.00 – 20.0)", 10.0),
        (assumed("k", 10.0, "W", low=10.0, high=10.0), "10.0 W", 10.0),
        (assumed("k", 10.0, "W", low=None, high=20.0), "10.0 W", 10.0),
        (assumed("k", "bf16"), "bf16", None),
        (assumed("k", True), "True", 1.0),
        ({"key": "k", "value": 2, "basis": "given", "source": "s"}, "2.00", 2.0),
    ],
)
def test_an_assumption_as_text(item: dict[str, Any], text: str, held: float | None) -> None:
    found = listed(item)  # type: ignore[arg-type]
    assert (found.text, found.number) == (text, held)


def test_a_figure_as_text() -> None:
    made = report(results(cost=figure(10.0, "USD", low=8.0, high=15.0)))
    found = shown(made, "cost")  # type: ignore[arg-type]
    assert (found.text, found.range, found.why) == ("10.0 USD", "8.00 – 15.0", "")
    none = shown(made, "energy", "E")  # type: ignore[arg-type]
    assert (none.label, none.text, none.value, none.why) == ("E", "unknown", None, "not said")


def test_assumptions_are_listed_by_part() -> None:
    parts = [
        {"name": "s", "assumptions": [assumed("k", 2.0)]},
        {"name": "t"},
        {"assumptions": [assumed("k", 3.0)]},
    ]
    view = View(report(results(), assumed("k", 1.0), stages=parts))
    assert [(part.name, part.whole, part.inputs[0].number) for part in view.inputs] == [
        ("by hand", True, 1.0),
        ("s", False, 2.0),
        ("", False, 3.0),
    ]
    titles = [table.title for table in _tables(view) if table.title.startswith("Assum")]
    assert titles == ["Assumptions", "Assumptions of s", "Assumptions of a stage"]
    assert [item["value"] for item in view.every("k")] == [1.0, 2.0, 3.0]


def test_runs_as_text() -> None:
    runs = [
        {"id": "a", "role": "final", "device_hours": 8.0, "hours": 1.0, "number": 3.0},
        {"id": "b", "role": "failed"},
    ]
    first, second = View(report(results(), runs=runs)).runs
    assert (first.name, first.number, first.hours) == ("a", "3", "1.00 hours")
    assert (second.number, second.hours, second.device_hours) == ("1", "unknown", "unknown")
    (none,) = runs_of(report(results(device_hours=7.0)))  # type: ignore[arg-type]
    assert (none["role"], none["number"], none["device_hours"]) == ("unknown", 1.0, 7.0)
    assert plain(0.00012345) == "0.000123"


def test_a_report_for_people() -> None:
    """3 of 4 USD are hardware; what is 0 in all is not drawn."""
    made = report(
        results(cost=4.0),
        breakdown={"cost": {"hardware": 3.0, "power": 1.0}, "energy": {"a": 0.0}},
        warnings=["w"],
        runs=[{"id": "a", "role": "final", "device_hours": 8.0}],
        details={"hardware": {"name": "A100", "count": 8}},
    )
    found = list(show(made))
    assert found[0] == "by hand (estimated)"
    assert found[1] == "A100" or found[1].startswith("8 × A100; place unknown")
    assert "  cost: hardware 75 %, power 25 %" in found
    assert not any(line.startswith("  energy:") for line in found)
    assert "  note: w" in found
    assert "  run a (final): unknown, 8.00 device-hours" in found


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("1,234,567", r"1\,234\,567"),
        ("12 34", "12 34"),
        ("7.2e+23", r"$7.2\times 10^{23}$"),
        ("1e-5", r"$1\times 10^{{-}5}$"),
        ("1 – 2", "1--2"),
        ("4.48e+17 – 9.29e+17", r"$(4.48\mbox{--}9.29)\times 10^{17}$"),
        ("1e-5 – 2e-5", r"$(1\mbox{--}2)\times 10^{{-}5}$"),
        ("1e+1 – 2e+17", r"$1\times 10^{1}$--$2\times 10^{17}$"),
        ("1,23", "1,23"),
    ],
)
def test_numbers_of_latex(text: str, made: str) -> None:
    assert number(text) == made


def test_bars_stand_34_below_one_another() -> None:
    """From 8 on; two of them and 24 are 92 high; the third colour after six is the first again."""
    ranged = {
        key: figure(10.0, unit, low=5.0, high=15.0)
        for key, unit in (("cost", "USD"), ("energy", "kWh"))
    }
    made = report(results(**ranged))
    assert [(bar.y, bar.colour) for bar in _ranges(View(made))] == [(8, 0), (42, 1)]
    assert "92" in render(made, "html")
    parts = {f"p{n}": 9.0 - n for n in range(7)}
    (split,) = splits(View(report(results(), breakdown={"cost": parts})))
    assert [share.colour for share in split.parts] == [0, 1, 2, 3, 4, 5, 0]
    assert split.title == "Cost"
    assert split.parts[0].amount == "9.00 USD"
    (other,) = splits(View(report(results(), breakdown={"x": {"a": 1.0}})))
    assert (other.title, other.parts[0].amount) == ("x", "1.00")


@pytest.mark.parametrize(
    ("kwh", "said"), [(0.001, r"\SI{1}{\watt\hour}"), (0.0005, r"\SI{0.5}{\watt\hour}")]
)
def test_the_smallest_unit_is_for_all_that_is_smaller(kwh: float, said: str) -> None:
    assert quantity(shown(report(results(energy=kwh)), "energy")) == said  # type: ignore[arg-type]
    tiny = shown(report(results(carbon_total=kwh / 10)), "carbon_total")  # type: ignore[arg-type]
    assert quantity(tiny).startswith(rf"\SI{{{kwh * 100:g}}}{{\gram}}")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("wall_clock", 48.0, r"\SI{2}{\day}"),
        ("wall_clock", 23.0, r"\SI{23}{\hour}"),
        ("wall_clock", 0.5, r"\SI{0.5}{\hour}"),
        ("carbon_total", 2500.0, r"\SI{2.5}{\tonne}{\,CO$_2$e}"),
        ("carbon_total", 999.0, r"\SI{999}{\kilogram}{\,CO$_2$e}"),
        ("carbon_total", 0.25, r"\SI{250}{\gram}{\,CO$_2$e}"),
        ("energy", 1e6, r"\SI{1}{\giga\watt\hour}"),
        ("energy", 1.0, r"\SI{1}{\kilo\watt\hour}"),
    ],
)
def test_quantities_in_the_largest_unit_that_they_reach(key: str, value: float, said: str) -> None:
    assert quantity(shown(report(results(**{key: value})), key)) == said  # type: ignore[arg-type]


def test_tables_of_the_page() -> None:
    drivers = [{"of": "cost", "key": f"k{n}", "share": 0.1} for n in range(6)]
    boundary = {
        "stages": [{"name": "a", "counted": True}],
        "components": [{"name": "b", "counted": False, "why": "w"}, {"name": "c"}],
    }
    made = report(
        results(),
        assumed("k", 1.0),
        drivers=drivers,
        boundary=boundary,
        stages=[stage("s", cost=1.0)],
    )
    tables = {table.title: table for table in _tables(View(made))}
    assert list(tables) == [
        "Stages",
        "Figures",
        "What would narrow the ranges",
        "What is counted",
        "Assumptions",
    ]
    assert len(tables["What would narrow the ranges"].rows) == 4  # of each figure
    assert tables["What would narrow the ranges"].numbers == (2,)
    assert tables["Stages"].numbers == (1, 2, 3, 4)
    assert [tuple(row) for row in tables["What is counted"].rows] == [
        ("a", "counted", ""),
        ("b", "not counted", "w"),
        ("c", "not known", ""),
    ]
    assert [table.title for table in _tables(View(report(results())))] == ["Figures"]


def small(**more: Any) -> dict[str, Any]:
    known = results(
        wall_clock=10.0,
        device_hours=80.0,
        cost=figure(160.0, "USD", low=120.0, high=200.0),
        energy=36.0,
        total_compute=7.2e21,
    )
    details = {"hardware": {"name": "A100", "count": 8}, "region": "FR"}
    return report(known, assumed("site.pue", 1.2), details=details, **more)


def test_the_eus_form_in_days_and_megawatt_hours() -> None:
    """10 h are 0.42 days, 80 device-hours 3.3 device-days, 36 kWh 0.036 MWh; 7.2e21 is 10^21."""
    made = render(small(), "annex-xi")
    for said in (
        "Training time: 0.42 wall-clock days (less than 1 month) a run, modelled",
        "Hardware-days: 3.3 on 8 × A100 (modelled)",
        "Energy used for training: 0.036 MWh (estimated)",
        "7.2e+21",
        "10^21",
        "× PUE 1.20;",
    ):
        assert said in made, said
    bare = render(report(results()), "annex-xi")
    assert "Training compute: N/A: not said" in bare
    assert "10^23 and 10^25 FLOP: cannot be judged" in bare


def test_figures_in_columns_for_people() -> None:
    """Labels in 26, texts in 20 to the right, then range or reason."""
    found = list(show(small()))
    assert f"  {'Cost':26} {'160 USD':>20}  120 – 200; modelled" in found
    assert f"  {'Energy':26} {'36.0 kWh':>20}  modelled" in found
    assert f"  {'Water':26} {'unknown':>20}  not said" in found
    staged = list(show(report(results(), stages=[stage("s", cost=4.0)])))
    assert "  stage s: Time unknown, Cost 4.00 USD, Energy unknown, CO2e unknown" in staged


# --- comparing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (10.0, 20.0, "×2.00"),
        (0.0, 20.0, None),  # of nothing there is no ratio
        (None, 20.0, None),
        (10.0, None, None),
        (10.0, 0.0, "×0"),
    ],
)
def test_a_ratio_needs_both_figures(
    one: float | None, other: float | None, said: str | None
) -> None:
    first = report(results(**({} if one is None else {"cost": one})))
    second = report(results(**({} if other is None else {"cost": other})))
    line = next(x for x in lines(first, second) if x.startswith("Cost"))
    assert line.partition("  ×")[2] == ("" if said is None else said.removeprefix("×"))


def test_a_comparison_in_columns() -> None:
    found = list(lines(small(), report(results(cost=320.0, wall_clock=5.0), kind="measured")))
    assert found[:3] == ["A: by hand (estimated)", "B: by hand (time and energy measured)", ""]
    assert f"{'Cost':26} {'160 USD':>18} -> {'320 USD':>18}  ×2.00, outside A's range" in found
    time = f"{'Wall-clock time of one run':26} {'10.0 hours':>18} -> {'5.00 hours':>18}  ×0.500"
    assert time in found
    assert f"{'Energy':26} {'36.0 kWh':>18} -> {'unknown':>18}" in found


def test_of_reports_of_stages_nothing_is_taken_apart() -> None:
    staged = report(results(cost=1.0), stages=[stage("a", cost=1.0)])
    found = list(lines(staged, report(results(cost=2.0))))
    assert "  see the stages: only reports of one run are taken apart" in found


def test_assumptions_that_differ_are_listed() -> None:
    a = report(results(), assumed("site.pue", 1.2), assumed("x.a", "p"), assumed("x.b", 1.0))
    b = report(results(), assumed("site.pue", 1.2 * (1 + 2e-9)), assumed("x.a", "q"))
    found = list(lines(a, b))
    assert "  site.pue: 1.20 (given) -> 1.20 (given)" in found  # by more than 1e-9
    assert "  x.a: p (given) -> q (given)" in found
    assert "  x.b: 1.00 (given) -> not listed" in found
    near = report(results(), assumed("site.pue", 1.2 * (1 + 0.5e-9)))
    one = report(results(), assumed("site.pue", 1.2))
    assert not any("site.pue" in line for line in lines(one, near))


# --- verifying ------------------------------------------------------------------------------------


def test_numbers_too_large_for_arithmetic_are_named() -> None:
    for value, fine in ((0.9e300, True), (1e300, False), (-1e300, False), (10**400, False)):
        document = Document(data={"schema": "x", "results": [value]}, name="r", marks={})
        said = [str(problem) for problem in schema_problems(document)]
        assert any("expected a number below 1e300" in text for text in said) is not fine


def test_formulas_of_each_stage_are_checked() -> None:
    """80 × 1.25 = 100 in the first; 80 × 1.25 is not 90 in the second."""
    pue = [assumed("site.pue", 1.25)]
    parts = [
        {"name": n, "results": results(energy_it=80.0, energy=e), "assumptions": pue}
        for n, e in (("a", 100.0), ("b", 90.0))
    ]
    made = report(results(energy_it=160.0, energy=190.0), stages=parts)
    assert checked(made) == 2  # type: ignore[arg-type]
    (found,) = discrepancies(made)  # type: ignore[arg-type]
    assert found.startswith("stages[1].results.energy: 90 kWh does not follow")


def test_a_breakdown_of_words_is_refused() -> None:
    made = report(results(cost=1.0), breakdown={"cost": {"a": "x"}})
    assert list(discrepancies(made)) == ["breakdown.cost: expected numbers"]  # type: ignore[arg-type]
    empty = report(results(cost=1.0), breakdown={"cost": {}})
    assert list(discrepancies(empty)) == []  # type: ignore[arg-type]


def test_what_costcalc_filled_in_is_asked_for_again_without_it() -> None:
    made = {
        "run": {"site": {"region": "FR", "pue": 1.3}, "price": {"plan": "spot"}, "name": "n"},
        "assumptions": [
            {"key": "site.pue", "basis": "given"},
            {"key": "price.plan", "basis": "default"},
            {"key": "x.y.z", "basis": "default"},
        ],
    }
    assert asked(made) == {"site": {"region": "FR", "pue": 1.3}, "name": "n"}  # type: ignore[arg-type]
    staged = {"run": {"stages": [{"name": "a"}]}, "assumptions": [{"key": "stages", "basis": "x"}]}
    assert asked(staged) == staged["run"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("version", "model", "reason", "found"),
    [
        ("99.0", "3", "needs costcalc 99.0", ""),
        ("0.0.7", "1", "", "costcalc_version: there is no release 0.0.7"),
        # this one written otherwise: it was "needs costcalc 0.2.0.0", and nothing was made again
        (f"{__version__}.0", "1", "", f"costcalc_version: there is no release {__version__}.0"),
        (None, MODEL_VERSION, "", "costcalc_version: 'None' is no release of costcalc"),
        ("one", MODEL_VERSION, "", "costcalc_version: 'one' is no release of costcalc"),
        (__version__, "0", "", f"model_version: '0'; costcalc {__version__} has '{MODEL_VERSION}'"),
        (__version__, MODEL_VERSION, "", "run: empty; nothing shows how the figures came about"),
    ],
)
def test_why_a_report_is_not_calculated_again(
    version: str | None, model: str, reason: str, found: str
) -> None:
    made = report(results(), costcalc_version=version, model_version=model)
    again = recompute(made)  # type: ignore[arg-type]
    assert again.reasons == ((reason,) if reason else ())
    assert again.found == ((found,) if found else ())


@pytest.mark.parametrize(
    ("data", "found"),
    [({"c.json": "sha256:0"}, ()), ({}, ("data: lacks c.json, which run names",))],
)
def test_a_file_that_the_run_needs_is_listed(data: dict[str, str], found: tuple[str, ...]) -> None:
    run = {"model": {"config": "c.json"}}
    made = report(results(), run=run, data=data, costcalc_version=__version__)
    again = recompute(made)  # type: ignore[arg-type]
    assert again.reasons == ("it rests on files that it does not carry (config)",)
    assert again.found == found


def test_parts_that_were_done_are_counted() -> None:
    some = Again(done=1, of=3, reasons=("a: x", "b: y"))
    assert some.said() == (
        "1 of 3 parts: every section as it was; values to 1e-9, ranges to 1e-6; "
        "not recomputed here: a: x; b: y"
    )


# --- merging --------------------------------------------------------------------------------------


def test_stages_of_what_is_merged_have_what_their_report_assumed() -> None:
    shared, own = assumed("site.pue", 1.2), assumed("x.y", 1.0)
    staged = report(
        results(), shared, stages=[{"name": "s", "assumptions": [own, shared]}], name="r"
    )
    made = merge([("a", staged), ("b", report(results(), own, name="one"))], name="p")
    assert [each["name"] for each in made["stages"]] == ["s", "one"]
    assert made["stages"][0]["assumptions"] == [own, shared]  # each once
    assert made["stages"][1]["assumptions"] == [own]


@pytest.mark.parametrize(("other", "kept"), [("x", True), ("y", False), (None, True)])
def test_a_boundary_is_kept_where_all_that_have_one_share_it(other: str | None, kept: bool) -> None:
    def made(name: str, of: str | None) -> dict[str, Any]:
        return report(results(), name=name, **({"boundary": {"of": of}} if of else {}))

    found = merge([("a", made("a", "x")), ("b", made("b", other))], name="p")
    assert ("boundary" in found) is kept


# --- importing ------------------------------------------------------------------------------------


def test_of_what_was_not_recorded_nothing_is_made_up() -> None:
    one = Recorded(key="k", name="r", hours=2.0, devices=None, energy_it=10.0)
    made = recorded([one], name="n", tool="T", version="1", boundary="all")
    values = {key: made["results"][key]["value"] for key in ("device_hours", "energy", "energy_it")}
    assert values == {"device_hours": None, "energy": None, "energy_it": 10.0}
    assert made["assumptions"] == []
    given = Recorded(key="k", name="r", hours=2.0, devices=4.0, device_hours=5.0, place="FR")
    made = recorded([given], name="n", tool="T", version="1", boundary="all")
    assert made["results"]["device_hours"]["value"] == 5.0  # its own before hours × devices
    assert made["results"]["energy"]["why"] == "T does not record it"
    assert made["details"]["place"] == "FR"
    assert made["boundary"]["components"][0]["counted"] is False
    (run,) = made["runs"]
    assert (run["why"], run["number"]) == ("energy: T does not record it", 1.0)
    assert len(run["id"]) == len("run-") + 12


SACCT = "JobID|State|ElapsedRaw|AllocTRES|ConsumedEnergyRaw\n"


def test_energy_of_an_attempt_is_of_its_steps_else_its_own() -> None:
    """7.2 MJ of a step are 2 kWh, up to 3 with the 3.6 MJ that the batch script's node may have had
    beside; without steps the row's own 7.2 MJ are 2; 0 is unknown."""
    rows = (
        "1|COMPLETED|3600|gres/gpu=2|1\n1.batch|x|3600|x|3600000\n1.0|x|1|x|7200000\n"
        "1.extern|x|1|x|99\n"
        "2|COMPLETED|3600|gres/gpu=2|7200000\n"
        "3|FAILED|1800|gres/gpu=2|0\n"
        "4|COMPLETED|3600|cpu=4|0\n"
        "5|PENDING|0|gres/gpu=2|0\n"
    )
    made = slurm.read(SACCT + rows, "s")
    energies = [run["energy_it"] for run in made["runs"]]
    assert energies == [2.0, 2.0, None, None]
    assert made["runs"][0]["energy_it_high"] == 3.0
    assert [run["role"] for run in made["runs"]] == ["unknown", "unknown", "failed", "unknown"]
    # where Slurm counts GPUs, a job without any has none
    assert [run["devices"] for run in made["runs"]] == [2.0, 2.0, 2.0, 0.0]
    assert [run["device_hours"] for run in made["runs"]] == [2.0, 2.0, 1.0, 0.0]
    said = " ".join(made["warnings"])
    assert "energy of batch scripts and of their srun steps: a counter that both read" in said
    assert "jobs that wait in the queue are not counted: 1" in said
    assert "without sacct -D" in said
    twice = slurm.read(SACCT + "1|REQUEUED|60|gres/gpu=1|0\n1|COMPLETED|60|gres/gpu=1|0\n", "s")
    assert "without sacct -D" not in " ".join(twice["warnings"])


@pytest.mark.parametrize(
    ("rows", "kwh"),
    [  # of 36,000 s, of which each step ran 18,000
        # PrologFlags=Contain: Slurm takes the extern step alone, which spans the allocation
        (("node=2|10800000", ".batch|3600000", ".0|7200000", ".extern|10800000"), 3.0),
        # one node: its counter was read by the script's step, and again by the one within
        (("node=1|10800000", ".batch|7200000|36000", ".0|3600000"), 2.0),
        # of twelve nodes the script's may have drawn the 3.6 MJ of the step too, or beside it
        (("node=12|10800000", ".batch|7200000", ".0|3600000"), 2.0),
        (("node=1|7200000", ".0|3600000", ".1|3600000"), 2.0),
    ],
)
def test_a_counter_that_two_steps_read_counts_once(rows: tuple[str, ...], kwh: float) -> None:
    job, *steps = rows
    text = f"1|COMPLETED|36000|gres/gpu=2,{job}\n"
    text += "".join("1{0}|x|{2}|x|{1}\n".format(*step.split("|"), "18000") for step in steps)
    made = slurm.read(SACCT + text, "s")
    assert made["runs"][0]["energy_it"] == kwh
    twice = "node=12" in job
    assert made["runs"][0]["energy_it_high"] == (3.0 if twice else None)
    assert ("is in their sum" in " ".join(made["warnings"])) is twice


HEAD = "JobID|State|ElapsedRaw|AllocTRES|ConsumedEnergyRaw|Start|NNodes|NodeList\n"
AFTER = "2026-11-01T09:00:10"


def _job(text: str) -> Any:
    rows = [line.split("|") for line in text.splitlines()]
    told = [[one[0], "COMPLETED", *one[1:]] for one in rows]
    return slurm.read(HEAD + "".join("|".join(one) + "\n" for one in told), "s")


@pytest.mark.parametrize("own", ["85800000", "57600000"])
def test_a_step_on_all_nodes_has_the_batch_scripts_too(own: str) -> None:
    """57.0 MJ of 3,590 of 3,600 s on both nodes are 57.16 MJ, or 15.88 kWh; not 85.8 MJ."""
    made = _job(
        f"1|3600|gres/gpu:h100=16|{own}|2026-11-01T09:00:00|2|gpu[01-02]\n"
        "1.batch|3600|node=1|28800000|2026-11-01T09:00:00|1|gpu01\n"
        f"1.0|3590|node=2|57000000|{AFTER}|2|gpu[01-02]\n"
    )
    assert made["runs"][0]["energy_it"] == pytest.approx(57.0 * 3600 / 3590 / 3.6)
    assert made["runs"][0]["energy_it_high"] is None
    assert "its own row says" not in " ".join(made["warnings"])  # near the one, or their sum


def test_a_row_that_says_other_than_its_steps_is_named() -> None:
    made = _job(
        "1|3600|gres/gpu:h100=16|30000000|2026-11-01T09:00:00|2|gpu[01-02]\n"
        "1.0|3600|node=2|57000000|2026-11-01T09:00:00|2|gpu[01-02]\n"
    )
    assert (
        "job 1: its own row says 8.33 kWh, its steps 15.8 kWh: one of them is wrong; that of the "
        "steps is taken"
    ) in made["warnings"]


def test_steps_at_once_on_the_same_nodes_are_not_added() -> None:
    """Each has read all that both nodes drew."""
    made = _job(
        "1|3600|gres/gpu:h100=16|57600000|2026-11-01T09:00:00|2|gpu[01-02]\n"
        "1.batch|3600|node=1|28800000|2026-11-01T09:00:00|1|gpu01\n"
        f"1.0|3590|node=2|57000000|{AFTER}|2|gpu[01-02]\n"
        f"1.1|3590|node=2|57000000|{AFTER}|2|gpu[01-02]\n"
    )
    assert made["runs"][0]["energy_it"] is None
    assert any("steps that ran at once on a node" in one for one in made["warnings"])
    # on one node the batch script's own counter has metered both: 28.8 MJ are 8 kWh
    one = _job(
        "1|3600|gres/gpu:h100=8|85000000|2026-11-01T09:00:00|1|gpu01\n"
        "1.batch|3600|node=1|28800000|2026-11-01T09:00:00|1|gpu01\n"
        f"1.0|3500|node=1|28100000|{AFTER}|1|gpu01\n1.1|3500|node=1|28100000|{AFTER}|1|gpu01\n"
    )
    assert one["runs"][0]["energy_it"] == pytest.approx(8.0)


def test_a_step_of_half_a_job_is_not_its_meter() -> None:
    """1 kWh of 18,000 of 36,000 s; 33,000 s are 0.917, and 1 kWh / 0.917 of all its time."""
    head = SACCT + "1|COMPLETED|36000|gres/gpu=2,node=1|\n1.0|x|"
    (half,), said = (made := slurm.read(f"{head}18000|x|3600000\n", "s"))["runs"], made["warnings"]
    assert half["energy_it"] is None
    assert (
        "job 1: its steps' counters cover 50 % of its time on its nodes; its energy is taken as "
        "unknown"
    ) in said
    (most,) = slurm.read(f"{head}33000|x|3600000\n", "s")["runs"]
    assert most["energy_it"] == pytest.approx(36 / 33)


def test_a_carbontracker_log_in_figures() -> None:
    """3.6 MJ are 1 kWh, over PUE 1.25 0.8; 250 g over 1 kWh are 250 g/kWh; two GPUs for 2 h."""
    log = (
        "GPU with device(s) A100, A100.\nPUE coefficient of 1.25\n"
        "Predicted consumption for 1 epoch(s):\n\tTime:\t9:00:00\n\tEnergy:\t99 kWh\n"
        "Actual consumption for 1 epoch(s):\n\tTime:\t2:00:00\n\tEnergy:\t3600000 J\n"
        "\tCO2eq:\t250 g\n"
    )
    made = carbontracker.read(log, "x.log")
    found = {key: made["results"][key]["value"] for key in ("energy_it", "energy", "device_hours")}
    assert found == {
        "energy_it": pytest.approx(0.8),
        "energy": pytest.approx(1.0),
        "device_hours": 4.0,
    }
    assert made["results"]["carbon_operational"]["value"] == pytest.approx(0.25)
    assert made["warnings"] == []
    silent = carbontracker.read(log.replace("PUE coefficient of 1.25\n", ""), "x.log")
    assert silent["results"]["energy_it"]["value"] == pytest.approx(1.0)
    assert "PUE shown as 1" in silent["warnings"][0]
    # without energy there is nothing to go with the emissions; without emissions no grid
    for lost in ("\tEnergy:\t3600000 J\n", "\tCO2eq:\t250 g\n"):
        some = carbontracker.read(log.replace(lost, ""), "x.log")
        assert some["results"]["carbon_operational"]["value"] is None
    said = log.replace("\tCO2eq:\t250 g\n", "\tAverage carbon intensity: 300 gCO2/kWh\n")
    some = carbontracker.read(said, "x.log")
    assert some["results"]["carbon_operational"]["value"] == pytest.approx(0.3)  # of 1 kWh
    with pytest.raises(InputError, match="a prediction is not a measurement"):
        carbontracker.read(log.partition("Actual")[0], "x.log")


def test_codecarbons_pue_is_taken_out_and_its_grid_is_emissions_over_energy() -> None:
    """2.5 kWh with PUE 1.25 are 2 of IT; 1 kg over 2.5 kWh are 400 g/kWh."""
    head = "run_id,duration,emissions,energy_consumed,gpu_count,pue\n"
    made = codecarbon.read(head + "a,7200,1,2.5,2,1.25\n", "e.csv")
    assert made["results"]["energy_it"]["value"] == pytest.approx(2.0)
    assert made["results"]["energy"]["value"] == pytest.approx(2.5)
    assert made["results"]["carbon_operational"]["value"] == pytest.approx(1.0)
    assert made["results"]["device_hours"]["value"] == 4.0
    plain_ = codecarbon.read(head + "a,7200,1,2.5,2,\n", "e.csv")
    assert plain_["results"]["energy_it"]["value"] == 2.5
    none = codecarbon.read(head + "a,7200,1,0,,\n", "e.csv")
    assert none["results"]["energy_it"]["why"] == "CodeCarbon recorded no energy"
    assert none["results"]["device_hours"]["why"] == "no GPU was counted"


# --- cards ----------------------------------------------------------------------------------------


def test_the_hubs_figure_is_grams_of_operation() -> None:
    """1.5 kg are 1500 g."""
    card = render(report(results(carbon_operational=1.5)), "model-card")
    assert "emissions: 1500" in card
    assert render(report(results()), "model-card").startswith("---\n# co2_eq_emissions is left out")


@pytest.mark.parametrize(
    ("card", "gap"),
    [("text", "text\n\n## Env"), ("text\n", "text\n\n## Env"), ("text\n\n", "text\n\n## Env")],
)
def test_a_section_is_added_after_one_empty_line(card: str, gap: str) -> None:
    made = into(f"---\na: 1\n---\n{card}", report(results()))
    assert gap in made
    assert made.count(START) == made.count(END) == 1
    again = into(made, report(results()))
    assert again == made  # written over, not added to


def test_a_card_keeps_its_own_line_ends_and_keys() -> None:
    made = into("---\r\na: 1\r\n---\r\ntext\r\n", report(results(carbon_operational=1.0)))
    assert "\n" not in made.replace("\r\n", "")
    assert made.startswith("---\r\na: 1\r\nco2_eq_emissions:")
    bare = into("text", report(results()))
    assert bare.startswith("---\n# co2_eq_emissions")
    empty = into("---\n---\ntext", report(results()))
    assert empty.startswith("---\n# co2_eq_emissions")
    with pytest.raises(InputError, match="opened by --- and not closed"):
        into("---\na: 1\n", report(results()))


def test_letters_stay_as_they_are_unless_a_stream_cannot_say_them() -> None:
    made = report(results(), name="Zürich")
    assert "Zürich" in text(made)
    assert "Zürich" not in text(made, escape=True)
    assert text(made, escape=True).isascii()
    assert text(made, Path("r.json")).startswith("{")


@pytest.mark.parametrize("start", ["\ufeff", "\n\n", "\ufeff\r\n", " \n"])
def test_what_stands_before_the_front_matter_stays_and_is_no_second_one(start: str) -> None:
    card = f"{start}---\nlicense: mit\n---\n# A model\n"
    made = into(card, report(results(carbon_operational=1.0)))
    assert made.startswith(f"{start}---\nlicense: mit\nco2_eq_emissions:\n")
    assert made.count("---\n") == 2
    assert into(made, report(results(carbon_operational=1.0))) == made


def test_a_unit_that_no_report_of_ours_has_is_text_in_latex() -> None:
    from costcalc.report.renderings.latex import quantity
    from costcalc.report.view import Shown

    made = Shown.__new__(Shown)
    for name, value in {"value": 2.0, "unit": "stone_", "text": "2 stone_"}.items():
        object.__setattr__(made, name, value)
    assert quantity(made) == r"2 stone\_"
