"""Where a start lies in a series, and the starts after it, to a billionth of a step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from costcalc import InputError, Series
from costcalc.decide.starting import asked

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def series(step: float, number: int = 5) -> Series:
    return Series(start=NOON, step=step, values=(1.0,) * number, signal="average", source="by hand")


@pytest.mark.parametrize(
    ("step", "after", "index", "over"),
    [
        (3600.0, 0 * SECOND, 0, 0.0),
        (3600.0, 5400 * SECOND, 1, 0.5),
        (0.1, 0.3 * SECOND, 3, 0.0),  # 0.3 / 0.1 are 2.9999999999999996 in floating point
        (0.1, 0.35 * SECOND, 3, 0.5),
        # a microsecond is 2.8e-10 of an hour, which is nothing; four are 1.1e-9, which are not
        (3600.0, timedelta(microseconds=-1), 0, 0.0),
        (3600.0, timedelta(hours=2, microseconds=-1), 2, 0.0),
        (3600.0, timedelta(hours=2, microseconds=1), 2, 0.0),
        (3600.0, timedelta(hours=2, microseconds=-4), 1, 1 - 4 / 3.6e9),
        (3600.0, timedelta(hours=2, microseconds=4), 2, 4 / 3.6e9),
    ],
)
def test_the_step_of_a_start_and_how_much_of_it_is_over(
    step: float, after: timedelta, index: int, over: float
) -> None:
    found = asked(series(step), NOON + after)
    assert found.step == index
    assert found.over == pytest.approx(over, rel=1e-4, abs=1e-15)


@pytest.mark.parametrize(
    "after", [timedelta(microseconds=-4), timedelta(hours=5), timedelta(hours=-1)]
)
def test_a_start_outside_its_series_is_refused(after: timedelta) -> None:
    with pytest.raises(InputError) as wrong:
        asked(series(3600.0), NOON + after)
    assert wrong.value.problems[0].message == (
        f"{(NOON + after).isoformat()} is not in the series, 2026-01-01T12:00:00+00:00 to "
        "2026-01-01T17:00:00+00:00"
    )


@pytest.mark.parametrize(
    ("window", "starts"),
    [
        (None, [1.5, 2.0, 3.0, 4.0]),
        (9.0, [1.5, 2.0, 3.0, 4.0]),  # none after the last
        (1.5, [1.5, 2.0, 3.0]),
        (1.5 - 1e-10, [1.5, 2.0, 3.0]),  # 1.5 but for a rounding
        (1.5 - 1e-8, [1.5, 2.0]),
        (0.4, [1.5]),
        (0.0, [1.5]),
    ],
)
def test_every_whole_step_within_the_window(window: float | None, starts: list[float]) -> None:
    found = asked(series(3600.0), NOON + timedelta(minutes=90))
    assert found.index == 1.5
    assert found.starts(4, window).tolist() == starts
