"""What it took to make hardware counts over its life: how long that is, and how much it is used."""

from __future__ import annotations

from costcalc.base.assumption import Assumption
from costcalc.base.units import to_si


def lifetime() -> Assumption:
    """How long a server serves: what the largest operators write theirs off over.

    >>> from costcalc.base.units import from_si
    >>> from_si(lifetime().value, "year")
    5.0
    """
    return Assumption(
        key="embodied.lifetime",
        value=to_si(5, "year"),
        low=to_si(4, "year"),
        high=to_si(6, "year"),
        unit="year",
        basis="default",
        year=2025,
        source=(
            "useful lives of servers in annual reports: Amazon 5 years (2025), Meta 5.5 (2025),"
            " Alphabet and Microsoft 6 (2023), 4 before"
        ),
        why="no lifetime of the hardware is known",
    )


def lifetime_utilization() -> Assumption:
    """The share of its life that a device is allocated to a job.

    >>> lifetime_utilization().value
    0.8
    """
    return Assumption(
        key="embodied.utilization",
        value=0.8,
        low=0.5,
        high=0.95,
        unit="1",
        basis="default",
        year=2024,
        source=(
            "Kokolis et al., Revisiting Reliability in Large-Scale Machine Learning Research"
            " Clusters, arXiv 2410.21680: somewhat over 80 % of the devices allocated"
        ),
        why="as two busy research clusters; small owners idle more",
    )
