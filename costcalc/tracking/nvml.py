"""NVIDIA's devices by NVML: their energy counters, else their power, and who computes on them.

Function names are those of nvidia-ml-py; what they say is in NVML's reference
(https://docs.nvidia.com/deploy/nvml-api/): counters in mJ since the driver was loaded, power in mW,
utilization in per cent of the time since an earlier sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from costcalc.tracking.driven import Driven, NoDriverError
from costcalc.tracking.guard import importing
from costcalc.tracking.metered import Part
from costcalc.tracking.records import Device
from costcalc.tracking.sharing import Users

NAME = "NVML"
_NO_DRIVER = ("NVMLError_LibraryNotFound", "NVMLError_DriverNotLoaded")


def driver() -> Any:
    """NVML, ready to be asked.

    Raises:
        NoDriverError: there is none on this machine.
    """
    with importing():
        try:
            import pynvml
        except ImportError as error:
            raise NoDriverError(f"nvidia-ml-py cannot be imported: {error}") from None
    try:
        pynvml.nvmlInit()
    except Exception as error:
        if type(error).__name__ in _NO_DRIVER:
            raise NoDriverError(f"no NVIDIA driver: {error}") from None
        raise
    return pynvml


def devices(nvml: Any, note: Callable[[str], None] = lambda _: None) -> list[tuple[Device, Any]]:
    """The devices that answer, each with its handle; of one that does not, a note."""
    found = []
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            uuid, name = (
                text(nvml.nvmlDeviceGetUUID(handle)),
                text(nvml.nvmlDeviceGetName(handle)),
            )
        except Exception as error:  # noqa: BLE001  (a device that is lost: the others go on)
            note(f"NVML: device {index} does not answer: {type(error).__name__}: {error}")
            continue
        found.append((Device(uuid=uuid, name=name, index=index), handle))
    return found


def text(value: object) -> str:
    """What the driver says in words; bytes in older versions of its package."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class Nvml(Driven):
    """The NVIDIA devices of a process, of those that are found the ones that it ``picks``."""

    name = NAME

    _nvml: Any = None

    def open(self, began: float) -> list[Part]:
        """Begin to meter; may take seconds.

        Raises:
            NoDriverError: there is no NVIDIA driver, or no device of it.
        """
        self._nvml = nvml = driver()
        if nvml.nvmlDeviceGetCount() == 0:
            raise NoDriverError("NVML lists no device")
        known = devices(nvml, self._note)
        self.found = tuple(device for device, _ in known)
        handles = {device.uuid: handle for device, handle in known}
        self._since: dict[str, int] = {}

        def part(device: Device) -> Part:
            handle = handles[device.uuid]
            return self._part(
                device,
                joules=lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3,
                watts=lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1e3,
                users=lambda: self._users(device.uuid, handle),
                began=began,
            )

        return self._parts(part)

    def _users(self, uuid: str, handle: Any) -> Users:
        """The processes that compute on a device, and how much since the last look."""
        running = self._nvml.nvmlDeviceGetComputeRunningProcesses(handle)
        return Users(
            memory={int(each.pid): each.usedGpuMemory for each in running},
            busy=self._busy(uuid, handle) if running else {},
        )

    def _busy(self, uuid: str, handle: Any) -> Mapping[int, float]:
        """Per cent of the time that each process computed, summed over the driver's samples."""
        found: dict[int, float] = {}
        try:
            samples = self._nvml.nvmlDeviceGetProcessUtilization(handle, self._since.get(uuid, 0))
        except Exception:  # noqa: BLE001  (no sample since, or a device that keeps none)
            return found
        for each in samples:
            if each.timeStamp:
                found[int(each.pid)] = found.get(int(each.pid), 0.0) + float(each.smUtil)
                self._since[uuid] = max(self._since.get(uuid, 0), int(each.timeStamp))
        return found
