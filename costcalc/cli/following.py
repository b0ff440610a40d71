"""``costcalc track show``: a running job on the screen, drawn anew with each look."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from costcalc.cli.screen import print_bare, screen, table

if TYPE_CHECKING:
    from rich.console import Group

    from costcalc.tracking.showing import View, Watch


def drawn(view: View) -> Group:
    """The status, the figures and what is to be said."""
    from rich.console import Group
    from rich.text import Text

    has_end = any(row.end for row in view.rows)
    has_before = any(row.before for row in view.rows)
    heads = ["", "so far", *["at the end"] * has_end, *["predicted so far"] * has_before]
    made = table(*heads, gap=3)
    for row in view.rows:
        made.add_row(row.label, row.now, *[row.end] * has_end, *[row.before] * has_before)
    notes = [Text(f"note: {note}") for note in view.notes]
    return Group(Text(view.status), made, *notes)


def print_view(view: View) -> None:
    """One look."""
    print_bare(drawn(view))


def follow(watch: Watch, every: float) -> None:
    """Look again and again, until the job is over or Ctrl-C."""
    from rich.live import Live

    view = watch.look()
    with (
        suppress(KeyboardInterrupt),
        Live(drawn(view), console=screen(), auto_refresh=False, transient=False) as live,
    ):
        while not view.over:
            time.sleep(every)
            view = watch.look()
            live.update(drawn(view), refresh=True)
