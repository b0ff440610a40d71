"""The meters of one process of a job: its devices, its share of the host, its neighbours."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from costcalc.tracking import detect, meters, sharing
from costcalc.tracking.aside import Aside
from costcalc.tracking.metered import ticks
from costcalc.tracking.neighbours import Neighbours

if TYPE_CHECKING:
    from costcalc.tracking.detect import HostShare
    from costcalc.tracking.meters import Meters, Reading
    from costcalc.tracking.records import Device, Place

_WAIT = 3.0  # seconds in which a driver says which devices there are


class Metering:
    """What a process meters; nothing before :meth:`begin`.

    The process has been tracked for ``elapsed`` seconds: what a meter missed of them is its gap.
    """

    def __init__(
        self, place: Place, boot: str, found: HostShare, *, elapsed: float, training: str
    ) -> None:
        self._place, self._boot, self._began = place, boot, ticks() - elapsed
        self._cpu = found.cpu
        self._neighbours = Neighbours(place.job, boot, found, training=training)
        self._meters: Meters | None = None
        self._driver = Aside("costcalc-driver")

    @property
    def begun(self) -> bool:
        """Whether anything is metered by this process."""
        return self._meters is not None

    @property
    def devices(self) -> tuple[Device, ...]:
        """The devices that this process meters, as far as their drivers have answered."""
        return self._meters.picked if self._meters else ()

    @property
    def silent(self) -> dict[str, object]:
        """What says nothing here, and why; devices that the job does not see."""
        if self._meters is None:
            return {}
        return {
            "unmetered": self._meters.absent,
            "unanswered": self._meters.unanswered,
            "hidden_devices": self._meters.hidden,
        }

    @property
    def keys(self) -> tuple[str, ...]:
        """What this process meters."""
        return self._meters.keys if self._meters else ()

    def begin(self, *, host: bool) -> None:
        """Begin to meter the job's devices that this process sees, and its host."""
        found = meters.Meters(
            boot=self._boot,
            host=host,
            share=self._neighbours.split,
            devices=self._of_the_job,
            ours=sharing.of_the_job(self._place),
            signs=self._neighbours,
            began=self._began,
            cpu=self._cpu,
        )
        found.start()
        self._meters = found

    def _of_the_job(self, found: Sequence[Device]) -> Sequence[Device]:
        mine = detect.of_the_job(detect.visible(found, os.environ), self._place)
        self._neighbours.holds(device.uuid for device in mine)
        return mine

    def seen_by_driver(self) -> set[str]:
        """The devices that this process may use; none where the driver does not answer."""
        seen: set[str] = set()
        self._driver.do("look", lambda: seen.update(d.uuid for d in detect.seen_by_driver()))
        self._driver.wait(_WAIT)
        return set(seen)

    @property
    def needs_samples(self) -> bool:
        """Whether :meth:`sample` is of use."""
        return self._meters is not None and self._meters.needs_samples

    def sample(self) -> None:
        """Look at what changes between two readings."""
        if self._meters is not None:
            self._meters.sample()

    def read(self, elapsed: Callable[[], float], *, last: bool = False) -> Reading | None:
        """What was drawn in the seconds that ``elapsed``; None where nothing is metered."""
        if self._meters is None:
            return None
        return self._meters.read(last=last, until=lambda: self._began + elapsed())

    def leave(self) -> None:
        """The neighbours have the node to themselves."""
        self._neighbours.leave()
