"""What the run file says of a job to be tracked, and the end of its report: small cases by hand."""

from __future__ import annotations

from dataclasses import replace
from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.base.errors import InputError
from costcalc.base.reading import read_file
from costcalc.runfile.rules import Lacking
from costcalc.tracking import final_report, forecast, progress, ranks
from costcalc.tracking.follow import read
from costcalc.tracking.ledger import Writer, Written
from costcalc.tracking.merge import Totals, totals
from costcalc.tracking.plan import Plan, predicted, prepare
from costcalc.tracking.records import Place, Sample, Start

RUN: dict[str, Any] = {
    "model": {"preset": "gpt2"},
    "training": {"tokens": "1e9", "sequence_length": 512},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8, "layout": {"tensor": 2}},
}


def without(*sections: str) -> dict[str, Any]:
    return {key: value for key, value in RUN.items() if key not in sections}


@pytest.mark.parametrize(
    ("run", "lacks"),
    [
        (RUN, set()),
        (without("model"), {Lacking.MODEL}),
        (without("training"), {Lacking.DATA}),
        (without("hardware"), {Lacking.HARDWARE}),
        ({**RUN, "training": {"sequence_length": 512}}, {Lacking.DATA}),
        ({**RUN, "hardware": {"instance": "p5.48xlarge"}}, set()),
        ({**RUN, "training": {"epochs": 1, "dataset_tokens": "1e6"}}, set()),
        ({}, set(Lacking)),
    ],
)
def test_what_a_run_file_lacks(run: dict[str, Any], lacks: set[Lacking]) -> None:
    plan = prepare(run)
    assert plan.lacks == lacks
    assert plan.is_given
    before, why = predicted(plan)
    assert (before is None) is bool(lacks)
    assert bool(why) is bool(lacks)
    for lack in lacks:
        assert lack.value in why


def test_without_a_run_file_nothing_is_known() -> None:
    plan = prepare(None)
    assert (plan.lacks, plan.is_given, plan.layout) == (frozenset(Lacking), False, {})
    assert plan.sample_length is None
    assert Plan().written == {}


def test_ranks_of_a_replica_and_tokens_of_a_sample() -> None:
    plan = prepare(RUN)
    assert plan.layout == {"tensor": 2, "pipeline": 1, "context": 1}
    assert plan.sample_length == 512.0
    own = {**RUN, "training": {"samples": 10, "sample_tokens": 100, "sequence_length": 512}}
    assert prepare(own).sample_length == 100.0  # a sample's own before a sequence's
    assert prepare(without("training")).sample_length is None
    assert prepare({**RUN, "hardware": {"accelerator": "h100-sxm5-80", "count": 8}}).layout == {}


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("model.config", True),  # a preset takes its place
        ("training.samples", True),  # tokens do
        ("training.sequence_length", True),
        ("training.global_batch", False),
        ("site.pue", False),
        ("hardware.count", True),
        ("hardware.layout.tensor", True),
    ],
)
def test_what_a_run_file_gives(key: str, given: bool) -> None:
    assert prepare(RUN).gives(key) is given
    assert prepare({}).gives(key) is False


def test_a_stage_is_picked_by_its_name() -> None:
    stages = [
        {"name": "a", **without("hardware")},
        {"name": "b", **without("hardware"), "training": {"tokens": "5e8"}},
    ]
    run = {"stages": stages, "hardware": RUN["hardware"]}
    plan = prepare(run, stage="b")
    assert plan.written["training"] == {"tokens": "5e8"}
    assert plan.written["hardware"] == RUN["hardware"]  # what all stages share
    assert not {"stages", "name"} & set(plan.written)
    assert plan.run.stages is None
    for wrong in (None, "c"):
        with pytest.raises(InputError, match="expected stage=, one of a, b; got"):
            prepare(run, stage=wrong)


def test_paths_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(
        "model: {config: sub/config.json}\ntraining: {tokens: 1e9}\nprofiles: own\n"
        "hardware: {accelerator: h100-sxm5-80, count: 8}\n"
    )
    (tmp_path / "own").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "config.json").write_text('{"model_type": "gpt2"}')
    plan = prepare(str(path))
    assert plan.written["model"] == {"config": str(tmp_path / "sub" / "config.json")}
    assert plan.written["profiles"] == str(tmp_path / "own")


def test_a_count_of_devices_that_are_not_named_is_none() -> None:
    plan = prepare({**without("hardware"), "hardware": {"count": 8, "goodput": 0.5}})
    assert plan.written["hardware"] == {"goodput": 0.5}
    assert "hardware" not in prepare({**without("hardware"), "hardware": {"count": 8}}).written


def test_of_several_runs_one_is_foreseen() -> None:
    once, _ = predicted(prepare(RUN))
    thrice, _ = predicted(prepare({**RUN, "training": {**RUN["training"], "runs": 3}}))
    assert once is not None
    assert thrice is not None
    assert thrice.results["wall_clock"].value == once.results["wall_clock"].value


# --- the end --------------------------------------------------------------------------------------


def whole(*, missing: tuple[int, ...] = (), attempts: int = 1) -> Totals:
    written = []
    for n in range(attempts):
        place = Place(job="j", node=0, nodes=1 + len(missing))
        start = Start(job="j", writer=f"w{n}", time=100.0 * n, boot="b", host="h", place=place)
        last = Sample(time=100.0 * n + 10, elapsed=10.0, status="completed")
        written.append(Written(start=start, last=last))
    return totals(written)


