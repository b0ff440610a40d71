"""What a job held by the cluster's own words: which profile its devices are, and how many of them.

A node that ``nodes:`` names comes first, then what the scheduler calls the device (``devices:``),
then the partition's accelerator, then the scheduler's word as a name of the catalogue.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from costcalc.base.errors import CostcalcError
from costcalc.calculator.plausible import ABOVE_RATING, BELOW_IDLE
from costcalc.catalog import accelerator as accelerators
from costcalc.catalog.parts import mig_of
from costcalc.fleet.cluster import Cluster
from costcalc.fleet.facts import Facts
from costcalc.report.importing.nodes import expanded
from costcalc.resolve.names import left_open

#: of its rating, what a board draws when idle of which that is not known: no profile has less
#: (rtx-4090: 15 of 450 W)
LEAST_IDLE = 0.033
_NOTHING = "nothing says which device: give partitions.NAME.accelerator in fleet.yaml"
_NOTHING_OF_PODS = (
    "nothing says which device: in fleet.yaml give nodes (by their names), or "
    "partitions.default.accelerator where all nodes have the same; a nodeSelector of the pod "
    "(nvidia.com/gpu.product) says it too"
)


@dataclass(frozen=True, slots=True)
class Held:
    """A profile, and devices in its unit; None with the reason where it is not known."""

    accelerator: str | None
    devices: float | None
    why: str = ""


class Holdings:
    """The devices of a cluster's jobs, each asked for once."""

    def __init__(self, cluster: Cluster) -> None:
        self.fleet, self.folder = cluster.fleet, cluster.folder
        self.folders: Sequence[Path] = (
            ((cluster.folder or Path()) / self.fleet.profiles,) if self.fleet.profiles else ()
        )
        self._nodes = {
            node: device for names, device in self.fleet.nodes.items() for node in expanded(names)
        }
        self._devices = {name.lower(): device for name, device in self.fleet.devices.items()}
        self.notes: list[str] = []  # of names that several boards have
        self._named = functools.lru_cache(maxsize=65_536)(self._look)
        self._idles = functools.lru_cache(maxsize=1024)(self._idle)
        self._ratings = functools.lru_cache(maxsize=1024)(self._rated)

    def held(self, facts: Facts) -> Held:
        """What an attempt held."""
        devices, partition = facts.devices, self.fleet.partition(facts.partition)
        if devices is None and facts.shards and partition.shards:
            devices = facts.shards / partition.shards
        if devices is None:
            return Held(None, None, facts.why or "the source names no devices")
        if devices == 0:
            return Held(None, 0.0)
        if len(facts.kinds) > 1:
            return Held(
                None, devices, f"several kinds of device in one job: {', '.join(facts.kinds)}"
            )
        node = (facts.node_list or "") if self._nodes else ""
        found, dies, why = self._named(partition.accelerator, facts.kinds[:1], node)
        if why == _NOTHING and facts.source == "kubernetes":  # which has no partitions
            why = _NOTHING_OF_PODS
        return Held(found, devices / dies, why)

    def dies(self, partition: str | None) -> float:
        """How many devices the scheduler counts of one of a partition's."""
        facts = Facts(
            source="slurm", cluster="", job="", attempt="", start=None, end=None, seconds=1.0,
            state="running", partition=partition, devices=1.0,
        )  # fmt: skip
        one = self.held(facts)
        return 1.0 / one.devices if one.devices else 1.0

    def idle(self, accelerator: str | None) -> float | None:
        """The least W that a device of a profile draws when idle; None where that is not known."""
        return self._idles(accelerator) if accelerator else None

    def most(self, accelerator: str | None) -> float | None:
        """The most W that a board of a profile draws over a run; None where that is not known."""
        rated = self._ratings(accelerator) if accelerator else None
        return None if rated is None else ABOVE_RATING * rated

    def disbelieved(self, facts: Facts, own: Held, host: float = 0.0) -> str:
        """Why a meter of an attempt cannot be right; empty where nothing speaks against it.

        Boards that are held draw what they draw when idle at least, and their nodes that and
        ``host`` beside each (W): less is a meter of a part of them, as RAPL is of processors.
        """
        if facts.joules is None or not own.devices or not facts.seconds:
            return ""
        watts, idle = facts.joules / facts.seconds / own.devices, self.idle(own.accelerator)
        if watts > BELOW_IDLE * ((idle or 0.0) + host):
            return ""
        if watts > BELOW_IDLE * (idle or 0.0):
            least = f"{own.accelerator} draws when idle with its share of the host"
            return (
                f"{facts.meter} says {watts:.3g} W a device, less than {least} "
                f"({(idle or 0.0) + host:.3g} W): a meter of a part of the node? taken as unknown"
            )
        what = f"less than {own.accelerator} draws when idle ({idle:.3g} W)" if idle else "0 W"
        return f"{facts.meter} says {what}: taken as unknown"

    def _idle(self, accelerator: str) -> float | None:
        try:
            found = accelerators.find(accelerator, self.folders)
        except CostcalcError:
            return None
        figure = found.idle_power
        if figure is None:
            return None if found.board_power is None else LEAST_IDLE * found.board_power.si
        if "at the wall" in (figure.note or ""):  # of all the machine, which a board's meter is not
            return None
        return figure.si_low or figure.si

    def _rated(self, accelerator: str) -> float | None:
        try:
            found = accelerators.find(accelerator, self.folders)
        except CostcalcError:
            return None
        return None if found.board_power is None else found.board_power.si

    def _look(
        self, usual: str | None, kinds: tuple[str, ...], node_list: str
    ) -> tuple[str | None, int, str]:
        """The profile's id, and how many of the scheduler's devices one of it is."""
        name, why = self._name(usual, kinds, node_list)
        if name is None:
            return None, 1, why
        try:
            found = accelerators.find(name, self.folders)
        except CostcalcError as error:
            return None, 1, str(error).splitlines()[0]
        counted = found.sub_devices.count if "mi250" in found.id else 1  # Slurm counts their dies
        mig = mig_of(name)
        by_type = kinds and not usual and name == _board(kinds[0], self.folders)
        note = left_open(kinds[0] if by_type else name, found)
        if note and note not in self.notes:
            self.notes.append(note)
        return (name if mig else found.id), counted, ""

    def _name(
        self, usual: str | None, kinds: tuple[str, ...], node_list: str
    ) -> tuple[str | None, str]:
        of_nodes = {self._nodes[n] for n in expanded(node_list) if n in self._nodes}
        if len(of_nodes) > 1:
            return None, f"its nodes hold several devices: {', '.join(sorted(of_nodes))}"
        if of_nodes:
            return of_nodes.pop(), ""
        called = kinds[0] if kinds else ""
        board = _board(called, self.folders)
        mig = mig_of(called)
        words = (called, mig.board if mig else called, _first_word(called))
        said = next((d for w in words if (d := self._devices.get(w.lower()))), None)
        if said is None and usual and board and _another(usual, board, self.folders):
            why = f"the scheduler says {called}, its partition {usual}: give devices in fleet.yaml"
            return None, why
        if said or usual or board:
            return said or usual or board, ""
        return None, _NOTHING


def _board(called: str, folders: Sequence[Path]) -> str:
    """The board of a scheduler's type, of a MIG instance too; else the first word of the type."""
    try:
        return accelerators.find(called, folders).id if called else ""
    except CostcalcError:
        return _first_word(called)


def _first_word(called: str) -> str:
    return re.split(r"[_.]", called, maxsplit=1)[0]


def _another(usual: str, board: str, folders: Sequence[Path]) -> bool:
    """Whether a scheduler's word is the name of a device of another generation."""
    if board.lower() in usual.lower():
        return False
    try:
        found, meant = (accelerators.find(name, folders) for name in (board, usual))
    except CostcalcError:
        return False  # a word of the site's own
    return found.generation != meant.generation
