"""The meters of one process: each source is asked on a thread of its own, which may hang.

Counters are read by us (NVML, AMD SMI, RAPL) and begin at once; CodeCarbon models what no counter
sees of the host.  Nothing here writes a file or opens a connection, and no lock that a fork needs
is held while a driver is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from costcalc.tracking.amd_smi import AmdSmi
from costcalc.tracking.aside import Aside
from costcalc.tracking.driven import Driven, NoDriverError
from costcalc.tracking.holders import computing
from costcalc.tracking.host_model import HostModel, leave
from costcalc.tracking.metered import Part, Share, all_of_it, ticks
from costcalc.tracking.notes import Notes
from costcalc.tracking.nvml import Nvml
from costcalc.tracking.rapl import Rapl
from costcalc.tracking.records import Device, Energy
from costcalc.tracking.sharing import Sharing, Signs

_WAIT = 2.0  # seconds in which a meter answers, else what it said last is taken
_LAST = 5.0  # the same for CodeCarbon at the end, which a short job does not know yet
# Seconds after which a source that failed is asked again, twice as many each time, up to an hour.
_AGAIN, _SELDOM = 60.0, 3600.0
_FIRST = 1.0  # seconds that the beginning waits for the devices to be known


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Joules since the start by what drew them; ``gaps`` seconds that were not seen."""

    energy: dict[str, Energy]
    gaps: float
    notes: tuple[str, ...]


class Source(Protocol):
    """A driver, or whatever says what several things draw."""

    @property
    def name(self) -> str:
        """As notes call it."""

    @property
    def every(self) -> float | None:
        """Seconds after which :meth:`sample` is due; None where it is of no use."""

    def open(self, began: float) -> list[Part]:
        """Begin to meter; may take long, may raise."""

    def sample(self) -> None:
        """Look between two readings."""


@dataclass(slots=True)
class _Asked:
    """A source on its thread, and what it said last."""

    source: Source
    note: Callable[[str], None]
    began: float
    parts: tuple[Part, ...] = ()
    said: Sequence[Part] = ()
    absent: str = ""
    known: bool = False  # whether it has said what there is, if nothing
    again: float | None = None  # when it is asked once more, as it failed
    patience: float = _AGAIN
    sampled: float = 0.0
    aside: Aside = field(init=False)

    def __post_init__(self) -> None:
        self.aside = Aside(f"costcalc-{self.source.name}")
        self.sampled = self.began

    def open(self) -> None:
        self.again = None
        try:
            self.parts = tuple(self.source.open(self.began))
            self.known, self.absent = True, ""
        except NoDriverError as error:
            self.absent, self.known = str(error), True
        except Exception as error:  # noqa: BLE001  (whatever a driver or CodeCarbon raises)
            self.absent = f"{type(error).__name__}: {error}"
            self.again = ticks() + self.patience
            self.patience = min(2 * self.patience, _SELDOM)

    def open_again(self) -> None:
        """Once more, where it failed: a month may follow upon a minute in which it could not."""
        if self.again is not None and ticks() >= self.again:
            self.again = None
            self.aside.do("open", self.open)

    @property
    def answered(self) -> bool:
        """Whether it has said what there is, and how much that came to."""
        return self.known and bool(self.said or not self.parts)

    @property
    def faults(self) -> tuple[str, ...]:
        """Why it has not begun, if it has failed."""
        failed = self.absent and not self.known
        return (f"{self.source.name} does not start: {self.absent}",) if failed else ()

    def read(self) -> None:
        for part in self.parts:
            try:
                part.advance()
            except Exception as error:  # noqa: BLE001
                self.note(f"{part.meter} failed: {type(error).__name__}: {error}")
        self.said = [replace(part) for part in self.parts]

    def wait(self, seconds: float) -> None:
        """For its answer, where it has not been silent for long."""
        if self.aside.taken < _LAST and not self.aside.wait(seconds):
            self.note(f"{self.source.name} does not answer: it is not waited for")

    def energy(self, until: float) -> dict[str, Energy]:
        """What it said last, and what it has not said since as a gap."""
        return {part.key: part.energy(until) for part in self.said}


