"""Devices that a driver tells of: their energy counters, else their power, and who computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from costcalc.tracking.metered import Counter, Part, Power
from costcalc.tracking.records import Device
from costcalc.tracking.sharing import Sharing, Users


class NoDriverError(Exception):
    """There is nothing to ask: no library, or no driver behind it."""


class Driven:
    """The devices of a process: of those that its driver finds the ones that it ``picks``.

    A driver of its own opens it, and says what is read of each.
    """

    name = ""

    def __init__(
        self,
        picks: Callable[[Sequence[Device]], Sequence[Device]],
        sharing: Sharing,
        note: Callable[[str], None],
    ) -> None:
        self.found: tuple[Device, ...] = ()
        self._picks, self._sharing, self._note = picks, sharing, note
        self._power: list[Power] = []

    def sample(self) -> None:
        """Look at the power of the devices that have no counter."""
        for each in self._power:
            with suppress(Exception):  # it is told when it is read
                each.sample()

    @property
    def every(self) -> float | None:
        """Seconds after which :meth:`sample` is of use; None where it is of none."""
        return 1.0 if self._power else None

    def _parts(self, part: Callable[[Device], Part]) -> list[Part]:
        """Those of the devices that are picked; of one that says nothing, a note."""
        parts = []
        for device in self._picks(self.found):
            try:
                parts.append(part(device))
            except Exception as error:  # noqa: BLE001  (this one: the others go on)
                said = f"{type(error).__name__}: {error}"
                self._note(
                    f"{self.name}: device {device.index} says neither energy nor power: {said}"
                )
        return parts

    def _part(
        self,
        device: Device,
        *,
        joules: Callable[[], float],
        watts: Callable[[], float],
        users: Callable[[], Users],
        began: float,
    ) -> Part:
        """A device by its counter of ``joules``, by its ``watts`` where that does not answer."""
        reader: Counter | Power
        try:
            reader, meter = Counter(joules), f"{self.name} energy counter"
        except Exception:  # noqa: BLE001  (one from before Volta, or a guest of a hypervisor)
            reader, meter = Power(watts), f"{self.name} power, averaged"
            self._power.append(reader)
        return Part(
            key=f"gpu:{device.uuid}",
            component="device",
            basis="measured",
            meter=meter,
            reader=reader,
            began=began,
            device=device,
            share=lambda: self._sharing.of(device, users),
            unsure=lambda: self._sharing.unsure(device),
        )
