"""What a run runs on: the profile, the host, how many of each, and the machine in SI units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from costcalc.base.assumption import Assumption, Choice, exact
from costcalc.base.errors import InputError
from costcalc.base.units import to_si
from costcalc.base.vocabulary import PEAK_KEY, usual_precision
from costcalc.catalog import accelerator as accelerators
from costcalc.catalog import host as hosts
from costcalc.catalog import instances
from costcalc.catalog.accelerator import Accelerator
from costcalc.catalog.host import HostChoice
from costcalc.catalog.parts import Part, mig_of, mig_part, share_part, slice_of
from costcalc.resolve.names import left_open
from costcalc.resolve.remembered import remembered
from costcalc.runfile.loading import Input
from costcalc.runfile.schema import Hardware
from costcalc.throughput.coefficients import HOST_LINK
from costcalc.throughput.layout import TORUS, Machine

DEFAULT_SCALE_OUT = 100.0  # Gbit/s a device, where neither host nor profile says one


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """The devices of a run.

    ``count`` is in the profile's unit; ``share`` is of one device (MIG), else 1, and ``compute`` of
    its multiprocessors; ``reserved`` is what is allocated and paid for: count × share.
    """

    accelerator: Accelerator
    host: HostChoice
    machine: Machine
    count: int
    share: float
    compute: float
    nodes: int
    assumptions: tuple[Assumption | Choice, ...]
    files: Mapping[str, str]  # the digest of each data file behind them

    @property
    def reserved(self) -> float:
        """Devices allocated: a share of one counts as that share."""
        return self.count * self.share


@remembered("hardware", "training.precision")
def devices_of(given: Input, provider: str | None, folders: Sequence[Path]) -> Devices:
    """The devices that a part asks for.

    Raises:
        InputError: no count, or an instance whose accelerator has no profile.
    """
    asked = given.part.hardware or Hardware()
    accelerator = _accelerator(given, asked, folders)
    host = _host(given, asked, accelerator, provider, folders)
    count = _count(given, asked, host)
    if host.host.host_power_each is not None and asked.per_node is None:
        host = replace(host, devices=min(count, MOST_IN_A_WORKSTATION))
    per_node = min(host.devices, count)
    nodes = -(-count // host.devices)
    part = _part(asked, accelerator)
    machine, assumed = _machine(given, asked, accelerator, host, count, per_node, part)
    if asked.accelerator and (note := left_open(asked.accelerator, accelerator)):
        assumed.append(
            Choice(
                key="hardware.accelerator",
                value=accelerator.id,
                basis="default",
                source=_file(accelerator.file),
                why=note,
                where=given.place("hardware", "accelerator"),
            )
        )
    if part.why:
        assumed.append(
            Choice(
                key="hardware.share",
                value=part.slices,
                basis="given",
                source=part.source,
                why=part.why,
            )
        )
    return Devices(
        accelerator=accelerator,
        host=host,
        machine=machine,
        count=count,
        share=part.slices,
        compute=part.compute,
        nodes=nodes,
        assumptions=(
            exact(
                "hardware.count",
                count * part.slices,
                "device",
                basis="given",
                source="run file",
                why=f"unit: {accelerator.unit}",
                where=given.place("hardware", "count"),
            ),
            *assumed,
        ),
        files={one.file: one.digest for one in (accelerator, host.host)},
    )


MOST_IN_A_WORKSTATION = 4


def _part(asked: Hardware, board: Accelerator) -> Part:
    """What of a device is asked for: a MIG instance, a share of its time, or all of it."""
    mig = mig_of(asked.accelerator or "")
    if asked.share is not None:
        found = share_part(asked.share, board.id)
        return found or Part(asked.share, asked.share, asked.share, "")
    return mig_part(mig, board.id) if mig else Part(1.0, 1.0, 1.0, "")


def _accelerator(given: Input, asked: Hardware, folders: Sequence[Path]) -> Accelerator:
    if asked.accelerator is not None:
        return accelerators.find(asked.accelerator, folders)
    named = instances.find(asked.instance or "", folders)
    if named.accelerator is None:
        raise InputError(
            given.problem(
                ("hardware", "instance"),
                f"{named.name} holds any accelerator: give hardware.accelerator too",
            )
        )
    return accelerators.find(named.accelerator, folders)


def _host(
    given: Input,
    asked: Hardware,
    accelerator: Accelerator,
    provider: str | None,
    folders: Sequence[Path],
) -> HostChoice:
    if asked.instance is None and asked.host is None:
        return hosts.choose(
            accelerator.id, provider=provider, per_node=asked.per_node, folders=folders
        )
    host = instances.find(asked.instance or asked.host or "", folders)
    # the usual system of another: what is taken unasked may be named as well
    usual = asked.instance is None and accelerator.id in host.default_for
    if host.accelerator not in (None, accelerator.id) and not usual:
        raise InputError(
            given.problem(
                ("hardware", "accelerator" if asked.instance else "host"),
                f"{host.name} holds {host.accelerator}, not {accelerator.id}",
            )
        )
    why = f"{host.name}, named in the run file"
    if host.part_of:
        why += f"; what it draws and embodies beside its devices: {host.part_of}"
    return HostChoice(host=host, devices=asked.per_node or host.devices, why=why)


def _count(given: Input, asked: Hardware, host: HostChoice) -> int:
    if asked.instance is not None:
        return (asked.nodes or 1) * host.devices
    part = slice_of(asked.accelerator or "")
    if part is not None and asked.count not in (None, part[1]):
        raise InputError(
            given.problem(
                ("hardware", "count"),
                f"{asked.accelerator} says {part[1]} chips; count says {asked.count}",
            )
        )
    whole = asked.share is None and mig_of(asked.accelerator or "") is None
    if asked.count is None and part is None and whole:
        raise InputError(given.problem(("hardware",), "missing count: how many devices"))
    return asked.count or (part[1] if part else 1)


def _machine(
    given: Input,
    asked: Hardware,
    accelerator: Accelerator,
    host: HostChoice,
    count: int,
    per_node: int,
    part: Part,
) -> tuple[Machine, list[Assumption | Choice]]:
    assumed: list[Assumption | Choice] = []
    if asked.instance is None or host.host.part_of:
        assumed.append(
            Choice(
                key="hardware.host",
                value=host.host.id,
                basis="given" if asked.host else "default",
                source=_file(host.host.file),
                why=host.why,
                where=given.place("hardware", "host"),
            )
        )
    fabric = _fabric(asked, accelerator, host, per_node)
    machine = Machine(
        accelerator=accelerator.id,
        called=_part_called(asked, accelerator) if part.slices < 1 else "",
        generation=accelerator.generation,
        kind=accelerator.kind,
        devices=count,
        per_node=per_node,
        peak={name: rate * part.compute for name, rate in _peaks(given, accelerator).items()},
        memory=accelerator.memory.si * part.memory,
        memory_bandwidth=accelerator.memory_bandwidth.si * part.memory,
        scale_up=fabric.rate,
        scale_up_domain=fabric.domain,
        torus=fabric.torus,
        scale_out=asked.scale_out or _scale_out(accelerator, host, count > per_node, assumed),
        matmul_ceiling={name: s.si for name, s in accelerator.matmul_ceiling.items()},
        sub_devices=accelerator.sub_devices.count,
        host_link=accelerator.host_link.si if accelerator.host_link else 0.0,
        through_host=fabric.through_host,
    )
    assumed += [
        exact(
            f"hardware.{name}",
            getattr(asked, name),
            "GB/s",
            basis="given",
            source="run file",
            where=given.place("hardware", name),
        )
        for name in ("scale_up", "scale_out")
        if getattr(asked, name) is not None
    ]
    if fabric.through_host and min(count, per_node) > 1 and asked.scale_up is None:
        assumed.append(_slot(accelerator, fabric.rate))
    return machine, assumed


def _part_called(asked: Hardware, board: Accelerator) -> str:
    """How a message names a part of a board: `1g.10gb of h100-sxm5-80`."""
    mig = mig_of(asked.accelerator or "")
    if mig is None or asked.share is not None:
        return f"{asked.share:.3g} of {board.id}"
    return f"{mig.profile if mig.slices else f'a virtual GPU of {mig.gigabytes} GB'} of {board.id}"


def _file(name: str) -> str:
    """What a report calls a profile's file: one of your own without the folder that it lies in."""
    return name if name.startswith("hardware_profiles/") else Path(name).name


