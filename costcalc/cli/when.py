"""``costcalc when``: the start that emits least."""

from __future__ import annotations

from enum import StrEnum
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.base.human import digits, human, percent
from costcalc.cli import LIMIT, OK, options
from costcalc.cli.screen import print_json, print_rest, screen, table

if TYPE_CHECKING:
    from costcalc.decide.plotting import Plot
    from costcalc.decide.series import Series
    from costcalc.decide.waiting import Waiting


class Signals(StrEnum):
    """What a series says."""

    AVERAGE = "average"
    MARGINAL = "marginal"


def command(
    run: options.RunFile = None,
    series: Annotated[
        Path | None,
        typer.Option(
            "--series", show_default=False, help="A CSV (time, intensity) or JSON of gCO2e/kWh."
        ),
    ] = None,
    source: Annotated[
        str | None, options.option("--source", "electricity-maps, watttime, uk-national-grid.")
    ] = None,
    zone: Annotated[str | None, options.option("--zone", "The API's zone or region.")] = None,
    base_url: Annotated[str | None, options.option("--base-url", "Another address of it.")] = None,
    timezone: Annotated[
        str | None,
        options.option(
            "--timezone", "Of times without one, in the series and --start: Europe/Berlin."
        ),
    ] = None,
    signal: Annotated[
        Signals | None, typer.Option("--signal", show_default=False, help="What the series is.")
    ] = None,
    start: Annotated[
        str | None, options.option("--start", "The earliest: 2026-01-01T08:00Z.")
    ] = None,
    window: Annotated[
        str | None, options.option("--window", "How much later at most: 24 h.")
    ] = None,
    pause_above: Annotated[
        str | None, options.option("--pause-above", "Pause above: 300 gCO2e/kWh.")
    ] = None,
    pause_within: Annotated[
        float | None,
        typer.Option(
            "--pause-within",
            show_default=False,
            help="Run in the cleanest hours of so many times its duration: 2.",
        ),
    ] = None,
    need: Annotated[
        bool, typer.Option("--need", help="Exit 3 where waiting is not worth it.")
    ] = False,
    set_: options.Set = None,
    json: options.Json = False,
) -> int:
    """When to start: the hour that emits least, what pausing saves, whether waiting is worth it.

    The intensity comes from a file, or from an API by name with your own account.
    """
    from costcalc.decide.waiting import when

    made = when(
        str(run) if run else {},
        _series(series, source, zone, base_url, signal, timezone, starts=start is not None),
        start=start,
        window=_amount(window, "s", "--window"),
        threshold=_amount(pause_above, "gCO2e/kWh", "--pause-above"),
        stretch=pause_within,
        changes=options.changes({"set": set_}) or None,
    )
    if json:
        print_json(made.to_dict())
    else:
        _show(made)
    return LIMIT if need and not made.worth else OK


def _series(
    path: Path | None,
    source: str | None,
    zone: str | None,
    base: str | None,
    signal: Signals | None,
    timezone: str | None,
    *,
    starts: bool,
) -> Series:
    if (path is None) == (source is None):
        raise options.wrong("when", "expected one of --series FILE or --source NAME")
    from costcalc.decide.clock import zone as named

    own = named(timezone) if timezone else None
    if path is not None:
        from costcalc.decide.series_files import Zone, read

        return read(path, signal=signal.value if signal else None, timezone=Zone(own))
    if own is not None and not starts:
        message = "goes with --series FILE or --start; an API says its own times"
        raise options.wrong("--timezone", message)
    from dataclasses import replace

    from costcalc.decide.feeds import fetch

    return replace(fetch(str(source), zone=zone, base=base), zone=own)


def _amount(text: str | None, dimension: str, key: str) -> float | None:
    from costcalc.base.errors import InputError
    from costcalc.base.units import parse

    if text is None:
        return None
    try:
        return float(parse(text, dimension))
    except InputError as error:
        raise options.wrong(key, error.problems[0].message) from None


def _show(made: Waiting) -> None:
    from costcalc.decide.plotting import text

    console = screen()
    console.print(f"{made.name}: {human(made.hours, 'h')}, {human(made.energy, 'kWh')}")
    console.print(made.sentence)
    heads = ("", "Start (UTC)", "done after", "pauses", "gCO2e/kWh", "CO2e", "saves")
    shown = table(*heads, whole=heads)
    rows = [("at once", made.now), ("best", made.best), ("worst", made.worst)]
    if made.paused is not None:
        rows.append((f"paused above {made.threshold:g}", made.paused))
    if made.cleanest is not None:
        rows.append((f"cleanest of {made.stretch:g} ×", made.cleanest))
    for name, one in rows:
        resumed = one is made.paused or one is made.cleanest
        wait = 0.0 if resumed else (one.start - made.now.start).total_seconds() / 3600
        saved = 1 - one.emissions / made.now.emissions if made.now.emissions else 0.0
        shown.add_row(
            name,
            f"{one.start:%b %d %H:%M}",
            human(one.elapsed_hours + wait, "h"),
            str(one.pauses) if resumed else "",
            digits(one.mean_intensity),
            human(one.emissions, "kgCO2e"),
            percent(saved) if saved >= 0 else f"-{percent(-saved)}",
        )
    console.print(shown)
    console.print(text(_plot(made), height=10), soft_wrap=True)
    print_rest(console, made.notes, made.sources)


def _plot(made: Waiting) -> Plot:
    """The intensity, the hours in which a run may start, and the best start with its run."""
    from costcalc.decide.plotting import Marks, Plot

    step, series = made.series.step / 3600, made.series
    known = [(i * step, value) for i, value in enumerate(series.values) if not isnan(value)]
    earliest = (made.now.start - series.start).total_seconds() / 3600
    latest = earliest + made.window_hours
    best = (made.best.start - series.start).total_seconds() / 3600

    def among(label: str, mark: str, first: float, last: float) -> Marks:
        some = [(x, y) for x, y in known if first - 1e-9 <= x <= last + 1e-9]
        return Marks(label=label, mark=mark, x=[x for x, _ in some], y=[y for _, y in some])

    return Plot(
        title="Grid intensity",
        x_label=f"hours from {series.start:%Y-%m-%d %H:%M} UTC",
        y_label="gCO2e/kWh",
        log_y=False,
        x_text="{:.0f}".format,
        series=[
            among(series.signal, "·", -1.0, float("inf")),
            among("may start", "○", earliest, latest),
            among("best run", "●", best, best + max(made.best.elapsed_hours - step, 0.0)),
        ],
    )
