"""``costcalc compare``: a run across hardware, counts, places, prices and precisions."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.base.human import bare, digits, human, number_of, span
from costcalc.cli import LIMIT, OK, options
from costcalc.cli.screen import print_json, print_rest, screen, table

if TYPE_CHECKING:
    from contextlib import ExitStack

    from rich.console import Console
    from rich.progress import Progress, TaskID
    from rich.table import Table

    from costcalc.calculator.result import FigureName
    from costcalc.decide.comparing import Comparison
    from costcalc.decide.plotting import Marks, Plot
    from costcalc.decide.sweep import ScenarioRow
    from costcalc.decide.table_files import Rows

SLOW = 1.0  # seconds after which a progress bar shows
_BETTER = {"time": "faster", "cost": "cheaper", "carbon": "cleaner"}
_RANKED = {"time": "time", "carbon": "CO2e"}
_FIGURES: tuple[tuple[FigureName, str, str], ...] = (
    ("wall_clock", "Time", "h"),
    ("cost", "Cost", "USD"),
    ("energy", "Energy", "kWh"),
    ("carbon_total", "CO2e", "kgCO2e"),
)


_AIMED: tuple[tuple[FigureName, str], ...] = (
    ("wall_clock", "h"),
    ("cost", "USD"),
    ("carbon_total", "kgCO2e"),
)


Accelerators = Annotated[
    str | None, options.option("--accelerators", "h100-sxm5-80,mi300x, or all.")
]
Counts = Annotated[str | None, options.option("--counts", "64..1024 doubles, 8..32:8 steps, 8,16.")]
Regions = Annotated[str | None, options.option("--regions", "FR,aws:us-east-1, aws, or all.")]
Plans = Annotated[str | None, options.option("--plans", "spot,on-demand, or all.")]
Precisions = Annotated[str | None, options.option("--precisions", "bf16,fp8, or all.")]
Minimize = Annotated[
    str | None, options.option("--minimize", "time, cost or carbon, within the limits.")
]
Top = Annotated[int, typer.Option("--top", min=1, help="Rows of each table.")]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", show_default=False, help="Every scenario, as .csv or .parquet."),
]
PlotFile = Annotated[
    Path | None, typer.Option("--plot", show_default=False, help="A PNG, SVG or PDF.")
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]
Workers = Annotated[
    int, typer.Option("--workers", min=0, help="Local processes (needs the dask extra).")
]
Cluster = Annotated[str | None, options.option("--cluster", "A Dask scheduler: tcp://host:8786.")]


def command(
    run: options.RunFile = None,
    model: options.Model = None,
    tokens: options.Tokens = None,
    accelerators: Accelerators = None,
    counts: Counts = None,
    regions: Regions = None,
    plans: Plans = None,
    precisions: Precisions = None,
    minimize: Minimize = None,
    limit: options.Limit = None,
    no_interruptions: options.NoInterruptions = False,
    set_: options.Set = None,
    top: Top = 12,
    output: Output = None,
    plot: PlotFile = None,
    force: Force = False,
    workers: Workers = 0,
    cluster: Cluster = None,
    json: options.Json = False,
) -> int:
    """Where it is cheaper, faster or cleaner: the front of time, money and CO2e, then the rest.

    Axes left out are the run's own, or those of the file's sweep block.
    """
    from contextlib import ExitStack

    from costcalc.decide.comparing import compare

    given = {"model": model, "tokens": tokens, "limit": limit, "set": set_}
    with ExitStack() as stack:
        made = compare(
            str(run) if run else {},
            accelerators=accelerators,
            counts=counts,
            regions=regions,
            plans=plans,
            precisions=precisions,
            minimize=minimize,
            changes=options.changes(given) or None,
            progress=_progress(stack),
            write=_writer(stack, output, force=force),
            client=_client(stack, workers, cluster),
            interruptions=not no_interruptions,
        )
    if output is not None:
        print(f"wrote {output}", file=sys.stderr)
    if plot is not None:
        _draw(made, plot, force=force)
    if json:
        print_json(made.to_dict())
    else:
        _show(made, top)
    return OK if made.met else _unmet(made)


def _draw(made: Comparison, file: Path, *, force: bool) -> None:
    from costcalc.decide.plotting import save

    save(_plot(made), file, force=force)


def _unmet(made: Comparison) -> int:
    print(f"nothing compared {_LACKS[bool(made.limits)]}", file=sys.stderr)
    return LIMIT


_LACKS = {True: "meets the limits", False: "can run"}  # by whether there are limits


def _writer(stack: ExitStack, output: Path | None, *, force: bool) -> Rows | None:
    if output is None:
        return None
    from costcalc.decide.table_files import Rows

    return stack.enter_context(Rows(output, force=force))


def _client(stack: ExitStack, workers: int, cluster: str | None) -> object:
    if not workers and not cluster:
        return None
    from costcalc.decide.cluster import connect, local

    client = connect(cluster) if cluster else local(workers)
    return stack.enter_context(client)


def _progress(stack: ExitStack) -> Callable[[int, int], None]:
    """A bar on stderr once it has taken longer than a second; none where nobody watches."""
    began = time.monotonic()
    shown: list[tuple[Progress, TaskID]] = []

    def progress(done: int, total: int) -> None:
        if not shown and sys.stderr.isatty() and time.monotonic() - began > SLOW:
            from rich.console import Console
            from rich.progress import Progress

            bar = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
            shown.append((bar, bar.add_task("scenarios", total=total)))
        if shown:
            bar, task = shown[0]
            bar.update(task, completed=done)

    return progress


def _show(made: Comparison, top: int) -> None:
    from costcalc.decide.plotting import text

    console = screen()
    _show_front(console, made, top)
    _show_rest(console, made, top)
    if len(made.front) > 1:
        console.print(text(_plot(made)), soft_wrap=True)
    for line in _cannot(made.why)[:top]:
        console.print(f"left out: {line}")
    print_rest(console, made.notes, made.sources)


def _show_front(console: Console, made: Comparison, top: int) -> None:
    """How much was compared, the least of what was asked for, and what nothing is better than."""
    console.print(
        f"{made.name}: {number_of(made.number, 'scenario')}, {made.feasible:,} can run; "
        f"{len(made.front)} on the front of {', '.join(made.aims)}"
    )
    if made.minimize is not None:
        within = " within the limits" if made.limits else ""
        nothing = f"nothing {_LACKS[bool(made.limits)]}"
        said = _said(made.best, made.currency) if made.best else nothing
        console.print(f"least {made.minimize}{within}: {said}")
    console.print("\nThe front: nothing is better in all" + (" (5 – 95 %)" if made.wins else ""))
    console.print(_front(made, made.front[:top]))
    _more(console, len(made.front), top)
    if made.wins:
        console.print(
            f"  beats 1st: % of paired draws in which it beats the first row: "
            f"{', '.join(_BETTER[aim] for aim in made.aims)}"
        )


def _show_rest(console: Console, made: Comparison, top: int) -> None:
    """What something is better than, and what has no known price."""
    if made.rest:
        console.print(f"\nThe rest, {made.first} first")
        console.print(_rest(made.rest[:top], made.currency))
        _more(console, len(made.rest), top)
    if made.unpriced:
        ranked = " and ".join(_RANKED[aim] for aim in made.aims[::-1] if aim != "cost")
        console.print(f"\nWithout a known price: nothing is better in {ranked}")
        console.print(_rest(made.unpriced[:top], made.currency))
        _more(console, len(made.unpriced), top)


def _said(row: ScenarioRow, currency: str = "USD") -> str:
    hardware = f"{row['count']} × {row['accelerator']} in {row['region']}, {row['plan']}"
    figures = ", ".join(
        human(row[name], currency if name == "cost" else unit) for name, _, unit in _FIGURES
    )
    return f"{hardware}: {figures}"


def _cannot(whys: Mapping[str, str]) -> list[str]:
    """One line an accelerator: why the first count cannot run, and how many others cannot."""
    first: dict[str, str] = {}
    number: dict[str, int] = {}
    for name, why in whys.items():
        device = name.rpartition(" × ")[2]
        first.setdefault(device, f"{name}: {why}")
        number[device] = number.get(device, 0) + 1
    return [
        text + (f" (nor at {number[device] - 1} other counts)" if number[device] > 1 else "")
        for device, text in first.items()
    ]


def _more(console: Console, number: int, top: int) -> None:
    if number > top:
        console.print(f"  … {number - top} more: --top {number}")


def _front(made: Comparison, rows: Sequence[ScenarioRow]) -> Table:
    """Two lines a row: the figures, and beneath them their ranges."""
    heads = (
        "Hardware",
        "Where",
        "Time",
        made.currency,
        "kgCO2e",
        *(["beats 1st"] if made.wins else []),
    )
    shown = table(*heads, whole=("Hardware", "Where"))
    for at, row in enumerate(rows):
        ranges = row.get("ranges") or {}
        cells = [
            f"{row['count']} × {row['accelerator']}\n{row['precision'] or ''}",
            f"{row['region']}\n{row['plan']}",
        ]
        for name, unit in _AIMED:
            value, (low, high) = row[name], ranges.get(name) or (None, None)
            said = human(value, unit) if unit == "h" else bare(value)
            ends = span(low, high, value, unit) if unit == "h" else _ends(low, high)
            cells.append(f"{said}\n{ends}")
        if made.wins:
            known = at and at < len(next(iter(made.wins.values())))
            cells.append(
                "/".join(f"{100 * made.wins[aim][at][0]:.0f}" for aim in made.aims) if known else ""
            )
        shown.add_row(*cells, style=None if row["within_limits"] else "dim")
    return shown


def _ends(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None or low == high else f"{digits(low)} – {digits(high)}"


def _rest(rows: Sequence[ScenarioRow], currency: str = "USD") -> Table:
    heads = ("Hardware", "Where", "Plan", "Time", currency, "kWh", "kgCO2e")
    shown = table(*heads, whole=("Hardware", "Where"))
    for row in rows:
        precision = f" {row['precision']}" if row["precision"] else ""
        shown.add_row(
            f"{row['count']} × {row['accelerator']}{precision}",
            row["region"],
            row["plan"],
            human(row["wall_clock"], "h"),
            bare(row["cost"]),
            bare(row["energy"]),
            bare(row["carbon_total"]),
            style=None if row["within_limits"] else "dim",
        )
    return shown


def _plot(made: Comparison) -> Plot:
    from costcalc.decide.plotting import Marks, Plot

    def series(rows: Sequence[ScenarioRow], label: str, mark: str) -> Marks:
        known = [(r["wall_clock"], r["cost"]) for r in rows if r["wall_clock"] and r["cost"]]
        hours, dollars = [x for x, _ in known if x], [y for _, y in known if y]
        return Marks(label=label, mark=mark, x=hours, y=dollars)

    return Plot(
        title=f"{made.name}: time against cost",
        x_label="hours",
        y_label=made.currency,
        log_x=True,
        x_text="{:.3g} h".format,
        y_text=f"{{:,.0f}} {made.currency}".format,
        series=[series(made.rest, "the rest", "·"), series(made.front, "front", "●")],
    )
