"""What runs the step: the stack that is named, else what is usual for method and size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from costcalc.base.assumption import Assumption, Choice
from costcalc.base.vocabulary import REINFORCED
from costcalc.catalog import software as stacks
from costcalc.catalog.software import Fact, Software
from costcalc.resolve.hardware import Devices
from costcalc.resolve.known import taken
from costcalc.runfile.schema import LayoutKeys, Training
from costcalc.throughput.held import QUANTISED
from costcalc.workload.work import Work

T = TypeVar("T", bool, str)
LARGE = 64  # devices from which fine-tuning is taken to be of a cluster's software


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack as it runs one part; ``told``: the run file names it."""

    software: Software
    told: bool
    method: str
    generation: str
    devices: int
    cut: bool  # the run file says tensor or pipeline parallelism
    packed: bool = False  # its base is of 8 or 4 bits

    def fact(self, name: str) -> Fact | None:
        """What it does in this run; None where nothing is known."""
        return self.software.fact(
            name, self.method, self.generation, self.devices, cut=self.cut, packed=self.packed
        )

    def own(self, name: str, last: T) -> T:
        """What a stack that is named does beyond what a run file can say.

        ``last``: where none is named, or nothing is known of it.
        """
        fact = self.fact(name) if self.told else None
        return last if fact is None else type(last)(fact.value)

    def default(self, assumed: list[Assumption | Choice], name: str, given: T | None, last: T) -> T:
        """What the run file says of a key, else what the stack does, listed in ``assumed``.

        ``last``: where nothing is known of the stack.
        """
        if given is not None:
            return given
        fact = self.fact(name)
        if fact is None:
            return last
        self.takes(assumed, name, fact)
        return type(last)(fact.value)

    def takes(self, assumed: list[Assumption | Choice], name: str, fact: Fact) -> None:
        """Lists in ``assumed`` that a run does as the stack does."""
        why = f"as {self.software.name} does" + (f": {fact.note}" if fact.note else "")
        source = self.software.sources[fact.source].title
        taken(assumed, f"training.{name}", fact.value, why, source)


def stack_of(
    training: Training,
    work: Work,
    devices: Devices,
    assumed: list[Assumption | Choice],
    layout: LayoutKeys | None = None,
) -> Stack:
    """The stack of a part; one that is not named is listed in ``assumed``.

    ``layout``: what the run file says of it.
    """
    cut = layout is not None and max(layout.tensor, layout.pipeline) > 1
    if training.software is not None:
        found = stacks.find(training.software)
    else:
        name, why = usual(work, devices, cut=cut)
        found = stacks.find(name)
        taken(assumed, "training.software", name, f"not told: {why}; the range is wider for it")
    return Stack(
        software=found,
        told=training.software is not None,
        method=work.method,
        generation=devices.machine.generation,
        devices=devices.count,
        cut=cut,
        packed=(training.base_precision or work.base_precision) in QUANTISED,
    )


def usual(work: Work, devices: Devices, *, cut: bool) -> tuple[str, str]:
    """What usually runs a method at a size, with layers ``cut`` or not, and of what that is."""
    machine, method = devices.machine, work.method
    several = devices.count > machine.per_node
    if work.datum == "sample":
        name, what = "pytorch", "models of images, sound and the like"
    elif method in ("dpo", *REINFORCED):
        name, what = "trl", method
    elif method == "pretrain":
        name = "megatron" if several or cut else "pytorch"
        name = "primus" if several and machine.generation.startswith("cdna") else name
        where = "on several nodes" if several else "inside one node"
        what = f"pretraining {where}" + (" with layers cut over devices" if cut else "")
    elif method == "lora" or devices.count < LARGE:
        name, what = "transformers", f"{method}, LoRA at any size and others below {LARGE} devices"
    else:
        name, what = "nemo", f"{method} on {LARGE} devices or more"
    if machine.kind == "tpu":
        name = "maxtext" if work.datum == "token" else "jax"
        what = f"{what}, on TPU"
    return name, f"usual for {what}"
