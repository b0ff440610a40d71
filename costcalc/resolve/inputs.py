"""The inputs of the pipeline for one part: each an assumption with its range, or why there is none.

What the user gives wins; then what the catalogue knows of the place, the provider and the hardware;
then defaults.  Nothing is guessed: an input that is not known is left out, with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from costcalc import carbon, energy, price
from costcalc.base.assumption import Assumption, exact
from costcalc.base.units import to_si, unit
from costcalc.catalog.region import Region
from costcalc.resolve.hardware import Devices
from costcalc.resolve.owned import owned
from costcalc.resolve.time import EFFECTIVE_SOURCE
from costcalc.runfile.loading import Input
from costcalc.runfile.schema import Owned, Price, Site
from costcalc.runfile.values import Money

GRID_BASIS_UNKNOWN = "the user's own; basis not said, taken as lifecycle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Assumptions by the pipeline's name of them; ``why`` says why a name is not there."""

    known: Mapping[str, Assumption]
    why: Mapping[str, str]
    notes: tuple[str, ...] = ()


def dollars(money: Money, given: Price | None) -> float:
    """An amount in USD, a unit of SI where it is a price of something.

    >>> dollars(Money(7.2, "USD", "kWh"), None)
    2e-06
    """
    rate = given.rate.usd if given and given.rate and money.currency != "USD" else 1.0
    return money.amount * rate / (unit(money.per).factor if money.per else 1.0)


# --- the place -----------------------------------------------------------------------------------


def site(given: Input, region: Region | None) -> Inputs:
    """PUE, grid factor and water of the place."""
    asked = given.part.site or Site()
    known: dict[str, Assumption] = {}
    why: dict[str, str] = {}
    known["pue"] = _pue(given, asked, region)
    grid = _grid(given, asked, region)
    if grid is not None:
        known["grid"] = grid
    else:
        why["grid"] = region.grid_why if region else "no site.region and no site.grid"
    if region is None:
        why["wue"] = why["grid_water"] = "no site.region"
    else:
        known["wue"] = region.wue.assumption("site.wue")
        if region.water is not None:
            known["grid_water"] = region.water.assumption("site.grid_water", basis="profile")
        else:
            why["grid_water"] = region.water_why
    return Inputs(known=known, why=why)


def _pue(given: Input, asked: Site, region: Region | None) -> Assumption:
    if asked.pue is not None:
        return exact(
            "site.pue",
            asked.pue,
            "1",
            basis="given",
            source="run file",
            where=given.place("site", "pue"),
        )
    if region is not None:
        return region.pue.assumption("site.pue")
    from costcalc.catalog.provider import survey

    return survey("pue").assumption("site.pue")


def _grid(given: Input, asked: Site, region: Region | None) -> Assumption | None:
    if asked.grid is not None:
        why = f"basis: {asked.grid_basis}" if asked.grid_basis else GRID_BASIS_UNKNOWN
        return exact(
            "site.grid",
            asked.grid,
            "gCO2e/kWh",
            basis="given",
            source="run file",
            why=why,
            where=given.place("site", "grid"),
        )
    if region is None or region.grid is None:
        return None
    found = region.grid
    how = f"{found.basis}, {found.signal}, {found.accounting}-based, {found.place}"
    why = "; ".join(part for part in (how, found.why) if part)
    return found.assumption("site.grid", basis="profile", why=why)


# Of the shortfall of a default goodput, the share that draws like training: value, low, high.  With
# 0.65 of the modelled speed and a tenth of the time lost, 0.3 of it redone: 1 − 0.1 × 0.7 / 0.35.
SLOWER = (0.8, 0.5, 1.0)


# --- power ---------------------------------------------------------------------------------------


