"""A comparison that ends in time: between pieces it is looked at the clock."""

from __future__ import annotations

import time
from collections.abc import Callable

from costcalc.base.errors import wrong
from costcalc.decide.sweep import Sweep

#: accelerators times counts of a piece: each is a search for a layout, of milliseconds
AT_ONCE = 32


def piece(axes: Sweep) -> int:
    """Scenarios of a piece after which it is looked at the clock."""
    return AT_ONCE * max(len(axes.regions) * len(axes.plans), 1)


def within(seconds: float, key: str) -> Callable[[int, int], None]:
    """What ends a comparison that has searched for so long, as its ``progress``.

    A problem at ``key`` says how far it came and what to do.

    >>> within(60.0, "sweep")(10, 100)
    """
    until = time.monotonic() + seconds

    def look(done: int, number: int) -> None:
        if done < number and time.monotonic() > until:
            message = f"took longer than {seconds:g} s, with {done:,} of {number:,} scenarios done"
            fewer = "fewer accelerators, counts or precisions"
            raise wrong(key, f"{message}: {fewer}, or costcalc compare, which has no limit")

    return look
