"""The EU's form: bands of months, orders of magnitude, thresholds, what is of one run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.catalog import preset
from costcalc.report.renderings import ai_act
from costcalc.report.renderings.ai_act import Base, Own


def mine(**more: Any) -> Own:
    known: dict[str, Any] = {
        "compute": None, "why": "", "days": None, "device_days": None, "mwh": None, "runs": 1.0,
        "modified": False, "base": None,
    }  # fmt: skip
    return Own(**{**known, **more})


@pytest.mark.parametrize(
    ("days", "band"),
    [
        (None, "less than 1 month"), (0.0, "less than 1 month"),
        (30.43, "less than 1 month"), (30.44, "1 to 3 months"),
        (91.31, "1 to 3 months"), (91.33, "3 to 6 months"),  # 3 · 30.44 = 91.32
        (182.63, "3 to 6 months"), (182.65, "more than 6 months"),  # 6 · 30.44 = 182.64
    ],
)  # fmt: skip
def test_a_range_of_months(days: float | None, band: str) -> None:
    assert mine(days=days).band == band


@pytest.mark.parametrize(
    ("compute", "magnitude"),
    [(None, None), (0.0, None), (9.9e22, 22), (1e23, 23), (1.2e25, 25), (1.0, 0)],
)
def test_an_order_of_magnitude(compute: float | None, magnitude: int | None) -> None:
    assert mine(compute=compute).magnitude == magnitude


def test_what_is_above_a_threshold() -> None:
    assert (ai_act.GENERAL_PURPOSE, ai_act.SYSTEMIC) == (1e23, 1e25)
    assert ai_act._above(mine(compute=1e23), 1e23) is False  # more than it is above
    assert ai_act._above(mine(compute=1.01e23), 1e23) is True
    assert ai_act._above(mine(), 1e23) is None
    assert ai_act._marks(mine(compute=2e23)) == {"above_1e23_flop": True, "above_1e25_flop": False}
    # a third of the original's 3e24, else of 1e23
    base = Base(compute=3e24, source="a card")
    assert ai_act._modification(mine(compute=2e24, base=base)) == {
        "modification_flop": 2e24, "third_of_the_original_flop": 1e24, "original": "a card",
        "original_flop": 3e24, "above_a_third": True,
    }  # fmt: skip
    assert ai_act._modification(mine(compute=3e22)) == {
        "modification_flop": 3e22, "third_of_the_original_flop": 3.3e22,
        "original": "not known: a third of 1e23 FLOP", "original_flop": "N/A",
        "above_a_third": False,
    }  # fmt: skip


def figure(value: float | None, why: str = "", **more: Any) -> Any:
    return SimpleNamespace(value=value, why=why, low=value, high=value, **more)


def view(by_run: dict[str, object] | None = None, **more: Any) -> Any:
    figures = {
        "training_compute": figure(6e22), "total_compute": figure(9e22), "wall_clock": figure(48.0),
        "device_hours": figure(960.0), "energy": figure(3000.0), "active_parameters": figure(8e9),
        **more.pop("figures", {}),
    }  # fmt: skip
    known = {
        "details": {}, "by_run": by_run or {}, "figures": figures, "activity": "pretraining",
        "measured_parts": (), "report": {"run": {}},
    }  # fmt: skip
    return SimpleNamespace(**{**known, **more})


def test_what_of_a_report_is_of_the_model() -> None:
    found = ai_act.own(view())
    # 48 h are 2 days, 960 device-hours 40 device-days, 3,000 kWh 3 MWh
    assert (found.compute, found.days, found.device_days, found.mwh) == (6e22, 2.0, 40.0, 3.0)
    assert (found.runs, found.modified, found.base) == (1.0, False, None)
    # of one of four runs: the totals are of four, the time is of one
    four = ai_act.own(view({"time": "of one run", "runs": 4}))
    assert (four.runs, four.days, four.device_days, four.mwh) == (4.0, 2.0, 10.0, 0.75)
    whole = ai_act.own(view({"time": "of all runs", "runs": 4}))
    assert (whole.runs, whole.device_days) == (1.0, 40.0)


def test_compute_that_is_known_of_all_runs_alone() -> None:
    lacking = {"training_compute": figure(None, "no model")}
    assert ai_act.own(view(figures=lacking)).compute == 9e22  # there is one run
    several = ai_act.own(view({"time": "of all runs", "runs": 2}, figures=lacking))
    assert (several.compute, several.why) == (None, "no model")
    nothing = {**lacking, "total_compute": figure(None)}
    assert ai_act.own(view(figures=nothing)).why == "not known"
    none = {name: figure(None) for name in ("wall_clock", "device_hours", "energy")}
    bare = ai_act.own(view(figures=none))
    assert (bare.days, bare.device_days, bare.mwh) == (None, None, None)


def test_a_merged_project_has_no_form_of_one_model() -> None:
    stage = {"results": {"training_compute": {"value": 1.0}}}
    merged = ai_act.own(view(details={"parts": []}, measured_parts=(stage,)))
    assert merged.compute is None
    assert merged.why == (
        "a project merged of several reports: each model has a form of its own"
    )  # fmt: skip
    stage = {"results": {"training_compute": {"value": None}}}
    lacking = {"training_compute": figure(None, "no model")}
    found = ai_act.own(view(details={"parts": []}, measured_parts=(stage,), figures=lacking))
    assert found.why == "not known"  # of neither compute a reason is given


def test_the_original_of_a_modified_model() -> None:
    known = preset.find("llama-3-8b").published
    run = {"run": {"model": {"preset": "llama-3-8b"}}}
    found = ai_act.own(view(activity="fine-tuning", report=run)).base
    assert found is not None
    if known.training_compute is not None:
        assert found.compute == known.training_compute.si
    else:
        assert known.training_tokens is not None
        assert found.compute == 6 * 8e9 * known.training_tokens.si
    assert ai_act.own(view(report=run)).base is None  # it was not modified
    for model in (None, {"config": "x"}, {"preset": "nobody's"}):
        other = {"run": {"model": model}}
        assert ai_act.own(view(activity="fine-tuning", report=other)).base is None


def test_how_many_runs_and_parameters_the_form_is_of() -> None:
    runs = {"runs": [{"number": 3}, {"number": None}, {}]}
    assert ai_act._all_runs(view({"time": "of all runs"}, report=runs)) == (
        " for all 5 runs that the report counts"
    )
    assert ai_act._all_runs(view({"time": "of one run"}, report=runs)) == ""
    sure = view(figures={"parameters": figure(8_030_261_248.0)})
    assert ai_act._parameters(sure) == "8030261248"
    rough = SimpleNamespace(value=8.03e9, low=7e9, high=9e9)
    assert ai_act._parameters(view(figures={"parameters": rough})) == "8000000000"
    assert ai_act._parameters(view(figures={"parameters": figure(None)})) is None
    before = {"energy_it": figure(7.0)}
    assert ai_act._before(view(figures=before, energy="energy_it")) == 7.0
    assert ai_act._before(view(figures=before, energy="energy")) == 7.0
