"""``costcalc models``: the models known by name, and what is known of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.base.human import digits, number_of, scale
from costcalc.catalog import preset as presets
from costcalc.catalog.figure import figures
from costcalc.cli import options
from costcalc.cli.screen import WIDE, print_entry, print_json, screen, table

if TYPE_CHECKING:
    from costcalc.catalog.figure import Figure
    from costcalc.catalog.preset import Preset

_HEAD = ("Preset", "Family", "Parameters", "Model", "Sequence or sample", "Published training")


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[list | show NAME | NAME]",
            help="A preset's id or alias: shows all of it.",
            show_default=False,
        ),
    ] = None,
    shown: Annotated[str | None, typer.Argument(hidden=True)] = None,
    family: Annotated[
        str | None,
        typer.Option("--family", help="Only these: dense, moe, cnn, vit, …", show_default=False),
    ] = None,
    search: options.Search = None,
    json: options.Json = False,
) -> None:
    """List the models known by name; with a NAME, show one with its sources."""
    name = options.entry(name, shown)
    if name is not None:
        one = presets.find(name)
        print_json(one.to_dict()) if json else _show(one)
        return
    found = [
        one
        for one in presets.all_presets()
        if family in (None, one.family)
        and options.holds(search, one.id, one.name, one.family, one.organisation, *one.aliases)
    ]
    if not found and not search:
        _no_family(str(family))
    print_json([one.to_dict() for one in found]) if json else _list(found)


def _no_family(family: str) -> None:
    from costcalc.base.errors import not_found

    raise not_found("--family", "family", family, sorted({p.family for p in presets.all_presets()}))


def _list(found: list[Preset]) -> None:
    console = screen(WIDE)
    heads = _HEAD if console.width >= WIDE else _HEAD[:3]
    shown = table(*heads, right=("Parameters",), whole=_HEAD[:3], gap=2)
    for one in found:
        row = (one.id, one.family, count(one.parameters), one.name, _datum(one), _training(one))
        shown.add_row(*row[: len(heads)])
    console.print(shown)
    number = number_of(len(found), "model") if found else "no models"
    console.print(f"{number}; costcalc models NAME shows one with its sources.")


def count(value: float) -> str:
    """A number of parameters or tokens.

    >>> count(8030261248), count(15e12), count(25557032)
    ('8.03B', '15.0T', '25.6M')
    """
    suffix, factor = scale(value, "1")
    return digits(value / factor) + (suffix if factor > 1 else "")


def _datum(preset: Preset) -> str:
    if preset.sequence_length is not None:
        return f"{preset.sequence_length.si:,.0f} tokens"
    return (preset.sample or "").partition(":")[0]


def _training(preset: Preset) -> str:
    tokens = preset.published.training_tokens
    return f"{count(tokens.si)} tokens" if tokens is not None else ""


def _show(preset: Preset) -> None:
    about = f"{preset.organisation}, {preset.released}; {preset.kind}, {preset.family}"
    lines = [about]
    if preset.aliases:
        lines.append("also: " + ", ".join(preset.aliases))
    if preset.config is not None:
        keys = ", ".join(f"{key}={_plain(value)}" for key, value in preset.config.items())
        lines.append(f"config: {keys}  [{preset.config_source}]")
    if preset.sample is not None:
        lines.append(f"sample: {preset.sample}")
    lines += [_line(path, figure) for path, figure in figures(preset)]
    if preset.note:
        lines.append(f"note: {preset.note}")
    print_entry(preset.id, preset.name, lines, preset.sources)


def _plain(value: object) -> str:
    from json import dumps

    return value if isinstance(value, str) else dumps(value)


def _line(path: str, figure: Figure) -> str:
    amount = f"{figure.value:,.0f}" if figure.value >= 1000 else f"{figure.value:,.10g}"
    unit = "" if figure.unit == "1" else f" {figure.unit}"
    note = f" ({figure.note})" if figure.note else ""
    names = "; ".join((figure.source, *figure.confirmed_by, *figure.derived_from))
    return f"{path.replace('_', ' ').replace('.', ' ')}: {amount}{unit}{note}  [{names}]"
