"""Instances by the clouds' own names: a host file, a size of one, or one that has a price."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from costcalc.base.errors import NotFoundError, Problem
from costcalc.catalog import host as hosts
from costcalc.catalog import prices
from costcalc.catalog.figure import Figure
from costcalc.catalog.host import Host
from costcalc.catalog.index import Head, index, plain
from costcalc.catalog.matching import refusal
from costcalc.catalog.parts import shipped_unit, slice_of
from costcalc.catalog.region_table import table

FILE = "instances.yaml"


class Size(NamedTuple):
    """An instance by name: whose it is, and what stands in it."""

    name: str
    provider: str
    accelerator: str
    devices: int


def find(name: str, folders: Sequence[Path] = ()) -> Host:
    """The host, or the cloud instance, of that name; ``folders`` are the user's own.

    Of an instance without a file of its own, power and making follow from the usual host of the
    same provider and accelerator, by the share of its devices.

    Raises:
        NotFoundError: there is none of that name; the message names the nearest.

    >>> find("g5.24xlarge").devices, find("Standard_NC6s_v3").accelerator
    (4, 'v100-pcie-16')
    """
    try:
        return hosts.find(name, folders)
    except NotFoundError:
        size = sizes().get(_bare(name))
    if size is not None:
        return _sized(size, tuple(folders))
    if (message := _told(name)) is not None:
        raise NotFoundError(Problem(key="hardware.instance", message=message))
    known = [*index().heads(hosts.KIND), *(Head("", one.name) for one in sizes().values())]
    otherwise = _reads_as(name) or "write hardware.accelerator and count in its place"
    way_out = f"{otherwise}; {hosts.WAY_OUT}"
    raise refusal("hardware.instance", "host", name, known, (), way_out)


_OF_SAGEMAKER = re.compile(r"ml\.(.+)", re.IGNORECASE)
# Machines of Google's and Amazon's lines that hold processors; accelerators are added to N1's.
_OF_N1 = re.compile(r"n1(?:-(?:standard|highmem|highcpu|custom)\b.*)?", re.IGNORECASE)
_OF_PROCESSORS = re.compile(
    r"(?:[nce]\d[a-z]?-(?:standard|highmem|highcpu|medium|small|micro)(?:-\d+)?"
    r"|(?:ml\.)?(?:[mcrtxz]\d[a-z-]{0,6}|hpc\d[a-z]?)\.(?:\d{0,3}x?large|metal|medium|small|micro)"
    r"|standard_[defhb]{1,2}\d+[a-z]{0,4}(?:_v\d)?)",
    re.IGNORECASE,
)


def _told(name: str) -> str | None:
    """What to write in place of a name that stands for no whole machine with accelerators."""
    for accelerator, parts in table(FILE).section("parts").items():
        for one, number in parts.items():
            if _bare(one) == _bare(name):
                return (
                    f"{one} holds a part of one device: write hardware.accelerator: {accelerator} "
                    f"and hardware.share: 1/{number} in its place"
                )
    return _of_what(name)


def _of_what(name: str) -> str | None:
    """The same for a slice, a device without a profile, and machines without accelerators."""
    shown = name.strip()[:60]
    chips, holds = slice_of(name), _without_profile(_bare(name))
    if chips is not None:
        of = f"{chips[1]} {chips[0]}"
        return f"{shown} is a slice of {of}: write hardware.accelerator: {shown} in its place"
    if holds is not None:
        return f"{shown} holds {holds}"
    if _OF_N1.fullmatch(name.strip()):
        return (
            f"{shown} has what is attached to it: write that as hardware.accelerator and count, "
            "price.provider: gcp (its GPUs are billed apart from the machine)"
        )
    if _OF_PROCESSORS.fullmatch(name.strip()):
        return (
            f"{shown} holds no accelerator: write a processor as hardware.accelerator, "
            "and count: its sockets"
        )
    of_sagemaker = _OF_SAGEMAKER.fullmatch(name.strip())
    if of_sagemaker and _bare(of_sagemaker[1]) in {*sizes(), *_filed()}:
        return (
            f"{shown} is {of_sagemaker[1]} by SageMaker, which asks more for it: write "
            f"hardware.instance: {of_sagemaker[1]}, and your price as price.instance_hour"
        )
    return None


def _without_profile(name: str) -> str | None:
    """What an instance holds whose device, or number of devices, is not known here."""
    for one, holds in table(FILE).section("told").items():
        if _bare(one) == name.removeprefix("ml."):
            return f"{holds}: profiles: takes a folder with one of your own"
    for line, accelerator in table(FILE).section("lines").items():
        if re.match(rf"(?:ml\.)?{line}[a-z]*[0-9]*\.", name):
            return (
                f"{accelerator}, how many is not public yet: write hardware.accelerator: "
                f"{accelerator} and count"
            )
    return None


# A device and how many, in a name: `8xh100`, `h100x8`, `160x1792x8h100`; then the name alone.
_DEVICE = r"[a-z]{1,5}\d{1,4}[a-z]{0,3}"
_NAMED = (
    re.compile(rf"(?:\d+x)*(?P<count>\d{{1,2}})x?(?P<device>{_DEVICE})"),
    re.compile(rf"(?P<device>{_DEVICE}?)x(?P<count>\d{{1,2}})"),
    re.compile(rf"(?P<device>(?P<count>){_DEVICE})"),
)
_TOO_SHORT = 3  # "a2" of a2-highgpu is a line of machines, not a board
_SHORT = ("l4", "t4")
_TOKENS = 12  # of a name that are looked at: none that a provider gave has as many


def _reads_as(name: str) -> str | None:
    """What to write where the name of a machine that is not known says a device."""
    for token in re.split(r"[-_.:/ ]+", name.lower(), maxsplit=_TOKENS)[:_TOKENS]:
        for form in _NAMED:
            said = form.fullmatch(token)
            if said is None or (len(said["device"]) < _TOO_SHORT and said["device"] not in _SHORT):
                continue
            found = shipped_unit(said["device"])
            if found is not None:
                count = f"count: {int(said['count'])}" if said["count"] else "count"
                return f"it reads as {found.id}: write hardware.accelerator: {found.id} and {count}"
    return None


def _filed() -> set[str]:
    return {_bare(each) for head in index().heads(hosts.KIND) for each in head.names}


@functools.lru_cache(maxsize=1)
def _tabled() -> dict[str, Size]:
    found = (
        Size(name, provider, accelerator, devices)
        for provider, by_accelerator in table(FILE).section("instances").items()
        for accelerator, names in by_accelerator.items()
        for name, devices in names.items()
    )
    return {_bare(size.name): size for size in found}


def sizes() -> dict[str, Size]:
    """Every instance that has no host file, by its name as it is compared."""
    return {_bare(size.name): size for size in _priced()} | _tabled()


def rented_in_parts(accelerator: str, provider: str) -> list[Size]:
    """The sizes of Google's lines that have no price of their own: on spot they are rented too.

    >>> [size.name for size in rented_in_parts("h100-sxm5-80", "gcp")]
    ['a3-highgpu-1g', 'a3-highgpu-2g', 'a3-highgpu-4g', 'a3-edgegpu-8g']
    """
    return [
        size
        for size in _tabled().values()
        if (size.accelerator, size.provider) == (accelerator, provider) and _LINE.search(size.name)
    ]


def spot_alone(provider: str) -> tuple[str, ...]:
    """The sizes that a provider rents on spot alone.

    >>> spot_alone("gcp")[0], spot_alone("aws")
    ('a3-highgpu-1g', ())
    """
    return tuple(table(FILE).section("spot_alone").get(provider, ()))


def _priced() -> Iterator[Size]:
    """Instances of the catalogue of prices that hold whole devices, each name of one kind."""
    listed: dict[tuple[str, str], set[tuple[str, float]]] = {}
    for offer in prices.catalogue().every():
        if offer.instance:
            of_name = listed.setdefault((offer.instance, offer.provider), set())
            of_name.add((offer.accelerator, offer.devices))
    for (name, provider), kinds in listed.items():
        accelerator, devices = min(kinds)
        if len(kinds) == 1 and devices >= 1 and devices == int(devices):
            yield Size(name, provider, accelerator, int(devices))


def _bare(name: str) -> str:
    return plain(name).replace(" ", "_").removeprefix("standard_")


@functools.lru_cache(maxsize=512)
def _sized(size: Size, folders: tuple[Path, ...]) -> Host:
    """The usual host of the same devices, cut to the instance's number of them."""
    chosen = _whole(size, folders)
    share = size.devices / chosen.devices if chosen.host_power_each is None else 1.0
    made = chosen.model_copy(
        update={
            "id": plain(size.name).replace(" ", "_"),
            "name": f"{size.provider} {size.name}",
            "aliases": (size.name,),
            "accelerator": size.accelerator,
            "devices": size.devices,
            "provider": size.provider,
            "default_for": (),
            "max_power": None,
            "host_power": _part(chosen.host_power, share),
            "embodied": chosen.embodied and _part(chosen.embodied, share),
            "scale_up_domain": min(chosen.scale_up_domain, size.devices),
        }
    )
    made._file, made._digest = chosen.file, chosen.digest
    made._part_of = f"{size.devices} of {chosen.devices} devices of {chosen.name}"
    return made


