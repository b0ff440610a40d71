"""``costcalc software``: what ``training.software`` knows, and what each stack does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.catalog.software import FACTS, all_software, find
from costcalc.cli import options
from costcalc.cli.screen import WIDE, print_entry, print_json, screen, table

if TYPE_CHECKING:
    from costcalc.catalog.software import Fact, Software

COLUMNS = ("compiled", "attention", "states", "logits", "gradients")
_HEAD = ("Software", "Name", *(name.capitalize() for name in COLUMNS))


def command(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[list | show NAME | NAME]",
            help="An id or another name of it: shows all that it does.",
            show_default=False,
            autocompletion=options.beginning(options.ids("software")),
        ),
    ] = None,
    shown: Annotated[
        str | None,
        typer.Argument(hidden=True, autocompletion=options.beginning(options.ids("software"))),
    ] = None,
    search: options.Search = None,
    json: options.Json = False,
) -> None:
    """List the software known to run a step; with a NAME, show one with its sources."""
    name = options.entry(name, shown)
    if name is not None:
        one = find(name)
        print_json(one.to_dict()) if json else _show(one)
        return
    found = [
        one
        for one in all_software()
        if options.holds(search, one.id, one.name, one.organisation, one.on, *one.aliases)
    ]
    print_json([one.to_dict() for one in found]) if json else _list(found)


def said(one: Software, name: str) -> str:
    """What a stack does, in a cell: ``flash2 (hopper …) or flash``.

    >>> said(find("megatron"), "attention"), said(find("litgpt"), "compiled")
    ('flash', 'true (pretrain), false')
    """
    return ", ".join(_word(fact) + _where(fact) for fact in getattr(one, name))


def _word(fact: Fact) -> str:
    return str(fact.value).lower() if isinstance(fact.value, bool) else fact.value


def _where(fact: Fact) -> str:
    where = [*fact.methods, *fact.generations]
    if fact.alone is not None:
        where.append("one device" if fact.alone else "several devices")
    if fact.packed is not None:
        where.append("base of 8 or 4 bits" if fact.packed else "base of 16 bits or more")
    return f" ({' '.join(where)})" if where else ""


def _list(found: list[Software]) -> None:
    console = screen(WIDE)
    heads = _HEAD if console.width >= WIDE else (*_HEAD[:1], *_HEAD[2:5])
    shown = table(*heads, right=(), whole=_HEAD[:1], gap=2)
    for one in found:
        cells = dict(zip(_HEAD, (one.id, one.name, *_short(one)), strict=True))
        shown.add_row(*(cells[head] for head in heads))
    console.print(shown)
    number = len(found) or "no"
    console.print(f"{number} stacks; costcalc software NAME shows one with its sources.")


def _short(one: Software) -> list[str]:
    """What it does, of every run first: ``false or true`` where some runs are compiled."""
    short = []
    for name in COLUMNS:
        facts = getattr(one, name)
        words = dict.fromkeys(_word(fact) for fact in reversed(facts))
        short.append(" or ".join(words))
    return short


def _show(one: Software) -> None:
    lines = [f"{one.organisation}; on {one.on}"]
    if one.aliases:
        lines.append("also: " + ", ".join(one.aliases))
    for name in FACTS:
        lines += [_line(name, fact) for fact in getattr(one, name)]
    if one.note:
        lines.append(f"note: {one.note}")
    print_entry(one.id, one.name, lines, one.sources)


def _line(name: str, fact: Fact) -> str:
    note = f": {fact.note}" if fact.note else ""
    return f"{name.replace('_', ' ')}: {_word(fact)}{_where(fact)}{note}  [{fact.source}]"
