"""What a device-second costs: rented, with what is billed, or written off with its electricity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from costcalc import price
from costcalc.base.assumption import Assumption, exact
from costcalc.base.human import plural
from costcalc.base.units import from_si, to_si
from costcalc.catalog.accelerator import Accelerator
from costcalc.catalog.instances import alike, rented_in_parts, spot_alone
from costcalc.catalog.prices import UNIT, catalogue, constants
from costcalc.catalog.provider import canonical
from costcalc.catalog.region import Region
from costcalc.resolve.hardware import Devices
from costcalc.resolve.known import Known, bounds, currency, dollars, stated
from costcalc.resolve.remembered import remembered
from costcalc.runfile.loading import Input
from costcalc.runfile.schema import Price
from costcalc.runfile.values import Money


@remembered("price", "hardware.instance", on=catalogue)
def prices(given: Input, devices: Devices, region: Region | None) -> Known:
    """The price of a device-second, what is billed, and electricity where the hardware is owned."""
    asked = given.part.price or Price()
    if owned_hardware(asked):
        found = _written_off(given, asked, devices)
    else:
        found = _rented(given, devices, region)
    found = found.said(given, billed="1", electricity="USD/kWh")
    name, usd = currency(given.part.price)
    if name == "USD":
        return found
    known = {key: _in(item, name, usd) for key, item in found.known.items()}
    return replace(found, known=known)


def _in(item: Assumption, name: str, usd: float) -> Assumption:
    """Money in another currency, ``usd`` dollars for one of it; what is no money as it is."""
    if not item.unit.startswith("USD"):
        return item
    value, low, high = item.value / usd, item.low / usd, item.high / usd
    at = f"at {usd:g} USD/{name}"
    return replace(
        item,
        value=value,
        low=low,
        high=high,
        unit=item.unit.replace("USD", name, 1),
        why=f"{item.why}; {at}" if item.why else at,
    )


def owned_hardware(asked: Price) -> bool:
    """Whether the hardware was bought, so that its cost is written off."""
    return asked.owned is not None or asked.plan == "owned"


# --- rented --------------------------------------------------------------------------------------

_NO_ELECTRICITY = exact(
    "price.electricity",
    0.0,
    "USD/kWh",
    basis="default",
    source="costcalc",
    why="rented: electricity is in the price",
)


def _rented(given: Input, devices: Devices, region: Region | None) -> Known:
    found = quoted(given, devices, region)
    known = {"electricity": _NO_ELECTRICITY, "billed": _billed(devices, found)}
    if found.price is None:
        beside = f" (known: {found.known})" if found.known else ""
        return Known(known=known, why={"price": found.why_not + beside})
    notes = tuple(_notes(given, devices, region, found))
    market = _market(given, devices, found)
    whole = f"{found.price.why}; {market}" if market else found.price.why
    known["price"] = replace(found.price, why=whole)
    return Known(known=known, why={}, notes=notes)


def _notes(
    given: Input, devices: Devices, region: Region | None, found: price.Quote
) -> Iterator[str]:
    """What is to be said of a price: its age, and whose it is."""
    if found.price is not None and found.old:
        yield f"price: {found.price.why}"
    named = given.part.hardware.instance if given.part.hardware else None
    whose = devices.host.host.provider if named else None
    there = region.provider if region else None
    if region and whose and there and canonical(there) != canonical(whose):
        yield (
            f"hardware.instance: {named} is of {whose}, which rents nothing in {region.code}: "
            "the place gives its grid and PUE alone"
        )


def _market(given: Input, devices: Devices, found: price.Quote) -> str:
    """What others ask beside one provider: `list 6.88; 12 other providers ask 1.9 to 4.6`."""
    if found.price is None or found.provider is None:
        return ""
    plan = (given.part.price or Price()).plan or "on-demand"
    others = price.market(
        devices.accelerator, beside=found.provider, plan=plan, count=devices.count
    )
    if others is None:
        return ""
    word = "list" if plan == "on-demand" else plan
    value = from_si(found.price.value, UNIT)
    return f"{word} {value:.3g}; {others.asked} {UNIT}"


def quoted(given: Input, devices: Devices, region: Region | None) -> price.Quote:
    """The price of rented hardware: the user's own, else the catalogue's, less the discount."""
    asked = given.part.price or Price()
    return _quote(given, asked, devices, region).less(asked.discount or 0.0)


def _quote(given: Input, asked: Price, devices: Devices, region: Region | None) -> price.Quote:
    if asked.device_hour is not None:
        return _own(given, asked, asked.device_hour, "device_hour", devices=1.0)
    if asked.instance_hour is not None:
        return _own(
            given, asked, asked.instance_hour, "instance_hour", devices=devices.host.devices
        )
    named = given.part.hardware.instance if given.part.hardware else None
    of_host = devices.host.host.provider if named else None
    provider = _provider(asked, region, of_host)
    found = price.quote(
        devices.accelerator,
        provider=provider,
        region=region.code.partition(":")[2] if region and region.provider else None,
        plan=asked.plan or "on-demand",
        instance=named,
        exactly=of_host is not None and canonical(provider or "") == of_host,
        count=devices.count,
    )
    if asked.plan != "spot":
        return _without_spot(found, named, asked.plan or "on-demand", devices)
    return found if named else _part(found, devices)


def _without_spot(
    found: price.Quote, named: str | None, plan: str, devices: Devices
) -> price.Quote:
    """No price of a size that is rented on spot alone; beside a larger one, that there is such."""
    alone = spot_alone(found.provider or "")
    if named in alone:
        why = f"{named} is rented on spot alone, not {plan}: say price.plan: spot"
        return price.Quote(price=None, why_not=why, known=found.known)
    smaller = [
        size.name
        for size in rented_in_parts(devices.accelerator.id, found.provider or "")
        if size.name in alone and devices.count <= size.devices < found.devices
    ]
    if found.price is None or not smaller or named:
        return found
    why = f"{found.price.why}; {smaller[0]} is rented on spot alone (price.plan: spot)"
    return replace(found, price=replace(found.price, why=why))


def _part(found: price.Quote, devices: Devices) -> price.Quote:
    """The smallest machine of a line that holds the devices.

    Google rents A3 machines of less than eight devices on spot (or with a flexible start) alone, at
    the line's price of a device.
    """
    if found.provider is None or found.instance is None:
        return found
    fitting = [
        size
        for size in rented_in_parts(devices.accelerator.id, found.provider)
        if devices.count <= size.devices < found.devices and alike(size.name, found.instance)
    ]
    least = min(fitting, key=lambda size: size.devices, default=None)
    if least is None:
        return found
    return replace(found, devices=float(least.devices), instance=least.name)


def _own(given: Input, asked: Price, hourly: Money, key: str, *, devices: float) -> price.Quote:
    """The user's own price of an hour of so many devices."""
    value = dollars(hourly._replace(per=""), asked) / to_si(1.0, "h") / devices
    return price.given(value, devices=devices, where=given.place("price", key))