def _whole(size: Size, folders: tuple[Path, ...]) -> Host:
    """The host that the instance is a part of: of its number of devices, or the largest.

    A smaller one says too little of it: the network of one device alone is no share of eight.
    """
    one = functools.partial(hosts.choose, size.accelerator, provider=size.provider, folders=folders)
    nearest = one(per_node=size.devices).host
    return nearest if nearest.devices == size.devices else one().host


def _part(figure: Figure, share: float) -> Figure:
    """A figure of a whole node, by the share of its devices."""
    bounds = {name: getattr(figure, name) for name in ("value", "low", "high")}
    return figure.model_copy(
        update={name: bound * share for name, bound in bounds.items() if bound is not None}
    )


def alike(offered: str | None, instance: str) -> bool:
    """Whether a price of an instance is one of another: of its own name, or of its line.

    >>> alike("NC6s_v3", "Standard_NC6s_v3"), alike("a2-highgpu-8g", "a2-highgpu-1g")
    (True, True)
    >>> alike("g6.xlarge", "g6.16xlarge")
    False
    """
    if offered is None:
        return True
    named, asked = (_LINE.sub("", _SIGNS.sub("-", one.lower())) for one in (offered, instance))
    return named.removeprefix("standard-") == asked.removeprefix("standard-")


def held_by_name(instance: str) -> int | None:
    """The devices that an instance of Google's lines says that it holds; None: of no such line.

    >>> held_by_name("a3-highgpu-1g"), held_by_name("p5.48xlarge")
    (1, None)
    """
    said = _LINE.search(instance.strip().lower())
    return int(said[0][1:-1]) if said else None


_SIGNS = re.compile(r"[^a-z0-9.]+")
_LINE = re.compile(r"-\d+g$")  # Google's lines are priced by the device