def _slot(accelerator: Accelerator, rate: float) -> Assumption:
    """How fast cards talk that no fabric joins: by what their board can, not what a host gives.

    A desktop's processor has 16 lanes for all of its cards and four for a drive (Intel ARK, Core
    i9-14900K: 20; two cards have eight each).
    """
    link = accelerator.host_link
    return exact(
        "hardware.scale_up",
        rate,
        "GB/s",
        basis="profile" if link else "default",
        source=_file(accelerator.file) if link else "PCI Express 3.0: 16 lanes",
        why="no fabric joins these cards: they talk through a slot of the host each, taken to have "
        "all 16 lanes; a desktop's processor has 16 for all of its cards",
    )


def precision_of(given: Input, accelerator: Accelerator) -> tuple[str, Choice | None]:
    """The precision of a part: the run file's, else the usual one of the hardware."""
    asked = given.part.training.precision if given.part.training else None
    if asked is not None:
        return asked, None
    best = usual_precision(accelerator.peak.rates()) or "fp32"
    why = f"the usual one that {accelerator.name} has a rate for"
    return best, Choice(
        key="training.precision", value=best, basis="default", source="costcalc", why=why
    )


def _peaks(given: Input, accelerator: Accelerator) -> Mapping[str, float]:
    """Dense FLOP/s by precision; the user's own is of the precision that is trained in."""
    peaks = accelerator.peak.rates()
    own = given.part.hardware.peak if given.part.hardware else None
    if own is None:
        return peaks
    precision, _ = precision_of(given, accelerator)
    return {**peaks, PEAK_KEY.get(precision, precision): own}


