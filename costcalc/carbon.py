"""Emissions and water: plain arithmetic on SI numbers, NumPy arrays or pint quantities.

Operational emissions are location-based: the energy that the facility draws times the grid's
intensity.  A market-based figure is the same product with the contract's intensity, and is never
added to a total.  Embodied emissions are the share of making the hardware that the run uses up.
"""

from __future__ import annotations

from typing import TypeVar

from costcalc.base.assumption import Assumption
from costcalc.base.units import to_si

Q = TypeVar("Q")
"""A float, a NumPy array or a pint quantity."""


def operational(energy: Q, intensity: Q) -> Q:
    """Emissions of the electricity used (gCO2e) = energy (J) x intensity (gCO2e/J).

    E x I of the SCI specification, ISO/IEC 21031:2024; scope 2, location-based, of the GHG
    Protocol. Energy is the facility's, PUE included.

    Llama 3.1's model card: 39.3 million hours x 700 W at 414 g/kWh are 11,390 t.

    >>> energy = 39.3e6 * 3600 * 700
    >>> round(operational(energy, 414 / 3.6e6) / 1e6)
    11389
    """
    return energy * intensity  # type: ignore[operator,no-any-return]


def embodied(*, per_device: Q, host_share: Q, device_time: Q, lifetime: Q, utilization: Q) -> Q:
    """The run's share (gCO2e) of what it took to make the devices and their hosts.

    M = TE x TS x RS of the SCI specification, ISO/IEC 21031:2024: `per_device` and `host_share`
    (gCO2e/device; the host without accelerators over its devices) times the allocated `device_time`
    (device s) over `lifetime` (s) x `utilization` (1), the time that a device is allocated to
    anybody in its life: what it idles is shared out over those who use it.

    One H100 (164 kg) with its share of a host (712 kg), one hour of 5 years at 80 %:

    >>> hour, year = 3600.0, 365.25 * 86400
    >>> round(embodied(per_device=164e3, host_share=712e3, device_time=hour, lifetime=5 * year,
    ...                utilization=0.8), 2)
    24.98
    """
    made = per_device + host_share  # type: ignore[operator]
    return made * device_time / (lifetime * utilization)  # type: ignore[operator,no-any-return]


def water(*, energy_it: Q, wue: Q, energy: Q, grid_water: Q) -> Q:
    """Water consumed (litre) = IT energy x on-site WUE + facility energy x the grid's intensity.

    Energies in J, intensities in litre/J. Li et al., Making AI Less Thirsty, arXiv 2304.03271,
    with the facility's energy for PUE x IT energy.

    100 kWh of computers at PUE 1.17, 0.55 L/kWh on site and 3.14 L/kWh at the power plants:

    >>> kwh = 3.6e6
    >>> litres = water(energy_it=100 * kwh, wue=0.55 / kwh, energy=117 * kwh, grid_water=3.14 / kwh)
    >>> round(litres, 2)
    422.38
    """
    return energy_it * wue + energy * grid_water  # type: ignore[operator,no-any-return]


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