def _provider(asked: Price, region: Region | None, of_host: str | None) -> str | None:
    """Whose prices: the run file's, else the instance's, else the region's."""
    return asked.provider or of_host or (region.provider if region else None)


def billed(devices: Devices, found: price.Quote) -> float:
    """Devices that are paid for, over those that are used: instances are rented whole."""
    if devices.share < 1.0:
        return 1.0
    paid = price.billed_devices(count=devices.count, per_instance=found.devices)
    return float(paid) / devices.count


def _billed(devices: Devices, found: price.Quote) -> Assumption:
    share = billed(devices, found)
    paid = share * devices.reserved
    whole = f"{paid:g} {plural('device', paid)}: instances of {found.devices:g} are rented whole"
    return exact(
        "price.billed_share",
        share,
        "1",
        basis="given" if found.price and found.price.basis == "given" else "profile",
        source="whole instances are billed",
        why=whole if paid > devices.reserved else "",
    )


# --- owned ---------------------------------------------------------------------------------------


def _written_off(given: Input, asked: Price, devices: Devices) -> Known:
    def figure(name: str) -> Assumption:
        key = f"price.owned.{name}"
        default = owned_default(name)
        return stated(given, key, default.unit) or default

    known = {
        "billed": exact("price.billed_share", 1.0, "1", basis="given", source="owned hardware"),
        "electricity": replace(figure("electricity"), key="price.electricity"),
    }
    if asked.device_hour is not None:
        quote = _own(given, asked, asked.device_hour, "device_hour", devices=1.0)
        return Known(known=known | ({"price": quote.price} if quote.price else {}), why={})
    paid = stated(given, "price.owned.purchase", "USD")
    cluster = devices.count > devices.host.devices
    bought = paid or purchase_of(devices.accelerator, cluster=cluster)
    if bought is None:
        name = devices.accelerator.id
        why = f"no price.owned.purchase, and no purchase price of {name} is known"
        return Known(known=known, why={"price": why})
    shared = float(devices.count) if paid else 1.0  # the user's buys all of them
    known["price"] = _of_purchase(bought, shared, figure("lifetime"), figure("utilization"))
    return Known(known=known, why={})


