"""A tracker in a notebook: a line that goes with the job, and at the end a table in its place."""

from __future__ import annotations

import html
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from costcalc.tracking.showing import Row

_CELL = "text-align:left;padding:0 1em 0 0"


class _Handle(Protocol):
    """As much of IPython's display handle as is used."""

    def update(self, shown: object) -> None: ...


class Shown:
    """What stands under the cell that began a tracker; drawn anew from any thread."""

    def __init__(self, handle: _Handle) -> None:
        self._handle = handle

    def show(self, markup: str) -> None:
        """Replace what stands there; a front end that is gone is no fault."""
        with suppress(Exception):
            self._handle.update(_Markup(markup))

    def tell(self, text: str) -> None:
        """A line of progress in its place."""
        self.show(line(text))


class _Markup:
    """HTML for front ends that show it, as IPython asks for it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _repr_html_(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "costcalc"


def begun() -> Shown | None:
    """A place under the running cell; None outside of notebooks.  IPython is not imported."""
    with suppress(Exception):
        module = sys.modules.get("IPython")
        shell = module.get_ipython() if module is not None else None
        if shell is None or getattr(shell, "kernel", None) is None:
            return None
        handle = module.display.display(  # type: ignore[union-attr]
            _Markup(line("measuring")), display_id=True
        )
        return Shown(handle) if handle is not None else None
    return None


def line(text: str) -> str:
    """A line of progress.

    >>> line("time 3 s & more")
    '<div style="font-family:monospace">costcalc: time 3 s &amp; more</div>'
    """
    return f'<div style="font-family:monospace">costcalc: {html.escape(text)}</div>'


def table(rows: Sequence[Row], notes: Sequence[str] = ()) -> str:
    """Figures as a table, each with its range, beside what was predicted."""
    end, before = any(row.end for row in rows), any(row.before for row in rows)
    heads = ["", "measured", *["at the end"] * end, *["predicted"] * before]
    body = [[row.label, row.now, *[row.end] * end, *[row.before] * before] for row in rows]
    lines = [_line("th", heads), *(_line("td", cells) for cells in body)]
    told = "".join(f"<div>note: {html.escape(note)}</div>" for note in notes)
    return f"<table>{''.join(lines)}</table>{told}"


def _line(tag: str, cells: Sequence[str]) -> str:
    made = (f'<{tag} style="{_CELL}">{html.escape(cell)}</{tag}>' for cell in cells)
    return f"<tr>{''.join(made)}</tr>"


def result(made: Mapping[str, Any]) -> str:
    """What a job came to: its report in a few rows."""
    from costcalc.tracking.showing import Row, figure_rows  # not while training begins

    tracking = made["details"]["tracking"]
    steps = Row(label="steps", now=f"{tracking['steps']:,}")
    return table([steps, *figure_rows(made)], tracking.get("notes", []))
