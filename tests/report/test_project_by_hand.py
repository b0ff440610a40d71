"""Merging, importing, comparing and drawing by hand: sums, roles, ratios, places on the page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from byhand import assumed, figure, report, results

import costcalc
from costcalc.base.errors import InputError
from costcalc.report.compare import lines, show
from costcalc.report.importing import carbontracker, codecarbon, nvidia_smi, slurm
from costcalc.report.importing.build import Recorded
from costcalc.report.importing.build import report as recorded
from costcalc.report.importing.cells import number
from costcalc.report.importing.sacct import seconds_of
from costcalc.report.metered import NO_METER, meters
from costcalc.report.project import merge
from costcalc.report.recompute import recompute
from costcalc.report.renderings import render
from costcalc.report.renderings.html import _ranges, splits
from costcalc.report.renderings.latex import escape, quantity
from costcalc.report.view import View, plain, shown


def run(name: str, role: str, hours: float | None, number: float = 1.0) -> dict[str, Any]:
    return {"id": name, "role": role, "device_hours": hours, "number": number}


def merged(*reports: dict[str, Any], distinct: bool = False) -> Any:
    named = [(f"{i}.yaml", made) for i, made in enumerate(reports)]
    return merge(named, name="p", distinct=distinct)


def test_the_project_is_all_hours_over_the_final_runs_each_once() -> None:
    """Two final seeds took 60 h, 30 each; one of an unknown role 10; the rest 40 + 20 + 5 + 15.

    Reported are 30 + 10 = 40 of 60 + 10 + 40 + 20 + 5 + 15 = 150 device-hours: 3.75 times.
    """
    first = report(
        results(device_hours=120.0),
        runs=[run("a", "final", 60.0, 2.0), run("b", "sweep", 40.0), run("c", "failed", 20.0)],
    )
    rest = [run("d", "unknown", 10.0), run("e", "ablation", 5.0), run("f", "preliminary", 15.0)]
    project = merged(first, report(results(device_hours=30.0), runs=rest))["project"]
    assert project["reported_device_hours"] == 40.0
    assert project["total_device_hours"] == 150.0
    assert project["ratio"] == 3.75
    assert "why" not in project


def test_without_hours_of_a_final_run_there_is_no_ratio() -> None:
    """Hours of a failed run may be unknown; those of a final one may not; nor is 0 divided by."""
    whole = results(device_hours=50.0)
    lost = [run("a", "final", 50.0), run("b", "failed", None)]
    assert merged(report(whole, runs=lost))["project"]["ratio"] == 1.0
    for runs in ([run("a", "final", None)], [run("b", "failed", 50.0)]):
        project = merged(report(whole, runs=runs))["project"]
        assert project["ratio"] is None
        assert project["why"] == "device-hours are not known"


def test_figures_add_their_ranges_end_to_end() -> None:
    """10 (8 to 15) and 20 without a range: 30 (28 to 35)."""
    a = report(results(cost=figure(10.0, "USD", "measured", low=8.0, high=15.0)), name="a")
    b = report(results(cost=figure(20.0, "USD", "measured", low=None, high=None)), name="b")
    cost = merged(a, b)["results"]["cost"]
    assert cost == {"value": 30.0, "low": 28.0, "high": 35.0, "unit": "USD", "basis": "measured"}
    c = report(results(cost=figure(1.0, "USD", "given", convention="with tax")), name="c")
    cost = merged(a, c)["results"]["cost"]
    assert (cost["value"], cost["basis"]) == (11.0, "modelled")
    assert cost["convention"] == "differs: not said; with tax"
    assert merged(c)["results"]["cost"]["convention"] == "with tax"


def test_what_does_not_add_is_common_or_unknown() -> None:
    alike = [report(results(utilization=0.4), name=name) for name in "ab"]
    assert merged(*alike)["results"]["utilization"]["value"] == 0.4  # not 0.8
    other = report(results(utilization=0.5), name="c")
    found = merged(alike[0], other)["results"]["utilization"]
    assert (found["value"], found["why"]) == (None, "differs from run to run: see stages")


def test_an_unknown_part_makes_the_sum_unknown_and_says_of_how_many() -> None:
    known = report(results(cost=10.0), name="a")
    no_price = report(results(cost=figure(None, "USD", why="no price")), name="b")
    free = report(results(cost=figure(None, "USD", why="no bill")), name="c")
    said = [
        merged(*parts)["results"]["cost"]["why"]
        for parts in ((known, no_price), (no_price,), (no_price, free))
    ]
    assert said == [
        "unknown for 1 of 2 runs: no price; 10.0 USD of the other 1",
        "no price",
        "unknown for all 2 runs: no price (1), no bill (1)",
    ]
    whole = merged(known, no_price, free)["results"]["cost"]
    assert whole["known"] == {
        "value": 10.0, "runs": 1.0, "of": 3.0,
        "lacking": [{"why": "no price", "runs": 1.0}, {"why": "no bill", "runs": 1.0}],
    }  # fmt: skip
    twice = merged(merged(known, no_price, free), report(results(cost=5.0), name="d"))
    assert twice["results"]["cost"]["known"] == {**whole["known"], "value": 15.0, "runs": 2.0,
                                                 "of": 4.0}  # fmt: skip


def test_breakdowns_add_by_name_where_all_have_one() -> None:
    """a 1 + 3 = 4, b 2; of energy one report says nothing, so that nothing is said."""
    one = report(
        results(), name="a", breakdown={"cost": {"a": 1.0, "b": 2.0}, "energy": {"a": 1.0}}
    )
    two = report(results(), name="b", breakdown={"cost": {"a": 3.0}})
    assert merged(one, two)["breakdown"] == {"cost": {"a": 4.0, "b": 2.0}}


def test_gaps_add_and_equal_meters_stand_once() -> None:
    meter = {"name": "NVML"}
    parts = [
        report(results(), name=n, measurement={"meters": [meter], "gaps": gaps})
        for n, gaps in (("a", 5.0), ("b", 7.0), ("c", None))
    ]
    assert merged(*parts[:2])["measurement"]["gaps"] == 12.0
    assert merged(*parts)["measurement"]["gaps"] is None
    assert merged(*parts)["measurement"]["meters"] == [meter]
    imports = [  # of whose time a share was not seen: no seconds
        report(results(), name=n, measurement={"meters": [meter], "gaps": gaps},
               details={"imported": {"name": "nvidia-smi"}})
        for n, gaps in (("d", 0.25), ("e", 0.0))
    ]  # fmt: skip
    assert merged(parts[0], imports[1])["measurement"]["gaps"] == 5.0
    assert merged(parts[0], *imports)["measurement"]["gaps"] is None


def test_equal_runs_are_numbered_from_the_second_on() -> None:
    same = report(results(), runs=[run("x", "final", 1.0)])
    made = merged(same, same, same, distinct=True)
    assert [one["id"] for one in made["runs"]] == ["x", "x-2", "x-3"]
    assert [stage["name"] for stage in made["stages"]] == ["by hand", "by hand-2", "by hand-3"]


@pytest.mark.parametrize(
    ("members", "said"), [(0, "run x"), (1, "run x and 1 more"), (2, "run x and 2 more")]
)
def test_runs_that_stand_in_two_reports_are_named_once(members: int, said: str) -> None:
    """A row may be of many runs, of which it keeps the ids in twelve letters each."""
    many = "0123456789ab0123456789cd"
    one = report(results(), runs=[run("x", "final", 1.0) | {"members": many}])
    other = report(results(), runs=[run("x", "final", 1.0) | {"members": many[: 12 * members]},
                                    run("y", "final", 1.0)])  # fmt: skip
    with pytest.raises(InputError) as caught:
        merged(one, other)
    assert str(caught.value) == (
        f"1.yaml: runs: {said} stands in 0.yaml already; --distinct if they are runs of their own, "
        "such as seeds with equal inputs\n1 problem in 1.yaml"
    )


def test_the_parts_of_a_merged_report_know_which_stages_are_theirs() -> None:
    """Two stages take 0 and 1, one run 2; merged behind another run each is one further on."""
    staged = report(results(), name="s", stages=[{"name": "a"}, {"name": "b"}], run={"stages": []})
    one = report(results(), name="o", run={"model": {}})
    inner = merged(staged, one)
    parts = inner["details"]["parts"]
    assert [(part["first"], part["stages"]) for part in parts] == [(0, 2), (2, 0)]
    outer = merged(report(results(), name="n"), inner)["details"]["parts"]
    assert [(part["first"], part["stages"]) for part in outer] == [(0, 0), (1, 2), (3, 0)]


def test_what_a_tool_recorded_is_multiplied_out() -> None:
    """2 h × 4 devices = 8; 10 kWh × PUE 1.5 = 15; 15 kWh × 200 g/kWh = 3 kg."""
    one = Recorded(key="k", name="r", hours=2.0, devices=4.0, energy_it=10.0, pue=1.5, grid=200.0)
    made = recorded([one], name="n", tool="T", version="1", boundary="all", gaps=3.0)
    found = {key: made["results"][key]["value"] for key in ("device_hours", "energy", "energy_it")}
    assert found == {"device_hours": 8.0, "energy": 15.0, "energy_it": 10.0}
    assert made["results"]["carbon_operational"]["value"] == 3.0
    bases = [made["results"][key]["basis"] for key in ("energy_it", "energy", "cost")]
    assert bases == ["measured", "measured", "modelled"]  # PUE is the tool's own
    assert [(item["key"], item["basis"]) for item in made["assumptions"]] == [
        ("hardware.count", "measured"),
        ("site.pue", "given"),
        ("site.grid", "given"),
    ]
    assert made["measurement"]["why"] == "nodes: T does not say"
    silent = recorded([one], name="n", tool="T", version="1", boundary="all")
    assert silent["measurement"]["why"] == "nodes, gaps: T does not say"
    two = recorded([one, one], name="n", tool="T", version=None, boundary="all")
    assert (two["work"]["H"]["value"], two["stages"], len(two["runs"])) == (2.0, [], 2)
    assert two["results"]["carbon_operational"]["value"] == 6.0
    other = recorded([one, replace(one, pue=1.2)], name="n", tool="T", version=None, boundary="b")
    assert [item["key"] for item in other["assumptions"]] == ["hardware.count", "site.grid"]


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0.0), ("-0.1", None), ("1e14", 1e14), ("1e15", None), ("nan", None), ("", None)],
)
def test_numbers_of_tables(text: str, value: float | None) -> None:
    assert number(text) == value


def test_times_and_units_of_logs() -> None:
    """1-02:03:04 is 86,400 + 7,200 + 180 + 4 = 93,784 s; 7.2 MJ are 2 kWh; 500 mg 0.0005 kg."""
    assert seconds_of("1-02:03:04") == 93_784
    assert seconds_of("03:04") == 184
    assert seconds_of("4") is None
    assert carbontracker._hours("1 day, 2:03:04") == pytest.approx(93_784 / 3600)
    assert carbontracker._amount("7,200,000 J", carbontracker._ENERGY) == pytest.approx(2.0)
    assert carbontracker._amount("3 MWh", carbontracker._ENERGY) == 3000.0
    assert carbontracker._amount("2 Wh", carbontracker._ENERGY) == 0.002
    assert carbontracker._amount("500 mg", carbontracker._MASS) == pytest.approx(0.0005)
    assert carbontracker._amount("2 t", carbontracker._MASS) == 2000.0
    assert carbontracker._amount("2", carbontracker._MASS) is None


# --- views, comparisons, drawings ---------------------------------------------------------------


def test_hardware_places_and_providers_stand_once() -> None:
    part = {"details": {"hardware": {"name": "A100", "count": 1024}, "region": "aws:us-east-1"}}
    named = {"details": {"place": "Ohio", "region": "us"}}
    view = View(report(results(), stages=[part, part, named]))
    assert view.hardware == "1,024 × A100 (of 1 of 3 parts not known)"
    assert view.place == "aws:us-east-1; Ohio (us)"
    assert view.provider == "aws (of 1 of 3 parts not known)"
    bare = View(report(results()))
    assert (bare.hardware, bare.place, bare.provider) == ("unknown",) * 3


def test_an_assumption_is_of_the_whole_where_all_parts_share_it() -> None:
    parts = [{"assumptions": [assumed("site.pue", pue)]} for pue in (1.1, 1.1, 1.2)]
    same, differ = View(report(results(), stages=parts[:2])), View(report(results(), stages=parts))
    shared = same.shared("site.pue")
    assert shared is not None
    assert (shared.text, shared.number) == ("1.10", 1.1)
    assert not same.differs("site.pue")
    assert differ.shared("site.pue") is None
    assert differ.differs("site.pue")
    assert same.shared("site.grid") is None


def test_plain_numbers_have_no_exponent() -> None:
    assert [plain(x) for x in (1234.0, 0.001234, 100.0, 0.0)] == ["1230", "0.00123", "100", "0"]
    assert plain(1234.5678, 6) == "1234.57"


def test_a_comparison_says_the_ratio_and_where_the_range_is() -> None:
    """10 USD (8 to 12) against 12, at its end, and 12.1, beyond it."""
    a = report(results(cost=figure(10.0, "USD", low=8.0, high=12.0)))
    for value, said in (
        (12.0, "×1.20, within A's range"),
        (8.0, "×0.800, within A's range"),
        (12.1, "×1.21, outside A's range"),
        (7.9, "×0.790, outside A's range"),
    ):
        line = next(x for x in lines(a, report(results(cost=value))) if x.startswith("Cost"))
        assert line.endswith(said)


def test_a_comparison_names_what_explains_most_first() -> None:
    """8 kWh × 1.25 × 500 g = 5 kg; with 1,000 g 10 and with PUE 1.5 6: ×2 and ×1.2, together 12."""
    keys = ("site.pue", "site.grid", "hardware.board_power")
    units = ("1", "gCO2e/kWh", "W")

    def made(kg: float, *values: float) -> dict[str, Any]:
        listed = [assumed(k, v, u) for k, v, u in zip(keys, values, units, strict=True)]
        known = {"energy_it": 8.0, "carbon_operational": kg}
        extra = [
            assumed("embodied.device", 0, "kgCO2e/device"),
            assumed("embodied.host", 0, "kgCO2e/device"),
            assumed("embodied.lifetime", 4, "year"),
            assumed("embodied.utilization", 0.5),
            assumed("hardware.mean_power", 800, "W"),
            assumed("hardware.host_power", 0, "W"),
            assumed("hardware.network_power", 0),
            assumed("training.runs", 1),
            assumed("hardware.count", 1, "device"),
            assumed("hardware.goodput", 1),
            assumed("training.generation_time", 0, "s"),
            assumed("hardware.utilization", 0.5),
            assumed("hardware.peak", 1e12, "FLOP/s"),
            # 1.8e16 FLOP at half of 1e12 FLOP/s are 36,000 s: 10 h × 800 W = 8 kWh
            assumed("training.model_flops", 1.8e16, "FLOP"),
        ]
        whole = results(**known, carbon_total=kg, energy=8.0 * values[0])
        return report(whole, *listed, *extra)

    found = list(lines(made(5.0, 1.25, 500.0, 700.0), made(12.0, 1.5, 1000.0, 700.0)))
    assert "  carbon_total ×2.40: site.grid ×2.00, site.pue ×1.20" in found
    assert "  energy ×1.20: site.pue ×1.20" in found
    assert "  site.grid: 500 gCO2e/kWh (given) -> 1,000 gCO2e/kWh (given)" in found
    assert not any("board_power" in line for line in found)


@pytest.mark.parametrize(
    ("parts", "seen"),
    [
        # what the power of a profile was multiplied with is no meter
        ([("NVML", "boards"), (NO_METER, "host")], [("NVML", "boards")]),
        ([("NVML", "boards"), ("RAPL", "cpu")], [("NVML", "boards"), ("RAPL", "cpu")]),
        ([(NO_METER, "boards")], [("none", "no meter was found")]),
        ([], [("none", "no meter was found")]),
    ],
)
def test_meters_of_the_parts_of_an_energy(
    parts: list[tuple[str, str]], seen: list[tuple[str, str]]
) -> None:
    made = meters([{"meter": meter, "component": what} for meter, what in parts])
    assert made == [{"name": name, "what": what} for name, what in seen]


def test_conventions_that_differ_are_named() -> None:
    a = report(results(energy=figure(1.0, "kWh", convention="at the wall")))
    found = list(lines(a, report(results(energy=1.0))))
    assert found[-1] == "  energy: at the wall | not said"
    direct = [assumed("site.grid", 1.0, "gCO2e/kWh", why=f"{of}, average, 2023; X") for of in "ab"]
    found = list(lines(report(results(), direct[0]), report(results(), direct[1])))
    assert found[-1] == "  site.grid: a, average, 2023 | b, average, 2023"


def test_the_place_of_a_grid_is_no_convention() -> None:
    """How it is counted are the first three words; where it is comes fourth."""
    grids = [
        assumed("site.grid", 1.0, "gCO2e/kWh", why=f"direct, average, location, {of}; X")
        for of in ("Ohio", "Iowa")
    ]
    found = list(lines(report(results(), grids[0]), report(results(), grids[1])))
    assert not any(line.startswith("Different conventions") for line in found)


def test_bars_of_ranges_are_multiples_of_the_value() -> None:
    """50 to 300 of 100: 0.5 × to 3 ×, on 270 from 62 on, where 3 × is the end.

    Left 62 + 270 × 0.5 / 3 = 107, right 62 + 270 = 332, the value at 62 + 270 / 3 = 152.
    """
    bars = list(_ranges(View(report(results(cost=figure(100.0, "USD", low=50.0, high=300.0))))))
    assert [(b.label, b.left, b.width, b.one, b.end) for b in bars] == [
        ("Cost", "107.0", "225.0", "152.0", "338.0")
    ]
    narrow = View(report(results(cost=figure(100.0, "USD", low=100.0, high=100.1))))
    (bar,) = _ranges(narrow)  # at least 2 × fits: 62 + 270 / 2 = 197; at least 1 wide
    assert (bar.one, bar.width) == ("197.0", "1.0")
    assert list(_ranges(View(report(results(cost=100.0))))) == []


def test_splits_are_shares_of_600_largest_first() -> None:
    """30 and 90 of 120 are a quarter and three: 450 from 0 on, 150 from 450 on; 0 is not drawn."""
    made = report(results(), breakdown={"cost": {"a": 30.0, "b": 90.0, "c": 0.0}})
    (split,) = splits(View(made))
    assert [(p.name, p.x, p.width, p.percent) for p in split.parts] == [
        ("b", "0.00", "450.00", "75 %"),
        ("a", "450.00", "150.00", "25 %"),
    ]


@pytest.mark.parametrize(
    ("kwh", "said"),
    [
        (1000.0, r"\SI{1}{\mega\watt\hour}"),
        (999.0, r"\SI{999}{\kilo\watt\hour}"),
        (0.5, r"\SI{500}{\watt\hour}"),
        (2.5e6, r"\SI{2.5}{\giga\watt\hour}"),
    ],
)
def test_quantities_of_latex(kwh: float, said: str) -> None:
    assert quantity(shown(report(results(energy=kwh)), "energy")) == said


@pytest.mark.parametrize(
    ("days", "band"),
    [
        (91.2, "1 to 3 months"),
        (182.6, "3 to 6 months"),
        (30.4, "less than 1 month"),
        (30.5, "1 to 3 months"),
        (91.4, "3 to 6 months"),
        (182.7, "more than 6 months"),
    ],
)
def test_annex_xi_bands_begin_at_their_month(days: float, band: str) -> None:
    made = render(report(results(wall_clock=days * 24)), "annex-xi")
    assert f"wall-clock days ({band}) a run" in made


def test_annex_xi_marks_are_passed_above_them() -> None:
    for flop, general, systemic in ((1e23, "not above", "not above"), (1.01e25, "above", "above")):
        made = render(report(results(total_compute=flop, energy=1500.0)), "annex-xi")
        assert f"10^23 FLOP (indicates a general-purpose model): {general}" in made
        assert f"10^25 FLOP (presumed systemic risk): {systemic}" in made
        assert "1.5 MWh" in made


UNSAID = "whether the project took more, such as preliminary and failed runs, is not known."


def test_checklists_say_what_more_there_was() -> None:
    """That there was no more is known where the author says of how many runs the totals are."""
    given = {"key": "training.runs", "value": 1.0, "basis": "given", "source": "run file"}
    for ratio, runs, told, answer, said in (
        (1.5, 2, [], "Yes", "took 1.5 times the device-hours of the runs reported: all."),
        (1.0, 1, [], "Partly", f"The report counts one run; {UNSAID}"),
        (1.0, 2, [], "Partly", f"The report counts 2 runs; {UNSAID}"),
        (1.0, 1, [{**given, "basis": "default"}], "Partly", f"The report counts one run; {UNSAID}"),
        (1.0, 1, [given], "Yes", "The report counts one run: the project took no more, as the"),
        (None, 0, [], "Partly", f"The report counts no run by itself; {UNSAID}"),
    ):
        project = {"ratio": ratio, "includes": "all"}
        project |= {"reported_device_hours": None, "total_device_hours": None}
        listed = [
            {"id": f"r{n}", "name": f"run {n}", "role": "final", "hours": 2.0, "device_hours": 8.0}
            for n in range(runs)
        ]
        known = dict.fromkeys(("device_hours", "energy", "cost"), 1.0)
        made = report(results(**known), project=project, runs=listed, assumptions=told)
        made["details"] = {"hardware": {"name": "A100", "count": 4.0}}
        shown = render(made, "neurips")
        assert said in shown
        assert f"Answer: [{answer if listed else 'Partly'}]" in shown


def test_no_figure_is_missing_under_a_yes() -> None:
    """Energy or money that is not known is named, and so the answer is no Yes."""
    known = dict.fromkeys(("device_hours", "energy", "cost", "total_compute"), 1.0)
    known |= {"parameters": 1e9, "active_parameters": 1e9, "carbon_total": 1.0}
    for lacking in ("", "cost", "energy"):
        told = {name: value for name, value in known.items() if name != lacking}
        project = {"ratio": 2.0, "includes": "all"}
        project |= {"reported_device_hours": 1.0, "total_device_hours": 2.0}
        listed = [{"id": "a", "name": "a", "role": "final", "hours": 2.0, "device_hours": 8.0}]
        made = report(results(**told), project=project, runs=listed)
        made["details"] = {"hardware": {"name": "A100", "count": 4.0}}
        for shape, answer in (("neurips", "Answer: [{}]"), ("acl", "\n{}.\n")):
            shown = render(made, shape)
            assert answer.format("Partly" if lacking else "Yes") in shown, (shape, lacking)
            assert ("Not known: " in shown) is bool(lacking)
    moe = results(parameters=8e9, active_parameters=2e9)
    assert "Parameters: 8.00 B (2.00 B active a token)." in render(report(moe), "acl")
    dense = results(parameters=8e9, active_parameters=8e9)
    assert "Parameters: 8.00 B." in render(report(dense), "acl")


def test_a_table_without_a_column_is_refused_at_its_head() -> None:
    with pytest.raises(InputError, match=r"x\.csv:1: .*missing: energy_consumed, emissions"):
        codecarbon.read("run_id,duration\na,1\n", "x.csv")
    with pytest.raises(InputError, match=r"s:1: .*missing: AllocTRES, ElapsedRaw"):
        slurm.read("JobID|State\n1|x\n", "s")
    either = slurm.read("JobID|Elapsed|AllocTRES\n1|01:00:00|gres/gpu=2\n", "s")
    assert either["results"]["device_hours"]["value"] == 2.0


def test_a_figure_that_came_out_otherwise_is_cut_short() -> None:
    """Names of a stranger's parts are shown up to 60 letters."""
    part = {"name": "n" * 100, "first": 0, "stages": 0, "runs": 1, "data": {}, "run": {}}
    part |= {"model_version": "9", "costcalc_version": "99.0"}
    made = report(results(), stages=[{"name": "a", "results": results(), "assumptions": []}])
    again = recompute({**made, "costcalc_version": "99.0", "details": {"parts": [part]}})
    assert again.reasons == ("needs costcalc 99.0", "n" * 60 + ": needs costcalc 99.0")


