"""``costcalc prices``: what accelerators are rented for, and newer catalogues taken by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.base.errors import InputError, Problem
from costcalc.base.human import number_of
from costcalc.base.units import from_si
from costcalc.catalog import prices
from costcalc.cli import options
from costcalc.cli.screen import print_json, screen, table
from costcalc.price import quote

if TYPE_CHECKING:
    from costcalc.catalog.price_update import Update
    from costcalc.catalog.prices import Offer
    from costcalc.price import Quote

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
COLUMNS = (
    *("Accelerator", "Provider", "Instance", "Devices", "Plan", "Where", "USD/device_hour"),
    *("Low", "High", "Date"),
)
_RIGHT = frozenset({"Devices", "USD/device_hour", "Low", "High"})
_CHANGES_SHOWN = 12
Name = Annotated[str | None, typer.Argument(help="An accelerator; none: all.", show_default=False)]


@app.command("list")
def list_prices(
    name: Name = None,
    provider: Annotated[
        str | None, typer.Option("--provider", help="Of one provider.", show_default=False)
    ] = None,
    plan: Annotated[
        str | None, typer.Option("--plan", help="on-demand, spot, …", show_default=False)
    ] = None,
    search: options.Search = None,
    json: options.Json = False,
) -> None:
    """List prices of a device-hour: whose, where, when, and of how many regions the median."""
    found = [offer for offer in _offers(name) if _meets(offer, provider, plan, search)]
    if json:
        print_json([to_dict(offer) for offer in found])
        return
    lines = table(*COLUMNS, right=_RIGHT, gap=2)
    for offer in found:
        lines.add_row(*cells(offer))
    console = screen(170)
    console.print(lines)
    providers = len({offer.provider for offer in found})
    devices = len({offer.accelerator for offer in found})
    console.print(
        f"{number_of(len(found), 'price')} of {number_of(devices, 'accelerator')} from "
        f"{number_of(providers, 'provider')}, seen from"
        f" {prices.as_of()}; a date after ≤ is the latest that the list can be of",
        soft_wrap=True,
    )


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="An accelerator.")],
    count: Annotated[int, typer.Option("--count", help="How many are wanted.")] = 1,
    plan: Annotated[str, typer.Option("--plan", help="on-demand, spot, …")] = "on-demand",
    json: options.Json = False,
) -> None:
    """What each provider asks for an accelerator, and the median that `any` takes."""
    from costcalc.catalog.accelerator import find

    accelerator = find(name)
    asked = {
        provider: quote(accelerator, provider=provider, plan=plan, count=count)
        for provider in sorted({offer.provider for offer in prices.offers(accelerator)})
    }
    asked["any"] = quote(accelerator, provider="any", plan=plan, count=count)
    rows = [_quoted(provider, found) for provider, found in asked.items() if found.price]
    if json:
        print_json({"accelerator": accelerator.id, "plan": plan, "count": count, "prices": rows})
        return
    heads = ("Provider", "Instance", "USD/device_hour", "Low", "High", "What it is")
    lines = table(*heads, right=_RIGHT, gap=2)
    for row in rows:
        numbers = (f"{row[key]:.4g}" for key in ("value", "low", "high"))
        lines.add_row(str(row["provider"]), str(row["instance"] or ""), *numbers, str(row["why"]))
    console = screen(170)
    console.print(lines)
    if not rows:
        console.print(asked["any"].why_not)


def _quoted(provider: str, found: Quote) -> dict[str, object]:
    assert found.price is not None
    figures = {
        name: from_si(getattr(found.price, name), prices.UNIT) for name in ("value", "low", "high")
    }
    return {
        "provider": provider,
        "instance": found.instance,
        **figures,
        "unit": prices.UNIT,
        "source": found.price.source,
        "why": found.price.why,
    }


@app.command("update")
def update(
    catalogue: Annotated[
        str | None,
        typer.Argument(help="A CSV file, or an https address of one.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say it, keep nothing.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Drop your own prices.")] = False,
    json: options.Json = False,
) -> None:
    """Take a newer catalogue, in the layout of `prices.csv`, and say what it changes.

    Its prices stand in the place of those of the same provider and device.  Nothing is fetched
    unless you give an address; `--forget` goes back to what ships.
    """
    path = prices.own_file()
    if path is None:
        message = "no folder for your own prices: set COSTCALC_PRICES to a file"
        raise InputError(Problem(key="prices", message=message))
    if forget:
        path.unlink(missing_ok=True)
        prices.forget()
        screen().print(f"{path} is gone: prices are those that ship")
        return
    if catalogue is None:
        message = "expected a file or an address (or --forget); got none"
        raise InputError(Problem(key="catalogue", message=message))
    from costcalc.catalog.price_update import compared, fetched, keep, read

    made = compared(read(*fetched(catalogue)), prices.catalogue())
    if not dry_run:
        try:
            keep(made.offers, path)
        except OSError as error:
            message = f"cannot be written: {error.strerror}"
            raise InputError(Problem(key="", message=message, file=str(path))) from None
    if json:
        print_json(made.to_dict())
        return
    _show(made, "" if dry_run else f"; kept in {path}")


def to_dict(offer: Offer) -> dict[str, object]:
    """A price as plain values; what is not known is left out, but for the date."""
    made = {name: getattr(offer, name) for name in type(offer).__dataclass_fields__}
    known = {name: value for name, value in made.items() if value not in (None, "", ())}
    known["regions"], known["date"] = list(offer.regions), offer.date
    return {**known, "unit": prices.UNIT}


def _offers(name: str | None) -> list[Offer]:
    if name is None:
        return list(prices.catalogue().every())
    from costcalc.catalog.accelerator import find

    return prices.known(find(name))


def _meets(offer: Offer, provider: str | None, plan: str | None, search: str | None) -> bool:
    from costcalc.catalog.provider import canonical

    return (
        (provider is None or offer.provider == canonical(provider))
        and (plan is None or offer.plan == plan)
        and options.holds(search, *cells(offer))
    )


def cells(offer: Offer) -> tuple[str, ...]:
    """An offer as a row of the list, and of its page in the docs."""
    where = " ".join(offer.regions)
    if not where or len(where) > 40:
        where = number_of(offer.count, "region") if offer.count else "not stated"
    if offer.zones and offer.zones > 1:
        where = f"{where}, {offer.zones} zones"
    spread = offer.low != offer.high
    return (
        offer.accelerator,
        offer.provider,
        offer.instance or "",
        f"{offer.devices:g}",
        offer.plan,
        where,
        f"{offer.value:.4g}" + (" + host" if offer.host == "excluded" else ""),
        f"{offer.low:.4g}" if spread else "",
        f"{offer.high:.4g}" if spread else "",
        ("≤" if offer.at_the_latest else "") + (offer.date or "not dated"),
    )


def _show(made: Update, kept: str) -> None:
    from costcalc.catalog import price_update

    console = screen(120)
    providers = len({offer.provider for offer in made.offers})
    console.print(
        f"{number_of(len(made.offers), 'price')} of {number_of(providers, 'provider')}: "
        f"{len(made.new)} new,"
        f" {len(made.changed)} changed, {made.same} the same, {len(made.gone)} gone{kept}",
        soft_wrap=True,
    )
    for before, after in made.changed[:_CHANGES_SHOWN]:
        console.print(
            f"  {after.accelerator} at {after.provider}, {after.instance or 'any instance'},"
            f" {after.plan}: {before.value:g} -> {after.value:g} USD/device_hour"
            f" ({after.value / before.value - 1.0:+.0%})",
            soft_wrap=True,
        )
    if far := sum(price_update.is_far(*pair) for pair in made.changed):
        console.print(
            f"  {number_of(far, 'price')} more than {price_update.FAR:g} times, or less than a "
            "fifth of, the one before: taken; is it of one device, in USD an hour?",
            soft_wrap=True,
        )
    if len(made.changed) > _CHANGES_SHOWN:
        console.print(f"  and {len(made.changed) - _CHANGES_SHOWN} more (--json lists all)")
