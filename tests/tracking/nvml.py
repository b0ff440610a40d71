"""A double of NVML, as nvidia-ml-py has it: devices whose energy counters follow a clock.

Put in the place of ``pynvml`` before CodeCarbon is imported; it stands in for the driver, which no
machine of the tests has.
"""

from __future__ import annotations

import sys
import time
from types import ModuleType
from typing import Any


def install(
    count: int = 8,
    *,
    watts: float = 500.0,
    name: str = "NVIDIA H100 80GB HBM3",
    counter: bool = True,
) -> ModuleType:
    """Make a node of so many devices that draw so much; returns the module for faults."""
    made: Any = ModuleType("pynvml")
    began = time.perf_counter()
    made.extra = dict.fromkeys(range(count), 0.0)  # joules to add: a test's faults
    made.failing = set()

    class NVMLError(Exception):
        """As NVML's."""

    def energy(index: int) -> int:
        if not counter or index in made.failing:
            raise NVMLError("Not Supported")
        joules = (time.perf_counter() - began) * watts + made.extra[index]
        return int(max(joules, 0.0) * 1000)

    def power(index: int) -> int:
        if index in made.failing:
            raise NVMLError("Unknown Error")
        return int(watts * 1000)

    made.NVMLError = NVMLError
    made.nvmlInit = lambda: None
    made.nvmlShutdown = lambda: None
    made.nvmlSystemGetDriverVersion = lambda: "550.0"
    made.nvmlDeviceGetCount = lambda: count
    made.nvmlDeviceGetHandleByIndex = lambda index: index
    made.nvmlDeviceGetTotalEnergyConsumption = energy
    made.nvmlDeviceGetPowerUsage = power
    made.nvmlDeviceGetName = lambda _: name
    made.nvmlDeviceGetUUID = lambda index: f"GPU-{index}"
    made.nvmlDeviceGetMemoryInfo = lambda _: type(
        "M", (), {"total": 85e9, "free": 80e9, "used": 5e9}
    )()
    made.nvmlDeviceGetEnforcedPowerLimit = lambda _: 700_000
    made.nvmlDeviceGetTemperature = lambda *_: 50
    made.nvmlDeviceGetUtilizationRates = lambda _: type("U", (), {"gpu": 90})()
    made.nvmlDeviceGetComputeMode = lambda _: 0
    made.nvmlDeviceGetComputeRunningProcesses = lambda _: []
    made.nvmlDeviceGetGraphicsRunningProcesses = lambda _: []
    made.NVML_TEMPERATURE_GPU = 0
    made.nvmlDeviceGetHandleByUUID = lambda uuid: ("mig", uuid)
    made.nvmlDeviceGetDeviceHandleFromMigDeviceHandle = lambda part: int(part[1].split("/")[1])
    made.nvmlDeviceGetAttributes = lambda part: type(
        "A", (), {"gpuInstanceSliceCount": int(part[1].split("/")[2])}
    )()
    sys.modules["pynvml"] = made
    return made
