"""A price of a day that is to come is a slip: it would make all others old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from costcalc.base.errors import InputError
from costcalc.catalog import prices

ROW = "lambda,h100-sxm5-80,gpu_8x_h100_sxm5,8,on-demand,,3.99,,,,,{},included,me,\n"


def catalogue(date: str) -> str:
    return ",".join(prices.HEAD) + "\n" + ROW.format(date)


@pytest.mark.parametrize("mark", ["", "<="])
def test_a_day_that_is_to_come_is_refused_at_its_line(mark: str):
    day = (datetime.now(UTC) + timedelta(days=400)).date().isoformat()
    day = max(day, "2028-01-01")
    with pytest.raises(InputError) as caught:
        prices.read(catalogue(mark + day), "new.csv")
    (problem,) = caught.value.problems
    assert str(problem) == (
        f"new.csv:2: date: expected a day that is not to come; got '{mark}{day}'"
    )


@pytest.mark.parametrize("day", ["", "2026", "2026-11", "2026-11-26", "<=2026-11-26"])
def test_days_that_have_been_are_taken(day: str):
    (offer,) = prices.read(catalogue(day), "new.csv")
    assert (offer.value, offer.provider) == (3.99, "lambda")
