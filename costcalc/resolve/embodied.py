"""What it took to make the hardware, and over how long it counts."""

from __future__ import annotations

from costcalc import carbon
from costcalc.base.assumption import Assumption
from costcalc.catalog.figure import Figure
from costcalc.resolve.hardware import Devices
from costcalc.resolve.known import Known, bounds
from costcalc.resolve.remembered import remembered
from costcalc.runfile.loading import Input


@remembered("embodied")
def embodied(given: Input, devices: Devices) -> Known:
    """Emissions of making a device and its share of the host, and over how long they count."""
    known = {"lifetime": carbon.lifetime(), "lifetime_utilization": carbon.lifetime_utilization()}
    why: dict[str, str] = {}
    figure = devices.accelerator.embodied
    if figure is None:
        why["embodied_device"] = f"no embodied carbon of {devices.accelerator.name} is known"
    else:
        known["embodied_device"] = _of_a_device(devices, "embodied.device", figure, "kgCO2e")
    host = devices.host
    share = host.embodied_per_device()
    if share is None:
        why["embodied_host"] = f"no embodied carbon of {host.host.name} is known"
    else:
        least, most = host.embodied_per_device("low"), host.embodied_per_device("high")
        made = host.host.embodied
        known["embodied_host"] = Assumption(
            key="embodied.host",
            value=share,
            unit="kgCO2e",
            basis="profile",
            low=share if least is None else least,
            high=share if most is None else most,
            source=host.host.sources[made.source].title if made else host.host.name,
            why=f"a device's share of {host.host.name} without accelerators",
        )
    depleted = devices.accelerator.abiotic_depletion
    if depleted is None:
        why["abiotic_device"] = (
            f"no abiotic depletion of {devices.accelerator.name} is known: its profile has none"
        )
    else:
        key = "embodied.abiotic_depletion"
        known["abiotic_device"] = _of_a_device(devices, key, depleted, "gSbeq")
    found = Known(known=known, why=why)
    weights = {"embodied_device": "kgCO2e", "embodied_host": "kgCO2e", "abiotic_device": "gSbeq"}
    return found.said(given, **weights, lifetime="year", lifetime_utilization="1")


def _of_a_device(devices: Devices, key: str, figure: Figure, unit: str) -> Assumption:
    """A figure of making one device, without its server, as its profile has it."""
    value, low, high = bounds(figure)
    return Assumption(
        key=key,
        value=value,
        unit=unit,
        basis="profile",
        low=low,
        high=high,
        source=devices.accelerator.sources[figure.source].title,
        year=figure.year,
        why=figure.note or "a device without its server",
    )
