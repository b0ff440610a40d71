"""How many devices a launch held, also where a driver has not said which there are.

A driver that hangs, and a process that was killed before it answered, leave a record without
devices.  That they held none is the one thing that is known to be wrong of them where the job's
other machines, or its other launches, had some.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from costcalc.tracking.ledger import Written
from costcalc.tracking.records import Attempt


def silent(group: Sequence[Written]) -> set[str]:
    """The machines of a launch of whose devices nobody has said anything."""
    machines = {w.start.boot for w in group}
    for w in group:
        said = w.start.machine
        none = "unmetered" in said and not said.get("unanswered")
        if w.start.devices or said.get("hidden_devices") or none:
            machines.discard(w.start.boot)
    return machines


def note_of_silent(number: int, machines: int) -> str:
    """What is said where the drivers of some machines of a launch are silent."""
    return (
        f"the drivers of {number} of {machines} machines did not say which devices there are: "
        "they are taken to have held as many as the others"
    )


def filled(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Attempts in order; those that are dark with the devices of the one before, else after."""
    found: list[Attempt] = []
    for number, attempt in enumerate(attempts):
        like = None
        if attempt.dark:
            others = chain(reversed(attempts[:number]), attempts[number + 1 :])
            like = next((one for one in others if one.held), None)
        found.append(_like(attempt, like) if like else attempt)
    return found


def _like(attempt: Attempt, other: Attempt) -> Attempt:
    held = other.held / other.all_nodes * attempt.all_nodes
    note = (
        "an attempt's drivers did not say which devices it held: it is taken to have held as many "
        "a node as another"
    )
    return replace(
        attempt,
        devices=other.devices,
        kinds=other.kinds,
        held=held,
        unseen=held * attempt.elapsed,
        counts=replace(attempt.counts, notes=(*attempt.counts.notes, note)),
    )
