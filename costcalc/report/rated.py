"""Between what a recorded mean power can lie, by what the tool's meter sees of the machine."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from costcalc.base.errors import CostcalcError
from costcalc.calculator.plausible import implausible, of_part
from costcalc.catalog import accelerator, host
from costcalc.report.meters import number, section
from costcalc.report.tools import BOARDS_ONLY, NODES

Record = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """W of a board when idle and as rated, and of the host beside it; None is not known.

    ``host`` is the most, and ``least_host`` the least of it.
    """

    idle: float | None = None
    rated: float | None = None
    host: float | None = None
    least_host: float | None = None


def boards_only(part: object) -> bool:
    """Whether another tool recorded a part of a report by meters of its boards alone."""
    return section(part, "details", "imported").get("name") in BOARDS_ONLY


def of_recorded(part: Record) -> Iterator[str]:
    """What cannot be of a part of a report, a sentence each; the bounds are those it carries.

    Of an import they are of what its tool's meter sees, over the time that it saw.
    """
    held, tool = section(part, "details", "hardware"), section(part, "details", "imported")
    whole = bounds(str(held.get("id") or ""), str(tool.get("name")), number(held.get("count")))
    host = whole.host if tool else None  # of a machine with fewer devices than it may hold
    yield from of_part(part, boards=boards_only(part), sampled=_sampled(part), host=host)
    rated = number(held.get("rated_power"))
    runs = part.get("runs")
    for run in runs if isinstance(runs, list) and len(runs) == 1 else ():
        yield from _of_gpus(section(run), rated)


def of_row(row: Record, tool: str, part: Record) -> Iterator[str]:
    """The same of a run of an import, by the profiles of the devices that its row names."""
    hours = number(row.get("device_hours"))
    known = bounds(str(row.get("hardware") or ""), tool, number(row.get("devices")))
    yield from implausible(
        energy_it=number(row.get("energy_it")),
        device_hours=hours and hours * _sampled(part),
        idle=known.idle,
        rated=known.rated,
        host=known.host,
        boards=tool in BOARDS_ONLY,
        grid=number(row.get("grid")),
    )
    yield from _of_gpus(row, known.rated)


def _of_gpus(row: Record, rated: float | None) -> Iterator[str]:
    """What cannot be of the energy that a tool says of its boards apart from all else."""
    gpus = number(section(row, "parts").get("gpu"))
    hours = number(row.get("device_hours"))
    if rated is None:
        return
    for line in implausible(energy_it=gpus, device_hours=hours, rated=rated, boards=True):
        yield f"energy of its GPUs: {line}"


def _sampled(part: Record) -> float:
    """The share of the device-time of an import that its meter saw."""
    if not section(part, "details", "imported"):
        return 1.0
    gaps = number(section(part, "measurement").get("gaps"))
    return 1.0 - gaps if gaps is not None and 0 <= gaps < 1 else 1.0


def bounds(named: str, tool: str, devices: float | None) -> Bounds:
    """The bounds of a device of those that a tool names, as many as it metered.

    >>> bounds("NVIDIA A100-SXM4-80GB", "nvidia-smi", 1.0).rated
    400.0
    >>> bounds("a board that nobody knows", "nvidia-smi", 1.0)
    Bounds(idle=None, rated=None, host=None, least_host=None)
    """
    names = tuple(name for name in named.split(", ") if name)
    return Bounds() if tool in NODES else _bounds(names, max(devices or 1.0, 1.0))


@functools.lru_cache(maxsize=256)
def _bounds(names: tuple[str, ...], devices: float) -> Bounds:
    found = [_of_board(name, devices) for name in names]
    rated = [one.rated for one in found if one.rated is not None]
    if not names or len(rated) < len(names):
        return Bounds()
    idle = [one.idle for one in found if one.idle is not None]
    hosts = [one.host for one in found if one.host is not None]
    least = [one.least_host for one in found if one.least_host is not None]
    return Bounds(
        idle=min(idle) if len(idle) == len(names) else None,
        rated=max(rated),
        host=max(hosts, default=None),
        least_host=min(least, default=None),
    )


def _of_board(name: str, devices: float) -> Bounds:
    """A machine that holds fewer devices than the usual one has a host as large to itself."""
    try:
        board = accelerator.find(name)
    except CostcalcError:
        return Bounds()
    usual = host.choose(board.id)
    most = usual.power_per_device("high") or usual.power_per_device()
    least = usual.power_per_device("low")
    idle = board.idle_power
    return Bounds(
        idle=None if idle is None else idle.si_low or idle.si,
        rated=None if board.board_power is None else board.board_power.si,
        host=None if most is None else most * max(usual.devices / devices, 1.0),
        least_host=least,
    )
