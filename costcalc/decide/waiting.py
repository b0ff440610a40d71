"""When to start: the hour that emits least, and what pausing would save.

Source: Dodge et al. 2022, Measuring the Carbon Intensity of AI in Cloud Instances (FAccT,
arXiv 2206.05229): flexible start, and pause and resume.  The run is taken to draw its mean power.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from costcalc.base.errors import wrong
from costcalc.base.human import human, percent
from costcalc.base.units import to_si
from costcalc.decide import pausing
from costcalc.decide.series import MEANING, Series
from costcalc.decide.starting import asked
from costcalc.runfile.loading import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from costcalc.calculator.result import Result

    Array = NDArray[np.float64]

SCHEMA = "costcalc/when/v1"
WORTH = 0.05  # below this share of the emissions waiting is called not worth it
DODGE = (
    "Dodge et al. 2022, Measuring the Carbon Intensity of AI in Cloud Instances, "
    "https://arxiv.org/abs/2206.05229"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A way to run: when, how long until done, and the operational emissions in kgCO2e."""

    start: datetime
    elapsed_hours: float
    emissions: float
    mean_intensity: float
    pauses: int = 0

    def to_dict(self) -> dict[str, object]:
        """Plain values."""
        return {
            "start": self.start.isoformat(),
            "elapsed_hours": self.elapsed_hours,
            "pauses": self.pauses,
            "emissions": self.emissions,
            "unit": "kgCO2e",
            "mean_intensity": self.mean_intensity,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Starting at once against the best start, and against pausing above a threshold."""

    name: str
    hours: float
    energy: float  # kWh
    now: Begun
    best: Begun
    worst: Begun
    paused: Begun | None
    threshold: float | None
    cleanest: Begun | None
    stretch: float | None
    worth: bool
    sentence: str
    series: Series
    window_hours: float
    notes: tuple[str, ...]

    @property
    def saving(self) -> float:
        """The share of the emissions that the best start saves."""
        return 1.0 - self.best.emissions / self.now.emissions if self.now.emissions else 0.0

    @property
    def sources(self) -> list[str]:
        """Where the intensities and the method are from."""
        return [self.series.source, DODGE]

    def to_dict(self) -> dict[str, object]:
        """Plain values."""

        def with_saving(one: Begun | None) -> dict[str, object] | None:
            if one is None:
                return None
            now = self.now.emissions
            return {**one.to_dict(), "saving": 1.0 - one.emissions / now if now else None}

        return {
            "schema": SCHEMA,
            "name": self.name,
            "hours": self.hours,
            "energy_kwh": self.energy,
            "sentence": self.sentence,
            "worth_waiting": self.worth,
            "saving": self.saving,
            "now": self.now.to_dict(),
            "best": self.best.to_dict(),
            "worst": self.worst.to_dict(),
            "paused": with_saving(self.paused),
            "threshold": self.threshold,
            "cleanest": with_saving(self.cleanest),
            "stretch": self.stretch,
            "window_hours": self.window_hours,
            "signal": self.series.signal,
            "signal_means": MEANING[self.series.signal],
            "notes": list(self.notes),
            "sources": self.sources,
        }


def when(
    source: Source,
    series: Series,
    *,
    start: datetime | str | None = None,
    window: float | None = None,
    threshold: float | None = None,
    stretch: float | None = None,
    worth: float = WORTH,
    changes: Mapping[str, object] | None = None,
) -> Waiting:
    """The start within a window that emits least; what pausing would save.

    ``start`` is the earliest (the first of the series; a time without an offset is in the zone of
    the series, else in UTC; one within a step is taken as it is, later ones are whole steps),
    ``window`` how much later it may be at most (seconds; all that the series holds), ``threshold``
    an intensity in gCO2e/kWh above which it pauses; with ``stretch`` it may take so many times its
    duration, and runs in the cleanest hours.

    Raises:
        InputError: the run has no duration or energy, or the series is shorter than it.

    An hour in the cleanest of three, which begins an hour later:

    >>> from datetime import UTC
    >>> day = Series(start=datetime(2026, 1, 1, tzinfo=UTC), step=3600.0,
    ...              values=(300.0, 50.0, 200.0), signal="average", source="by hand")
    >>> run = {"measured": {"wall_clock": "1 h"}, "site": {"region": "FR"},
    ...        "hardware": {"accelerator": "h100-sxm5-80", "count": 8}}
    >>> when(run, day).best.start.isoformat()
    '2026-01-01T01:00:00+00:00'
    """
    from costcalc.calculator.calculate import estimate

    _asked_well(stretch, window)
    made = estimate(source, changes=changes, ranges=False)
    hours, energy = _known(made.results["wall_clock"]), _known(made.results["energy"])
    steps = hours * to_si(1.0, "h") / series.step
    first = asked(series, start)
    means = starts(np.array(series.values), steps)
    here = begun_at(np.array(series.values), steps, first.index)
    if here is None:
        raise wrong(
            "series",
            f"the run takes {human(hours, 'h')}, the series holds {series.hours:g} h"
            f" from {series.start.isoformat()}: a longer series is needed",
        )
    at = first.starts(len(means) - 1, None if window is None else window / series.step)
    chosen = np.concatenate([[here], means[at[1:].astype(int)]])
    if not np.isfinite(here):
        raise wrong(
            "series", f"the series has a gap within a run from {series.at(first.index).isoformat()}"
        )

    def begun(at: float, mean: float, elapsed: float, pauses: int = 0) -> Begun:
        return Begun(
            start=series.at(at),
            elapsed_hours=elapsed,
            emissions=mean * energy / 1e3,
            mean_intensity=mean,
            pauses=pauses,
        )

    def resumed(found: pausing.Paused | None) -> Begun | None:
        if found is None:
            return None
        elapsed = (found.end - first.over) * series.step / to_si(1.0, "h")
        return begun(first.step + found.first, found.mean, elapsed, found.pauses)

    now, best, worst = (
        begun(float(at[one]), float(chosen[one]), hours)
        for one in (0, int(np.nanargmin(chosen)), int(np.nanargmax(chosen)))
    )
    left, over = np.array(series.values[first.step :]), first.over
    paused, cleanest = None, None
    if threshold is not None:
        paused = resumed(pausing.above(left, steps, threshold, over))
    if stretch is not None:
        cleanest = resumed(pausing.cleanest(left, steps, stretch, over))
    saving = 1.0 - best.emissions / now.emissions if now.emissions else 0.0
    notes = [*first.notes, *_notes(series, chosen), *_pauses(paused, threshold, cleanest, stretch)]
    if stretch is not None and steps * stretch > len(left) - over:
        notes.append(
            f"{stretch:g} times the duration is more than the series holds: what it holds is used"
        )
    return Waiting(
        name=made.name,
        hours=hours,
        energy=energy,
        now=now,
        best=best,
        worst=worst,
        paused=paused,
        threshold=threshold,
        cleanest=cleanest,
        stretch=stretch,
        worth=saving >= worth,
        sentence=_sentence(now, best, saving, worth, hours),
        series=series,
        notes=tuple(notes),
        window_hours=float(at[-1] - at[0]) * series.step / to_si(1.0, "h"),
    )


def _asked_well(stretch: float | None, window: float | None) -> None:
    if pausing.checked(stretch):
        raise wrong("--pause-within", pausing.checked(stretch))
    if window is not None and window < 0:
        raise wrong("--window", f"expected 0 or more; got {window / to_si(1.0, 'h'):g} h")


def _known(figure: Result) -> float:
    if figure.value is None:
        raise wrong("when", f"needs the run's time and energy: {figure.why}")
    return figure.value


def starts(values: Array, steps: float) -> Array:
    """The mean intensity of a run of so many steps (a fraction counts) from each possible start.

    >>> starts(np.array([100.0, 200.0, 300.0, 100.0]), 1.5)
    array([133.33333333, 233.33333333, 233.33333333])
    """
    whole = math.floor(steps + 1e-9)
    rest = max(steps - whole, 0.0)
    rest = 0.0 if rest < 1e-9 else rest
    needed = whole + (1 if rest else 0)
    number = len(values) - needed + 1
    if number <= 0:
        return np.array([])
    missing, known = np.isnan(values), np.nan_to_num(values)
    total = np.concatenate([[0.0], np.cumsum(known)])
    gaps = np.concatenate([[0], np.cumsum(missing)])
    at = np.arange(number)
    sums = total[at + whole] - total[at]
    if rest:
        sums = sums + rest * known[at + whole]
    return np.where(gaps[at + needed] > gaps[at], np.nan, sums / steps)


def begun_at(values: Array, steps: float, index: float) -> float | None:
    """The mean intensity of a run of so many steps from a place within a step; None: too short.

    >>> begun_at(np.array([100.0, 200.0, 400.0]), 2.0, 0.5), begun_at(np.array([100.0]), 2.0, 0.5)
    (225.0, None)
    """
    end = index + steps
    if end > len(values) + 1e-9:
        return None
    if index == int(index):  # to the last digit as among the others
        return float(starts(values[int(index) :], steps)[0])
    at = np.arange(len(values))
    shares = np.clip(np.minimum(at + 1, end) - np.maximum(at, index), 0.0, 1.0)
    run = shares > 1e-9
    return float((shares[run] * values[run]).sum() / shares[run].sum())


def _sentence(now: Begun, best: Begun, saving: float, worth: float, hours: float) -> str:
    kept = human(now.emissions - best.emissions, "kgCO2e")
    wait = (best.start - now.start).total_seconds() / to_si(1.0, "h")
    if best.start == now.start:
        return "Start at once: no later start in the window emits less."
    text = f"a start at {best.start:%Y-%m-%d %H:%M} UTC, {human(wait, 'h')} later, saves "
    text += f"{percent(saving)} ({kept})"
    if saving >= worth:
        return f"Worth waiting: {text}."
    long = (
        "; a run that spans days meets every hour of them, so long runs gain little"
        if (hours >= 24)
        else ""
    )
    return f"Waiting is not worth it: {text}, less than {percent(worth)}{long}."


def _notes(series: Series, chosen: Array) -> list[str]:
    notes = [
        MEANING[series.signal],
        *series.notes,
        "operational emissions at the mean power of the run; making the hardware not counted",
    ]
    gaps = int(np.isnan(chosen).sum())
    if gaps:
        notes.append(f"{gaps} starts are left out for gaps in the series")
    return notes


def _pauses(
    paused: Begun | None, threshold: float | None, cleanest: Begun | None, stretch: float | None
) -> list[str]:
    notes = []
    if threshold is not None and paused is None:
        notes.append(f"pausing above {threshold:g} gCO2e/kWh: the run does not end in the series")
    if stretch is not None and cleanest is None:
        notes.append("the cleanest hours: the series has too many gaps for the run")
    if paused is not None or cleanest is not None:
        notes.append(
            "while paused nothing is counted: devices that are kept still cost and draw, "
            "and each pause takes a checkpoint and a restart"
        )
    return notes
