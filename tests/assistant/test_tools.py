"""The tools for assistants, called as they are: short answers, and problems in place of crashes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import costcalc
from costcalc.assistant import tools
from costcalc.assistant.arguments import schema_of
from costcalc.assistant.tools import MOST_SCENARIOS, TOOLS, Files
from costcalc.base.errors import InputError
from costcalc.cli import run as command

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
RUN: dict[str, Any] = {
    "name": "tune",
    "model": {"preset": "llama-3-8b"},
    "training": {"method": "finetune", "tokens": "1B"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
    "site": {"region": "FR"},
    "price": {"device_hour": "2 USD"},
}
NONE, HERE = Files(), Files(EXAMPLES)


def call(name: str, files: Files = NONE, /, **given: object) -> dict[str, Any]:
    answer = TOOLS[name](files, given)
    assert len(json.dumps(answer)) < 6000  # an answer is short
    return answer


def refused(name: str, files: Files = NONE, /, **given: object) -> str:
    with pytest.raises(InputError) as caught:
        TOOLS[name](files, given)
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_an_estimate_has_the_figures_of_the_calculator_with_ranges_and_sources() -> None:
    answer = call("estimate", run=RUN)
    cost = costcalc.estimate(RUN).results["cost"]
    told = answer["figures"]["cost"]
    assert told["value"] == pytest.approx(cost.value, rel=1e-5)
    assert (told["low"], told["high"]) == pytest.approx((cost.low, cost.high), rel=1e-5)
    assert told["unit"] == "USD"
    assert told["text"].startswith(("1", "2", "3", "4", "5", "6", "7", "8", "9"))
    assert " – " in told["text"]
    assert all(one["source"] for one in answer["assumed"])
    # the first is the one that drives a range most
    drivers = costcalc.estimate(RUN).drivers
    widest = max(drivers, key=lambda driver: driver["share"])["key"]
    assert answer["assumed"][0]["key"] == widest
    assert len(answer["drivers"]["cost"]) <= 3


def test_an_unknown_figure_says_why() -> None:
    answer = call("estimate", run={k: v for k, v in RUN.items() if k != "site"})
    assert answer["figures"]["carbon"] == {
        "value": None, "unit": "kgCO2e", "why": "no site.region and no site.grid"}  # fmt: skip


def test_changes_and_stages_and_limits() -> None:
    answer = call("estimate", run=RUN, changes={"training.tokens": "2B", "limits.cost": "1 USD"})
    assert answer["limits"][0].startswith("limit cost 1.00 USD: PASSED")
    twice = call("estimate", run=RUN)["figures"]["device_hours"]["value"]
    assert answer["figures"]["device_hours"]["value"] == pytest.approx(2 * twice, rel=0.05)
    stages = [{"name": "one"}, {"name": "two", "training": {"tokens": "2B"}}]
    assert set(call("estimate", run={**RUN, "stages": stages})["stages"]) == {"one", "two"}


def test_explain_is_of_one_figure() -> None:
    answer = call("explain", run=RUN, figure="cost")
    lines = answer["explanation"].splitlines()
    assert lines[0].startswith("cost = ")
    assert lines[1] == (
        "  = device_hours × billed × price + energy × electricity  "
        "(costcalc/calculator/formulas.py, cost)"
    )
    assert "price = 2.000 USD/device_hour" in answer["explanation"]
    assert call("explain", run=RUN, figure="memory")["explanation"].startswith("memory_per_device")
    assert refused("explain", run=RUN, figure="costs") == "figure: no figure costs; nearest: cost"


@pytest.mark.parametrize(
    ("model", "count", "fits"),
    [
        ("llama-3-70b", 1, "no"),
        ("qwen3-0.6b", 8, "yes"),
        ("llama-3-8b", 2, "perhaps"),
        ("llama-3-70b", 8, "unlikely"),
    ],
)
def test_memory_fit(model: str, count: int, fits: str) -> None:
    changes = {"model.preset": model, "hardware.count": count}
    answer = call("memory_fit", run=RUN, changes=changes)
    assert answer["fits"] == fits
    memory, needed = answer["device_memory"]["value"], answer["memory_per_device"]
    assert memory == pytest.approx(79.6, abs=0.1)
    assert {"no": needed["low"] > memory, "yes": needed["high"] <= memory,
            "perhaps": needed["value"] <= memory < needed["high"],
            "unlikely": needed["low"] <= memory < needed["value"]}[fits]  # fmt: skip
    assert ("are the fewest that fit" in str(answer.get("why"))) == (fits == "no")


def test_memory_fit_keeps_a_micro_batch_that_is_given() -> None:
    least = call("memory_fit", run=RUN)
    assert least["micro_batch"] == "1, the least"
    given = call("memory_fit", run=RUN, changes={"training.micro_batch": 4})
    assert given["micro_batch"] == "as given"
    # the activations of four sequences for one: more of the device
    assert given["memory_per_device"]["value"] > least["memory_per_device"]["value"]
    one = call("memory_fit", run=RUN, changes={"training.micro_batch": 1})
    assert one["memory_per_device"] == least["memory_per_device"]


def test_memory_fit_asks_for_room_where_the_quickest_layout_has_none() -> None:
    changes = {"training.method": "pretrain", "hardware.count": 64}
    made = costcalc.estimate(RUN, changes={**changes, "training.micro_batch": 1})
    assert made.results["memory_per_device"].high > 79.6  # the quickest may not fit
    answer = call("memory_fit", run=RUN, changes=changes)
    assert answer["fits"] == "yes"
    # 16 bytes of 8.03e9 parameters over 64 devices are 1.9 GiB, and little beside them
    assert answer["memory_per_device"]["high"] < 40
    assert (answer["layout"]["sharding"], answer["layout"]["recompute"]) == ("zero3", "full")
    assert answer["quickest"].endswith(" and may not fit; this layout is slower")
    said = {**changes, "hardware.layout": {"tensor": 1}, "training.recompute": "none"}
    assert "quickest" not in call("memory_fit", run=RUN, changes=said)  # nothing is left to choose


def test_compare_is_bounded_and_short() -> None:
    answer = call("compare", run=RUN, counts="8..64", regions=["FR", "PL"])
    assert answer["scenarios"] == 8
    assert {row["region"] for row in answer["front"]} == {"FR"}
    assert all("CO2e" in row["carbon_total"] for row in answer["front"])
    said = refused("compare", run=RUN, counts=list(range(8, 8000)), regions="all")
    assert said.startswith(f"compare: expected {MOST_SCENARIOS:,} scenarios at most; got ")


def test_compare_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "SECONDS", -1.0)  # over before it begins
    # 40 counts: the clock is looked at after 32
    assert refused("compare", run=RUN, counts="8..320:8") == (
        "compare: took longer than -1 s, with 32 of 40 scenarios done: fewer accelerators, counts "
        "or precisions, or costcalc compare, which has no limit"
    )
    assert call("compare", run=RUN, counts="8..256:8")["scenarios"] == 32


def test_a_mapping_may_be_written_as_text() -> None:
    assert call("estimate", run=json.dumps(RUN)) == call("estimate", run=RUN)
    assert call("plan", limits={"cost": "500 USD"}, run=json.dumps({"hardware": RUN["hardware"]}))
    assert refused("estimate", run='{"model": ') == (
        "arguments: run: expected a mapping; its text is none: no YAML: while parsing a flow "
        "node, did not find expected node content"
    )
    assert "no report" in str(call("verify", report="{}")["lines"])


@pytest.mark.parametrize(
    ("kind", "query", "first"),
    [
        ("models", "mistral", "mistral-7b"),  # not Codestral
        ("models", "qwen 7b", "qwen2-7b"),
        ("models", "bert base", "bert-base"),
        ("models", "llama-3 8b", "llama-3-8b"),
        ("hardware", "a100 80", "a100-pcie-80"),
        ("regions", "fr", "FR"),
    ],
)
def test_the_nearest_is_found_first(kind: str, query: str, first: str) -> None:
    found = call("find", kind=kind, query=query, limit=3)["found"][0]
    assert found.get("id", found.get("region")) == first


def test_plan() -> None:
    hardware = {"hardware": {"accelerator": "h100-sxm5-80", "count": 8}}
    answer = call("plan", limits={"cost": "500 USD", "time": "7 d"}, run=hardware)
    assert answer["figures"]["cost"]["value"] <= 500
    assert answer["chances"]["cost"] >= 0.8
    assert answer["sources"]
    assert refused("plan", limits={}) == (
        "limits: nothing to plan with: give one or more of cost, time, energy, carbon, "
        "such as cost: 500 USD"
    )


def test_peak_and_find() -> None:
    answer = call("peak", name="NVIDIA H100 80GB HBM3", precision="bf16")
    assert answer["accelerator"] == "h100-sxm5-80"
    assert answer["dense_peak"] == {"bf16": 989.4e12}
    assert answer["sources"][0].startswith("H100 Tensor Core GPU datasheet, https://")
    assert call("find", kind="models", query="llama-3 405b")["found"][0]["id"] == "llama-3.1-405b"
    assert call("find", kind="hardware", query="mi300x")["found"][0]["memory"] == "192 GiB"
    assert call("find", kind="regions", query="stockholm")["of"] >= 3
    assert len(call("find", kind="models", limit=3)["found"]) == 3
    for kind in ("models", "hardware", "regions"):
        for one in call("find", kind=kind, limit=8)["found"]:
            assert one.get("source") or (kind == "regions" and "grid" not in one)
    assert call("find", kind="models", query="no such thing") == {
        "kind": "models", "found": [], "of": 0}  # fmt: skip


def test_verify_a_report_as_it_is_and_by_its_path(tmp_path: Path) -> None:
    made = costcalc.estimate(RUN).to_dict()
    assert call("verify", report=made)["holds"]
    made["results"]["cost"]["value"] *= 0.5
    answer = call("verify", report=made)
    assert not answer["holds"]
    assert call("verify", HERE, report="reports/alpaca-7b.yaml")["recomputed"]
    bad = call("verify", report={"schema": "costcalc/report/v1"})
    assert not bad["holds"]
    assert not any("/" in line.split(":")[0] for line in bad["lines"])


# --- files ---------------------------------------------------------------------------------------


def test_files_are_those_of_the_folder(tmp_path: Path) -> None:
    assert call("estimate", HERE, run="llama-3-8b.yaml")["name"].startswith("Llama 3 8B")
    assert refused("estimate", run="llama-3-8b.yaml") == (
        "run: no file is read: give its content, or start costcalc mcp with --folder"
    )
    for path in ("../README.md", "/etc/passwd", "reports/../../README.md"):
        said = f'expected a path within the folder of the server; got "{path}"'
        assert refused("estimate", HERE, run=path) == f"run: {said}"
        assert refused("verify", HERE, report=path) == f"report: {said}"


def test_a_file_that_is_not_there_is_named_with_the_nearest() -> None:
    said = "expected the path of a file in the folder of the server; got"
    assert refused("estimate", HERE, run="lama-3-8b.yaml") == (
        f'run: {said} "lama-3-8b.yaml"; nearest: llama-3-8b.yaml'
    )
    assert refused("verify", HERE, report="reports") == f'report: {said} "reports"'
    assert refused("plan", HERE, limits={"cost": "5 USD"}, run="x" * 5000).startswith(
        f'run: {said} "xxx'
    )


def test_a_problem_of_a_file_names_it_as_the_assistant_does(tmp_path: Path) -> None:
    (tmp_path / "typo.yaml").write_text("model: {preset: llama-3-8b}\nhardwre: {}\n")
    files = Files(tmp_path)
    with pytest.raises(InputError) as caught:
        TOOLS["estimate"](files, {"run": "typo.yaml"})
    told = [str(files.named(problem)) for problem in caught.value.problems]
    assert told[-1] == "typo.yaml:2:1: hardwre: unknown key; did you mean hardware?"
    with pytest.raises(InputError) as caught:
        TOOLS["estimate"](files, {"rum": {}})
    assert str(files.named(caught.value.problems[0])) == "run: missing"


@pytest.mark.parametrize("where", ["run", "changes"])
@pytest.mark.parametrize("key", ["defaults", "profiles", "model.config", "hardware.calibration"])
def test_a_run_names_no_file_outside(key: str, where: str) -> None:
    section, _, name = key.partition(".")
    run: dict[str, Any] = json.loads(json.dumps(RUN))
    changes: dict[str, object] = {}
    if where == "changes":
        changes[key] = "../README.md"
    elif name:
        run[section] = {**run[section], name: "../README.md"}
    else:
        run[section] = "../README.md"
    for tool, more in (("estimate", {}), ("memory_fit", {}), ("compare", {}),
                       ("explain", {"figure": "cost"})):  # fmt: skip
        said = refused(tool, run=run, changes=changes, **more)
        assert f'{key}: no file is read here: give what stands in it; got the path "../R' in said
        said = refused(tool, HERE, run=run, changes=changes, **more)
        assert f"{key}: expected a path within the folder of the run files" in said


def test_plan_reads_no_file_either() -> None:
    said = refused("plan", limits={"cost": "5 USD"}, run={"defaults": "/etc/passwd"})
    assert "no file is read here" in said


# --- arguments -----------------------------------------------------------------------------------


def test_all_problems_at_once_in_our_words() -> None:
    run = {**RUN, "model": {"preset": "lama-3-8b"}, "hardware": {"count": "eight"}}
    said = refused("estimate", run=run)
    assert 'hardware.count: expected a whole number of devices, 1 or more; got "eight"' in said
    assert "model.preset: no preset lama-3-8b; nearest: llama-3-8b" in said
    assert refused("estimate", runs=RUN) == (
        "arguments: run: missing\narguments: runs: unknown key; did you mean run?"
    )
    assert refused("find", query="qwen") == (
        "arguments: kind: missing: one of models, hardware, regions"
    )
    assert refused("find", kind="model") == (
        "arguments: kind: expected 'models', 'hardware' or 'regions'; got \"model\""
    )


def test_what_may_be_of_several_types_is_asked_for_in_one_sentence() -> None:
    run = (
        "arguments: run: expected a mapping in the shape of a run file, or the path of a run file "
        "in the folder of the server; got"
    )
    assert refused("estimate", run=5) == f"{run} 5"
    assert refused("plan", limits={"cost": "5 USD"}, run=[]) == f"{run} a list"
    assert refused("verify", report=5) == (
        "arguments: report: expected a report as a mapping, or its path in the folder of the "
        "server; got 5"
    )
    axis = "arguments: counts: expected a list of names or numbers, or one text; got"
    assert refused("compare", run=RUN, counts={"a": 1}) == f"{axis} a mapping"
    assert refused("compare", run=RUN, counts=[8, {}]) == f"{axis} a list with a mapping in it"
    assert refused("compare", run=RUN, counts=8) == f"{axis} 8"
    assert call("compare", run=RUN, counts=[8.0, 16])["scenarios"] == 2


def test_schemas_are_valid_and_hold_what_is_taken() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    for tool in TOOLS.values():
        schema = schema_of(tool.takes)
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
        assert tool.says
        # what all tools are told at once is a part of every conversation
        assert len(json.dumps(schema)) < (30_000 if tool.name == "estimate" else 2_500)
    whole = schema_of(TOOLS["estimate"].takes)
    jsonschema.validate({"run": RUN}, whole)
    jsonschema.validate({"run": "run.yaml"}, whole)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"run": {"modle": {}}}, whole)


def test_without_the_sdk_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("mcp", "anyio"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "costcalc.assistant.server", raising=False)
    assert command(["mcp"]) == 2
    assert capsys.readouterr().err == 'costcalc mcp needs mcp: pip install "costcalc[mcp]"\n'
