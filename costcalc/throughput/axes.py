"""A layout as numbers, so that one layout and a million of them are evaluated by the same code."""

from __future__ import annotations

from dataclasses import dataclass

from costcalc.base.numbers import Number
from costcalc.base.vocabulary import AXES, RECOMPUTES, SHARDINGS
from costcalc.throughput.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """:class:`Layout` with every axis a float or an array; all broadcast against each other.

    ``zero``: 0 none, 1 optimizer states, 2 gradients, 3 weights sharded over the data axis.
    ``hybrid``: 1 where weights are sharded inside the scale-up domain only (HSDP).  ``full`` and
    ``selective`` are 0 or 1, and so is ``sequence_parallel``; ``offload`` is 1 where the optimizer
    states live in host memory.
    """

    data: Number = 1.0
    tensor: Number = 1.0
    pipeline: Number = 1.0
    virtual_pipeline: Number = 1.0
    context: Number = 1.0
    expert: Number = 1.0
    micro_batch: Number = 1.0
    zero: Number = 0.0
    hybrid: Number = 0.0
    full: Number = 0.0
    selective: Number = 0.0
    sequence_parallel: Number = 1.0
    offload: Number = 0.0

    @property
    def devices(self) -> Number:
        """Devices that the layout fills."""
        return self.data * self.tensor * self.pipeline * self.context


def axes_of(layout: Layout | Axes) -> Axes:
    """The numbers of a layout.

    >>> axes_of(Layout(data=4, sharding="zero3", recompute="full")).zero
    3.0
    """
    if isinstance(layout, Axes):
        return layout
    zero, hybrid = SHARDINGS[layout.sharding]
    full, selective = RECOMPUTES[layout.recompute]
    return Axes(
        **{name: float(getattr(layout, name)) for name in AXES},
        micro_batch=float(layout.micro_batch),
        zero=zero,
        hybrid=hybrid,
        full=full,
        selective=selective,
        sequence_parallel=1.0 if layout.sequence_parallel else 0.0,
        offload=0.0 if layout.offload in ("none", "") else 1.0,
    )
