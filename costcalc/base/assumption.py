"""The record of one number that a result rests on: value, range, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from costcalc.base.units import unit

Basis = Literal["given", "measured", "profile", "modelled", "default"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranged:
    """A number with its range, who vouches for it, and where it stands."""

    key: str
    value: float
    low: float
    high: float
    unit: str
    basis: Basis
    source: str
    why: str = ""
    year: int | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption(_Ranged):
    """One input of the pipeline, in SI units, with its 5th and 95th percentile.

    ``unit`` is the unit that it is shown in (``costcalc.base.units`` converts); ``value``, ``low``
    and ``high`` are in SI (s, J, W, FLOP, byte, gCO2e, USD, litre, device).  ``basis`` says who
    vouches for it: ``given`` (the user), ``measured``, ``profile`` (a data file), ``modelled``
    (costcalc's own models) or ``default``.  ``where`` is the place in the user's file,
    ``file:line:column``.

    >>> pue = Assumption(key="site.pue", value=1.15, low=1.09, high=1.24, unit="1",
    ...                  basis="default", source="AWS 2024", why="no site.pue given")
    >>> pue.exact
    False
    """

    @property
    def exact(self) -> bool:
        """Whether there is no doubt about the value."""
        return self.low == self.value == self.high

    def given(self, value: float, *, where: str | None, source: str = "run file") -> Assumption:
        """The same quantity as the user's own figure: exact, and at its place in the file."""
        return replace(
            self,
            value=value,
            low=value,
            high=value,
            basis="given",
            source=source,
            why="",
            year=None,
            where=where,
        )


def exact(
    key: str,
    value: float,
    unit: str,
    *,
    basis: Basis,
    source: str,
    why: str = "",
    year: int | None = None,
    where: str | None = None,
) -> Assumption:
    """An assumption without a range.

    >>> exact("hardware.count", 8, "device", basis="given", source="run file").exact
    True
    """
    return Assumption(
        key=key,
        value=value,
        low=value,
        high=value,
        unit=unit,
        basis=basis,
        source=source,
        why=why,
        year=year,
        where=where,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An input that is a word or a mapping rather than a number: ``packing: packed``."""

    key: str
    value: Any
    basis: Basis
    source: str
    why: str = ""
    year: int | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated(_Ranged):
    """An assumption as it is told: ``value``, ``low`` and ``high`` in the ``unit`` beside them."""


def stated(item: Assumption) -> Stated:
    """An assumption in its unit.

    >>> price = exact("price.device_hour", 2 / 3600, "USD/device_hour", basis="given", source="me")
    >>> stated(price).value
    2.0
    """
    factor = unit(item.unit).factor
    return Stated(
        key=item.key,
        value=item.value / factor,
        low=item.low / factor,
        high=item.high / factor,
        unit=item.unit,
        basis=item.basis,
        source=item.source,
        why=item.why,
        year=item.year,
        where=item.where,
    )