class Meters:
    """The meters of one process; no method raises, or waits long for a driver.

    ``devices`` picks those to meter of the devices that are found; ``host`` meters CPU and memory,
    of which ``share`` says, at each reading, how much is the job's and how much other jobs took.
    What passed since ``began`` (:func:`ticks`) and before a meter answered is its gap.  ``cpu`` is
    what the processors are called.
    """

    def __init__(
        self,
        *,
        boot: str,
        host: bool = True,
        devices: Callable[[Sequence[Device]], Sequence[Device]] = tuple,
        share: Share = all_of_it,
        ours: Callable[[int], bool] = lambda _: True,
        signs: Signs | None = None,
        began: float | None = None,
        cpu: str = "",
    ) -> None:
        self._notes = Notes()
        self._began = ticks() if began is None else began
        note = self._notes.add
        self._share = share
        self._instead: tuple[str, ...] = ()
        self._named = Aside("costcalc-host")
        sharing = Sharing(ours, signs, note, lambda: computing(ours))
        self._model = HostModel(boot, self._hosts, self._began, cpu) if host else None
        sources: list[Source] = [Nvml(devices, sharing, note), AmdSmi(devices, sharing, note)]
        if self._model is not None:
            sources += [Rapl(boot, self._hosts), self._model]
        self._asked = [_Asked(each, note, self._began) for each in sources]

    @property
    def picked(self) -> tuple[Device, ...]:
        """The devices that are metered."""
        parts = [part for asked in self._asked for part in asked.parts]
        return tuple(part.device for part in parts if part.device is not None)

    @property
    def keys(self) -> tuple[str, ...]:
        """What is metered, as far as it is known by now."""
        return tuple(part.key for asked in self._asked for part in asked.parts)

    @property
    def absent(self) -> dict[str, str]:
        """The sources that say nothing, and why."""
        return {each.source.name: each.absent for each in self._asked if each.absent}

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The drivers of devices that have not said which there are: they hang, or fail."""
        drivers = (each for each in self._asked if isinstance(each.source, Driven))
        return tuple(each.source.name for each in drivers if not each.known)

    @property
    def hidden(self) -> int:
        """Devices of the machine that their driver names and the job may not use."""
        found = sum(len(getattr(each.source, "found", ())) for each in self._asked)
        return found - len(self.picked)

    def start(self) -> None:
        """Begin; what is quickly known is known afterwards, the rest comes with the readings."""
        self._mark()
        for asked in self._asked:
            asked.aside.do("open", asked.open)
        until = ticks() + _FIRST
        for asked in self._asked:
            if asked.source is not self._model:
                asked.aside.wait(max(until - ticks(), 0.0))

    def sample(self) -> None:
        """Have those looked at whose power changes between readings; returns at once."""
        if self._model_waits:  # the thread that asks for it waits; to look does not
            self._mark()
        now = ticks()
        for asked, every in self._sampled():
            if now - asked.sampled >= every:
                asked.sampled = now
                asked.aside.do("sample", asked.source.sample)

    @property
    def needs_samples(self) -> bool:
        """Whether :meth:`sample` is of use."""
        return self._model_waits or bool(self._sampled())

    @property
    def _model_waits(self) -> bool:
        """Whether the load is of use to a model that is not known yet."""
        model = any(each.source is self._model and not each.known for each in self._asked)
        return model and not self._cpu_is_counted

    @property
    def _cpu_is_counted(self) -> bool:
        return any(part.key.startswith("cpu:") for part in self._parts_of_counters())

    def _sampled(self) -> list[tuple[_Asked, float]]:
        """Sources that want to be looked at, and how often; no model where a counter reads."""
        counted = self._cpu_is_counted
        return [
            (asked, every)
            for asked in self._asked
            if asked.parts and (every := asked.source.every) is not None
            if not (counted and asked.source is self._model)
        ]

    def _parts_of_counters(self) -> list[Part]:
        return [p for each in self._asked if each.source is not self._model for p in each.parts]

    def read(self, *, last: bool = False, until: Callable[[], float] = ticks) -> Reading:
        """What was drawn so far; a meter that does not answer in time is taken as it was.

        What was not seen ``until`` then (:func:`ticks`) is a gap.  The model of the host, which
        may not be known yet, is waited for with the ``last`` reading.
        """
        self._mark()
        for asked in self._asked:
            if not last:
                asked.open_again()
            asked.aside.do("read", asked.read)
        began, energy = ticks(), dict[str, Energy]()
        for asked in self._asked:
            model = asked.source is self._model
            if last or not model:
                asked.wait(max(began + (_LAST if model else _WAIT) - ticks(), 0.0))
        end = until()
        for asked in self._asked:
            metered = {each.component for each in energy.values()}
            energy |= {
                key: each
                for key, each in asked.energy(end).items()
                if not (asked.source is self._model and each.component in metered)
            }
        energy |= self._by_name(end, energy)
        gaps = max((each.gap for each in energy.values()), default=end - self._began)
        faults = [fault for asked in self._asked for fault in asked.faults]
        if last:
            leave()
        return Reading(energy=energy, gaps=gaps, notes=(*self._notes, *faults, *self._instead))

    def _by_name(self, end: float, energy: Mapping[str, Energy]) -> dict[str, Energy]:
        """The host by its processors' name, as long as CodeCarbon has not answered."""
        model, self._instead = self._model, ()
        asked = next((each for each in self._asked if each.source is model), None)
        if model is None or asked is None or asked.answered:
            return {}
        found: list[tuple[dict[str, Energy], str]] = []
        self._named.do("name", lambda: found.append(model.by_name(end)))
        self._named.wait(_WAIT)  # the share of the host is asked, of a folder that may hang
        if not found:
            return {}
        (named, how), metered = found[0], {each.component for each in energy.values()}
        lacking = {key: each for key, each in named.items() if each.component not in metered}
        if lacking:
            self._instead = (
                f"{model.name} has not answered: the host is modelled by name ({how})",
            )
        return lacking

    def _hosts(self) -> tuple[float, float]:
        try:
            return self._share()
        except Exception as error:  # noqa: BLE001
            self._notes.add(f"the share of the host is not known: {error}")
            return 1.0, 0.0

    def _mark(self) -> None:
        try:
            if self._model is not None:
                self._model.mark()
        except Exception as error:  # noqa: BLE001  (without psutil, or in an odd container)
            self._notes.add(f"the load of the host is not known: {type(error).__name__}: {error}")
