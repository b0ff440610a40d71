"""How ``costcalc fleet`` prints a period, and what runs now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from costcalc.cli.screen import WIDE, print_bare, screen
from costcalc.fleet.beside import grids, idles, named, tables
from costcalc.fleet.budgeted import lines as budgets
from costcalc.fleet.told import HEAD, lines, unknowns, wastes

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from costcalc.fleet.cluster import Cluster
    from costcalc.fleet.ledger import Ledger
    from costcalc.fleet.month import Month
    from costcalc.fleet.sums import Key


def show(month: Month, at_most: int = 0) -> None:
    """Print a period: its groups, budgets, waste, what idled, what is not known."""
    print_bare(drawn(month, at_most), WIDE)


def live(ledger: Ledger, cluster: Cluster, by: Sequence[str], every: float, rows: int) -> None:
    """The last month of the ledger, looked at again and again; in a pipe, once."""
    import time

    from rich.live import Live

    from costcalc.fleet.month import of_period

    console = screen(at_least=WIDE)
    if not console.is_terminal:
        print_bare(drawn(of_period(ledger, cluster, None, by), rows), WIDE)
        return
    with Live(console=console, screen=True, auto_refresh=False) as shown:
        while True:
            shown.update(drawn(of_period(ledger, cluster, None, by), rows), refresh=True)
            time.sleep(every)


def drawn(month: Month, at_most: int = 0) -> RenderableType:
    """A period as a rich renderable; ``at_most`` so many groups, 0: all."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shown = month.sums.groups[: at_most or None]
    rows = [(group.key, lines(group, month.currency)) for group in shown]
    total = lines(month.sums.total, month.currency)
    parts: list[RenderableType] = [Text(f"{month.name}, {month.over.name}", style="bold")]
    parts += [Text(line, style="dim") for line in month.limits]
    parts.append(_table(month.sums.by, HEAD, rows, total))
    if len(shown) < len(month.sums.groups):
        parts.append(Text(f"  and {len(month.sums.groups) - len(shown)} more", style="dim"))
    for one in tables(month):
        parts.append(Text(f"\n{one.title}", style="bold"))
        parts.append(_table(month.sums.by, one.head, one.rows[: at_most or None], one.total))
    for title, pairs in (
        ("Budgets", list(budgets(month))),
        ("The grid's hours", grids(month)),
        ("For nothing", wastes(month.sums.total, month.currency)),
        ("Idle nodes", list(idles(month))),
        ("Not known", unknowns(month.sums.total)),
    ):
        if pairs:
            grid = Table.grid(padding=(0, 2))
            grid.add_column(style="cyan", no_wrap=True)
            grid.add_column(overflow="fold")
            for name, told in pairs:
                grid.add_row(f"  {name}", told)
            parts += [Text(f"\n{title}", style="bold"), grid]
    return Group(*parts)


def _table(
    by: Sequence[str],
    head: Sequence[str],
    rows: Sequence[tuple[Key, Sequence[str]]],
    total: Sequence[str],
) -> Table:
    """Groups, and all of them below."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
    for name in by:
        table.add_column(name, style="cyan", overflow="fold")
    for name in head:
        table.add_column(name, justify="right", no_wrap=True)
    for key, cells in rows:
        table.add_row(*named(key), *cells)
    table.add_section()
    table.add_row("all", *[""] * (len(by) - 1), *total, style="bold")
    return table
