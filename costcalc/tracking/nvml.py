"""NVIDIA's devices by NVML: their energy counters, else their power, and who computes on them.

Function names are those of nvidia-ml-py; what they say is in NVML's reference
(https://docs.nvidia.com/deploy/nvml-api/): counters in mJ since the driver was loaded, power in mW,
utilization in per cent of the time since an earlier sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from costcalc.tracking.guard import importing
from costcalc.tracking.metered import Counter, Part, Power
from costcalc.tracking.records import Device
from costcalc.tracking.sharing import Sharing, Users

NAME = "NVML"
_NO_DRIVER = ("NVMLError_LibraryNotFound", "NVMLError_DriverNotLoaded")


class NoDriverError(Exception):
    """There is nothing to ask: no library, or no driver behind it."""


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


class Nvml:
    """The NVIDIA devices of a process, of those that are found the ones that it ``picks``."""

    name = NAME

    def __init__(
        self,
        picks: Callable[[Sequence[Device]], Sequence[Device]],
        sharing: Sharing,
        note: Callable[[str], None],
    ) -> None:
        self.found: tuple[Device, ...] = ()
        self._picks, self._sharing, self._note = picks, sharing, note
        self._nvml: Any = None
        self._power: list[Power] = []
        self._since: dict[str, int] = {}

    def open(self, began: float) -> list[Part]:
        """Begin to meter; may take seconds.

        Raises:
            NoDriverError: there is no NVIDIA driver.
        """
        self._nvml = driver()
        known = devices(self._nvml, self._note)
        self.found = tuple(device for device, _ in known)
        handles = {device.uuid: handle for device, handle in known}
        parts = []
        for device in self._picks(self.found):
            try:
                parts.append(self._part(device, handles[device.uuid], began))
            except Exception as error:  # noqa: BLE001  (this one: the others go on)
                said = f"{type(error).__name__}: {error}"
                self._note(f"NVML: device {device.index} says neither energy nor power: {said}")
        return parts

    def sample(self) -> None:
        """Look at the power of the devices that have no counter."""
        for each in self._power:
            with suppress(Exception):  # it is told when it is read
                each.sample()

    @property
    def every(self) -> float | None:
        """Seconds after which :meth:`sample` is of use; None where it is of none."""
        return 1.0 if self._power else None

    def _part(self, device: Device, handle: Any, began: float) -> Part:
        nvml = self._nvml
        reader: Counter | Power
        try:
            reader = Counter(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3)
            meter = "NVML energy counter"
        except Exception:  # noqa: BLE001  (one from before Volta has none)
            reader = Power(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1e3)
            self._power.append(reader)
            meter = "NVML power, averaged"
        return Part(
            key=f"gpu:{device.uuid}",
            component="device",
            basis="measured",
            meter=meter,
            reader=reader,
            began=began,
            device=device,
            share=lambda: self._sharing.of(device, lambda: self._users(device.uuid, handle)),
        )

    def _users(self, uuid: str, handle: Any) -> Users:
        """The processes that compute on a device, and how much since the last look."""
        running = self._nvml.nvmlDeviceGetComputeRunningProcesses(handle)
        return Users(
            memory={int(each.pid): each.usedGpuMemory for each in running},
            busy=self._busy(uuid, handle) if len(running) > 1 else {},
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
