"""AMD's devices by AMD SMI: their energy counters, else their power, and who computes on them.

Function names and fields are those of the Python interface
(https://rocm.docs.amd.com/projects/amdsmi/en/latest/reference/amdsmi-py-api.html): a count of
energy times its resolution in µJ, power in W, memory in bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from costcalc.tracking.driven import Driven, NoDriverError
from costcalc.tracking.guard import importing
from costcalc.tracking.metered import Part
from costcalc.tracking.records import Device
from costcalc.tracking.sharing import Users

NAME = "AMD SMI"
_DRIVER = Path("/dev/kfd")  # what AMD's compute driver makes
_POWERS = ("current_socket_power", "average_socket_power", "socket_power")


def driver() -> Any:
    """AMD SMI, ready to be asked.

    Raises:
        NoDriverError: there is none on this machine.
    """
    if not _DRIVER.exists():
        raise NoDriverError(f"no AMD driver: there is no {_DRIVER}")
    with importing():
        try:
            import amdsmi
        except (ImportError, OSError, AttributeError, KeyError) as error:
            # the package loads its library at once, and fails so where the two do not fit
            raise NoDriverError(f"amdsmi cannot be imported: {error}") from None
    amdsmi.amdsmi_init()
    return amdsmi


def devices(smi: Any) -> list[tuple[Device, Any]]:
    """The devices, each with its handle, in the order of the driver."""
    return [
        (_device(smi, index, handle), handle)
        for index, handle in enumerate(smi.amdsmi_get_processor_handles())
    ]


def _device(smi: Any, index: int, handle: Any) -> Device:
    name = "AMD GPU"
    with suppress(Exception):
        name = str(smi.amdsmi_get_gpu_asic_info(handle)["market_name"])
    return Device(uuid=str(smi.amdsmi_get_gpu_device_uuid(handle)), name=name, index=index)


def _counted(smi: Any, handle: Any) -> float:
    """Joules since the driver was loaded."""
    found = smi.amdsmi_get_energy_count(handle)
    count = found.get("energy_accumulator", found.get("power"))
    return float(count) * float(found["counter_resolution"]) / 1e6


def _watts(smi: Any, handle: Any) -> float:
    """The first of the powers that is a number; the others are ``N/A``."""
    found = smi.amdsmi_get_power_info(handle)
    for name in _POWERS:
        with suppress(KeyError, TypeError, ValueError):
            return float(found[name])
    raise ValueError(f"no power in {found}")


class AmdSmi(Driven):
    """The AMD devices of a process, of those that are found the ones that it ``picks``."""

    name = NAME

    _smi: Any = None

    def open(self, began: float) -> list[Part]:
        """Begin to meter; may take seconds.

        Raises:
            NoDriverError: there is no AMD driver.
        """
        self._smi = smi = driver()
        known = devices(smi)
        self.found, handles = tuple(each for each, _ in known), [handle for _, handle in known]
        zeros = _zeros(smi, handles)

        def part(device: Device) -> Part:
            handle = handles[device.index]
            whole, halves = _module(device.index, zeros)
            return self._part(
                device,
                joules=lambda: _counted(smi, handles[whole]) / halves,
                watts=lambda: _watts(smi, handle),
                users=lambda: self._users(handle),
                began=began,
            )

        return self._parts(part)

    def _users(self, handle: Any) -> Users:
        """The processes on a device and their memory; utilization of each is not told."""
        found = self._smi.amdsmi_get_gpu_process_list(handle)
        return Users(memory={int(each["pid"]): _memory(each) for each in found}, busy={})


def _memory(process: Mapping[str, Any]) -> int | None:
    with suppress(KeyError, TypeError, ValueError):
        return int(process["memory_usage"]["vram_mem"])
    return None


def _zeros(smi: Any, handles: Sequence[Any]) -> list[bool]:
    """Of each device whether its counter stands at nothing."""
    found = []
    for handle in handles:
        zero = False
        with suppress(Exception):
            zero = _counted(smi, handle) == 0
        found.append(zero)
    return found


def _module(index: int, zeros: Sequence[bool]) -> tuple[int, int]:
    """Whose counter tells of a device, and of how many devices it is.

    A module of two dies (MI250, MI250X) counts both on the first; the second reads nothing.

    >>> [_module(index, [False, True, False, False]) for index in range(4)]
    [(0, 2), (0, 2), (2, 1), (3, 1)]
    """
    first = index - index % 2
    pair = zeros[first : first + 2]
    return (first, 2) if pair == [False, True] else (index, 1)
