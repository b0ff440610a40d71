"""What a wrapper takes over of the trainings that it runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from costcalc.tracking.attempts import grouped
from costcalc.tracking.ledger import Written
from costcalc.tracking.merge import totals
from costcalc.tracking.records import Place, Sample, Start, Status
from costcalc.tracking.trainings import TakenPlan, listed, seen_by

SITE = {"grid": "100 gCO2e/kWh", "pue": 1.2}


def writer(
    name: str, begins: float, seconds: float, *, status: Status = "completed", **more: Any
) -> Written:
    sample = {key: more.pop(key) for key in ("steps", "tokens", "timed", "busy") if key in more}
    start = Start(
        job="j",
        writer=name,
        time=begins,
        clock=begins,
        place=Place(job="j", node=0, nodes=1, **more.pop("place", {})),
        boot="b",
        host="h",
        interval=10.0,
        **more,
    )
    last = Sample(time=begins + seconds, elapsed=seconds, status=status, **sample)
    return Written(start=start, last=last)


WRAPPER = writer("w", 0.0, 1000.0, wrapper=True)
ONE = writer("a", 10.0, 400.0, steps=40, timed=40, busy=380.0, training="/one.yaml")
TWO = writer("b", 500.0, 400.0, steps=20, timed=20, busy=390.0, training="/two.yaml")


def test_a_training_with_an_output_sees_itself_and_the_wrapper_all() -> None:
    all_ = [WRAPPER, ONE, TWO]
    assert seen_by("/one.yaml", all_) == [ONE]
    assert seen_by("", all_) == all_
    assert listed(all_) == {"/one.yaml": [ONE], "/two.yaml": [TWO]}


def test_trainings_of_a_wrapper_add_up_in_one_attempt() -> None:
    """40 and 20 steps; 380 s and 390 s of them; the time is the wrapper's, once."""
    whole = totals([WRAPPER, ONE, TWO])
    assert (len(whole.attempts), whole.elapsed) == (1, 1000.0)
    assert (whole.steps, whole.timed, whole.busy) == (60, 60, 770.0)


def test_a_launcher_that_restarts_ranks_under_a_wrapper_begins_no_attempt() -> None:
    first = writer("a", 10.0, 100.0, steps=10, place={"attempt": "torchrun=0", "world": 1})
    again = writer("b", 120.0, 100.0, steps=20, place={"attempt": "torchrun=1", "world": 1})
    assert len(grouped([first, again])) == 2
    assert len(grouped([WRAPPER, first, again])) == 1
    assert totals([WRAPPER, first, again]).elapsed == 1000.0
    assert totals([WRAPPER, first, again]).steps == 30


def test_what_begins_after_a_wrapper_has_ended_is_of_another_attempt() -> None:
    later = writer("c", 1100.0, 100.0, steps=5)
    assert len(grouped([WRAPPER, ONE, later])) == 2
    running = replace(WRAPPER, last=Sample(time=500.0, elapsed=500.0))  # its newest word
    at_once = writer("c", 525.0, 10.0)  # within three intervals of it
    assert len(grouped([running, at_once])) == 1


def test_the_run_file_of_what_is_run_is_taken_over_once() -> None:
    run = {"model": {"preset": "gpt2"}, "training": {"tokens": "1e9"}, "site": SITE}
    taken = TakenPlan()
    assert taken.newer([WRAPPER, ONE]) is None  # says nothing
    said = replace(ONE, start=replace(ONE.start, run=run))
    plan = taken.newer([WRAPPER, said])
    assert plan is not None
    assert plan.written["model"] == {"preset": "gpt2"}
    assert taken.newer([WRAPPER, said]) is None


def test_of_two_run_files_what_both_say_is_taken() -> None:
    def says(one: Written, preset: str, **more: Any) -> Written:
        return replace(one, start=replace(one.start, run={"model": {"preset": preset}, **more}))

    hardware = {"accelerator": "a100-sxm4-80", "count": 1}
    both = [
        says(ONE, "gpt2", site=SITE, hardware=hardware),
        says(TWO, "gpt2-xl", site=SITE, hardware={**hardware, "count": 2}),
    ]
    plan = TakenPlan().newer(both)
    assert plan is not None
    assert dict(plan.written) == {"site": SITE}


def test_a_run_file_that_does_not_hold_here_is_passed_over() -> None:
    said = replace(ONE, start=replace(ONE.start, run={"site": {"region": "Atlantis"}}))
    assert TakenPlan().newer([said]) is None