IN_A_NODE = (
    16  # devices that a fabric inside a node joins at most (DGX-2); more are a rack or a pod
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fabric:
    """What joins devices faster than the network: byte/s each way, and how many of them."""

    rate: float
    domain: int
    torus: int = 0
    through_host: bool = False


def _fabric(asked: Hardware, accelerator: Accelerator, host: HostChoice, per_node: int) -> _Fabric:
    """The fabric of a machine; cards that none joins talk through the host that holds them.

    A fabric inside a node joins no more devices than the node has; that of a rack does.
    """
    known = accelerator.scale_up
    domain = min(host.host.scale_up_domain, known.domain) if known else 1
    if asked.per_node and domain <= IN_A_NODE:
        domain = min(domain, asked.per_node)
    joined = known is not None and known.topology != "host" and domain > 1
    if asked.scale_up:
        return _Fabric(rate=asked.scale_up, domain=asked.scale_up_domain or domain)
    if known is None or not joined:
        rate = known.bandwidth.si if known and known.topology == "host" else _host_link(accelerator)
        return _Fabric(rate=rate, domain=asked.scale_up_domain or per_node, through_host=True)
    return _Fabric(
        rate=known.bandwidth.si,
        domain=asked.scale_up_domain or domain,
        torus=TORUS.get(known.topology, 0),
    )


def _host_link(accelerator: Accelerator) -> float:
    """Cards without a fabric talk through their host."""
    return accelerator.host_link.si if accelerator.host_link else HOST_LINK


def _scale_out(
    accelerator: Accelerator, host: HostChoice, needed: bool, assumed: list[Assumption | Choice]
) -> float:
    box = host.host
    own = box.scale_out if box.accelerator in (None, accelerator.id) else None
    known = own or accelerator.scale_out or box.scale_out
    if known is not None:
        return known.si
    if needed:
        assumed.append(
            exact(
                "hardware.scale_out",
                to_si(DEFAULT_SCALE_OUT, "Gbit/s"),
                "Gbit/s",
                basis="default",
                source="costcalc",
                why=f"no network of {host.host.name} is known: 100 Gbit/s a device",
            )
        )
    return to_si(DEFAULT_SCALE_OUT, "Gbit/s")
