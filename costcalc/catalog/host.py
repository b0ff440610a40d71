"""Hosts: the servers and cloud instances that accelerators stand in, one YAML a host.

A host says how many accelerators share it, how fast they reach other hosts, what the node draws
beside the accelerators' boards, and what it cost to make without them.  One is chosen by what the
index tells of each; its figures are read when it is taken.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from costcalc.base.errors import InputError
from costcalc.catalog.figure import Bandwidth, Emission, Figure, Power, Source, source_faults
from costcalc.catalog.index import Head, index
from costcalc.catalog.loading import Record, head_of, own, shipped
from costcalc.catalog.matching import entries, refusal, shipped_as
from costcalc.catalog.provider import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Which = Literal["value", "low", "high"]

KIND = "hosts"
GENERIC_SERVER = "server-8-gpu"
WAY_OUT = "costcalc hardware list has them all"


class Cpu(BaseModel):
    """The processors of a host; `tdp` is that of one socket."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)

    model: str
    sockets: int = Field(ge=1)
    tdp: Power | None = None


class Host(Record):
    """One server, instance or rack; every figure is of the whole node unless it says otherwise."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    name: str
    aliases: tuple[str, ...] = Field((), description="exact names, case ignored: instance types")
    accelerator: str | None = Field(None, description="id of its accelerator; none: any will do")
    devices: int = Field(ge=1, description="accelerators in it, in the accelerator's own unit")
    provider: str | None = Field(None, description="the cloud that rents it; none: hardware")
    default_for: tuple[str, ...] = Field(
        (), description="accelerators whose reference system this is, used when no host is named"
    )
    at_a_desk: bool = Field(
        False, description="stands at a desk or in a bag: nobody cools it but the room, PUE 1"
    )
    cpu: Cpu | None = None
    max_power: Power | None = Field(None, description="the vendor's rating of the whole node")
    host_power: Power = Field(description="draw beside the accelerators' boards, while training")
    host_power_each: Power | None = Field(
        None, description="what each accelerator adds to host_power, where the size is open"
    )
    host_idle_power: Power | None = None
    scale_up_domain: int = Field(ge=1, description="devices joined by the scale-up links")
    scale_out: Bandwidth | None = Field(None, description="network of one device, each way")
    embodied: Emission | None = Field(None, description="to make the node without accelerators")
    note: str | None = None
    sources: dict[str, Source]

    _part_of: str = PrivateAttr("")

    @property
    def part_of(self) -> str:
        """Of an instance without a file of its own: of which host it is taken as a share."""
        return self._part_of


@dataclass(frozen=True, slots=True, kw_only=True)
class HostChoice:
    """A host, how many accelerators stand in one, and why it was taken."""

    host: Host
    devices: int
    why: str

    def power_per_device(self, which: Which = "value") -> float | None:
        """What the node draws beside the boards, shared by its accelerators; watts a device.

        ``which`` is value, low or high; None where no such bound is stated.
        """
        base, each = self.host.host_power, self.host.host_power_each
        if each is None:
            found = _bound(base, which)
            return None if found is None else found / self.host.devices
        fixed, added = _bound(base, which), _bound(each, which)
        return None if fixed is None or added is None else fixed / self.devices + added

    def embodied_per_device(self, which: Which = "value") -> float | None:
        """gCO2e to make the node without accelerators, shared by them; None if unknown."""
        figure = self.host.embodied
        found = None if figure is None else _bound(figure, which)
        shared = self.devices if self.host.host_power_each is not None else self.host.devices
        return None if found is None else found / shared


def _bound(figure: Figure, which: Which) -> float | None:
    return {"value": figure.si, "low": figure.si_low, "high": figure.si_high}[which]


def find(name: str, folders: Sequence[Path] = ()) -> Host:
    """The host that a name stands for: an id or alias, but for case, blanks and hyphens.

    ``folders`` are the user's own, looked in first.

    Raises:
        NotFoundError: the name stands for none or several; the message names the nearest.

    >>> find("p5.48xlarge").devices
    8
    >>> find("p5.48large")
    Traceback (most recent call last):
    costcalc.base.errors.NotFoundError: hardware.instance: no host p5.48large; nearest: \
