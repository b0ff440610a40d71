"""``costcalc place``: where a run stands in the history of compute, and who can afford it."""

from __future__ import annotations

from datetime import date as Date  # noqa: N812 - `date` is the option's name
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.base.human import digits, human, percent
from costcalc.cli import OK, options
from costcalc.cli.screen import print_json, print_rest, screen, table

if TYPE_CHECKING:
    from rich.table import Table

    from costcalc.decide.placing import Standing
    from costcalc.decide.plotting import Plot


NOTABLE = 0.1  # from this share on a difference from a published figure is explained


def command(
    run: options.RunFile = None,
    flops: Annotated[str | None, options.option("--flops", "A training compute: 3.14e23.")] = None,
    landmark: Annotated[
        str | None, options.option("--landmark", "A landmark system: GPT-3 175B.")
    ] = None,
    date: Annotated[str | None, options.option("--date", "Placed at: 2020-05-28.")] = None,
    purse: Annotated[
        list[str] | None,
        typer.Option(
            "--purse", show_default=False, help="Your own: student=2xrtx-4090x30d, startup=5MUSD."
        ),
    ] = None,
    benchmark: Annotated[
        str | None, options.option("--benchmark", "ImageNet, MS COCO, SQuAD 1.1, CoNLL 2003, …")
    ] = None,
    error: Annotated[
        str | None, options.option("--error", "A target error on the benchmark: 5%.")
    ] = None,
    quantity: Annotated[
        str, typer.Option("--quantity", help="operations, or burden (processors × peak × time).")
    ] = "burden",
    accelerator: Annotated[
        str, typer.Option("--accelerator", help="The profile that the target is priced on.")
    ] = "h100-sxm5-80",
    region: options.Region = None,
    set_: options.Set = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Write a PNG, SVG or PDF.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing plot.")] = False,
    json: options.Json = False,
) -> int:
    """Where a run stands: neighbours, doubling times, marks, purses, what a target takes.

    Give a run file, --flops or --landmark.
    """
    from costcalc.decide.placing import place

    made = place(
        str(run) if run else None,
        flop=_flop(flops),
        landmark=landmark,
        date=_date(date),
        own_purses=dict(options.pair(text, "--purse") for text in purse or ()),
        benchmark=benchmark,
        error=_share(error),
        quantity=_quantity(quantity),
        accelerator=accelerator,
        region=region,
        changes=options.changes({"set": set_}) or None,
    )
    if plot is not None:
        from costcalc.decide.plotting import save

        save(_plot(made), plot, force=force)
    if json:
        print_json(made.to_dict())
    else:
        _show(made)
    return OK


def _flop(text: str | None) -> float | None:
    from costcalc.base.errors import InputError
    from costcalc.base.units import parse

    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(parse(text, "FLOP"))
    except InputError:
        raise options.wrong(
            "--flops", f'expected a compute as 3.14e23 or 20 EFLOP; got "{text[:40]}"'
        ) from None


def _date(text: str | None) -> Date | None:
    try:
        return Date.fromisoformat(text) if text else None
    except ValueError:
        raise options.wrong("--date", f'expected a day as 2020-05-28; got "{text}"') from None


def _share(text: str | None) -> float | None:
    if text is None:
        return None
    number = text.strip().removesuffix("%").strip()
    try:
        return float(number) / (100.0 if text.strip().endswith("%") else 1.0)
    except ValueError:
        raise options.wrong("--error", f'expected an error as 5% or 0.05; got "{text}"') from None


def _quantity(text: str) -> str:
    if text not in ("operations", "burden"):
        raise options.wrong("--quantity", f'expected operations or burden; got "{text}"')
    return text


def _show(made: Standing) -> None:

    from costcalc.decide.plotting import text
    from costcalc.decide.trend import folds

    console = screen()
    console.print(made.sentence)
    console.print(
        f"Rank {made.rank} of {made.number} landmark systems, published until {made.until}.\n"
    )
    for note in made.notes:
        console.print(note)
    for mark in made.marks:
        word = "above" if mark["passed"] else "below"
        times = digits(mark["times"])
        console.print(f"{word} {mark['name']} FLOP ({times} × it): {mark['means']}")
    console.print("\nNearest")
    console.print(_neighbours(made))
    console.print("Who can afford it")
    console.print(_purses(made))
    for one in made.purses:
        console.print(f"  {one.purse.name}: {one.purse.why} [{one.purse.source}]")
    if made.target is not None:
        console.print(_target(made))
    console.print(text(_plot(made)), soft_wrap=True)
    console.print("\nDoubling times, months (95 %)")
    console.print(_trend(made))
    for why in _whys(made):
        console.print(f"  {why}")
    for fold in folds():
        console.print(
            f"  {fold['from']} to {fold['to']}, {fold['years']:.1f} years: more than "
            f"{fold['published']:,}-fold as published, {digits(fold['by_their_points'])} "
            f"by the same points, {digits(fold['by_landmarks'])} by Epoch AI's figures"
        )
    console.print("What an error takes: compute grows as error to the power of -a (95 %)")
    console.print(_laws())
    console.print("By year: the share of academia, and what each purse could have trained")
    console.print(_divide(made))
    console.print(f"  * until {made.until}, where the data end")
    print_rest(console, (), made.sources)


