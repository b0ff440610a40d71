"""What a process may use of its machine: devices, cores, and how much of the host they are."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from costcalc.tracking import amd_smi, nvml
from costcalc.tracking.named_host import model_name
from costcalc.tracking.records import Device, Place

# Which devices of a node a process may see; the first that is set counts.
_VISIBLE = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
_SLICES = 7  # of a whole MIG device (NVIDIA MIG user guide: seven compute slices)


def visible(devices: Sequence[Device], env: Mapping[str, str]) -> tuple[Device, ...]:
    """Of a node's devices those that the process may use, as the drivers read the variables.

    Indexes or beginnings of UUIDs, in order, up to the first that is neither (CUDA C programming
    guide, "CUDA environment variables").

    >>> two = [Device(uuid=f"GPU-{n}", name="H100", index=i) for i, n in enumerate("ab")]
    >>> [device.uuid for device in visible(two, {"CUDA_VISIBLE_DEVICES": "1"})]
    ['GPU-b']
    """
    for key in _VISIBLE:
        if key in env:
            return _picked(devices, env[key])
    return tuple(devices)


def _picked(devices: Sequence[Device], text: str) -> tuple[Device, ...]:
    found: list[Device] = []
    for word in (part.strip() for part in text.split(",")):
        device = _slice(devices, word) if word.startswith("MIG-") else _device(devices, word)
        if device is None:
            break
        found.append(device)
    merged: dict[str, Device] = {}
    for device in found:  # slices of one device are so much of it together
        held = merged.get(device.uuid)
        share = min(1.0, device.share + (held.share if held else 0.0))
        merged[device.uuid] = replace(device, share=share)
    return tuple(merged.values())


def _device(devices: Sequence[Device], word: str) -> Device | None:
    for device in devices:
        if word == str(device.index) or (
            word and not word.isdecimal() and device.uuid.startswith(word)
        ):
            return device
    return None


def _slice(devices: Sequence[Device], word: str) -> Device | None:
    """The device that a MIG slice is cut from, with the slice's share of it."""
    try:
        import pynvml

        pynvml.nvmlInit()
        part = pynvml.nvmlDeviceGetHandleByUUID(word)
        whole = pynvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(part)
        uuid = nvml.text(pynvml.nvmlDeviceGetUUID(whole))
        slices = pynvml.nvmlDeviceGetAttributes(part).gpuInstanceSliceCount
    except Exception:  # noqa: BLE001  (no driver, or one without MIG)
        return None
    found = next((device for device in devices if device.uuid == uuid), None)
    return replace(found, share=min(slices / _SLICES, 1.0)) if found else None


def seen_by_driver(env: Mapping[str, str] | None = None) -> tuple[Device, ...]:
    """The devices that this process may use, asked of their drivers alone: quick."""
    found: list[Device] = []
    for vendor in (nvml, amd_smi):
        with suppress(Exception):  # no driver
            named = [device for device, _ in vendor.devices(vendor.driver())]
            found += visible(named, os.environ if env is None else env)
    return tuple(found)


def of_the_job(devices: Sequence[Device], place: Place) -> tuple[Device, ...]:
    """Of the devices that a process sees those of its job: one a rank where ranks are fewer."""
    ranks = place.local_world or 1
    if ranks > 1 and len(devices) > ranks:
        return tuple(devices[:ranks])
    return tuple(devices)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostShare:
    """The cores that a job may use of its host, and the host's name as people know it."""

    name: str
    cpu: str
    cores: frozenset[int]
    all_cores: int
    allotted: float

    @property
    def share(self) -> float:
        """The job's share of the host by cores, neighbours aside."""
        return min(self.allotted / self.all_cores, 1.0)


def host(env: Mapping[str, str] | None = None) -> HostShare:
    """What this process may use of its host: affinity, the cgroup's quota, Slurm's allocation."""
    env = os.environ if env is None else env
    all_cores = os.cpu_count() or 1
    affinity = getattr(os, "sched_getaffinity", None)
    cores = frozenset(affinity(0)) if affinity else frozenset(range(all_cores))
    allotted = float(len(cores))
    given = env.get("SLURM_CPUS_ON_NODE", "")
    if env.get("SLURM_JOB_ID") and given.isdecimal():  # a task is bound to some of the job's
        allotted = max(allotted if len(cores) < all_cores else 0.0, float(given))
    quota = _quota()
    if quota is not None:
        allotted = min(allotted, quota)
    return HostShare(
        name=platform.node(),
        cpu=model_name() or platform.processor() or platform.machine(),
        cores=cores,
        all_cores=all_cores,
        allotted=max(allotted, 1e-9),
    )


_CGROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def _quota() -> float | None:
    """Cores that the control groups allow, the least of those around; None without a bound.

    A process's group and every group above it may set one (cgroups(7)): ``cpu.max`` of version 2,
    ``cpu.cfs_quota_us`` of version 1.  Within a container the mount is often the group itself.
    """
    found = [_bound(folder) for folder in _groups()]
    return min((cores for cores in found if cores is not None), default=None)


def _groups() -> Iterator[Path]:
    """The folders of this process's control groups and of those above, then the mounts' own."""
    mounts = {"": _CGROUPS}
    try:
        lines = _OWN.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if names and "cpu" not in names.split(","):
            continue
        mount = _CGROUPS if not names else _CGROUPS / names
        if names and not mount.is_dir():
            mount = _CGROUPS / "cpu"
        mounts[names] = mount
        below = Path(path.lstrip("/"))
        yield from (mount / each for each in (below, *below.parents))
    yield from mounts.values()
    yield _CGROUPS / "cpu"


def _bound(folder: Path) -> float | None:
    """Microseconds of CPU in each period of microseconds, as cores."""
    try:
        limit, period = (folder / "cpu.max").read_text(encoding="ascii").split()[:2]
    except (OSError, ValueError):
        try:
            limit = (folder / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
            period = (folder / "cpu.cfs_period_us").read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return None
    try:
        cores = int(limit) / int(period)
    except (ValueError, ZeroDivisionError):  # max
        return None
    return cores if cores > 0 else None  # -1 of version 1
