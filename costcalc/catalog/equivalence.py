"""Everyday things to compare a run with: km by car, seats on a flight, a household's year."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from costcalc.catalog.region_table import Sourced, sourced, table

FILE = "equivalences.yaml"
Of = Literal["carbon", "energy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """One everyday thing: what it is called, and how much carbon or energy one of it stands for.

    `per_one` is in gCO2e or kWh, or for a car gCO2e/km: `count` takes care of the units.
    """

    id: str
    of: Of
    one: str
    many: str
    about: str
    per_one: Sourced

    def count(self, amount: float) -> float:
        """How many of them an amount is: gCO2e for carbon, J for energy.

        >>> flight = next(thing for thing in equivalences("carbon") if thing.id == "flight")
        >>> flight.count(1666e3)
        2.0
        """
        each = self.per_one.si[0]
        # a car's factor is a metre in SI; people count kilometres
        return amount / (each * 1000 if self.per_one.unit.endswith("/km") else each)

    def phrase(self, amount: float) -> str:
        """The comparison in words, to two figures.

        >>> car = next(thing for thing in equivalences("carbon") if thing.id == "car_km")
        >>> car.phrase(2485e3)
        '10,000 km by car'
        """
        number = float(f"{self.count(amount):.2g}")
        return f"{number:,.10g} {self.one if number == 1 else self.many}"


def equivalences(of: Of | None = None) -> tuple[Equivalence, ...]:
    """All everyday things, or those that compare carbon (or energy).

    >>> [thing.id for thing in equivalences("energy")]
    ['household_us', 'household_eu']
    """
    found = table(FILE)
    rows = found.section("equivalences").items()
    return tuple(
        Equivalence(
            id=name,
            of=row["of"],
            one=row["one"],
            many=row["many"],
            about=row["about"],
            per_one=sourced(found, row["per_one"], ""),
        )
        for name, row in rows
        if of in (None, row["of"])
    )
