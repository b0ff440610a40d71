"""Measured figures that cannot be: more than the peak, less power than idle, more than rated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

#: W a device with its share of a host that no accelerator sold so far comes near.
MOST_POWER = 10_000.0
#: times the most of the host's share over a run.  Derived: a DGX H100 may draw 10.2 kW, 1,275 W a
#: board of 700 W (NVIDIA, DGX H100 user guide), and 1.05 x 700 + 1.5 x 362 are 1,278
HOSTS = 1.5
#: times the rating.  A board keeps to its limit over a run; readings are within 5 %, as below
ABOVE_RATING = 1.05
#: of the power that a profile says of an idle board, what a reading may be below it.  Derived: both
#: are readings within 5 % (NVML, nvmlDeviceGetPowerUsage, which says it of Fermi and Kepler; of
#: newer boards none is published, and the same is taken), and 0.95 / 1.05 are 0.905
BELOW_IDLE = 0.9
#: gCO2e/kWh that no grid comes near.  Derived: lignite of 101,000 kg CO2/TJ (IPCC Guidelines for
#: National Greenhouse Gas Inventories 2006, volume 2, table 2.2) burnt at 25 % makes
#: 1,454; twice that
MOST_GRID = 2_900.0
_NEVER = "; a figure cannot be right"
_NODE = ", likelier a meter of a node of more devices, or of several runs"


def implausible(
    *,
    utilization: float | None = None,
    energy_it: float | None = None,
    device_hours: float | None = None,
    idle: float | None = None,
    rated: float | None = None,
    host: float | None = None,
    boards: bool = False,
    grid: float | None = None,
) -> Iterator[str]:
    """What of measured figures cannot be so, a sentence each.

    ``utilization`` is a share of the dense peak, ``energy_it`` kWh before PUE, ``idle`` and
    ``rated`` W of a board, ``host`` the most W that a device's share of its host and network draws.
    Of a board whose rating is not known, :data:`MOST_POWER` is the bound; where a meter saw the
    ``boards`` alone, their rating is.  ``grid``: gCO2e/kWh, which is often a unit mistaken.

    >>> list(implausible(utilization=9.03))
    ['utilization of 903 %: more than the peak of the devices; a figure cannot be right']
    >>> list(implausible(energy_it=1.0, device_hours=32.0, idle=70.0))
    ['mean power of 31.2 W a device: less than a board draws when idle (70 W); a figure cannot be \
right']
    >>> list(implausible(grid=56_000.0))
    ['56,000 gCO2e/kWh of electricity: more than any power plant emits (2,900); a figure cannot be \
right']
    >>> list(implausible(energy_it=1.0, device_hours=2.0, idle=70.0, rated=700.0, host=300.0))
    []
    >>> list(implausible(energy_it=2.0, device_hours=1.0, rated=700.0, host=300.0))
    ['mean power of 2,000 W a device: more than board and host can draw (1,185 W), likelier a \
meter of a node of more devices, or of several runs; a figure cannot be right']
    >>> list(implausible(energy_it=0.9, device_hours=1.0, rated=400.0, boards=True))
    ['mean power of 900 W a device: more than a board can draw (420 W); a figure cannot be right']
    """
    if utilization is not None and utilization > 1:
        share = f"{100 * utilization:.3g}"
        yield f"utilization of {share} %: more than the peak of the devices{_NEVER}"
    if grid is not None and grid > MOST_GRID:
        most_of = f"more than any power plant emits ({MOST_GRID:,.0f})"
        yield f"{grid:,.0f} gCO2e/kWh of electricity: {most_of}{_NEVER}"
    if not energy_it or not device_hours:
        return
    power = 1000 * energy_it / device_hours
    beside = 0.0 if boards else HOSTS * (host or 0.0)
    most = MOST_POWER if rated is None else ABOVE_RATING * rated + beside
    if idle is not None and power < BELOW_IDLE * idle:
        bound = f"less than a board draws when idle ({idle:.3g} W)"
    elif power > most:
        what = "a board" if boards else "board and host"
        bound = f"more than {what} can draw ({most:,.0f} W)" + _NODE * (not boards)
    else:
        return
    shown = f"{power:,.0f}" if power >= 1000 else f"{power:.3g}"
    yield f"mean power of {shown} W a device: {bound}{_NEVER}"


def of_part(
    part: Mapping[str, object],
    *,
    boards: bool = False,
    sampled: float = 1.0,
    host: float | None = None,
) -> Iterator[str]:
    """The same of a part of a report, by the bounds that it carries under ``details.hardware``.

    ``sampled``: the share of its device-time that a meter saw; ``host``: another bound of the host.
    """
    hardware = _under(part, "details", "hardware")
    hours = _number(_under(part, "results", "device_hours", "value"))
    energy, carbon = (
        _number(_under(part, "results", name, "value")) for name in ("energy", "carbon_operational")
    )
    yield from implausible(
        utilization=_number(_under(part, "results", "utilization", "value")),
        energy_it=_number(_under(part, "results", "energy_it", "value")),
        device_hours=hours and hours * sampled,
        grid=1000 * carbon / energy if carbon and energy else None,
        idle=_number(_under(hardware, "idle_power")),
        rated=_number(_under(hardware, "rated_power")),
        host=host or _number(_under(hardware, "host_power")),
        boards=boards,
    )


def _under(value: object, *path: str) -> object:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _number(value: object) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if known else None  # type: ignore[arg-type]  # narrowed by known
