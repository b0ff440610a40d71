"""``costcalc regions``: the places known, and what is known of their grids and sites."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.base.human import digits
from costcalc.catalog import region as regions
from costcalc.cli import options
from costcalc.cli.screen import print_json, screen, table

if TYPE_CHECKING:
    from costcalc.catalog.region_table import GridFactor, Sourced

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_LIST_HEAD = ("Region", "Where", "Grid", "gCO2e/kWh", "Basis", "Year", "PUE")
_NUMBERS = frozenset({"gCO2e/kWh", "Year", "PUE", "Value", "Low", "High"})


class Kinds(StrEnum):
    """Which regions to list."""

    ALL = "all"
    CLOUD = "cloud"
    COUNTRY = "country"
    ZONE = "zone"
    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"


@app.command("list")
def list_regions(
    which: Annotated[Kinds, typer.Argument(help="Which of them.")] = Kinds.ALL,
    search: options.Search = None,
    json: options.Json = False,
) -> None:
    """List the regions: where they stand, on which grid, and its default figure."""
    wanted = [code for code in regions.codes() if _matches(code, which)]
    found = [
        region
        for region in map(regions.find, wanted)
        if options.holds(search, region.code, region.label, region.grid_zone)
    ]
    if json:
        print_json([to_dict(region, brief=True) for region in found])
        return
    shown = table(*_LIST_HEAD, right=_NUMBERS, gap=2)
    for region in found:
        figure = region.grid
        shown.add_row(
            region.code,
            region.label,
            region.grid_zone,
            digits(figure.value) if figure else "unknown",
            figure.basis if figure else "",
            str(figure.year) if figure else "",
            f"{region.pue.value:g}" if region.kind == "cloud" else "",
        )
    _print(shown)


def _matches(code: str, which: Kinds) -> bool:
    provider, colon, _ = code.partition(":")
    kind = "cloud" if colon else "zone" if "-" in code else "country"
    return which is Kinds.ALL or which.value in (provider if colon else "", kind)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="aws:us-east-1, FR, FRA, US-CA, SE-SE3, world.")],
    json: options.Json = False,
) -> None:
    """Show all that is known of one region, each figure with its range, year and source."""
    region = regions.find(name, key="region")
    if json:
        print_json(to_dict(region))
        return
    heads = ("Figure", "Value", "Low", "High", "Unit", "Year", "Convention")
    shown = table(*heads, right=_NUMBERS, gap=2)
    notes: list[str] = []
    for title, figure in _figures(region):
        shown.add_row(
            title,
            digits(figure.value),
            digits(figure.low),
            digits(figure.high),
            "" if figure.unit == "1" else figure.unit,
            str(figure.year or ""),
            _convention(figure),
        )
        notes += _notes(title, figure)
    missing = [("grid", region.grid_why), ("water of the grid", region.water_why)]
    notes += [f"{title}: unknown: {why}" for title, why in missing if why]
    heading = f"{region.code}: {region.label}"
    if region.grid_zone != region.code:
        heading += f"; grid of {region.grid_zone}"
    _print(heading, shown, *notes)


def _figures(region: regions.Region) -> list[tuple[str, Sourced]]:
    known: list[tuple[str, Sourced | None]] = [("grid", region.grid)]
    known += [("grid, not the default", other) for other in region.others]
    known += [
        ("PUE", region.pue),
        ("water on site (WUE)", region.wue),
        ("water of the grid", region.water),
    ]
    return [(title, figure) for title, figure in known if figure is not None]


def _convention(figure: Sourced) -> str:
    convention: str = getattr(figure, "convention", "")
    return convention


def _notes(title: str, figure: Sourced) -> list[str]:
    lines = [f"{title}: {figure.source}"]
    if figure.url:
        lines.append(f"    {figure.url}")
    if figure.why:
        lines.append(f"    {figure.why}")
    if figure.range_why:
        lines.append(f"    range: {figure.range_why}")
    return lines


def to_dict(region: regions.Region, *, brief: bool = False) -> dict[str, object]:
    """A region as plain values; ``brief`` leaves out reasons, addresses and other conventions."""
    made: dict[str, object] = {
        "region": region.code,
        "location": region.label,
        "kind": region.kind,
        "provider": region.provider,
        "country": region.country,
        "grid_zone": region.grid_zone,
        "grid": _plain(region.grid, brief=brief),
        "pue": _plain(region.pue, brief=brief),
        "wue": _plain(region.wue, brief=brief),
        "grid_water": _plain(region.water, brief=brief),
    }
    if not brief:
        made["grid_why"] = region.grid_why or None
        made["grid_water_why"] = region.water_why or None
        made["grid_other_conventions"] = [_plain(other) for other in region.others]
        made["data"] = dict(region.files)
    return made


def _plain(figure: Sourced | GridFactor | None, *, brief: bool = False) -> dict[str, object] | None:
    if figure is None:
        return None
    left_out = ("why", "range_why", "url") if brief else ()
    names = type(figure).__dataclass_fields__
    return {name: getattr(figure, name) for name in names if name not in left_out}


def _print(*parts: object) -> None:
    console = screen(120)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str))
