"""The report: written, verified, merged, compared, rendered; a hostile one is refused."""

from __future__ import annotations

import copy
import csv
import io
import json
import math
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import costcalc
from costcalc import cli
from costcalc.base import writing
from costcalc.base.errors import InputError
from costcalc.base.reading import read
from costcalc.report.check import NOT_HONESTY, verify
from costcalc.report.compare import lines, show
from costcalc.report.files import load, text
from costcalc.report.importing import slurm
from costcalc.report.project import merge
from costcalc.report.renderings import FORMATS, render
from costcalc.report.renderings.latex import escape
from costcalc.report.renderings.model_card import into

ROOT = Path(__file__).parent.parent.parent
SACCT = """JobID|JobName|State|ElapsedRaw|AllocTRES
1|x|COMPLETED|3600|gres/gpu=4
"""
RUN: dict[str, Any] = {
    "name": "one",
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1T", "precision": "bf16"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 64, "utilization": 0.4, "goodput": 0.9},
    "site": {"region": "FR", "pue": 1.2, "grid": "50 gCO2e/kWh"},
    "price": {"device_hour": "2 USD"},
}
NASTY = (
    r"""\input{/etc/passwd} \write18{ls} $x_1^2$ 50 % #~& {} "q" 'a' `b`
<script>alert(1)</script>
| *b* _i_ --- é Ö 中 🙂 \ end"""
    "\u202e"
)


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return costcalc.estimate(RUN).to_dict()


def file(
    tmp_path: Path, report: dict[str, Any], *, sign: bool = True, name: str = "r.yaml"
) -> Path:
    report = dict(report)
    if sign:
        report["digest"] = writing.digest(report)
    path = tmp_path / name
    path.write_text(text(report), encoding="utf-8")
    return path


def changed(report: dict[str, Any], key: str, **values: Any) -> dict[str, Any]:
    made = copy.deepcopy(report)
    made["results"][key] |= values
    return made


# --- sections ----------------------------------------------------------------------------------


def test_the_sections_say_what_they_know_and_why_not(made: dict[str, Any]) -> None:
    assert made["kind"] == "estimated"
    assert made["subject"]["models"] == ["llama-3-8b"]
    assert made["subject"]["paper"] is None
    assert "not said" in made["subject"]["why"]
    assert made["work"]["H"] == {"value": 1.0, "unit": "1"}
    product = made["work"]["E"]["value"] * made["work"]["D"]["value"] * made["work"]["H"]["value"]
    assert math.isclose(product, made["results"]["total_compute"]["value"], rel_tol=1e-12)
    assert made["runs"][0]["device_hours"] == made["results"]["device_hours"]["value"]
    assert made["measurement"]["meters"] == []
    assert made["measurement"]["gaps"] is None
    assert made["measurement"]["why"]


def test_the_project_is_all_runs_over_one() -> None:
    report = costcalc.estimate(RUN, changes={"training.runs": 4}).to_dict()
    assert math.isclose(report["project"]["ratio"], 4.0)
    assert report["runs"][0]["number"] == 4.0


def test_no_folder_is_named() -> None:
    report = costcalc.estimate(ROOT / "examples" / "config-json.yaml").to_dict()
    assert str(ROOT) not in text(report)