@pytest.mark.parametrize(("kind", "said"), [("a100", False), ("mi250x", True), ("gcd", True)])
def test_dies_are_said_where_slurm_counts_dies(kind: str, said: bool) -> None:
    made = slurm.read(f"JobID|Elapsed|AllocTRES\n1|01:00:00|gres/gpu:{kind}=2\n", "s")
    assert any("GCDs" in warning for warning in made["warnings"]) is said


def test_a_project_is_about_what_all_its_reports_are_about() -> None:
    """The same paper in both; of two codes none; no commit in either."""
    parts = [
        report(results(), name=of, subject={"paper": "arXiv:1", "code": of, "models": ["m", of]})
        for of in "ab"
    ]
    subject = merged(*parts)["subject"]
    assert (subject["paper"], subject["code"], subject["commit"]) == ("arXiv:1", None, None)
    assert subject["models"] == ["m", "a", "b"]
    assert subject["why"] == "code, commit: not said, or not the same in all"


def test_letters_that_latex_knows_are_spelt_and_others_are_not_guessed() -> None:
    """Others stand in a command that lualatex sets with a font of their script: 4E2D is 中."""
    assert [escape(letter) for letter in ("é", "\u202e", "\x07")] == [r"\'{e}", "?", "?"]
    assert escape("a中ё") == r'a\costcalcscript{\symbol{"4E2D}\symbol{"451}}{??}'


