"""A double of NVML, as nvidia-ml-py has it: devices whose energy counters follow a clock.

Put in the place of ``pynvml`` before anything asks it; it stands in for the driver, which no
machine of the tests has.  Names, units and errors are those of the package: mJ, mW, a process as
``pid`` and ``usedGpuMemory``, a sample as ``pid``, ``timeStamp`` (µs) and ``smUtil``.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any


class NVMLError(Exception):
    """As NVML's."""


class NVMLError_GpuIsLost(NVMLError):  # noqa: N801, N818
    """As NVML's."""


class NVMLError_LibraryNotFound(NVMLError):  # noqa: N801, N818
    """As NVML's."""


class Node(ModuleType):
    """A node of so many devices that draw so much."""

    def __init__(
        self, count: int, watts: float, name: str, counter: bool, clock: Callable[[], float]
    ) -> None:
        super().__init__("pynvml")
        self.count, self.watts, self.name, self.counter = count, watts, name, counter
        self.clock, self.began = clock, clock()
        self.extra = dict.fromkeys(range(count), 0.0)  # joules to add: a test's faults
        self.failing: set[int] = set()  # devices that do not answer
        self.lost: set[int] = set()  # devices that were lost before anybody asked
        self.hangs: set[str] = set()  # names of functions that do not return
        self.released = threading.Event()
        self.running: dict[int, list[tuple[int, int | None]]] = {}  # pid and bytes
        self.samples: dict[int, list[tuple[int, int, int]]] = {}  # pid, µs and per cent
        self.NVMLError = NVMLError

    def _wait(self, what: str) -> None:
        if what in self.hangs:
            self.released.wait(60)

    def nvmlInit(self) -> None:  # noqa: N802
        self._wait("nvmlInit")
        if self.count == 0:
            raise NVMLError_LibraryNotFound("NVML Shared Library Not Found")

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        if index in self.lost:
            raise NVMLError_GpuIsLost("GPU is lost")
        return index

    def nvmlDeviceGetTotalEnergyConsumption(self, index: int) -> int:  # noqa: N802
        self._wait("nvmlDeviceGetTotalEnergyConsumption")
        if not self.counter or index in self.failing:
            raise NVMLError("Not Supported")
        joules = (self.clock() - self.began) * self.watts + self.extra[index]
        return int(max(joules, 0.0) * 1000)

    def nvmlDeviceGetPowerUsage(self, index: int) -> int:  # noqa: N802
        if index in self.failing:
            raise NVMLError("Unknown Error")
        return int(self.watts * 1000)

    def nvmlDeviceGetName(self, _: int) -> str:  # noqa: N802
        return self.name

    def nvmlDeviceGetUUID(self, index: int) -> bytes:  # noqa: N802
        return f"GPU-{index}".encode()

    def nvmlDeviceGetComputeRunningProcesses(self, index: int) -> list[Any]:  # noqa: N802
        return [
            SimpleNamespace(pid=pid, usedGpuMemory=held)
            for pid, held in self.running.get(index, ())
        ]

    def nvmlDeviceGetProcessUtilization(self, index: int, since: int) -> list[Any]:  # noqa: N802
        found = [
            SimpleNamespace(pid=pid, timeStamp=at, smUtil=used)
            for pid, at, used in self.samples.get(index, ())
            if at > since
        ]
        if not found:
            raise NVMLError("Not Found")
        return found

    # Slices are named MIG-x/INDEX/SLICES in the tests.

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> tuple[str, str]:  # noqa: N802
        return ("mig", uuid)

    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(  # noqa: N802
        self, part: tuple[str, str]
    ) -> int:
        return int(part[1].split("/")[1])

    def nvmlDeviceGetAttributes(self, part: tuple[str, str]) -> Any:  # noqa: N802
        return SimpleNamespace(gpuInstanceSliceCount=int(part[1].split("/")[2]))


def install(
    count: int = 8,
    *,
    watts: float = 500.0,
    name: str = "NVIDIA H100 80GB HBM3",
    counter: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> Node:
    """Put a node in the place of the driver; returns it for faults."""
    made = Node(count, watts, name, counter, clock)
    sys.modules["pynvml"] = made
    return made