# --- verify ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["llama-3-8b", "project", "measured-lumi", "hours", "grpo"])
def test_what_costcalc_writes_verifies(name: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    costcalc.estimate(ROOT / "examples" / f"{name}.yaml").save(path)
    verdict = verify(path)
    assert verdict.discrepancies == ()
    assert not any(step.skipped for step in verdict.steps)
    assert verdict.lines()[-1] == NOT_HONESTY


def test_a_broken_digest_is_said(made: dict[str, Any], tmp_path: Path) -> None:
    verdict = verify(file(tmp_path, made | {"name": "other"}, sign=False))
    assert verdict.discrepancies[0].startswith("digest: the file says sha256:")
    assert verdict.lines()[-1] == "1 discrepancy."  # and not that it is consistent


def test_a_total_that_does_not_follow_is_named(made: dict[str, Any], tmp_path: Path) -> None:
    figure = made["results"]["carbon_operational"]
    wrong = changed(
        made,
        "carbon_operational",
        **{part: figure[part] / 100 for part in ("value", "low", "high")},
    )
    found = verify(file(tmp_path, wrong)).steps[1].discrepancies
    whole, making, total = (
        made["results"][f"carbon_{name}"]["value"] for name in ("operational", "embodied", "total")
    )
    sum_ = whole / 100 + making
    assert found == (
        f"results.carbon_operational: {whole / 100:.6g} kgCO2e does not follow from energy × grid, "
        f"which is {whole:.6g} kgCO2e (1/100 of it)",
        f"results.carbon_total: {total:.6g} kgCO2e does not follow from carbon_operational + "
        f"carbon_embodied, which is {sum_:.6g} kgCO2e ({total / sum_:.3g} times as much)",
    )


def test_a_range_without_its_value_is_named(made: dict[str, Any], tmp_path: Path) -> None:
    high = made["results"]["cost"]["value"]
    found = verify(file(tmp_path, changed(made, "cost", low=high * 2, high=high * 3))).discrepancies
    # a price that is given has no range: what costs 2 USD each of its device-hours
    assert high == pytest.approx(2 * made["results"]["device_hours"]["value"])
    assert found == (
        f"results.cost: its range {2 * high:.6g} to {3 * high:.6g} does not contain {high:.6g}",
        f"results.cost.low: {2 * high:.10g}; recomputed {high:.10g}",
        f"results.cost.high: {3 * high:.10g}; recomputed {high:.10g}",
    )


def test_the_time_of_generating_is_in_the_closure(tmp_path: Path) -> None:
    """The hours follow from the FLOPs trained, the utilization and the time of generating."""
    report = costcalc.estimate(ROOT / "examples" / "grpo.yaml").to_dict()
    assert verify(file(tmp_path, report)).discrepancies == ()
    trained = report["details"]["work"]["training_flops"]
    assert trained < report["results"]["training_compute"]["value"]
    hours = report["results"]["wall_clock"]["value"] * 1.1
    wrong = changed(report, "wall_clock", value=hours)
    found = verify(file(tmp_path, wrong)).steps[1].discrepancies
    devices = report["results"]["device_hours"]["value"]
    assert found == (
        f"results.wall_clock: {hours:.6g} h does not follow from training_time / goodput, which is "
        f"{hours / 1.1:.6g} h (1.1 times as much)",
        f"results.device_hours: {devices:.6g} device_hour does not follow from wall_clock × "
        f"devices × runs, which is {devices * 1.1:.6g} device_hour (1/1.1 of it)",
    )


def test_null_needs_a_reason(made: dict[str, Any], tmp_path: Path) -> None:
    wrong = changed(made, "water", value=None, low=None, high=None)
    wrong["results"]["water"].pop("why", None)
    found = verify(file(tmp_path, wrong)).discrepancies
    water = made["results"]["water"]
    assert found == (
        "results.water: null without a why",
        *(f"results.water.{end}: null; recomputed {water[end]:.10g}"
          for end in ("value", "low", "high")),
    )  # fmt: skip


def test_a_consistent_lie_about_an_input_is_found_by_recomputing(
    made: dict[str, Any], tmp_path: Path
) -> None:
    wrong = copy.deepcopy(made)
    item = next(item for item in wrong["assumptions"] if item["key"] == "embodied.lifetime")
    item["value"], item["high"] = item["value"] * 2, item["high"] * 2
    for name in ("carbon_embodied",):
        for part in ("value", "low", "high"):
            wrong["results"][name][part] /= 2
    total = wrong["results"]["carbon_total"]
    half = wrong["results"]["carbon_embodied"]["value"]
    total["value"] = wrong["results"]["carbon_operational"]["value"] + half
    total["low"] = min(total["low"], total["value"])
    sci = wrong["results"]["sci"]
    sci["value"] = total["value"] * 1e21 / wrong["results"]["total_compute"]["value"]
    sci["low"] = min(sci["low"], sci["value"])
    wrong["breakdown"]["carbon"]["making the hardware"] = half
    verdict = verify(file(tmp_path, wrong))
    assert not any("does not follow" in line for line in verdict.steps[1].discrepancies)
    found = verdict.steps[2].discrepancies
    # a life of five years, told as of ten; and what follows: half of the hardware, so less in all
    assert [line for line in found if line.startswith("assumptions ")] == [
        "assumptions embodied.lifetime.value: 10; recomputed 5",
        "assumptions embodied.lifetime.high: 12; recomputed 6",
    ]
    assert f"results.carbon_embodied.value: {half:.10g}; recomputed {2 * half:.10g}" in found
    assert f"breakdown.carbon.making the hardware: {half:.10g}; recomputed {2 * half:.10g}" in found
    assert len(found) == 8


def test_other_versions_and_data_are_not_recomputed(made: dict[str, Any], tmp_path: Path) -> None:
    other = made | {"model_version": "9", "costcalc_version": "99.1.0"}
    verdict = verify(file(tmp_path, other))
    assert verdict.holds
    assert not verdict.recomputed
    assert (
        verdict.lines()[0]
        == "NOT RECOMPUTED: needs costcalc 99.1.0; its arithmetic is checked, no more"
    )
    assert cli.run(["report", "verify", str(file(tmp_path, other))]) == 0
    assert cli.run(["report", "verify", "--strict", str(file(tmp_path, other))]) == 3
    data = dict.fromkeys(made["data"], "sha256:" + "0" * 64)  # of this release
    step = verify(file(tmp_path, made | {"data": data})).steps[2]
    assert len(step.discrepancies) == len(made["data"])
    assert step.discrepancies[0].startswith("data.")


def test_a_strangers_report_opens_no_file(made: dict[str, Any], tmp_path: Path) -> None:
    secret = tmp_path / "config.json"
    secret.write_text("{}")
    run = copy.deepcopy(made["run"])
    run["model"] = {"config": str(secret)}
    data = {**made["data"], "config.json": "sha256:0"}
    step = verify(file(tmp_path, made | {"run": run, "data": data})).steps[2]
    assert step.said == ("not recomputed here: it rests on files that it does not carry (config)")


def card(hours: float, tonnes: float) -> dict[str, Any]:
    """A published card: GPU-hours, 700 W a device, and tonnes at a stated intensity.

    7.0M h × 700 W = 4.9 GWh; × 416.3 g/kWh = 2,040 t (Llama 3.3 70B card, Meta 2024).
    """
    report = costcalc.estimate(RUN).to_dict()
    for figure in report["results"].values():
        figure |= {"value": None, "low": None, "high": None, "why": "not on the card"}
    for key, value, basis in (
        ("device_hours", hours, "measured"),
        ("carbon_operational", tonnes * 1000, "given"),
    ):
        report["results"][key] |= {"value": value, "low": value, "high": value, "basis": basis}
    stated = (
        ("hardware.board_power", 700.0, "W"),
        ("site.pue", 1.0, "1"),
        ("site.grid", 416.3, "gCO2e/kWh"),
    )
    report["assumptions"] = [
        {"key": key, "value": value, "unit": unit, "basis": "given", "source": "model card"}
        for key, value, unit in stated
    ]
    report |= {
        "run": {},
        "data": {},
        "drivers": [],
        "breakdown": {},
        "runs": [],
        "figures": "rounded",
        "costcalc_version": "99.0",  # not of this release: there is nothing to calculate again
    }
    for key in ("work", "project", "limits"):
        report.pop(key, None)
    return report


def test_the_published_card_that_contradicts_itself(tmp_path: Path) -> None:
    assert verify(file(tmp_path, card(7.0e6, 2040))).holds
    found = verify(file(tmp_path, card(7.0e6, 12.9))).discrepancies
    # 7.0e6 × 700 W × 416.3 g/kWh = 2,039,870 kg; 2,039,870 / 12,900 = 158.1
    assert found == (
        "results.carbon_operational: 12900 kgCO2e does not follow from energy × grid, which is "
        "2.03987e+06 kgCO2e (1/158 of it)",
    )


def test_stages_and_runs_must_sum(tmp_path: Path) -> None:
    report = costcalc.estimate(ROOT / "examples" / "project.yaml").to_dict()
    energy, hours = (report["results"][name]["value"] for name in ("energy_it", "device_hours"))
    first = report["stages"][0]["results"]["energy_it"]["value"]
    run = report["runs"][0]["device_hours"]
    report["stages"][0]["results"]["energy_it"]["value"] *= 1.5
    report["runs"][0]["device_hours"] *= 2
    found = verify(file(tmp_path, report)).steps[1].discrepancies
    assert found[3:] == (
        f"results.energy_it: {energy:.6g} kWh, but the stages sum to {energy + first / 2:.6g}",
        f"results.device_hours: {hours:.6g} device_hour, but the runs sum to {hours + run:.6g}",
        f"runs[0].device_hours: {2 * run:.6g} is not number × hours × devices, which is {run:.6g}",
    )
    # and of that stage: its own energy, and what follows from it
    assert [line.partition(":")[0] for line in found[:3]] == [
        f"stages[0].results.{name}" for name in ("energy_it", "energy", "water")
    ]


def test_exit_codes(
    made: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["report", "verify", str(file(tmp_path, made))]) == 0
    assert "honest" in capsys.readouterr().out
    bad = file(tmp_path, made | {"name": "x"}, sign=False)
    assert cli.run(["report", "verify", str(bad)]) == 3
    assert cli.run(["report", "verify", str(tmp_path / "none.yaml")]) == 2


def test_what_people_read_fits_80_columns(
    made: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(file(tmp_path, made))
    other = str(ROOT / "examples" / "reports" / "alpaca-7b.yaml")
    for arguments in (["show", path], ["show", other], ["compare", path, other]):
        assert cli.run(["report", *arguments]) == 0
        shown = capsys.readouterr().out
        assert max(len(line) for line in shown.splitlines()) <= 80


HOSTILE = [
    "schema: !!python/object/apply:os.system [ls]",
    "a: &a [1]\nb: [*a, *a, *a]",
    "[" * 200,
    "{" * 200_000,
    "a: " * 1000,
    "- " * 50_000,
    "\x00",
    "null",
    "[]",
    "3",
    '"x"',
    "schema: costcalc/report/v1",
    "%TAG ! tag:x\n" * 1000,
    "a: &a [&b [&c [*a]]]",
    "? [a]\n: b",
    "schema: 1e999",
    "x: " + "9" * 5000,
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_files_are_refused(hostile: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(hostile, encoding="utf-8")
    assert cli.run(["report", "verify", str(path)]) in (2, 3)


_LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.text(max_size=20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.just([]),
    st.just({}),
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(found for key, item in inner for found in _paths(item, (*path, key)))]


@settings(
    max_examples=25,  # each through seventeen commands
    deadline=None,
    # without the phase that explains, which traces every line of thirteen renderings
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_fuzzed_reports_never_crash(
    data: st.DataObject, made: dict[str, Any], tmp_path: Path
) -> None:
    report = copy.deepcopy(made)
    if data.draw(st.booleans()):
        report["stages"] = [{"name": "s", "results": copy.deepcopy(made["results"])}]
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([p for p in _paths(report) if p and p != ("digest",)]))
        holder: Any = report
        for step in path[:-1]:
            holder = holder[step]
        if data.draw(st.booleans()) and isinstance(holder, dict):
            holder.pop(path[-1])
        else:
            holder[path[-1]] = data.draw(_LEAVES)
    path_ = file(tmp_path, report)
    for arguments in (["verify"], ["show"], ["compare", str(path_)]):
        assert cli.run(["report", *arguments, str(path_)]) in (0, 2, 3)
    for shape in FORMATS:
        assert cli.run(["report", "render", str(path_), "--format", shape]) in (0, 2)
    assert cli.run(["report", "merge", str(path_), str(path_), "--distinct"]) in (0, 2)


_NUMBERS = st.floats(0, 1e15, allow_nan=False)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=_NUMBERS, name=st.text(max_size=40), why=st.text(min_size=1, max_size=40))
def test_any_valid_report_comes_back_as_it_was(
    value: float, name: str, why: str, made: dict[str, Any]
) -> None:
    report = changed(made, "energy", value=value, low=value, high=value, why=why) | {"name": name}
    try:
        report["digest"] = writing.digest(report)
    except UnicodeEncodeError:
        return
    for shown in (text(report), text(report, Path("r.json"))):
        assert read(shown, "r.yaml").data == report


# --- merge, compare, show ----------------------------------------------------------------------


def test_the_same_run_twice_is_refused_and_seeds_are_runs(
    made: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"stands in a\.yaml already"):
        merge([("a.yaml", made), ("b.yaml", made)], name="p")
    three = merge([(f"{i}.yaml", made) for i in range(3)], name="p", distinct=True)
    assert len({run["id"] for run in three["runs"]}) == 3
    for key in ("device_hours", "energy", "carbon_total"):
        assert math.isclose(three["results"][key]["value"], 3 * made["results"][key]["value"])
    assert verify(file(tmp_path, three)).holds


def test_the_parts_of_a_merged_report_are_calculated_again(
    made: dict[str, Any], tmp_path: Path
) -> None:
    staged = costcalc.estimate(ROOT / "examples" / "project.yaml").to_dict()
    first = merge([("a", made), ("b", staged)], name="first")
    recorded = load(file(tmp_path, slurm.read(SACCT, "s"), name="s.yaml"))
    whole = merge([("s", recorded), ("f", first)], name="whole")
    step = verify(file(tmp_path, whole)).steps[2]
    assert step.discrepancies == ()
    assert step.said == ("3 of 3 parts: every section as it was; values to 1e-9, ranges to 1e-6")
    # the report of one run, and the first stage of the project
    for index, where in ((1, "one: "), (2, f"{staged['name']}: stages pretraining.")):
        wrong = copy.deepcopy(whole)
        wrong["stages"][index]["results"]["memory_per_device"]["high"] *= 1.01
        found = verify(file(tmp_path, wrong)).steps[2].discrepancies
        high = whole["stages"][index]["results"]["memory_per_device"]["high"]
        assert found == (
            f"{where}results.memory_per_device.high: {high * 1.01:.10g}; recomputed {high:.10g}",
        )


def test_merging_with_an_unknown_is_unknown(made: dict[str, Any]) -> None:
    other = changed(made, "cost", value=None, low=None, high=None, why="no price") | {"runs": []}
    other["name"] = "two"
    total = merge([("a", made), ("b", other)], name="p")["results"]["cost"]
    assert total["value"] is None
    assert "no price" in total["why"]


def test_compare_names_the_assumption(made: dict[str, Any]) -> None:
    other = costcalc.estimate(RUN, changes={"site.grid": "500 gCO2e/kWh"}).to_dict()
    found = "\n".join(lines(made, other))
    assert re.search(r"CO2e, electricity .*×10\.0", found)
    assert "site.grid: 50.0 gCO2e/kWh (given) -> 500 gCO2e/kWh (given)" in found
    assert re.search(r"carbon_total ×[\d.]+: site.grid ×", found)
    assert "\n".join(show(made)).startswith("one (estimated)")


# --- renderings --------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", list(FORMATS))
def test_every_format_renders_unknown_and_nasty(shape: str, made: dict[str, Any]) -> None:
    report = copy.deepcopy(made)
    report["name"] = NASTY
    for figure in report["results"].values():
        figure |= {"value": None, "low": None, "high": None, "why": NASTY}
    shown = render(report, shape)
    assert shown.endswith("\n")
    if shape == "html":
        assert "<script" not in shown
    if shape == "latex":
        assert r"\input{" not in shown
        assert r"\write18" not in shown
        assert shown.isascii()


def test_no_part_speaks_for_the_whole(made: dict[str, Any]) -> None:
    """Of two places neither's grid nor PUE is said of the whole; of one place it is."""
    place = {"site.grid": "500 gCO2e/kWh", "site.pue": 1.5}
    other = costcalc.estimate(RUN, changes=place).to_dict()
    both, same = merge([("a", made), ("b", other)], name="p"), merge([("a", made)], name="p")
    assert r"\num{50}\,gCO2e/kWh" in render(same, "latex")
    shown = render(both, "latex")
    assert r"\num{50}" not in shown
    assert "of each part, this is" in shown
    assert "PUE 1.2" in render(same, "annex-xi")
    assert "PUE" not in render(both, "annex-xi")


def test_escape_leaves_nothing_that_latex_reads() -> None:
    assert escape(r"\a_b%") == r"\textbackslash{}a\_b\%"


def test_annex_xi_rounds_to_two_digits(made: dict[str, Any]) -> None:
    shown = render(changed(made, "energy", value=1_234_567.0), "annex-xi")
    assert "Energy used for training: 1200 MWh (estimated)" in shown
    assert "10^23 FLOP (indicates a general-purpose model): not above" in shown
    shown = render(changed(made, "training_compute", value=1.1e25), "annex-xi")
    assert "10^25 FLOP (presumed systemic risk): above" in shown
    assert "1.1e+25 FLOP (order of magnitude 10^25)" in shown


def test_csv_has_a_row_a_figure(made: dict[str, Any]) -> None:
    rows = list(csv.DictReader(io.StringIO(render(made, "csv"))))
    assert [row["figure"] for row in rows] == list(made["results"])
    assert float(rows[0]["value"]) == made["results"]["parameters"]["value"]


def test_neurips_and_acl_answer_what_is_asked(made: dict[str, Any]) -> None:
    assert "64 × NVIDIA H100 SXM5 80 GB" in render(made, "neurips")
    assert "Total:" in render(made, "neurips")
    assert "Parameters: 8.03 B." in render(made, "acl")


CARD = """---
license: mit   # kept
tags: [a, b]
co2_eq_emissions:
  emissions: 5
  source: old
language: NO
---
# A model

Text with  odd   spaces.

## Environmental Impact

Old words stay.

## Citation
"""


def test_a_card_is_written_into_without_disturbing_the_rest(made: dict[str, Any]) -> None:
    once = into(CARD, made)
    assert into(once, made) == once
    assert "license: mit   # kept\ntags: [a, b]\n" in once
    assert "language: NO\n---\n# A model\n\nText with  odd   spaces.\n" in once
    assert "source: old" not in once
    assert "Old words stay.\n\n## Citation\n" in once
    assert into(CARD.replace("\n", "\r\n"), made) == once.replace("\n", "\r\n")
    assert into("# bare\n", made).startswith("---\nco2_eq_emissions:\n")


@pytest.mark.frameworks
@pytest.mark.parametrize("kg", [0.0000321, 0.5, 390.0, 8930000.0])
def test_the_hub_reads_the_emissions(kg: float, made: dict[str, Any]) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="comes with transformers")
    report = changed(made, "carbon_operational", value=kg, low=kg, high=kg)
    parsed = hub.ModelCard(into(CARD, report))
    emissions = parsed.data.to_dict()["co2_eq_emissions"]
    found = re.search(r"\d+\.\d+|\d+", str(emissions["emissions"]))
    assert found is not None
    assert math.isclose(float(found[0]), kg * 1000, rel_tol=1e-5)
    assert emissions["training_type"] == "pre-training"
    assert parsed.data.to_dict()["license"] == "mit"


@pytest.mark.frameworks
def test_cyclonedx_keeps_to_its_schema(made: dict[str, Any]) -> None:
    pytest.importorskip("cyclonedx.schema", reason="cyclonedx-python-lib is for the full tests")
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    try:
        assert validator.validate_str(render(made, "cyclonedx")) is None
    except Exception as error:
        if type(error).__name__ == "MissingOptionalDependencyException":
            pytest.skip(str(error))
        raise
    assert validator.validate_str('{"bomFormat": "other"}') is not None
    bom = json.loads(render(made, "cyclonedx"))
    found = bom["components"][0]["modelCard"]["considerations"]["environmentalConsiderations"]
    used = found["energyConsumptions"][0]
    assert used["activityEnergyCost"]["value"] == made["results"]["energy"]["value"]
    assert used["co2CostEquivalent"]["unit"] == "tCO2eq"


@pytest.mark.frameworks
def test_spdx_keeps_to_its_published_schema(made: dict[str, Any]) -> None:
    """https://spdx.org/schema/3.0.1/spdx-json-schema.json, which no package carries: fetch it."""
    path = os.environ.get("COSTCALC_SPDX_SCHEMA")
    if not path:
        pytest.skip("COSTCALC_SPDX_SCHEMA names no spdx-json-schema.json of SPDX 3.0.1")
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(Path(path).read_text("utf-8")))
    unknown = changed(made, "energy", value=None, low=None, high=None, why="no meter")
    for report in (made, unknown, merge([("a", made)], name=NASTY)):
        assert list(validator.iter_errors(json.loads(render(report, "spdx")))) == []
    assert list(validator.iter_errors(json.loads(render(made, "cyclonedx"))))
    wrong = render(made, "spdx").replace("kilowattHour", "kWh")
    assert list(validator.iter_errors(json.loads(wrong)))


@pytest.mark.frameworks
def test_spdx_is_read_by_its_own_model(made: dict[str, Any]) -> None:
    spdx = pytest.importorskip(
        "spdx_python_model", reason="spdx-python-model is for the full tests"
    )
    model = spdx.v3_0_1
    objects = model.SHACLObjectSet()
    model.JSONLDDeserializer().read(io.BytesIO(render(made, "spdx").encode()), objects)
    package = next(iter(objects.foreach_type("ai_AIPackage")))
    used = package.ai_energyConsumption.ai_trainingEnergyConsumption[0]
    assert math.isclose(
        float(used.ai_energyQuantity), made["results"]["energy"]["value"], rel_tol=1e-5
    )


def test_loading_says_what_is_wrong_at_its_line(made: dict[str, Any], tmp_path: Path) -> None:
    path = file(tmp_path, changed(made, "cost", basis="guess"))
    with pytest.raises(InputError, match=r"r\.yaml:\d+:\d+: results\.cost\.basis"):
        load(path)
