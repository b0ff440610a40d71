"""Where a run is: the region, and its PUE, grid and water."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from costcalc.base.assumption import Assumption, Basis, exact
from costcalc.catalog import region as regions
from costcalc.catalog.host import Host
from costcalc.catalog.region import Region
from costcalc.resolve.known import Known, stated
from costcalc.resolve.remembered import remembered
from costcalc.runfile.loading import Input
from costcalc.runfile.schema import Site

GRID_BASIS_UNKNOWN = "the user's own; basis not said, taken as lifecycle"


def region_of(given: Input) -> Region | None:
    """Where a part runs; PUE is the provider's where only a country is given."""
    site = given.part.site
    if site is None or site.region is None:
        return None
    return region_named(given, site.region)


def region_named(given: Input, name: str) -> Region:
    """A region as a part sees it: a country's with the facilities of the provider asked for."""
    asked = given.part.price.provider if given.part.price else None
    named = asked if asked != "any" and ":" not in name else None
    return regions.find(name, provider=named)


@remembered("site", "price.provider", "measured")
def place(given: Input, region: Region | None, desk: str = "") -> Known:
    """PUE, grid factor and water of the place; ``desk``: the host's id where it stands at one."""
    known: dict[str, Assumption] = {"pue": _pue(given, region, desk)}
    why: dict[str, str] = {}
    grid = _grid(given, region)
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
    found = Known(known=known, why=why)
    return found.said(given, pue="1", wue="L/kWh", grid_water="L/kWh")


def desk_of(host: Host) -> str:
    """The id of a host that stands at a desk or in a bag; empty: in a data centre."""
    return host.id if host.at_a_desk else ""


AT_A_DESK = 1.1  # at the most: the share of an air-conditioned room


def _pue(given: Input, region: Region | None, desk: str) -> Assumption:
    said = given.part.measured
    if said is not None and said.energy is not None and said.energy_it is not None:
        ratio, why = said.energy / said.energy_it, "measured.energy / measured.energy_it"
        return exact("site.pue", ratio, "1", basis="measured", source="run file", why=why)
    rented = given.part.price is not None and given.part.price.provider is not None
    if desk and not rented and (region is None or region.provider is None):
        return Assumption(
            key="site.pue",
            value=1.0,
            low=1.0,
            high=AT_A_DESK,
            unit="1",
            basis="default",
            source="ISO/IEC 30134-2: the energy of the facility over that of IT; a desk is none",
            why=f"{desk}, and no provider named: no data centre is around it",
        )
    if region is not None:
        return region.pue.assumption("site.pue")
    from costcalc.catalog.provider import survey

    return survey("pue").assumption("site.pue")


def _grid(given: Input, region: Region | None) -> Assumption | None:
    """The grid's figure, with what the run file says of its range and of its hours."""
    found, site = _factor(given, region), given.part.site or Site()
    if found is None:
        return None
    ends = [end for end in (site.grid_low, site.grid_high) if end is not None]
    found = replace(found, low=min([found.low, *ends]), high=max([found.high, *ends]))
    if site.grid_resolution is None:
        return found
    basis, how = _RESOLUTION[site.grid_resolution]
    basis = basis if found.basis == "given" else found.basis
    return replace(found, basis=basis, why="; ".join(part for part in (how, found.why) if part))


#: a figure of the run's hours is of a series, and a year's stands in for them: nobody gave it
_RESOLUTION: Mapping[str, tuple[Basis, str]] = {
    "hourly": ("profile", "the mean over the hours of the run"),
    "annual": ("default", "a year's mean, in place of the run's own hours, which are not known"),
}


def _factor(given: Input, region: Region | None) -> Assumption | None:
    own = stated(given, "site.grid", "gCO2e/kWh")
    if own is not None:
        basis = (given.part.site or Site()).grid_basis
        return replace(own, why=f"basis: {basis}" if basis else GRID_BASIS_UNKNOWN)
    if region is None or region.grid is None:
        return None
    found = region.grid
    how = f"{found.basis}, {found.signal}, {found.accounting}-based, {found.place}"
    why = "; ".join(part for part in (how, found.why) if part)
    return found.assumption("site.grid", basis="profile", why=why)