def _of_purchase(
    bought: Assumption, devices: float, lifetime: Assumption, used: Assumption
) -> Assumption:
    """The price of a device-second of bought hardware, its range from the ranges of its parts."""

    def of(paid: float, seconds: float, share: float) -> float:
        return float(
            price.owned_price(purchase=paid, devices=devices, lifetime=seconds, utilization=share)
        )

    why = (
        f"purchase {bought.value:,.6g} USD / ({devices:g} {plural('device', devices)} × lifetime "
        f"{lifetime.value / to_si(1.0, 'year'):.3g} years × utilization {used.value:.3g})"
        + (f"; {bought.why}" if bought.basis == "profile" else "")
    )
    return Assumption(
        key="price.device_hour",
        value=of(bought.value, lifetime.value, used.value),
        low=of(bought.low, lifetime.high, used.high),
        high=of(bought.high, lifetime.low, used.low),
        unit=UNIT,
        basis="given" if bought.basis == "given" else "default",
        source=bought.source,
        why=why,
        where=bought.where,
    )


def purchase_of(accelerator: Accelerator, *, cluster: bool = False) -> Assumption | None:
    """What a device costs with its share of a server, and of the network of a ``cluster``.

    None where the profile knows no price of the device.
    """
    figure = accelerator.purchase
    if figure is None:
        return None
    beside = {"server": 1.0} | ({"interconnect": 0.0} if cluster else {})
    parts = {name: _beside(name, chips) for name, chips in beside.items()}
    value, low, high = bounds(figure)
    shown = [f"{value * part[0]:,.0f} USD for its {_OF[name]}" for name, part in parts.items()]
    notes = "; ".join(constants()["owned"][name]["note"] for name in parts)
    whole = [1.0 + sum(part[at] for part in parts.values()) for at in range(3)]
    return Assumption(
        key="price.owned.purchase",
        value=value * whole[0],
        unit="USD",
        low=low * whole[1],
        high=high * whole[2],
        basis="profile",
        year=figure.year,
        source=accelerator.sources[figure.source].title,
        why=f"a device, {value:,.0f} USD, and {' and '.join(shown)}: {notes}",
    )


_OF = {"server": "server", "interconnect": "network between servers"}


def _beside(name: str, of_which_chips: float) -> tuple[float, float, float]:
    """What stands beside an accelerator, over its price: value, low and high."""
    found = constants()["owned"][name]
    value, low, high = (float(found[end]) - of_which_chips for end in ("value", "low", "high"))
    return value, low, high


def owned_default(name: str) -> Assumption:
    """Of bought hardware: lifetime, utilization or the price of electricity, where none is given.

    >>> owned_default("utilization").unit
    '1'
    """
    data = constants()
    figure = data["owned"][name]
    unit = figure.get("unit", "1")
    return Assumption(
        key=f"price.owned.{name}",
        unit=unit,
        basis="default",
        year=figure.get("year"),
        value=to_si(figure["value"], unit),
        low=to_si(figure["low"], unit),
        high=to_si(figure["high"], unit),
        why=figure["note"],
        source=data["sources"][figure["source"]]["title"],
    )
