"""What a run that does not fit can do about it: each way was placed before it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from costcalc.base.human import number_of
from costcalc.catalog.parts import slice_of
from costcalc.resolve.hardware import Devices
from costcalc.runfile.loading import Input
from costcalc.runfile.schema import Hardware, LayoutKeys, Training
from costcalc.workload.work import Work

#: whether a part is placed when some of its keys are others
Holds = Callable[[Input], bool]

_NODE = 8  # devices that a node is taken to hold where the run has fewer
_NODES = 8  # so many whole nodes are tried each, then powers of two and what lies between
_BETWEEN = 64
_MOST = 1 << 17  # devices
#: methods that train all weights, and devices on which who asks for them may mean adapters
_WHOLE, _FEW = ("pretrain", "finetune"), 2


class _Way(NamedTuple):
    """A change that takes less memory: as it is told, and what it changes."""

    told: str
    training: Mapping[str, object] = {}
    layout: Mapping[str, object] = {}


_OPEN = LayoutKeys.model_validate({})
#: software that divides layers, whatever the method
_OTHER = _Way("software that divides layers (training.software: nemo)", {"software": "nemo"})


def ways_out(given: Input, devices: Devices, work: Work, alone: str, holds: Holds) -> str:
    """The end of a refusal: the fewest devices on which a run fits, and what fits on its own.

    ``alone``: the software of the run, where it divides the batch alone.
    """
    parts = [*_counts(given, devices, holds), *_on_these(given, devices, alone, holds)]
    if not parts:
        parts = ["no number of such devices fits"]
    if work.method in _WHOLE and work.datum == "token" and devices.count <= _FEW:
        parts.append(f"{work.method} trains all weights, training.method: lora adapters alone")
    return "".join(f"; {part}" for part in parts)


def _counts(given: Input, devices: Devices, holds: Holds) -> Iterator[str]:
    """How many devices are enough, of this run or else of one that leaves more open."""
    if slice_of((given.part.hardware or Hardware()).accelerator or "") is not None:
        yield "a larger slice may hold it"  # its name says how many
        return
    least = fewest(given, devices, holds)
    if least:
        such = number_of(least, "such device")
        enough = "is enough" if least == 1 else "are the fewest that fit"
        yield f"{such} {enough}{_by(least, devices)}"
        return
    for told, keys in (
        ("layout: auto", ()),
        ("micro_batch, recompute and layout left open", ("micro_batch", "recompute")),
    ):
        opened = _opened(given, keys)
        least = fewest(opened, devices, holds)
        if least:
            such = number_of(least, "such device")
            yield f"with {told} it fits, on {such} at least{_by(least, devices)}"
            return


def _by(least: int, devices: Devices) -> str:
    """By what steps were tried those beyond one node."""
    node = _node(devices)
    return f", of whole nodes of {node}" if least > node else ""


def _node(devices: Devices) -> int:
    return max(_NODE, devices.host.devices)


def fewest(given: Input, devices: Devices, holds: Holds) -> int | None:
    """The fewest devices on which a part is placed, each that is named tried; None: on none.

    By ones within a node, beyond it by nodes, the same whatever number was asked for; beyond some
    nodes by what divides the way to the next power of two.
    """
    node = _node(devices)
    asked = given.part.hardware or Hardware()
    each: int = devices.count // (asked.nodes or 1) if asked.instance else 1
    few: list[int] = sorted({*range(1, node + 1), *(node * more for more in range(1, _NODES + 1))})
    for count in few:
        if count % each == 0 and holds(_on(given, count, each)):
            return count
    count = few[-1]
    while count < _MOST:
        if holds(_on(given, 2 * count, each)):
            step = max(node, count // _BETWEEN // node * node)
            between = range(count + step, 2 * count, step)
            tried = (n for n in between if n % each == 0 and holds(_on(given, n, each)))
            return next(tried, 2 * count)
        count *= 2
    return None


def _on(given: Input, count: int, each: int) -> Input:
    """A part on another number of devices; an instance holds ``each`` of them."""
    asked = given.part.hardware or Hardware()
    number = {"nodes": count // each} if asked.instance else {"count": count}
    return given.changed(hardware=asked.model_copy(update=number))


def _opened(given: Input, keys: tuple[str, ...]) -> Input:
    """A part whose layout, and some keys of whose training, are left open."""
    asked, training = given.part.hardware or Hardware(), given.part.training or Training()
    kept = asked.layout and LayoutKeys.model_validate(
        {
            name: value
            for name in ("offload", "activations")
            if (value := getattr(asked.layout, name)) is not None
        }
    )
    return given.changed(
        hardware=asked.model_copy(update={"layout": kept}),
        training=training.model_copy(update=dict.fromkeys(keys)),
    )


def _on_these(given: Input, devices: Devices, alone: str, holds: Holds) -> Iterator[str]:
    """What fits on as many devices as were asked for."""
    ways = list(_ways(given))
    other = [_OTHER] if alone and devices.count > 1 and devices.machine.kind == "gpu" else []
    found = [way.told for way in (*ways, *other) if holds(_with(given, [way]))]
    here = f"on {devices.count} it may fit with"
    if found:
        yield f"{here} {' or '.join(found)}"
    elif ways and holds(_with(given, ways)):
        yield f"{here} {', '.join(way.told for way in ways)} together"


def _ways(given: Input) -> Iterator[_Way]:
    """What takes less and is not asked for, the least slow first."""
    training = given.part.training or Training()
    layout = (given.part.hardware or Hardware()).layout or _OPEN
    if (training.micro_batch or 1) > 1:
        yield _Way("training.micro_batch: 1", {"micro_batch": 1})
    if training.recompute in ("none", "selective"):
        yield _Way("training.recompute: full", {"recompute": "full"})
    if training.method in (None, *_WHOLE) and training.optimizer in (None, "adamw"):
        yield _Way("training.optimizer: adamw-8bit", {"optimizer": "adamw-8bit"})
    if layout.offload in (None, "none"):
        yield _Way("hardware.layout.offload: optimizer", {}, {"offload": "optimizer"})


def _with(given: Input, ways: list[_Way]) -> Input:
    asked, training = given.part.hardware or Hardware(), given.part.training or Training()
    layout = asked.layout or _OPEN
    for way in ways:
        training = training.model_copy(update=way.training)
        layout = layout.model_copy(update=way.layout)
    told = layout if asked.layout is not None or any(way.layout for way in ways) else None
    return given.changed(training=training, hardware=asked.model_copy(update={"layout": told}))
