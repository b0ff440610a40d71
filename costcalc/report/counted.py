"""What a tracker counted, where nothing else says it: the data, their rate, the time of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from costcalc.calculator.document import work_of
from costcalc.calculator.result import Result

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

Section = Mapping[str, Any]
#: what a rate or a step is of where too few steps were timed
WHOLE = "over the whole wall clock: loading, pauses and lost time are in it"


def with_counted(made: Section, tracking: Section) -> dict[str, Any]:
    """A report with what ``tracking.counted`` says in it.

    Data stand in the work also where no model says what they take, and a step is as long as those
    that were timed: the estimate's is of the batch that it takes.
    """
    counted = tracking.get("counted") or {}
    data, results = dict(made), dict(made["results"])
    whole, seconds = bool(counted.get("whole")), counted.get("step_time")
    if "data" in counted:
        work = {"data": counted["data"], "datum": counted["datum"]}
        data["details"] = {**(data.get("details") or {}), "work": work}
    found = (data.get("details") or {}).get("work") or {}
    if seconds and found.get("data") and (whole or "data" in counted):
        rate = found["data"] / tracking["steps"] / seconds
        results["throughput"] = _measured(rate, f"{found['datum']}/s", whole=whole)
    if seconds:
        results["step_time"] = _measured(seconds, "s", whole=whole)
    data["results"] = results
    if "data" in counted:
        data["work"] = work_of(cast("Report", data))
    return data


def _measured(value: float, unit: str, *, whole: bool) -> dict[str, object]:
    figure = dict(Result.exact(value, unit, "measured").to_dict())
    return {**figure, "convention": WHOLE} if whole else figure
