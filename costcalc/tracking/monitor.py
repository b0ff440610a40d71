"""Rank 0's look at the whole job, once an interval: what is spent, what is ahead, what to say."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from costcalc.calculator.result import Estimate, Result
from costcalc.tracking.achieved import Achieved, achieved
from costcalc.tracking.energy_parts import completed, metered, summed
from costcalc.tracking.forecast import Forecast, Forecaster, Snapshot, figures
from costcalc.tracking.ledger import Written
from costcalc.tracking.limit_watch import LimitWatch
from costcalc.tracking.merge import Totals, totals
from costcalc.tracking.options import Options
from costcalc.tracking.progress import Teller, line

# Results, and what loggers know them by.
_NAMES = {
    "wall_clock": "hours",
    "cost": "cost_usd",
    "energy": "energy_kwh",
    "carbon_total": "carbon_kg",
    "device_hours": "device_hours",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What one look found."""

    metrics: dict[str, float]
    forecast: Forecast | None
    passed: bool
    whole: Totals
    line: str


class JobMonitor:
    """Follows a job for its metrics, its forecast, its limits and its progress line."""

    def __init__(self, options: Options, predicted: Estimate | None, *, watch: bool = True) -> None:
        self._options, self.predicted = options, predicted
        self._forecaster = Forecaster(predicted)
        run = options.plan.run
        self._watch = LimitWatch(run.limits, run.price) if run.limits and watch else None
        self._teller: Teller | None = None
        wanted = sys.stderr.isatty() if options.progress is None else options.progress
        if wanted:
            self._teller = Teller()

    def look(self, written: Sequence[Written], note: Callable[[str], None]) -> Overview:
        """See how far the job is; new things are told and noted."""
        whole = totals(written, layout=self._options.plan.layout)
        counted = achieved(whole, self._options.plan, self.predicted)
        now = Snapshot(
            elapsed=whole.elapsed,
            done=counted.amount or 0.0,
            devices=self._devices(whole),
            joules=self._joules(whole),
        )
        forecast = self._forecaster.look(now)
        spent = (
            forecast.spent
            if forecast
            else figures(self.predicted, now.devices, now.elapsed, now.joules)[0]
        )
        said = self._watch.look(now, self.predicted, forecast) if self._watch else []
        for text in said:
            note(text)
            self._say(text)
        before = self.predicted.results if self.predicted else None
        if self._teller is not None:
            self._teller.tell(whole.elapsed, spent, forecast, before)
        metrics = self._metrics(whole, counted, spent, forecast)
        return Overview(
            metrics=metrics,
            forecast=forecast,
            passed=bool(self._watch and self._watch.passed),
            whole=whole,
            line=line(spent, forecast, before),
        )

    def _say(self, text: str) -> None:
        """A limit is told on any stderr: it is a warning."""
        if self._options.progress is False:
            return
        (self._teller or Teller()).say(text, warn=True)

    def _joules(self, whole: Totals) -> float | None:
        """Of all parts, as the report will have them; None where an estimate says them all."""
        if self.predicted is None:
            return whole.joules_of_all()
        if not whole.joules("device"):
            return None
        found = summed(completed(metered(whole), whole, self.predicted))
        return found[0] if found else None

    def _devices(self, whole: Totals) -> float:
        """Those detected, else those of the run file."""
        if whole.devices:
            return sum(device.share for device in whole.devices)
        if whole.attempts[-1].hidden:  # it sees none of its machine's
            return 0.0
        known = self.predicted.values.get("devices") if self.predicted else None
        return float(known) if known else 1.0

    def _metrics(
        self,
        whole: Totals,
        counted: Achieved,
        spent: Mapping[str, Result],
        forecast: Forecast | None,
    ) -> dict[str, float]:
        found: dict[str, float | None] = {
            name: spent[key].value for key, name in _NAMES.items() if key in spent
        }
        found |= {
            "steps": float(whole.steps),
            "tokens": whole.tokens,
            "samples": whole.samples,
            "mfu": self._mfu(counted),
        }
        if counted.rate:
            found[f"{counted.unit}s_per_second"] = counted.rate
        if self.predicted is not None:
            found |= {
                f"estimated_{name}": self.predicted.results[key].value
                for key, name in _NAMES.items()
            }
        if forecast is not None:
            found["progress"] = forecast.share
            for key, name in _NAMES.items():
                found[f"forecast_{name}"] = forecast.total[key].value
                found[f"forecast_{name}_low"] = forecast.total[key].low
                found[f"forecast_{name}_high"] = forecast.total[key].high
        return {
            f"costcalc/{name}": float(value) for name, value in found.items() if value is not None
        }

    def _mfu(self, counted: Achieved) -> float | None:
        """Utilization of the speed so far: the estimate's, scaled by speed."""
        if self.predicted is None or not counted.rate:
            return None
        speed, use = self.predicted.results["throughput"], self.predicted.results["utilization"]
        if not speed.value or use.value is None or not speed.unit.startswith(counted.unit):
            return None
        return use.value * counted.rate / speed.value
