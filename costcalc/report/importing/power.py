"""Power sampled over time, device by device, to energy: the integral, with its gaps named.

Between two samples power is taken to go straight from one to the other (the trapezoidal rule).  An
interval far longer than the usual one is a gap: nothing was metered there, and nothing is added.
So is the time before a device's first sample and after its last while the log goes on.  The range
goes up to what the device would have drawn there at its rating, or at the most that was seen of it.
Half an hour and more in which no device was read is a pause: of a run that was resumed nothing was
held there, so that neither time nor energy of it counts, and it is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from costcalc.base.human import number_of
from costcalc.report.importing.build import Recorded, report
from costcalc.report.importing.cells import refuse
from costcalc.report.importing.costed import Costing
from costcalc.report.rated import bounds
from costcalc.report.tools import BOARDS, LOWER_BOUND, unsampled

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

#: an interval of more than so many usual ones is a gap
GAP = 5.0
#: seconds, and usual intervals, from which nothing having been read is a pause (chosen)
PAUSE, PAUSES = 1800.0, 100.0
#: so many intervals before a device's first sample, or after its last, are one: it was to be read
#: once in each, whatever its turn among the devices
EDGE = 1.5
#: devices that are read one after the other stand so many times closer than a device's own samples
_BURST = 10.0
#: readings of several loggers in one file: so many seconds apart at most (chosen), and so many
#: times closer than those of one
_MOMENT, _APART = 1.0, 20.0
_FEW = 4  # pauses at least: fewer are gaps
_MOST = 16  # devices of a node


@dataclass(slots=True)
class Samples:
    """The samples of one device: seconds and watts, in their order."""

    name: str = ""
    seconds: list[float] = field(default_factory=list)
    watts: list[float] = field(default_factory=list)
    dropped: int = 0  # samples that step back in time
    zeros: int = 0  # samples of 0 W, which are no power of a board that is on
    silent: list[float] = field(default_factory=list)  # when it was asked and said none

    def add(self, second: float, watt: float) -> None:
        """One more sample; one that steps back in time (a clock set) is left out and counted.

        So is one of 0 W: a sensor's error, after which nothing is known until the next.
        """
        if watt <= 0:
            self.zeros += 1
            self.silent.append(second)
        elif not self.seconds or second > self.seconds[-1]:
            self.seconds.append(second)
            self.watts.append(watt)
        elif second < self.seconds[-1]:
            self.dropped += 1

    def heard(self) -> list[float]:
        """When it was read or asked: of a device without a sample nothing is known to have run."""
        return [*self.seconds, *self.silent] if self.seconds else []


@dataclass(frozen=True, slots=True)
class Metered:
    """Joules over the seconds that were metered, and the seconds of gaps between."""

    joules: float
    seconds: float
    gaps: float


def integrated(samples: Samples, start: float | None = None, end: float | None = None) -> Metered:
    """The energy of one device; ``start`` and ``end`` are those of the whole log, in seconds.

    >>> integrated(Samples("a", [0.0, 1.0, 2.0], [100.0, 200.0, 100.0]))
    Metered(joules=300.0, seconds=2.0, gaps=0.0)
    >>> integrated(Samples("a", [0.0, 1.0, 2.0], [100.0, 200.0, 100.0]), 0.0, 10.0)
    Metered(joules=300.0, seconds=2.0, gaps=8.0)
    """
    samples = _once(samples)
    steps = list(pairwise(samples.seconds))
    usual = _usual([after - before for before, after in steps])
    joules = seconds = gaps = 0.0
    for number, (before, after) in enumerate(steps):
        if after - before > GAP * usual:
            gaps += after - before
            continue
        seconds += after - before
        joules += (samples.watts[number] + samples.watts[number + 1]) / 2 * (after - before)
    first, last = samples.seconds[0], samples.seconds[-1]
    edges = (first - (first if start is None else start), (last if end is None else end) - last)
    gaps += sum(edge for edge in edges if edge > EDGE * usual)
    return Metered(joules, seconds, gaps)


def _once(samples: Samples) -> Samples:
    """The samples without those that another logger of the same file took a moment later.

    Of two or three loggers a third of the steps or more are long, and each of the others is far
    shorter; a burst of samples with a pause behind has more of the short ones.

    >>> seconds = [0.0, 0.01, 10.0, 10.01, 20.0, 20.01, 30.0, 30.01, 40.0, 40.01]
    >>> _once(Samples("a", seconds, [300.0] * 10)).seconds
    [0.0, 10.0, 20.0, 30.0, 40.0]
    """
    steps = [after - before for before, after in pairwise(samples.seconds)]
    moment = min(_MOMENT, max(steps, default=0.0) / _APART)
    long = [step for step in steps if step >= moment]
    short = [step for step in steps if step < moment]
    few = len(long) < max((len(steps) - 2) / 3, _FEW)
    if few or not short or _APART * max(short) > min(long):
        return samples
    kept = [0, *(at + 1 for at, step in enumerate(steps) if step >= moment)]
    seconds, watts = ([of[at] for at in kept] for of in (samples.seconds, samples.watts))
    return Samples(samples.name, seconds, watts, silent=samples.silent)


def _usual(steps: Sequence[float]) -> float:
    """The usual interval: that of the shorter half, since a log in bursts has as many long ones.

    >>> _usual([10.0, 90.0, 10.0, 90.0]), _usual([1.0, 1.0, 300.0])
    (10.0, 1.0)
    """
    return median(sorted(steps)[: (len(steps) + 1) // 2]) if steps else 0.0


def burst(seconds: Sequence[float]) -> int:
    """How many devices a log is of whose rows do not say of which they are; 1 where it may be one.

    A tool that reads every device in turn leaves rows in bursts: two rows of one moment, or every
    so many rows a pause that is far longer than those between.

    >>> burst([0.0, 0.01, 1.0, 1.01, 2.0, 2.01]), burst([0.0, 1.0, 2.0, 2.0, 3.0]), burst([0, 1, 9])
    (2, 2, 1)
    """
    steps = [end - start for start, end in pairwise(seconds)]
    for count in range(2, _MOST + 1):
        between, within = steps[count - 1 :: count], list(steps)
        del within[count - 1 :: count]
        if len(between) > 1 and median(between) > _BURST * median(map(abs, within)):
            return count
    return 2 if 0.0 in steps else 1


def of_samples(
    devices: Mapping[str, Samples],
    file: str,
    *,
    tool: str,
    name: str,
    costing: Costing | None,
    warnings: Iterable[str] = (),
    version: str | None = None,
    dated: bool = True,
    least: bool = False,
    by_others: Sequence[float] = (),
    beyond: float = 0.0,
) -> Report:
    """The report of one run whose devices' power was sampled.

    ``dated``: the seconds count from 1970, so that another log of the same time is noticed;
    ``least``: the energy is a lower bound for a reason that ``warnings`` say.  ``by_others``: what
    other meters say that the energy (J) is, so that the range holds it; ``beyond``: what
    it may be more (J) for what no meter saw.

    Raises:
        InputError: no device has two samples.
    """
    found = {key: one for key, one in devices.items() if one.seconds}
    if not any(len(one.seconds) > 1 for one in found.values()):
        zeros = _zeros(devices.values())
        told = f" ({zeros}, which no board that is on draws)" if zeros else ""
        message = f"expected the power of a device at two times or more; {tool} has none{told}"
        raise refuse(file, message)
    heard = [second for one in found.values() for second in one.heard()]
    start = min(heard)
    spans = between_pauses(heard)
    metered = [_over(one, spans) for one in found.values()]
    seconds = sum(last - first for first, last in spans)
    gaps = sum(one.gaps for one in metered) / max(seconds * len(metered), 1e-9)
    kinds = list(dict.fromkeys(one.name for one in found.values() if one.name))
    joules = sum(one.joules for one in metered)
    unseen = zip(metered, found.values(), strict=True)
    whole = joules + sum(one.gaps * most(device) for one, device in unseen)
    ends = [joules, whole + beyond, *by_others]
    run = Recorded(
        key=_fingerprint(found),
        name="run 1",
        hours=seconds / 3600,
        devices=float(len(found)),
        hardware=", ".join(kinds) or None,
        energy_it=joules / 3.6e6,
        energy_low=min(ends) / 3.6e6 if min(ends) < joules else None,
        energy_high=max(ends) / 3.6e6 if max(ends) > joules else None,
        began=_stamp(start) if dated else None,
        machine=_machine(found) if dated else None,
        why={
            "energy": "the PUE is not known",
            "carbon_operational": "neither PUE nor grid is recorded",
        },
    )
    return report(
        [run],
        name=name,
        tool=tool,
        version=version,
        boundary=BOARDS,
        gaps=gaps,
        least=least or any(one.dropped for one in devices.values()),
        warnings=[*_notes(devices, metered, gaps), *_paused(spans), *warnings],
        costing=costing,
    )


def between_pauses(heard: Iterable[float]) -> list[tuple[float, float]]:
    """From when to when devices were read (s), without the pauses between.

    >>> between_pauses([*range(0, 600, 10), *range(9000, 9600, 10)])
    [(0, 590), (9000, 9590)]
    >>> between_pauses([0, 10, 20, 1800])
    [(0, 1800)]
    """
    told = sorted(set(heard))
    steps = [after - before for before, after in pairwise(told)]
    least = max(PAUSE, PAUSES * _usual(steps))
    at = [number for number, step in enumerate(steps) if step >= least]
    firsts = [told[0], *(told[number + 1] for number in at)]
    return list(zip(firsts, [*(told[number] for number in at), told[-1]], strict=True))


def _over(samples: Samples, spans: Sequence[tuple[float, float]]) -> Metered:
    """The energy of one device over spans of time."""
    if len(spans) == 1:
        return integrated(samples, *spans[0])
    made = []
    for first, last in spans:
        pairs = zip(samples.seconds, samples.watts, strict=True)
        inside = [(second, watt) for second, watt in pairs if first <= second <= last]
        part = Samples(samples.name, [one for one, _ in inside], [watt for _, watt in inside])
        made.append(integrated(part, first, last) if inside else Metered(0.0, 0.0, last - first))
    return Metered(*(sum(getattr(m, key) for m in made) for key in ("joules", "seconds", "gaps")))


def _paused(spans: Sequence[tuple[float, float]]) -> Iterator[str]:
    """What is said of pauses, in which devices may have been held all the same."""
    if len(spans) == 1:
        return
    seconds = sum(last - first for first, last in spans)
    whole = spans[-1][1] - spans[0][0]
    pauses = number_of(len(spans) - 1, "pause")
    paused, whole, hours = ((s / 3600) for s in (whole - seconds, whole, seconds))
    yield (
        f"not counted: {pauses} of {paused:.3g} h in which no device was read, as of a run that "
        f"was resumed; devices that were held in them were for {whole:.3g} h, not {hours:.3g} h"
    )


def _notes(
    devices: Mapping[str, Samples], metered: Sequence[Metered], gaps: float
) -> Iterator[str]:
    """What the energy is of, and what of it is not in the figure."""
    found = [one for one in devices.values() if one.seconds]
    yield f"energy: {BOARDS}"
    if gaps:
        longest = max(one.gaps for one in metered)
        yield (
            f"{unsampled(gaps)} of the time (up to {longest:,.0f} s a device): that energy is not "
            f"in the figure, {LOWER_BOUND}"
        )
        yield _up_to(found)
    dropped = sum(one.dropped for one in devices.values())
    if dropped:
        yield (
            f"left out: {number_of(dropped, 'sample')} that would step back in time, {LOWER_BOUND}"
        )
    zeros = _zeros(devices.values())
    if zeros:
        yield f"left out: {zeros}, which no board that is on draws: {_ERROR}"
    silent = len(devices) - len(found)
    if silent:
        yield (
            f"{silent} of {len(devices)} devices never say their power: neither their energy nor "
            "their time is counted"
        )


_ERROR = "an error of its sensor"


def _zeros(devices: Iterable[Samples]) -> str:
    """How many samples say 0 W; empty where none does."""
    zeros = sum(one.zeros for one in devices)
    return f"{number_of(zeros, 'sample')} of 0 W" if zeros else ""


def most(device: Samples) -> float:
    """The most (W) that a device can have drawn while nobody looked, as far as it is known."""
    return max(bounds(device.name, "", 1.0).rated or 0.0, *device.watts)


def _up_to(devices: Iterable[Samples]) -> str:
    by = (
        "their rating"
        if all(bounds(one.name, "", 1.0).rated for one in devices)
        else "the most that was seen of each, where its rating is not known"
    )
    return f"the range goes up to what the boards would have drawn in that time at {by}"


def _machine(devices: Mapping[str, Samples]) -> str:
    """What kinds of machines are told apart by: the devices, as the log calls them."""
    return "|".join(sorted(f"{key} {one.name}" for key, one in devices.items()))


def _stamp(second: float) -> str | None:
    """The time of a second since 1970; None of what is no time of people's."""
    try:
        return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _fingerprint(devices: Mapping[str, Samples]) -> str:
    """What tells a log apart: its samples, not where it lies."""
    told = [(key, one.seconds, one.watts) for key, one in sorted(devices.items())]
    return hashlib.sha256(repr(told).encode()).hexdigest()
