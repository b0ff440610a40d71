"""What of a machine the meters of other tools see, and what is missing from the energy they say.

Energy of boards alone is not a machine's, with a place or without; every text that states it names
what it is of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from costcalc.report.meters import section
from costcalc.report.tools import BOARDS_ONLY

Record = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What a tool's energy is of, in a few words.

    ``holds`` names components of a boundary, each with what of it is not seen; the others of
    :data:`MACHINE` are missing.
    """

    alone: str
    holds: Mapping[str, str]


#: the components of a boundary that a meter can see
MACHINE = ("accelerators", "hosts", "network")
BOARDS = Coverage(alone="the boards alone, without hosts", holds={"accelerators": ""})
# CodeCarbon, methodology: GPU by NVML, CPU by RAPL or a constant, RAM by its size; no more
PARTS = Coverage(
    alone="CPU, GPU and memory alone",
    holds={"accelerators": "", "hosts": "CPU and memory; fans and power supplies are not metered"},
)
#: of a meter that the author typed figures of
UNSAID = "what the author's meter saw, which the report does not name"
_OF_TOOLS = {
    **dict.fromkeys(BOARDS_ONLY, BOARDS),
    **dict.fromkeys(("CodeCarbon", "carbontracker"), PARTS),
}


def of_tool(name: object) -> Coverage | None:
    """What the energy of a tool is of; None where its name does not tell.

    >>> of_tool("nvidia-smi").alone, of_tool("Slurm accounting")
    ('the boards alone, without hosts', None)
    """
    return _OF_TOOLS.get(str(name))


def components(listed: Sequence[Mapping[str, object]], name: object) -> list[dict[str, object]]:
    """The components of a boundary as the meters of a tool counted them.

    >>> components([{"name": "hosts", "counted": None}], "Zeus")
    [{'name': 'hosts', 'counted': False, 'why': 'Zeus does not meter it'}]
    """
    seen = of_tool(name)
    made: list[dict[str, object]] = []
    for item in listed:
        component = str(item["name"])
        if seen is None or component not in MACHINE:
            made.append(dict(item))
            continue
        counted = component in seen.holds
        why = seen.holds[component] if counted else f"{name} does not meter it"
        made.append({"name": component, "counted": counted, **({"why": why} if why else {})})
    return made


def metered(parts: Sequence[Record]) -> Iterator[Record]:
    """Of parts of a report, what tools say of the energy that they measured."""
    for part in parts:
        if _metered(part):
            yield section(part, "details", "imported")


def _metered(part: Record) -> bool:
    before = section(part, "results", "energy_it")
    measured = before.get("basis") == "measured" and before.get("value") is not None
    return measured and bool(section(part, "details", "imported"))


def _others(parts: Sequence[Record]) -> list[Record]:
    """Parts of a report beside those that tools metered, whose energy is known."""
    whole, *stages = parts
    told = list(metered(parts))
    known = [one for one in stages or [whole] if _known(one) and not _metered(one)]
    return known if told else []


def _known(part: Record) -> bool:
    return section(part, "results", "energy_it").get("value") is not None


def mixed(parts: Sequence[Record]) -> bool:
    """Whether tools metered a part of the energy alone."""
    return bool(_others(parts))


def boundary(parts: Sequence[Record]) -> str:
    """What the energy of a report's parts is of, before PUE; empty where no tool measured it."""
    told = {str(one.get("name")): str(one.get("what") or "") for one in metered(parts)}
    known = {name: what for name, what in told.items() if what}
    rest = dict.fromkeys(_of_another(one) for one in _others(parts))
    if len(known) == 1 and not rest:
        return next(iter(known.values()))
    named = [f"{what} ({name})" for name, what in known.items()]
    return "; ".join([*named, *(f"{what} (other parts)" for what in rest if known)])


def _of_another(part: Record) -> str:
    if section(part, "details", "tracking"):
        return "what costcalc track metered or modelled"
    if section(part, "results", "energy_it").get("basis") == "measured":
        return UNSAID
    return "accelerators, hosts and network as modelled"


def alone(parts: Sequence[Record]) -> str:
    """The same in a few words, where it is less than a machine."""
    found = [of_tool(name) for name in dict.fromkeys(one.get("name") for one in metered(parts))]
    return " or ".join(dict.fromkeys(one.alone for one in found if one is not None))
