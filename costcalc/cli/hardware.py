"""``costcalc hardware``: the accelerators and processors known, and checks of profiles."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.base.errors import InputError, Problem
from costcalc.base.human import number_of
from costcalc.base.units import from_si
from costcalc.catalog import accelerator as accelerators
from costcalc.catalog import check as rules
from costcalc.catalog import prices
from costcalc.catalog.figure import figures
from costcalc.catalog.files import profiles_root
from costcalc.catalog.index import index
from costcalc.catalog.loading import is_host, load
from costcalc.cli import options
from costcalc.cli.screen import print_json, screen, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costcalc.catalog.accelerator import Accelerator
    from costcalc.catalog.figure import Figure

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Profiles = Annotated[
    list[Path] | None,
    typer.Option("--profiles", help="A folder of your own profiles.", show_default=False),
]
_LIST_HEAD = ("Id", "Name", "Unit", "bf16", "fp8", "fp32", "Memory", "Bandwidth", "Power")
_RIGHT = (*_LIST_HEAD[3:], "Value", "Low", "High", "USD/device_hour")
_PRICES_SHOWN = 12


@app.command("list")
def list_hardware(
    profiles: Profiles = None, search: options.Search = None, json: options.Json = False
) -> None:
    """List what can be computed on: dense peaks in TFLOP/s, memory in GiB, GB/s, watts."""
    found = [
        one
        for one in accelerators.all_accelerators(profiles or ())
        if options.holds(search, one.id, one.name, one.generation, one.vendor, *one.aliases)
    ]
    if json:
        print_json([_brief(profile) for profile in found])
        return
    shown = table(*_LIST_HEAD, right=_RIGHT, gap=2)
    for profile in found:
        peak = profile.peak
        half = peak.bf16 or peak.fp16
        shown.add_row(
            profile.id,
            profile.name,
            profile.unit,
            _in(half, "TFLOP/s"),
            _in(peak.fp8, "TFLOP/s"),
            _in(peak.fp32, "TFLOP/s"),
            _in(profile.memory, "GiB"),
            _in(profile.memory_bandwidth, "GB/s"),
            _in(profile.board_power, "W"),
        )
    _print(shown)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="An id, or a name that a driver or cloud gives it.")],
    profiles: Profiles = None,
    json: options.Json = False,
) -> None:
    """Show all that is known of one accelerator, each figure with its range and sources."""
    profile = accelerators.find(name, profiles or ())
    if json:
        print_json(_whole(profile))
        return
    shown = table("Figure", "Value", "Low", "High", "Unit", "Source", right=_RIGHT, gap=2)
    notes = []
    for path, figure in figures(profile):
        if path.startswith("prices."):
            continue
        shown.add_row(
            path,
            f"{figure.value:g}",
            _or_nothing(figure.low),
            _or_nothing(figure.high),
            "" if figure.unit == "1" else figure.unit,
            ", ".join((figure.source, *figure.confirmed_by)),
        )
        notes += [f"{path}: {figure.note}"] if figure.note else []
    parts: list[object] = [*_heading(profile), "", shown, *notes]
    if prices.offers(profile):
        parts += ["", *_price_parts(profile)]
    _print(*parts, "", *_source_lines(profile))


@app.command("check")
def check(
    files: Annotated[list[Path], typer.Argument(help="Profiles, or folders of them.")],
    json: options.Json = False,
) -> None:
    """Check profiles: the schema, that every figure has its source, and that peaks are dense."""
    paths = _paths(files)
    problems: list[Problem] = []
    read: list[Accelerator] = []
    for path in paths:
        try:
            if is_host(path):
                problems += _check_host(path)
            else:
                read.append(load(path, accelerators.Accelerator))
        except InputError as error:
            problems += error.problems
    for profile in read:
        problems += _misnamed(profile) + rules.check(profile)
    problems += rules.check_names(read, _shipped_beside(read))
    if json:
        told = [str(problem) for problem in problems]
        print_json({"files": [str(path) for path in paths], "problems": told})
    if problems:
        raise InputError(problems)
    if not json:
        print(f"{number_of(len(paths), 'profile')} checked: no problems")


def _check_host(path: Path) -> list[Problem]:
    from costcalc.catalog.host import Host

    return rules.check_host(load(path, Host))


def _paths(given: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in given:
        found += sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    if not found:
        names = ", ".join(str(path) for path in given)
        raise InputError(Problem(key="", message=f"no profile (*.yaml) in {names}"))
    return found


def _shipped_beside(read: Sequence[Accelerator]) -> dict[str, str]:
    """Names of what else ships, where files of the catalogue itself are checked.

    A folder of one's own may take any name: it is looked through first, and wins.
    """
    root = Path(str(profiles_root())).resolve()
    if not any(root in Path(profile.file).resolve().parents for profile in read):
        return {}
    checked = {profile.id for profile in read}
    heads = (*index().heads("accelerators"), *index().heads("cpus"))
    return {name: head.id for head in heads if head.id not in checked for name in head.names}


def _misnamed(profile: Accelerator) -> list[Problem]:
    """An id is looked up as the name of a file."""
    if Path(profile.file).name == f"{profile.id}.yaml":
        return []
    expected = f"expected the file to be named {profile.id}.yaml, as its id says"
    return [profile.problem(("id",), f"{expected}; got {Path(profile.file).name}")]


def _heading(profile: Accelerator) -> list[str]:
    parts = profile.sub_devices
    seen = f"; software sees {parts.count} {parts.name or 'devices'} in each" * (parts.count > 1)
    fabric = profile.scale_up
    lines = [
        f"{profile.id}: {profile.name}, {profile.released}",
        f"count is in: {profile.unit}{seen}",
        f"generation: {profile.generation}",
    ]
    if fabric:
        lines.append(f"scale-up: {fabric.link}, {fabric.topology}, up to {fabric.domain} devices")
    if profile.aliases:
        lines.append(f"also called: {'; '.join(profile.aliases)}")
    return lines


def _price_parts(profile: Accelerator) -> list[object]:
    listed = prices.known(profile)
    shown = listed[:_PRICES_SHOWN]
    heads = ("Provider", "Region", "Instance", "Plan", "USD/device_hour", "Date")
    lines = table(*heads, right=_RIGHT, gap=2)
    for price in shown:
        lines.add_row(
            price.provider,
            " ".join(price.regions) or (number_of(price.count, "region") if price.count else ""),
            price.instance or "",
            price.plan,
            f"{price.value:g}",
            price.date or "not dated",
        )
    return [f"{number_of(len(listed), 'price')}, the {len(shown)} newest:", lines]


def _source_lines(profile: Accelerator) -> list[str]:
    lines = ["Sources:"]
    for name, source in profile.sources.items():
        date = f", {source.date}" if source.date else ""
        lines.append(f"  {name}: {source.publisher}, {source.title}{date}")
        lines += [f"      {source.url}"] if source.url else []
    return lines


def _in(figure: Figure | None, unit: str) -> str:
    return "" if figure is None else f"{from_si(figure.si, unit):.4g}"


def _or_nothing(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _brief(profile: Accelerator) -> dict[str, object]:
    power = profile.board_power
    return {
        "id": profile.id,
        "name": profile.name,
        "vendor": profile.vendor,
        "kind": profile.kind,
        "generation": profile.generation,
        "released": profile.released,
        "unit": profile.unit,
        "aliases": list(profile.aliases),
        "peak_flop_per_s": profile.peak.rates(),
        "memory_bytes": profile.memory.si,
        "memory_bandwidth_bytes_per_s": profile.memory_bandwidth.si,
        "board_power_w": power.si if power else None,
        "prices": len(prices.offers(profile)),
        "file": profile.file,
    }


def _whole(profile: Accelerator) -> dict[str, object]:
    made: dict[str, object] = profile.model_dump(mode="json", exclude_none=True)
    made["file"], made["digest"] = profile.file, profile.digest
    made["prices"] = [_plain_price(offer) for offer in prices.known(profile)]
    return made


def _plain_price(offer: prices.Offer) -> dict[str, object]:
    made: dict[str, object] = {**asdict(offer), "unit": prices.UNIT}
    return {key: value for key, value in made.items() if value not in (None, "")} | {
        "date": offer.date
    }


def _print(*parts: object) -> None:
    console = screen(140)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, str))
