"""The layout that is found is remembered: for other lengths, and never for other constants."""

from __future__ import annotations

from typing import Any

import costcalc
from costcalc.throughput import constants, placement


def run(tokens: str, **training: Any) -> dict[str, Any]:
    return {
        "model": {"preset": "llama-3-8b"},
        "training": {"tokens": tokens, "global_batch": 1024, **training},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
    }


def test_another_length_asks_nothing_anew() -> None:
    first = costcalc.estimate(run("1.25T"), ranges=False)
    before = placement._searched.cache_info()
    again = costcalc.estimate(run("2.5T"), ranges=False)
    after = placement._searched.cache_info()
    assert (after.misses, after.hits > before.hits) == (before.misses, True)
    assert again.details["layout"] == first.details["layout"]
    assert again.results["step_time"].value == first.results["step_time"].value
    placement._searched.cache_clear()
    assert costcalc.estimate(run("2.5T"), ranges=False).to_dict() == again.to_dict()


def test_another_question_is_asked_anew() -> None:
    costcalc.estimate(run("1.25T"), ranges=False)
    before = placement._searched.cache_info().misses
    costcalc.estimate(run("1.25T", sequence_length=4096), ranges=False)
    assert placement._searched.cache_info().misses > before


def test_other_constants_are_never_remembered() -> None:
    costcalc.estimate(run("1.25T"), ranges=False)
    before = placement._searched.cache_info()
    with constants.using(dict(constants.shipped())):  # type: ignore[arg-type]
        costcalc.estimate(run("3.75T"), ranges=False)
    assert placement._searched.cache_info() == before