def _neighbours(made: Standing) -> Table:
    shown = table("System", "Organisation", "Year", "FLOP")
    for one in reversed((*made.below, *made.above)):
        shown.add_row(one.name, one.organisation, str(one.date.year), f"{one.flop:.3g}")
    return shown


def _purses(made: Standing) -> Table:
    shown = table("Purse", "holds (FLOP)", "on", "the run is")
    for one in made.purses:
        if one.flop is None or one.times is None:
            shown.add_row(one.purse.name, "unknown", "no device of that year known", "")
            continue
        times = f"{digits(one.times, 2)} × it"
        shown.add_row(one.purse.name, f"{one.flop:.2g}", one.on, times)
    return shown


def _trend(made: Standing) -> Table:
    shown = table("Rule", "n", "here", "95 %", "published", "off by")
    for one in made.doublings:
        shown.add_row(
            one.rule,
            str(one.n),
            f"{one.months:.1f}",
            f"{one.low:.1f} – {one.high:.1f}",
            ", ".join(f"{item['months']:g}" for item in one.published),
            f"{100 * one.off:+.0f} %" if one.off is not None else "",
        )
    return shown


def _whys(made: Standing) -> list[str]:
    """Why a doubling time differs from a published one by a tenth or more."""
    return [
        f"{one.rule}: {one.months:.1f} against {item['months']:g} months: {item['why_different']}"
        for one in made.doublings
        for item in one.published
        if abs(item["off"]) >= NOTABLE and item["why_different"]
    ]


def _times(value: float) -> str:
    return digits(value, 2) if value < 1e6 else f"{value:.1e}"


def _laws() -> Table:
    from costcalc.decide.benchmarks import OPERATIONS, laws

    shown = table("Benchmark", "of", "n", "R²", "a", "95 %", "half the error")
    for law in laws():
        found = law.exponent
        cells = ["", "slope may be 0", "unknown"]
        if found is not None:
            cells = [
                digits(found[0]),
                f"{digits(found[1])} – {digits(found[2])}",
                f"{_times(2.0 ** found[0])} × compute",
            ]
        of = "operations" if law.quantity == OPERATIONS else "burden"
        shown.add_row(law.benchmark, of, str(law.fit.n), f"{law.fit.r2:.2f}", *cells)
    return shown


def _divide(made: Standing) -> Table:
    ids = [one.purse.id for one in made.purses]
    shown = table("Year", "n", "academia", "joint", *(name.replace("-", "-\n") for name in ids))
    for row in made.divide:
        shares = [row["could_train"][name] for name in ids]
        shown.add_row(
            str(row["year"]) + (" *" if row["year"] == made.until.year else ""),
            str(row["n"]),
            percent(row["academia"]),
            percent(row["joint"]),
            *("" if share is None else percent(share) for share in shares),
        )
    return shown


def _target(made: Standing) -> str:
    from costcalc.decide.benchmarks import MEANING

    found = made.target
    assert found is not None
    head = f"{found.law.benchmark}, error {percent(found.error)}"
    if found.flop is None or found.on is None:
        return f"{head}: unknown, {found.why}\n"
    figures = found.on["figures"]
    known = [
        f"{word} {human(figures[name]['value'], figures[name]['unit'])}"
        for name, word in _SHOWN.items()
    ]
    unknown = [
        f"{_SHOWN[name]}: {figures[name]['why']}"
        for name in _SHOWN
        if figures[name]["value"] is None
    ]
    why = f"; {found.why}" if found.why else ""
    return "\n  ".join(
        [
            (
                f"{head}: {found.flop:.1e} FLOP ({found.low:.0e} – {found.high:.0e}) of "
                f"{MEANING[found.law.quantity]}{why}"
            ),
            f"on {found.on['accelerator']}: {', '.join(known)} ({found.on['rule']})",
            *unknown,
            "",
        ]
    )


_SHOWN = {"device_hours": "time", "cost": "cost", "energy": "energy", "carbon_total": "CO2e"}


_STEPS = 72  # points of a line across the plot


def _plot(made: Standing) -> Plot:
    from costcalc.decide.history import landmarks, years
    from costcalc.decide.plotting import Marks, Plot

    known = landmarks()
    first, last = known[0].year, known[-1].year
    across = [first + (last - first) * step / _STEPS for step in range(_STEPS + 1)]
    marks = [
        Marks(label=mark["name"], mark="─", x=across, y=[mark["flop"]] * len(across))
        for mark in made.marks
    ]
    return Plot(
        title="Training compute of landmark systems",
        x_label="year",
        y_label="FLOP",
        x_text="{:.0f}".format,
        y_text="{:.0e}".format,
        series=[
            *marks,
            Marks(
                label="landmark (Epoch AI, CC BY 4.0)",
                mark="·",
                x=[one.year for one in known],
                y=[one.flop for one in known],
            ),
            Marks(label=made.name, mark="◆", x=[years(made.date)], y=[made.flop]),
        ],
    )
