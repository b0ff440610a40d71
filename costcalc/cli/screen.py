"""How results reach a terminal, a pipe or a file: one drawer of tables, one way for each format."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from costcalc.calculator.result import Estimate
    from costcalc.catalog.figure import Source

WIDE = 120  # columns of a whole list
# How a stream that holds no more than ASCII or a code page gets what we print; a letter a column.
_SPELT = {
    **dict.fromkeys("–—−─", "-"),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("“”", '"'),
    **dict.fromkeys("│├└", "|"),
    **dict(zip("█▓▒░", "#=+-", strict=True)),
    **dict.fromkeys("µμ", "u"),
    "×": "x",
    "…": "...",
    "·": ".",
    "●": "*",
    "○": "o",
    "◆": "@",
    "≥": ">=",
    "≤": "<=",
    "≈": "~",
    "±": "+/-",
    "→": "->",
    "Σ": "sum",
    "α": "alpha",
    "√": "sqrt",
    "∝": "~",
    "†": "+",
    "€": "EUR",
    "ß": "ss",
    "ø": "o",
    "Ø": "O",
    "æ": "ae",
    "ł": "l",
    "°": "deg",
}
_STRICT = ("strict", "surrogateescape", "backslashreplace")  # Python's own choices for streams


def spelt(text: str) -> str:
    """Text in ASCII: our signs by their spelling, letters without accents, ``?`` for the rest.

    >>> spelt("8 × H100, 4 – 5 h, Montréal, 東")
    '8 x H100, 4 - 5 h, Montreal, ?'
    """
    return "".join(_SPELT.get(letter) or _plain(letter) for letter in text)


def _plain(letter: str) -> str:
    from unicodedata import normalize

    return normalize("NFKD", letter).encode("ascii", "ignore").decode() or "?"


def degrade() -> None:
    """From here on what a stream's encoding cannot say is spelt in ASCII, in place of a traceback.

    Whoever chose another way (``PYTHONIOENCODING=ascii:replace``) keeps it.
    """
    codecs.register_error("costcalc.spelt", _on_error)
    for stream in (sys.stdout, sys.stderr):
        errors, reconfigure = getattr(stream, "errors", None), getattr(stream, "reconfigure", None)
        if reconfigure and (errors == "strict" or (errors in _STRICT and not in_utf8(stream))):
            reconfigure(errors="costcalc.spelt")


def _on_error(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return spelt(error.object[error.start : error.end]), error.end


def in_utf8(stream: object = None) -> bool:
    """Whether a stream, by default stdout, holds every character."""
    try:
        encoding = getattr(stream or sys.stdout, "encoding", None) or "utf-8"
        return codecs.lookup(encoding).name == "utf-8"
    except LookupError:
        return False


def screen(at_least: int = 0) -> Console:
    """A console on stdout without markup; in a pipe ``at_least`` so many columns wide.

    Rich is loaded only when something is printed; the end of a pipe is no fault.
    """
    from rich.console import Console

    class Screen(Console):
        def on_broken_pipe(self) -> None:  # rich would exit with 1, which is a bug's code
            raise BrokenPipeError

    made = Screen(highlight=False, soft_wrap=False, markup=False)
    if at_least and not made.is_terminal:
        made.width = max(made.width, at_least)
    return made


def table(
    *heads: str, right: Collection[str] = (), whole: Collection[str] = (), gap: int = 1
) -> Table:
    """An empty table: columns ``right`` are aligned so, those ``whole`` are never broken."""
    from rich.table import Table

    made = Table(box=None, padding=(0, gap, 0, 0), pad_edge=gap == 1, header_style="bold")
    for head in heads:
        made.add_column(
            head,
            justify="right" if head in right else "left",
            overflow="fold",
            no_wrap=head in whole,
        )
    return made


def print_json(data: object) -> None:
    """Values as JSON, escaped where stdout is not UTF-8, so that readers get what is meant."""
    from costcalc.base.writing import to_json

    text = to_json(data)
    print(text if in_utf8() else _escaped(text))


def _escaped(text: str) -> str:
    import json

    return "".join(c if c.isascii() else json.dumps(c)[1:-1] for c in text)


def print_yaml(data: object, *, first_line: str = "") -> None:
    """Values as YAML, escaped where stdout is not UTF-8."""
    from costcalc.base.writing import to_yaml

    sys.stdout.write(to_yaml(data, first_line=first_line, escape=not in_utf8()))


def print_entry(id_: str, name: str, lines: Iterable[str], sources: Mapping[str, Source]) -> None:
    """An entry of a catalogue: its name, what is known of it, and the sources of that."""
    from rich.text import Text

    console = screen(WIDE)
    console.print(Text.assemble((id_, "bold"), f": {name}"), soft_wrap=True)
    for line in (*lines, *(_cited(key, source) for key, source in sources.items())):
        console.print(Text("  " + line), soft_wrap=True)


def _cited(key: str, source: Source) -> str:
    when = source.date or (f"looked up {source.checked}" if source.checked else "")
    rest = ", ".join(part for part in (source.publisher, when) if part)
    return f"[{key}] {source.title}. {rest}. {source.url or ''}".rstrip()


def print_bare(shown: RenderableType, at_least: int = 0) -> None:
    """What rich draws; in a pipe ``at_least`` so wide, without the spaces that end its lines."""
    console = screen(at_least)
    if console.is_terminal:
        console.print(shown)
        return
    with console.capture() as captured:
        console.print(shown)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def print_rest(console: Console, notes: Iterable[str], sources: Iterable[str]) -> None:
    """What stands beneath a decision's tables."""
    for note in notes:
        console.print(f"note: {note}")
    for source in sources:
        console.print(f"data: {source}")


def show(
    made: Estimate, shape: str = "table", *, verbose: bool = False, identify: bool = False
) -> None:
    """An estimate as a table, JSON, YAML, Markdown or LaTeX."""
    if shape == "table":
        from costcalc.report.table import render

        print_bare(render(made, verbose=verbose))
        return
    for note in made.notes:
        print(f"note: {note}", file=sys.stderr)
    if shape == "json":
        print_json(made.to_dict(identify=identify))
    elif shape == "yaml":
        from costcalc.calculator.result import SCHEMA

        print_yaml(made.to_dict(identify=identify), first_line=f"# {SCHEMA}: written by costcalc")
    else:
        from costcalc.report.renderings import render as rendered

        print(rendered(made.to_dict(identify=identify), shape).rstrip("\n"))
