"""Reads the calibrated constants of the time model from ``data/throughput.yaml``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TypedDict, cast

from costcalc.catalog.region_table import table

Figures = Mapping[str, float]


class OfGeneration(TypedDict, total=False):
    """What measurements of a generation tell: coefficients of its own, deviations by precision."""

    own: Figures
    precisions: Figures


class Stated(TypedDict):
    """A constant with its 5th and 95th percentile, and where it is from."""

    value: float
    low: float
    high: float
    source: str
    why: str


class Goodput(Stated):
    """What published runs say of the share of their hours that the predicted step takes.

    ``value`` is of a thousand devices and more, ``middle`` of 128, ``promise`` the power of the
    predicted utilization by which the share falls.
    """

    middle: float
    promise: float


Constants = TypedDict(
    "Constants",
    {
        "sources": Mapping[str, Mapping[str, str]],
        "global": Figures,
        "kinds": Mapping[str, Figures],
        "generations": Mapping[str, OfGeneration],
        "models": Mapping[str, Figures],
        "classes": Mapping[str, Figures],
        "samples": Figures,
        "auto": Figures,
        "range": Mapping[str, Figures],
        "repeat": Figures,
        "goodput": Goodput,
    },
    total=False,
)


_USED: ContextVar[Constants | None] = ContextVar("constants", default=None)


def load() -> Constants:
    """The constants that ship, or those of :func:`using`.

    Raises InputError if the file is damaged.
    """
    return _USED.get() or shipped()


@cache
def shipped() -> Constants:
    """The constants of ``data/throughput.yaml``; one copy in memory serves all calls."""
    return cast("Constants", dict(table("throughput.yaml").data))


@contextmanager
def using(constants: Constants) -> Iterator[None]:
    """Whatever is estimated inside takes these constants; what they leave out is the shipped one's.

    ``costcalc validate`` predicts a source with those that were fitted without it.

    >>> with using({"auto": {"value": 0.5}}):
    ...     load()["auto"]["value"], "goodput" in load()
    (0.5, True)
    >>> load()["auto"]["value"] == 0.5
    False
    """
    whole = constants.keys() >= shipped().keys()
    before = _USED.set(constants if whole else {**shipped(), **constants})
    try:
        yield
    finally:
        _USED.reset(before)