# --- energy before PUE, and whose the energy is ---------------------------------------------------

SMI = "timestamp, index, name, power.draw [W]\n" + "".join(
    f"2026/11/27 10:{m:02d}:00.000, 0, NVIDIA A100-SXM4-80GB, 300.00 W\n" for m in range(31)
)  # 300 W for half an hour: 150 Wh
METER = "nvidia-smi, before PUE; the boards alone, without hosts"
BOARDS = "the boards, as their driver reports their power; not the host, nor cooling"


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ("markdown", f"| Energy, before PUE | 150 Wh |  | measured by {METER} |"),
        ("neurips", f"; 150 Wh (measured by {METER})."),
        ("acl", f"; 150 Wh of electricity (measured by {METER})."),
        ("annex-xi", f"N/A: the PUE is not known; 150 Wh measured by {METER}\n"),
        ("annex-xi-json", '"before_pue_kwh": 0.15,'),
        ("latex", "The electricity is \\SI{150}{\\watt\\hour} for the boards, as their driver"),
        ("latex", "Energy, before PUE & 150 Wh &  & measured"),
        ("model-card", f"- **Energy:** 150 Wh (measured by {METER})"),
        ("html", "Energy, before PUE</span><b>150 Wh</b><span class=soft>measured by nvidia-smi"),
    ],
)
def test_energy_that_was_measured_is_printed_where_no_pue_is_known(shape: str, said: str) -> None:
    shown = render(nvidia_smi.read(SMI, "gpu.csv"), shape)
    assert said in shown
    assert BOARDS in shown
    if shape in ("neurips", "acl", "model-card"):
        assert "energy behind PUE" in shown