def power(
    devices: Devices, kind: str, *, utilization: float | None, precision: str, slower: bool
) -> Inputs:
    """What boards, hosts and network draw; ``slower``: goodput holds time that trains slowly."""
    found = energy.power_assumptions(
        devices.accelerator,
        devices.host,
        kind,
        utilization=utilization,
        precision=precision,
        nodes=devices.nodes,
    )
    redone = (
        found.redone
        if not slower
        else replace(
            found.redone,
            value=SLOWER[0],
            low=SLOWER[1],
            high=SLOWER[2],
            source=EFFECTIVE_SOURCE,
            why="the default goodput is mostly training slower than modelled, which draws as "
            "training "
            "does; about a tenth of the time is lost",
        )
    )
    known = {"host_power": found.host, "network_share": found.network, "redone": redone}
    why: dict[str, str] = {}
    if found.board is not None and found.idle is not None:
        known |= {"board_power": found.board, "idle_power": found.idle}
    else:
        why["board_power"] = why["idle_power"] = found.why_not
    notes: tuple[str, ...] = ()
    if devices.share < 1.0:
        notes = ("energy of a shared device is its share of the whole device's",)
    return Inputs(known=known, why=why, notes=notes)


# --- price ---------------------------------------------------------------------------------------


def prices(given: Input, devices: Devices, region: Region | None) -> Inputs:
    """The price of a device-second, what is billed, and electricity where the hardware is owned."""
    asked = given.part.price or Price()
    if owned_hardware(asked):
        return _owned(given, asked, devices)
    found = quoted(given, devices, region)
    known = {"electricity": _RENTED, "billed": _billed(devices, found)}
    if found.price is None:
        beside = f" (known: {found.known})" if found.known else ""
        return Inputs(known=known, why={"price": found.why_not + beside})
    known["price"] = found.price
    notes: tuple[str, ...] = ()
    if found.price.basis == "profile" and "old" in found.price.why:
        notes = (f"price: {found.price.why}",)
    return Inputs(known=known, why={}, notes=notes)


_RENTED = exact(
    "price.electricity",
    0.0,
    "USD/kWh",
    basis="default",
    source="costcalc",
    why="rented: electricity is in the price",
)


def owned_hardware(asked: Price) -> bool:
    """Whether the hardware was bought, so that its cost is written off."""
    return asked.owned is not None or asked.plan == "owned"


def provider_of(given: Input, region: Region | None, host_provider: str | None) -> str | None:
    """Whose prices: the run file's, else the instance's, else the region's."""
    asked = given.part.price.provider if given.part.price else None
    return asked or host_provider or (region.provider if region else None)


def quoted(given: Input, devices: Devices, region: Region | None) -> price.Quote:
    """The price of rented hardware: the user's own, else the catalogue's, less the discount."""
    asked = given.part.price or Price()
    return _quote(given, asked, devices, region).less(asked.discount or 0.0)


def _quote(given: Input, asked: Price, devices: Devices, region: Region | None) -> price.Quote:
    if asked.device_hour is not None:
        value = dollars(asked.device_hour._replace(per=""), asked) / to_si(1.0, "h")
        return price.given(value, where=given.place("price", "device_hour"))
    if asked.instance_hour is not None:
        value = dollars(asked.instance_hour._replace(per=""), asked) / to_si(1.0, "h")
        return price.given(
            value / devices.host.devices,
            devices=devices.host.devices,
            where=given.place("price", "instance_hour"),
        )
    named = given.part.hardware.instance if given.part.hardware else None
    return price.quote(
        devices.accelerator,
        provider=provider_of(given, region, devices.host.host.provider if named else None),
        region=_code(region),
        plan=asked.plan or "on-demand",
        instance=named,
        count=devices.count,
    )


def _code(region: Region | None) -> str | None:
    return region.code.partition(":")[2] if region is not None and region.provider else None


def billed(devices: Devices, found: price.Quote) -> float:
    """Devices that are paid for, over those that are used: instances are rented whole."""
    if devices.share < 1.0:
        return 1.0
    paid = price.billed_devices(count=devices.count, per_instance=found.devices)
    return float(paid) / devices.count


def _billed(devices: Devices, found: price.Quote) -> Assumption:
    paid = billed(devices, found) * devices.reserved
    why = ""
    if paid > devices.reserved:
        why = f"{paid:g} devices: instances of {found.devices:g} are rented whole"
    return exact(
        "price.billed_share",
        billed(devices, found),
        "1",
        basis="given" if found.price and found.price.basis == "given" else "profile",
        source="whole instances are billed",
        why=why,
    )


