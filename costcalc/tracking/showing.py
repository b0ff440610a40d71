"""A running job as others see it: from its ledger, by the same code that writes its report."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from costcalc.base.errors import InputError, Problem
from costcalc.base.human import digits, human, percent, scale, span
from costcalc.base.units import unit
from costcalc.calculator.result import SAID
from costcalc.tracking.attempts import grouped
from costcalc.tracking.follow import Follower
from costcalc.tracking.forecast import Forecast
from costcalc.tracking.jobs import by_job
from costcalc.tracking.jobs import listed as listed_jobs
from costcalc.tracking.ledger import Written
from costcalc.tracking.merge import Totals
from costcalc.tracking.monitor import JobMonitor
from costcalc.tracking.options import Options
from costcalc.tracking.plan import predicted, prepare
from costcalc.tracking.reporting import report

LABELS = SAID | {"energy_it": "energy, without the facility's"}
_LATE = 3.0  # intervals without a word, after which a job may be dead


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure: by now, at the end with its range, and as it was estimated before."""

    label: str
    now: str
    end: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What one look at a ledger found of which job; ``over`` once that has ended."""

    job: str
    status: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    metrics: Mapping[str, float]
    over: bool


class Watch:
    """Looks at the ledger of one job, again and again; writes nothing.

    Raises:
        InputError: the run file has faults.
    """

    def __init__(
        self, folder: str | os.PathLike[str], *, job: str | None = None, run: str | None = None
    ) -> None:
        self.folder, self._job, self._run = os.fspath(folder), job, run
        self._follower = Follower(folder, job=job)
        self._monitor: JobMonitor | None = None
        self._options: Options | None = None
        self._planned: object = None
        self._others: tuple[str, ...] = ()
        self._last: tuple[float, float] | None = None  # seconds, and joules by then

    def look(self) -> View:
        """How far the job is.

        Raises:
            InputError: no records are there.
        """
        written = self._written()
        notes: list[str] = []
        self._plan(written)
        assert self._options is not None
        assert self._monitor is not None
        seen = self._monitor.look(written, notes.append)
        whole = seen.whole
        made = report(whole, self._options.plan, self._monitor.predicted, identify=True)
        rows = (
            _progress(whole),
            *_amounts(whole, made, seen.metrics),
            self._power(whole, made),
            *figure_rows(made, seen.forecast),
        )
        over, status = _status(written)
        told = [*self._others, *notes, *made["details"]["tracking"].get("notes", [])]
        return View(
            job=whole.job,
            status=status,
            rows=tuple(row for row in rows if row is not None),
            notes=tuple(dict.fromkeys(told)),
            metrics=seen.metrics,
            over=over,
        )

    def _written(self) -> list[Written]:
        try:
            written = self._follower.look()
        except OSError as error:
            raise self._fault(f"cannot be read: {error.strerror or error}") from None
        if not any(item.last for item in written):
            raise self._fault(
                "expected the records of a job (*.jsonl); "
                + ("none has a sample yet" if written else f"none of {self._job or 'any job'}")
            )
        newest = max(written, key=lambda w: w.last.time if w.last else w.start.time).start.job
        others = [job for job in by_job(written) if job[0].start.job != newest]
        self._others = ()
        if others:
            listed = listed_jobs(others)
            told = f"the newest of {len(others) + 1} jobs, {newest}; --job picks another: {listed}"
            self._others = (told,)
        return [item for item in written if item.start.job == newest]

    def _fault(self, message: str) -> InputError:
        return InputError(Problem(key="", message=message, file=self.folder))

    def _plan(self, written: Sequence[Written]) -> None:
        """The run file that the job goes by, once more where a framework has said more."""
        runs = [dict(w.start.run) for w in written if w.start.run]
        asked: object = self._run or (runs[-1] if runs else None)
        if self._monitor is not None and asked == self._planned:
            return
        self._planned = asked
        plan = prepare(self._run or (runs[-1] if runs else None))
        self._options = Options(
            run=None,
            output=None,
            ledger=self.folder,
            job=self._job,
            stage=None,
            changes=None,
            on_limit="warn",
            progress=False,
            callback=None,
            interval=10.0,
            identify=True,
            force=False,
            plan=plan,
        )
        self._monitor = JobMonitor(self._options, predicted(plan)[0])

    def _power(self, whole: Totals, made: Mapping[str, Any]) -> Row | None:
        """The power that the energy shown comes to: in the mean, and since the last look."""
        joules = _joules(made)
        if not joules or not whole.elapsed:
            return None
        mean = f"{human(joules / whole.elapsed, 'W')} in the mean"
        before, self._last = self._last, (whole.elapsed, joules)
        seconds, more = (whole.elapsed - before[0], joules - before[1]) if before else (0.0, 0.0)
        of_late = f"{human(more / seconds, 'W')}, " if seconds > 0 and more > 0 else ""
        return Row(label="power", now=of_late + mean)


def figure_rows(made: Mapping[str, Any], forecast: Forecast | None = None) -> list[Row]:
    """Time, cost, energy and CO2e of a report, with what is ahead and what was predicted."""
    rows, figures = [], made["results"]
    compared = made["details"]["tracking"].get("predicted", {}).get("figures", [])
    before = {row["of"]: row for row in compared}
    for name, label in LABELS.items():
        found = figures[name]
        if found["value"] is None or (name == "energy_it" and figures["energy"]["value"]):
            continue
        total = forecast.total.get(name) if forecast else None
        rows.append(
            Row(
                label=label,
                now=_ranged(found["value"], found["low"], found["high"], found["unit"]),
                end=_ranged(total.value, total.low, total.high, total.unit) if total else "",
                before=human(before[name]["predicted"], found["unit"]) if name in before else "",
            )
        )
    return rows


def _ranged(value: float | None, low: float | None, high: float | None, unit: str) -> str:
    if value is None:
        return ""
    name, factor = scale(value, unit)
    between = span(low, high, value, unit)
    return f"{digits(value / factor)} {name}" + (f" [{between}]" if between else "")


def _progress(whole: Totals) -> Row:
    attempts = f" in {len(whole.attempts)} attempts" if len(whole.attempts) > 1 else ""
    return Row(label="steps", now=f"{whole.steps:,}{attempts}")


def _amounts(
    whole: Totals, made: Mapping[str, Any], metrics: Mapping[str, float]
) -> list[Row | None]:
    rows: list[Row | None] = []
    for name, amount in (("token", whole.tokens), ("sample", whole.samples)):
        if amount is None:
            continue
        rate = metrics.get(f"costcalc/{name}s_per_second")
        speed = f", {human(rate, f'{name}/s')}" if rate else ""
        rows.append(Row(label=f"{name}s", now=f"{human(amount, name)}{speed}"))
    use = made["results"]["utilization"]
    if use["value"] is not None and use["basis"] != "default":
        rows.append(Row(label="MFU", now=percent(use["value"])))
    return rows


def _joules(made: Mapping[str, Any]) -> float | None:
    """Joules of the energy that is shown, of all of its parts: what no meter saw is modelled."""
    for name in ("energy", "energy_it"):
        value = made["results"][name]["value"]
        if value is not None:
            return float(value) * unit("kWh").factor
    return None


def _status(written: Sequence[Written]) -> tuple[bool, str]:
    """Whether the job is over, and how it stands in words."""
    launches = [[w for w in launch if w.last] for launch in grouped(written)]
    newest = next(launch for launch in reversed(launches) if launch)
    mine = [w for w in newest if w.last and w.last.status == "running"]
    if not mine:
        first = min(newest, key=lambda w: (-w.start.time, w.start.place.rank))
        assert first.last is not None
        return True, f"ended: {first.last.status}"
    heard = max(w.last.time for w in mine if w.last)
    ago = max(time.time() - heard, 0.0)
    interval = max(w.start.interval for w in mine)
    if ago > _LATE * max(interval, 10.0):
        return False, (
            f"not heard of for {human(ago, 's')}, at an interval of {human(interval, 's')}: "
            "it may be dead, or its disk"
        )
    return False, f"running, heard of {human(ago, 's')} ago"
