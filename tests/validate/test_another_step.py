"""Other steps of a machine after one was measured."""

from __future__ import annotations

import math

import pytest

from costcalc.throughput.transfer import carried, spreads
from costcalc.validate import transfer
from costcalc.validate.measurements import all_measured
from costcalc.validate.score import score


@pytest.fixture(scope="module")
def some() -> list[list[tuple[object, object]]]:
    rows = [one for one in all_measured() if one.group == "google-maxtext"]
    return transfer.machines(rows)  # type: ignore[return-value]


def test_a_machine_is_one_groups_rows_on_one_accelerator(some: list[list[tuple]]) -> None:
    assert some
    for steps in some:
        assert transfer.FEWEST <= len(steps) <= transfer.MOST
        assert len({(one.group, one.row["accelerator"]) for one, _ in steps}) == 1


def test_each_other_step_is_predicted_from_the_one_in_the_middle(some: list[list[tuple]]) -> None:
    steps = some[0]
    first = steps[len(steps) // 2][1].step
    points = list(transfer._from_one(steps))
    assert len(points) == len(steps) - 1
    one, other = steps[0]
    found = carried([first], other.step.run, transfer.spreads_for(one.group))
    # the model's own rate is the measured one over exp(error)
    modelled = one.rate / math.exp(other.step.error)
    assert points[0].predicted == pytest.approx(modelled * math.exp(found.mean))
    assert points[0].high == pytest.approx(
        points[0].predicted * math.exp(1.644853627 * found.spread)
    )


def test_what_was_not_seen_lies_in_the_ranges(some: list[list[tuple]]) -> None:
    points = [point for steps in some for point in transfer._from_one(steps)]
    assert score(points).inside >= 0.8


def test_a_fold_has_not_seen_its_group() -> None:
    assert transfer.spreads_for("google-maxtext") != spreads()
    assert transfer.spreads_for("somebody else") == spreads()