p5.48xlarge, p5e.48xlarge, p5.4xlarge, p5en.48xlarge; costcalc hardware list has them all
    """
    own_ones = [mine for folder in folders for mine in _own(folder)]
    own_heads = [head_of(mine) for mine in own_ones]
    mine = entries(name, own_heads)
    if mine:
        return own_ones[own_heads.index(mine[0])]
    candidates = shipped_as(name, (KIND,))
    if len(candidates) == 1:
        return _shipped(candidates[0].file)
    known = [*own_heads, *index().heads(KIND)]
    raise refusal("hardware.instance", "host", name, known, candidates, WAY_OUT)


def choose(
    accelerator: str,
    *,
    provider: str | None = None,
    per_node: int | None = None,
    folders: Sequence[Path] = (),
) -> HostChoice:
    """The host to reckon with where none is named: the provider's own, else the reference system.

    ``accelerator`` is the id of a profile; ``per_node`` the number of them that the user has in
    one node.  Consumer cards stand in the workstation, anything else in the generic server.

    >>> choose("h100-sxm5-80").host.id, choose("h100-sxm5-80", provider="aws").host.id
    ('dgx-h100', 'p5.48xlarge')
    >>> choose("rtx-4090", per_node=2).devices
    2
    """
    provider = canonical(provider) if provider else None
    own_heads = _own_heads(folders)
    heads = [*own_heads, *index().heads(KIND)]
    for reason, found in _candidates(heads, {head.id for head in own_heads}, accelerator, provider):
        if found:
            host = find(min(found, key=lambda head: _rank(head, per_node)).id, folders)
            devices = per_node or host.devices
            return HostChoice(host=host, devices=devices, why=reason.format(name=host.name))
    host = find(GENERIC_SERVER, folders)
    why = f"no host is known for {accelerator}: {host.name} assumed"
    return HostChoice(host=host, devices=per_node or host.devices, why=why)


def _candidates(
    heads: list[Head], own: set[str], accelerator: str, provider: str | None
) -> Iterator[tuple[str, list[Head]]]:
    ours = [head for head in heads if head.accelerator == accelerator]
    yield "no host named: {name}, from your profiles", [head for head in ours if head.id in own]
    if provider is not None:
        rented = [head for head in ours if head.provider == provider]
        yield f"no host named: {{name}}, which {provider} rents with {accelerator}", rented
    named = [head for head in heads if accelerator in head.default_for]
    yield f"no host named: {{name}}, the usual system of {accelerator}", named
    owned = [head for head in ours if head.provider is None]
    yield f"no host named: {{name}}, which holds {accelerator}", owned
    yield f"no host named: {{name}}, the only one known with {accelerator}", ours


def _rank(head: Head, per_node: int | None) -> tuple[int, int, str]:
    """Smaller is better: the size asked for, else the largest; then by name, to be the same."""
    miss = 0 if per_node is None else abs(head.devices - per_node)
    return miss, -head.devices, head.id


def ids(folders: Sequence[Path] = ()) -> list[str]:
    """All ids, sorted; the user's own among them."""
    return sorted({head.id for head in (*_own_heads(folders), *index().heads(KIND))})


def schema() -> dict[str, Any]:
    """The JSON Schema of a host file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "costcalc host profile",
        **Host.model_json_schema(),
    }


def _own(folder: Path) -> list[Host]:
    return [_checked(mine) for mine in own(Path(folder), Host, hosts=True)]


def _own_heads(folders: Sequence[Path]) -> list[Head]:
    """What finds the user's own hosts."""
    return [head_of(mine) for folder in folders for mine in _own(folder)]


@functools.cache
def _shipped(file: str) -> Host:
    return _checked(shipped(file, Host))


def _checked(found: Host) -> Host:
    """The host, if its sources are all named and used and its parts draw less than the whole."""
    faults = [
        found.problem(tuple(path.split(".")), fault)
        for path, fault in source_faults(found, found.sources)
    ]
    if found.max_power is not None and found.host_power.si > found.max_power.si:
        faults.append(found.problem(("host_power",), "expected no more than max_power"))
    if faults:
        raise InputError(faults)
    return found