def test_show_prints_energy_before_pue_and_that_it_is_a_lower_bound() -> None:
    """Of 40 minutes 10 were not sampled: 25 %."""
    lost = SMI + "2026/11/27 10:40:00.000, 0, NVIDIA A100-SXM4-80GB, [N/A]\n"
    (line,) = [one for one in show(nvidia_smi.read(lost, "gpu.csv")) if "before PUE" in one]
    assert " ".join(line.split()) == (
        "Energy, before PUE 150 Wh 150 – 217; measured by nvidia-smi, before PUE; a lower bound: "
        "25 % of the time was not sampled; the boards alone, without hosts"
    )


def test_hours_that_were_measured_are_no_energy_that_was() -> None:
    """An estimate and a run of which the hours are known: nobody metered either's energy."""
    hardware = {"accelerator": "a100-sxm4-80", "count": 4}
    site = {"region": "FR"}
    model = {"model": {"preset": "gpt2"}, "training": {"tokens": "1B"}}
    planned = costcalc.estimate({**model, "hardware": hardware, "site": site}).to_dict()
    hours = {"hardware": hardware, "site": site, "measured": {"wall_clock": "3 h"}}
    timed = costcalc.estimate(hours).to_dict()
    metered = costcalc.estimate({**hours, "measured": {"wall_clock": "3 h", "energy_it": "4 kWh"}})
    told = {"(estimated)": timed, "(partly measured)": metered.to_dict()}
    for word, other in told.items():
        made = merge([("a", planned), ("b", other)], name="p")
        assert made["kind"] == "mixed"
        energy = [x for x in render(made, "annex-xi").split("\n") if x.startswith("Energy used")]
        assert [one.endswith(word) for one in energy] == [True], energy
    assert "MWh (estimated)" in render(timed, "annex-xi")
    assert "MWh (measured before PUE)" in render(told["(partly measured)"], "annex-xi")
