"""Processors and memory by RAPL, as Linux shows it under ``/sys/class/powercap``.

A zone is a folder with its ``name``, its count in µJ (``energy_uj``) and where that starts over
(``max_energy_range_uj``); see https://docs.kernel.org/power/powercap/powercap.html.  Packages are
processors, ``dram`` within them is memory; what is within a package otherwise is a part of it, and
``psys`` is another view of the whole.  AMD's processors show the same folders, without ``dram``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from costcalc.tracking.driven import NoDriverError
from costcalc.tracking.metered import Counter, Part, Share
from costcalc.tracking.records import Component

NAME = "RAPL"
ROOT = Path("/sys/class/powercap")
_ZONE = re.compile(r"intel-rapl:\d+(:\d+)?")  # not intel-rapl-mmio, a second view of the first
_EVERY = 60.0  # a count of 262 kJ, as servers have, starts over after ten minutes of 400 W
_ALIKE = 1.0  # joules: zones that differ by less show the same counter, a die each


@dataclass(frozen=True, slots=True)
class _Zone:
    path: Path
    component: Component

    def joules(self) -> float:
        return int((self.path / "energy_uj").read_text(encoding="ascii")) / 1e6

    def full(self) -> float:
        with suppress(OSError, ValueError):
            return int((self.path / "max_energy_range_uj").read_text(encoding="ascii")) / 1e6
        return 0.0


def _zones(root: Path) -> Iterator[_Zone]:
    for path in sorted(root.glob("intel-rapl:*")):
        if not _ZONE.fullmatch(path.name):
            continue
        name = ""
        with suppress(OSError):
            name = (path / "name").read_text(encoding="ascii").strip()
        if name.startswith("package"):
            yield _Zone(path, "cpu")
        elif name == "dram":
            yield _Zone(path, "memory")


class Rapl:
    """The processors and the memory of this machine, of which ``share`` is the job's."""

    name = NAME

    def __init__(self, boot: str, share: Share) -> None:
        self._boot, self._share = boot, share
        self._parts: list[Part] = []

    def open(self, began: float) -> list[Part]:
        """Begin to meter.

        Raises:
            NoDriverError: there are no counters, or none that this user may read.
        """
        zones = list(_zones(ROOT))
        if not zones:
            raise NoDriverError(f"no counters in {ROOT}")
        seen: list[tuple[Component, float]] = []
        for zone in zones:
            try:
                joules = zone.joules()
            except (OSError, ValueError) as error:
                said = getattr(error, "strerror", None) or error
                raise NoDriverError(f"{zone.path}/energy_uj cannot be read: {said}") from None
            if any(c == zone.component and abs(joules - j) < _ALIKE for c, j in seen if joules):
                continue
            seen.append((zone.component, joules))
            number = sum(c == zone.component for c, _ in seen) - 1
            self._parts.append(
                Part(
                    key=f"{zone.component}:{self._boot}" + (f":{number}" if number else ""),
                    component=zone.component,
                    basis="measured",
                    meter=NAME,
                    reader=Counter(zone.joules, zone.full()),
                    began=began,
                    share=self._share,
                )
            )
        return self._parts

    def sample(self) -> None:
        """Read the counters before they start over."""
        for part in self._parts:
            with suppress(Exception):  # it is told when it is read
                part.advance()

    @property
    def every(self) -> float | None:
        """Seconds after which :meth:`sample` is due."""
        return _EVERY