def _owned(given: Input, asked: Price, devices: Devices) -> Inputs:
    default = owned(devices.accelerator)
    own = asked.owned or Owned()
    known: dict[str, Assumption] = {}
    billed = exact("price.billed_share", 1.0, "1", basis="given", source="owned hardware")
    electricity = replace(default.electricity, key="price.electricity")
    if own.electricity is not None:
        electricity = electricity.given(
            dollars(own.electricity, asked), where=given.place("price", "owned", "electricity")
        )
    known |= {"billed": billed, "electricity": electricity}
    if asked.device_hour is not None:
        value = dollars(asked.device_hour._replace(per=""), asked) / to_si(1.0, "h")
        quoted = price.given(value, where=given.place("price", "device_hour")).price
        return Inputs(known=known | ({"price": quoted} if quoted else {}), why={})
    lifetime, used = default.lifetime, default.utilization
    if own.lifetime is not None:
        lifetime = lifetime.given(own.lifetime, where=given.place("price", "owned", "lifetime"))
    if own.utilization is not None:
        used = used.given(own.utilization, where=given.place("price", "owned", "utilization"))
    bought = default.purchase
    shared = 1.0
    if own.purchase is not None:
        paid = dollars(own.purchase, asked)
        shared = float(devices.count)
        bought = exact(
            "price.owned.purchase",
            paid,
            "USD",
            basis="given",
            source="run file",
            where=given.place("price", "owned", "purchase"),
        )
    if bought is None:
        return Inputs(known=known, why={"price": default.why_not})
    known["price"] = _written_off(bought, shared, lifetime, used)
    return Inputs(known=known, why={})


def _written_off(
    bought: Assumption, devices: float, lifetime: Assumption, used: Assumption
) -> Assumption:
    """The price of a device-second of bought hardware, its range from the ranges of its parts."""

    def of(paid: float, years: float, share: float) -> float:
        made: float = price.owned_price(
            purchase=paid, devices=devices, lifetime=years, utilization=share
        )
        return made

    value = of(bought.value, lifetime.value, used.value)
    low = of(bought.low, lifetime.high, used.high)
    high = of(bought.high, lifetime.low, used.low)
    why = (
        f"purchase {bought.value:,.6g} USD / ({devices:g} devices × lifetime "
        f"{lifetime.value / to_si(1.0, 'year'):.3g} years × utilization {used.value:.3g})"
    )
    return Assumption(
        key="price.device_hour",
        value=value,
        low=low,
        high=high,
        unit=price.UNIT,
        basis="given" if bought.basis == "given" else "default",
        source=bought.source,
        why=why,
        where=bought.where,
    )


# --- what it took to make the hardware -----------------------------------------------------------


def embodied(devices: Devices) -> Inputs:
    """Emissions of making a device and its share of the host, and over how long they count."""
    known = {"lifetime": carbon.lifetime(), "lifetime_utilization": carbon.lifetime_utilization()}
    why: dict[str, str] = {}
    figure = devices.accelerator.embodied
    if figure is None:
        why["embodied_device"] = f"no embodied carbon of {devices.accelerator.name} is known"
    else:
        value = figure.si
        known["embodied_device"] = Assumption(
            key="embodied.device",
            value=value,
            unit="kgCO2e",
            basis="profile",
            low=value if figure.si_low is None else figure.si_low,
            high=value if figure.si_high is None else figure.si_high,
            source=devices.accelerator.sources[figure.source].title,
            year=figure.year,
            why=figure.note or "a device without its server",
        )
    host = devices.host
    value_host = host.embodied_per_device()
    if value_host is None:
        why["embodied_host"] = f"no embodied carbon of {host.host.name} is known"
    else:
        low, high = host.embodied_per_device("low"), host.embodied_per_device("high")
        made = host.host.embodied
        known["embodied_host"] = Assumption(
            key="embodied.host",
            value=value_host,
            unit="kgCO2e",
            basis="profile",
            low=value_host if low is None else low,
            high=value_host if high is None else high,
            source=host.host.sources[made.source].title if made else host.host.name,
            why=f"a device's share of {host.host.name} without accelerators",
        )
    return Inputs(known=known, why=why)
