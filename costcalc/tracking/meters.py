"""CodeCarbon as the meter: its counters and models, driven by our thread, its faults kept inside.

It is used for joules alone: no files, no network, no threads of its own, no lock, its log silent;
what a place emits and what a facility adds are worked out by costcalc, once.  CodeCarbon's tracker
is built but not started: its ``start`` would begin two threads, and hides the parts that fail.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from costcalc.tracking.notes import Notes
from costcalc.tracking.records import Basis, Component, Device, Energy

# How CodeCarbon says that it reads a counter rather than a model (external/hardware.py of 3.3).
_COUNTERS = {
    "intel_rapl": "RAPL",
    "intel_power_gadget": "Intel Power Gadget",
    "windows_emi": "Windows EMI",
}
_MOST = 1e5  # watts: more of one component is no reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Joules since the start by what drew them; ``gaps`` seconds that were not seen."""

    energy: dict[str, Energy]
    gaps: float
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Meter:
    """One thing that is metered: ``read`` returns its joules over the last so many seconds."""

    key: str
    component: Component
    basis: Basis
    meter: str
    read: Callable[[float], float]
    joules: float = 0.0
    at: float = 0.0
    unseen: float = 0.0


class Meters:
    """The meters of one process; no method raises.

    ``devices`` picks those to meter of the devices that are found; ``host`` meters CPU and memory,
    of which ``share`` says, at each reading, how much is the job's.
    """

    def __init__(
        self,
        *,
        boot: str,
        host: bool = True,
        devices: Callable[[Sequence[Device]], Sequence[Device]] = tuple,
        share: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self.found: tuple[Device, ...] = ()
        self.picked: tuple[Device, ...] = ()
        self._boot, self._host, self._pick, self._share = boot, host, devices, share
        self._meters: list[_Meter] = []
        self._notes = Notes()
        self._began = perf_counter()
        self._gpus: Any = None

    @property
    def keys(self) -> tuple[str, ...]:
        """What is metered."""
        return tuple(part.key for part in self._meters)

    def start(self) -> None:
        """Detect and begin; takes seconds."""
        self._began = perf_counter()
        try:
            with _silent():
                for hardware in _hardware():
                    self._add(hardware)
        except Exception as error:  # noqa: BLE001  (whatever CodeCarbon or a driver raises)
            self._note(f"CodeCarbon does not start: {type(error).__name__}: {error}")
        late = perf_counter()
        for part in self._meters:
            part.at, part.unseen = late, late - self._began

    def sample(self) -> None:
        """Read the power of devices that have no counter; once a second where there are any."""
        for device in self._counterless():
            with _silent():
                device.sample_power()

    @property
    def needs_samples(self) -> bool:
        """Whether :meth:`sample` is of use."""
        return bool(self._counterless())

    def _counterless(self) -> list[Any]:
        found = getattr(self._gpus, "devices", ())
        return [device for device in found if getattr(device, "_use_power_fallback", False)]

    def read(self) -> Reading:
        """What was drawn so far."""
        share = self._now()
        with _silent():
            for part in self._meters:
                self._advance(part, share if part.component != "device" else 1.0)
        energy = {
            part.key: Energy(
                joules=part.joules,
                basis=part.basis,
                meter=part.meter,
                component=part.component,
                gap=part.unseen,
            )
            for part in self._meters
        }
        gaps = max((part.unseen for part in self._meters), default=perf_counter() - self._began)
        return Reading(energy=energy, gaps=gaps, notes=tuple(self._notes))

    def _now(self) -> float:
        try:
            return self._share()
        except Exception as error:  # noqa: BLE001
            self._note(f"the share of the host is not known: {error}")
            return 1.0

    def _advance(self, part: _Meter, share: float) -> None:
        """Add what a part drew since its last reading; a fault is a gap."""
        now = perf_counter()
        seconds, part.at = now - part.at, now
        if seconds <= 0:
            return
        try:
            joules = float(part.read(seconds))
            if not 0 <= joules <= _MOST * seconds:
                raise ValueError(f"{joules:.3g} J in {seconds:.3g} s")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001
            part.unseen += seconds
            self._note(f"{part.meter} failed: {type(error).__name__}: {error}")
            return
        part.joules += joules * share

    def _add(self, hardware: Any) -> None:
        """The parts of one of CodeCarbon's pieces of hardware."""
        kind = type(hardware).__name__
        try:
            hardware.start()
            if kind == "GPU":
                self._add_gpus(hardware.devices)
            elif self._host:
                part = _host_meter(hardware, self._boot)
                self._meters += [part] if part else []
        except Exception as error:  # noqa: BLE001
            self._note(f"CodeCarbon's {kind} does not start: {type(error).__name__}: {error}")

    def _add_gpus(self, gpus: Any) -> None:
        self._gpus = gpus
        by_uuid = {}
        for item in gpus.devices:
            details = item.get_static_details()
            device = Device(
                uuid=str(details["uuid"]),
                name=str(details["name"]),
                index=int(details["gpu_index"]),
            )
            by_uuid[device.uuid] = (device, item)
        self.found = tuple(device for device, _ in by_uuid.values())
        self.picked = tuple(self._pick(self.found))
        for device in self.picked:
            item = by_uuid[device.uuid][1]
            self._meters.append(
                _Meter(
                    key=f"gpu:{device.uuid}",
                    component="device",
                    basis="measured",
                    meter=_gpu_meter(item),
                    read=_gpu_reader(item, device.share),
                )
            )

    def _note(self, text: str) -> None:
        self._notes.add(text)


def _gpu_meter(item: object) -> str:
    vendor = "AMD SMI" if type(item).__name__.startswith("AMD") else "NVML"
    counted = not getattr(item, "_use_power_fallback", False)
    return f"{vendor} {'energy counter' if counted else 'power, averaged'} (CodeCarbon)"


def _gpu_reader(item: Any, share: float) -> Callable[[float], float]:
    def read(seconds: float) -> float:
        from codecarbon.core.units import Time

        delta = item.delta(Time.from_seconds(seconds))
        return float(delta["delta_energy_consumption"].kWh) * 3.6e6 * share

    return read


def _host_meter(hardware: Any, boot: str) -> _Meter | None:
    """CPU and memory; None for a kind that is none of them."""
    kind = type(hardware).__name__
    name = "RAM" if kind == "RAM" or getattr(hardware, "chip_part", "") == "RAM" else "CPU"
    if kind not in ("RAM", "CPU", "AppleSiliconChip", "Raspberry"):
        return None
    mode = str(getattr(hardware, "_mode", ""))
    if kind in ("AppleSiliconChip", "Raspberry"):
        basis, meter = "measured", kind
    elif mode in _COUNTERS:
        basis, meter = "measured", _COUNTERS[mode]
    elif name == "CPU":
        basis, meter = "modelled", f"model of the CPU's load ({mode or 'no mode'})"
    else:
        basis, meter = "modelled", "model of the memory's modules"
    if getattr(hardware, "chip_part", "") == "GPU":
        key, component = f"gpu:{boot}", "device"
    else:
        key = f"{'memory' if name == 'RAM' else 'cpu'}:{boot}"
        component = "memory" if name == "RAM" else "cpu"

    def read(seconds: float) -> float:
        _, energy = hardware.measure_power_and_energy(seconds)
        return float(energy.kWh) * 3.6e6

    return _Meter(
        key=key,
        component=component,  # type: ignore[arg-type]
        basis=basis,  # type: ignore[arg-type]
        meter=f"{meter} (CodeCarbon)",
        read=read,
    )


def load() -> None:
    """Import what :meth:`Meters.start` needs; detection itself imports little."""
    with suppress(Exception):  # it is told when it is needed
        import codecarbon  # noqa: F401


def _hardware() -> Sequence[Any]:
    """CodeCarbon's pieces of hardware, found by a tracker that is never started.

    Every setting that could make it write, call or lock is given: its configuration files and
    ``CODECARBON_*`` would otherwise change what is measured.
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
    found = list(tracker._hardware)
    if not any(type(item).__name__ == "GPU" for item in found):
        found += _devices_without_a_tool()
    return found


def _devices_without_a_tool() -> list[Any]:
    """Devices whose driver answers though its command (nvidia-smi) is missing: a container."""
    from codecarbon.core.gpu import is_gpu_details_available
    from codecarbon.external.hardware import GPU

    return [GPU.from_utils(None)] if is_gpu_details_available() else []


@contextmanager
def _silent() -> Iterator[None]:
    """CodeCarbon's log says nothing while we call it, and is as it was afterwards."""
    logger = logging.getLogger("codecarbon")
    known = "codecarbon" in sys.modules
    before = (logger.disabled, logger.level, list(logger.handlers))
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before[0]
        if known:  # the user's own: building a tracker sets its level and its handlers
            logger.level = before[1]
            logger.handlers[:] = before[2]
