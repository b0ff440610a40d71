"""Every venue's text of every kind of report, as it was read by eye, and what none of them says."""

from __future__ import annotations

import pytest
from kinds import KINDS, VENUES, file, made, text

from costcalc.report.renderings import FORMATS, render


@pytest.mark.parametrize("venue", list(VENUES))
@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_as_it_was_read(kind: str, venue: str) -> None:
    """After a change: ``python tests/report/kinds.py`` writes them; read what became of them."""
    assert text(kind, venue) == file(kind, venue).read_text(encoding="utf-8")


@pytest.mark.parametrize("shape", list(FORMATS))
def test_what_a_tool_recorded_is_not_said_of_costcalc(shape: str) -> None:
    shown = render(made("imported"), shape)
    for wrong in ("measured with costcalc", "measured by costcalc", "pre-training", "estimated by"):
        assert wrong not in shown
    if shape != "csv":
        assert "CodeCarbon 3.0.4" in shown


@pytest.mark.parametrize("shape", ["neurips", "acl", "model-card", "latex", "html", "markdown"])
def test_dollars_are_not_measured_because_hours_were(shape: str) -> None:
    """4 devices × 36 h × 1.50 USD are 216 USD, by the price that the author gave."""
    shown = render(made("typed"), shape)
    assert "measured, as the author says" in shown
    assert "from prices: 1.50 USD a device" in shown.replace("{-}", "-")


def test_answers_are_yes_partly_or_no() -> None:
    said = {kind: text(kind, "acl").split("\n")[2] for kind in KINDS}
    assert said == {
        "estimate": "Yes.",
        "typed": "Partly.",  # no model
        "tracked": "Yes.",
        "imported": "Partly.",
        "merged": "Yes.",
    }
    bare = made("imported")
    bare["details"].pop("hardware")
    for figure in bare["results"].values():
        figure |= {"value": None, "low": None, "high": None, "why": "not recorded"}
    bare["runs"] = []
    assert render(bare, "acl").split("\n")[2] == "No."
    assert "Answer: [No]" in render(bare, "neurips")


def test_unknown_figures_are_named_and_stand_in_no_sentence() -> None:
    for venue in ("neurips", "acl"):
        for kind in KINDS:
            words = text(kind, venue).partition("Not known:")[0]
            assert "unknown" not in words.lower(), (kind, venue)


def test_time_is_said_to_be_of_one_run_or_of_all() -> None:
    """Two seeds of one length; of a project 2 × 15.9 h and 2 h are 33.8 h, the longest 15.9."""
    assert made("estimate")["details"]["by_run"]["time"] == "of one run"
    told = made("merged")["details"]["by_run"]
    one = made("estimate")["results"]["wall_clock"]["value"]
    assert told["runs"] == 3.0
    assert told["time"] == "of all runs"
    assert told["longest"] == one
    assert made("merged")["results"]["wall_clock"]["value"] == pytest.approx(2 * one + 2)
    assert "of one run" in text("estimate", "model-card")
    assert "of all runs (the longest" in text("merged", "model-card")
