"""Asks CodeCarbon what it knows of a host, in a process of its own, and says it as JSON.

CodeCarbon runs commands without a time limit (``scontrol``, ``nvidia-smi``), writes to standard
error and takes a second to load: here it can hang, fail or write without anybody waiting for it.
Devices are none of its business; :mod:`costcalc.tracking.nvml` and its like read them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

from costcalc.tracking.named_host import model_name

LIMIT = 300  # seconds after which it is given up; nobody waits for it meanwhile
# What decides how CodeCarbon asks: without these it runs no command of Slurm's.
UNSET = ("SLURM_JOB_ID", "SLURM_JOBID")
_MODELS = ("cpu_load", "constant")


def main() -> None:
    """Write one line on standard output, whatever CodeCarbon or its commands write there."""
    with suppress(AttributeError):  # not on Windows
        signal.alarm(LIMIT)  # whoever asked may have been killed meanwhile
    answer = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        _without_devices()
        _without_cpuinfo()
        said = described(hardware())
    except Exception as error:  # noqa: BLE001  (whatever CodeCarbon raises)
        said = {"error": f"{type(error).__name__}: {error}"}
    os.write(answer, json.dumps(said).encode() + b"\n")


def described(found: Sequence[Any]) -> dict[str, Any]:
    """The models of a host: watts of the processors at each per cent of load, and of the memory.

    ``reads`` says that CodeCarbon has a meter of this host, which has to be read again and again.
    """
    said: dict[str, Any] = {"reads": False}
    for item in found:
        kind = type(item).__name__
        if kind == "RAM":
            said["memory"] = float(item.total_power().W)
        elif kind == "CPU" and item._mode in _MODELS:
            said["cpu"] = [_at(item, load) for load in range(101)]
            said["mode"] = item._mode
        elif kind != "GPU" and getattr(item, "_mode", "") != "intel_rapl":
            said["reads"] = True
    return said


def _at(item: Any, load: int) -> float:
    """Watts of the processors at a load, in per cent of the whole machine."""
    item._cpu_load_meter.percent = lambda: float(load)
    return float(item._get_power_from_cpus().W)


def hardware() -> list[Any]:
    """CodeCarbon's pieces of hardware, found by a tracker that is never started.

    Every setting that could make it write, call or lock is given: its configuration files and
    ``CODECARBON_*`` would otherwise change what is said.
    """
    from codecarbon import OfflineEmissionsTracker

    tracker = OfflineEmissionsTracker(
        country_iso_code="USA",
        force_carbon_intensity_g_co2e_kwh=0.0,  # its carbon is not used
        allow_multiple_runs=True,
        output_methods=[],
        output_handlers=[],
        emissions_endpoint=None,
        api_key="",
        experiment_id="",
        tracking_mode="machine",
        pue=1.0,
        wue=0.0,
        log_level=50,
        measure_power_secs=3600.0,
        api_call_interval=-1,
        force_mode_cpu_load=False,
        rapl_include_dram=False,
        rapl_prefer_psys=False,
    )
    for name in ("_force_cpu_power", "_force_ram_power", "_gpu_ids"):
        setattr(tracker, name, None)  # None as an argument would let a configuration file decide
    tracker._ensure_hardware_ready()
    return list(tracker._hardware)


def _without_devices() -> None:
    """Let CodeCarbon neither load a driver nor run a tool of one: both may hang."""
    for name in ("pynvml", "amdsmi"):
        if name not in sys.modules:
            stub: Any = ModuleType(name)
            stub.nvmlInit = lambda: None
            sys.modules[name] = stub
    from codecarbon.core import gpu

    gpu.is_nvidia_system = gpu.is_rocm_system = lambda: False


def _without_cpuinfo() -> None:
    """Say the processors' name ourselves, where Linux has it: to ask takes a second of a core."""
    name = model_name()
    if name and "cpuinfo" not in sys.modules:
        stub: Any = ModuleType("cpuinfo")
        stub.get_cpu_info = lambda: {"brand_raw": name}
        sys.modules["cpuinfo"] = stub
