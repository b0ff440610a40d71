"""Limits of a job that is under way: what is passed, and what is going to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from costcalc.base.human import human, percent
from costcalc.calculator.limits import judged
from costcalc.calculator.result import Estimate, Result
from costcalc.runfile.schema import Limits, Price
from costcalc.tracking.forecast import Forecast, Snapshot, figures

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Limit


@dataclass(slots=True)
class LimitWatch:
    """Judges the run file's ``limits`` once an interval; each thing is said once.

    >>> watch = LimitWatch(Limits(time="1 h"), None)
    >>> watch.look(Snapshot(elapsed=4000.0, done=1.0, devices=1.0), None, None)
    ['limit time 1.00 hours is PASSED: 1.11 hours are spent']
    >>> watch.passed
    ['time']
    """

    limits: Limits
    price: Price | None
    passed: list[str] = field(default_factory=list)
    _said: set[tuple[str, str]] = field(default_factory=set)

    def look(
        self, now: Snapshot, predicted: Estimate | None, forecast: Forecast | None
    ) -> list[str]:
        """What is new: limits that the job has passed, then those that it is going to pass."""
        spent = figures(predicted, now.devices, now.elapsed, now.joules)[0]
        found = []
        for item in judged(self.limits, self.price, spent, {}):
            name = item["key"].removeprefix("limits.")
            if item["passed"]:
                self.passed += [] if name in self.passed else [name]
                found += self._once(name, "passed", f"is PASSED: {_shown(item)} are spent", item)
            elif item["passed"] is None:
                found += self._once(
                    name,
                    "unknown",
                    "cannot be watched: " + item["text"].partition("cannot be judged, ")[2],
                    item,
                )
        return found + self._ahead(forecast)

    def _ahead(self, forecast: Forecast | None) -> list[str]:
        """Limits that are kept so far, and will not be."""
        found = []
        total: dict[str, Result] = dict(forecast.total) if forecast else {}
        draws = forecast.draws if forecast else {}
        for item in judged(self.limits, self.price, total, draws) if total else ():
            name = item["key"].removeprefix("limits.")
            if item["passed"] and name not in self.passed:
                chance = percent(item["chance"] or 0.0)
                text = f"will be passed: {_shown(item)} at the end (chance {chance})"
                found += self._once(name, "ahead", text, item)
        return found

    def _once(self, name: str, what: str, text: str, item: Limit) -> list[str]:
        if (name, what) in self._said:
            return []
        self._said.add((name, what))
        return [f"limit {name} {human(item['limit'], item['unit'])} {text}"]


def _shown(item: Limit) -> str:
    return human(item["value"], item["unit"])