def test_who_is_there_and_who_is_not() -> None:
    assert final_report._counted(whole()) == ["1 attempt"]
    assert final_report._counted(whole(attempts=2)) == ["2 attempts"]
    assert final_report._counted(whole(missing=(1, 2))) == [
        "1 attempt",
        "attempt 1: no records of node 1, 2 of 3: taken to have held as many devices as the others",
    ]


def made(run: str = "r") -> dict[str, Any]:
    return {"runs": [{"id": run}], "schema": "costcalc/report/v1"}


def test_a_report_goes_where_nothing_of_anothers_stands(tmp_path: Path) -> None:
    path = tmp_path / "costs.yaml"
    assert final_report.free(path, made(), force=False) == path
    final_report.save(made(), path)
    assert read_file(path, "x").data["runs"] == [{"id": "r"}]
    assert path.read_text().startswith("# costcalc/report/v1: written by costcalc\n")
    assert final_report.free(path, made(), force=False) == path  # its own
    other = made("other")
    second = tmp_path / "costs.2.yaml"
    assert final_report.free(path, other, force=False) == second
    final_report.save(other, second)
    assert final_report.free(path, other, force=False) == second
    assert final_report.free(path, made("third"), force=False) == tmp_path / "costs.3.yaml"
    assert final_report.free(path, other, force=True) == path
    (tmp_path / "costs.3.yaml").write_text("no report")
    assert final_report.free(path, made("third"), force=False) == tmp_path / "costs.4.yaml"


def test_a_report_as_json_ends_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "new" / "costs.json"
    final_report.save(made(), path)
    text = path.read_text()
    assert text.startswith("{")
    assert text.endswith("}\n")


def figures(**known: float) -> dict[str, Any]:
    units = {"wall_clock": "h", "cost": "USD", "energy": "kWh", "energy_it": "kWh"}
    units |= {"carbon_total": "kgCO2e", "utilization": "1"}
    return {name: {"value": known.get(name), "unit": unit} for name, unit in units.items()}


def test_a_job_that_nobody_foresaw_in_a_line(tmp_path: Path) -> None:
    tracking: dict[str, Any] = {"predicted": {"why": "x"}}

    def said(**known: float) -> list[str]:
        report = {"details": {"tracking": tracking}, "results": figures(**known)}
        return final_report.summary(report, None)

    assert said(wall_clock=2.0, energy=3.0) == ["time 2.00 hours; energy 3.00 kWh"]
    assert said(wall_clock=2.0, energy_it=3.0) == [
        "time 2.00 hours; energy 3.00 kWh, without the facility's (no PUE known)"
    ]
    assert said(wall_clock=2.0, energy=3.6, energy_it=3.0) == ["time 2.00 hours; energy 3.60 kWh"]
    tracking["calibrate"] = "C"
    report = {"details": {"tracking": tracking}, "results": figures(wall_clock=2.0)}
    assert final_report.summary(report, tmp_path / "r.yaml") == [
        "time 2.00 hours",
        "to make the next estimate right: C",
        f"report: {tmp_path / 'r.yaml'}",
    ]


def test_records_that_are_none_of_a_jobs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: "):
        final_report.merged(str(tmp_path / "no"))
    with pytest.raises(InputError, match="none of any job is there"):
        final_report.merged(str(tmp_path))
    with pytest.raises(InputError, match="none of x is there"):
        final_report.merged(str(tmp_path), job="x")


# --- small edges ----------------------------------------------------------------------------------


def test_of_samples_at_one_time_the_last_counts(tmp_path: Path) -> None:
    start = Start(job="j", writer="w", time=0.0, boot="b", host="h", place=Place(job="j"))
    writer = Writer(tmp_path, start)
    running = Sample(time=5.0, elapsed=5.0, steps=3, status="running")
    for record in (running, replace(running, status="completed"), replace(running, elapsed=4.0)):
        writer.append(record)
    (found,) = read(tmp_path)
    assert found.last is not None
    assert (found.last.status, found.last.elapsed) == ("completed", 5.0)


def test_what_is_spent_is_told_in_its_own_unit() -> None:
    # a quarter of an hour
    spent = forecast.figures(None, 8, 900.0, None)[0]
    assert progress.line(spent, None) == "time 15.0 min"


def test_the_pace_of_the_rest_drifts_as_published_runs_do() -> None:
    # of 75 to 99 % effective: half of the logarithm of their ratio over 1.645
    assert log(0.99 / 0.75) / 2 / 1.6449 == pytest.approx(forecast.DRIFT, rel=1e-4)


def test_a_torch_without_its_distributed_part_is_passed_over() -> None:
    parts = {"is_available": lambda: False, "is_initialized": lambda: True}
    parts |= {"get_rank": lambda: 3, "get_world_size": lambda: 4}
    modules: Any = {"torch": SimpleNamespace(distributed=SimpleNamespace(**parts))}
    assert ranks.detect({}, modules).world == 1
    assert ranks.detect({}, {"torch": SimpleNamespace()}).world == 1  # type: ignore[dict-item]
