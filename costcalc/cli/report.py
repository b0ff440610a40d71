"""``costcalc report``: verify, merge, compare, show, render, import."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from costcalc.base.errors import InputError, Problem
from costcalc.cli import LIMIT, OK, options
from costcalc.cli.screen import in_utf8

_NOTED = 8  # warnings that an import prints beside its report
app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

File = Annotated[Path, typer.Argument(metavar="REPORT", help="A report; - reads stdin.")]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="Write there.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")]


@app.command("verify")
def verify(
    report: File,
    strict: Annotated[
        bool, typer.Option("--strict", help="3 also where a step could not be done.")
    ] = False,
) -> int:
    """Check a report: schema and digest, arithmetic, full recomputation. 0 holds, 3 does not."""
    from costcalc.report.check import verify as check

    verdict = check(report)
    print("\n".join(verdict.lines()))
    return OK if verdict.holds and (verdict.recomputed or not strict) else LIMIT


@app.command("show")
def show(report: File) -> None:
    """Print a report for people."""
    from costcalc.report.compare import show as lines
    from costcalc.report.files import load

    _print(lines(load(report)))


@app.command("compare")
def compare(a: File, b: File) -> None:
    """What changed from A to B, which assumption explains it, where conventions differ."""
    from costcalc.report.compare import lines
    from costcalc.report.files import load

    _print(lines(load(a), load(b)))


@app.command("merge")
def merge(
    reports: Annotated[list[Path], typer.Argument(metavar="REPORT...", help="Two or more.")],
    name: Annotated[str, typer.Option("--name", help="The project's name.")] = "project",
    distinct: Annotated[
        bool, typer.Option("--distinct", help="Same ids are runs of their own: seeds.")
    ] = False,
    ranks: Annotated[
        str | None,
        options.option("--ranks", "runs of one time and machine are one, or each its own."),
    ] = None,
    output: Output = None,
    force: Force = False,
) -> None:
    """Runs, nodes or stages into one project report; the same run id twice is refused."""
    from costcalc.report.files import BROKEN, intact, load
    from costcalc.report.project import merge as join

    pairs = [(str(path), load(path)) for path in reports]
    broken = [Problem(key="digest", message=BROKEN, file=f) for f, one in pairs if not intact(one)]
    if broken:  # a sum of them would be sealed anew
        raise InputError(broken)
    made = join(pairs, name=name, distinct=distinct, ranks=_ranks(ranks))
    _write_report(made, output, force=force)


@app.command("render")
def render(
    report: File,
    shape: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            help="latex, markdown, html, model-card, neurips, acl, annex-xi, annex-xi-json, "
            "cyclonedx, spdx or csv.",
        ),
    ],
    output: Output = None,
    card: Annotated[
        Path | None,
        typer.Option(
            "--into", help="With model-card: write into this README.md.", show_default=False
        ),
    ] = None,
    columns: Annotated[
        int, typer.Option("--columns", help="latex: 1 fits into one column of two.")
    ] = 2,
    force: Force = False,
) -> None:
    """Turn a report into what a venue asks for."""
    from costcalc.report.files import BROKEN, intact, load
    from costcalc.report.renderings import render as turn

    data = load(report)
    if not intact(data):
        print(f"{report}: {BROKEN}", file=sys.stderr)
    if card is None:
        _write(turn(data, shape, columns=columns), output, force=force)
        return
    if shape != "model-card":
        raise options.wrong("--into", "goes with --format model-card")
    from costcalc.base.writing import save
    from costcalc.report.files import read_card
    from costcalc.report.renderings.model_card import into

    text = into(read_card(card), data)
    target = output or card
    save(text, target, force=force or target == card)
    print(f"wrote {target}", file=sys.stderr)


@app.command("import")
def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="codecarbon, carbontracker, slurm, nvidia-smi, dcgm, wandb, mlflow or zeus."
        ),
    ],
    file: Annotated[Path, typer.Argument(help="What the tool wrote: a table, a log, a folder.")],
    region: options.Region = None,
    pue: options.Pue = None,
    grid: options.Grid = None,
    price: options.PricePerHour = None,
    provider: options.Provider = None,
    plan: options.Plan = None,
    set_: options.Set = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device", help="What a name of the tool is: a100=a100-sxm4-80.", show_default=False
        ),
    ] = None,
    ranks: Annotated[
        str | None,
        options.option("--ranks", "codecarbon: rows of one time and machine are one, or each."),
    ] = None,
    interval: Annotated[
        str | None, options.option("--interval", "dcgm: time between its rows: 1 s.")
    ] = None,
    identify: Annotated[
        bool, typer.Option("--identify", help="Keep names of projects, jobs, hosts.")
    ] = False,
    output: Output = None,
    force: Force = False,
) -> None:
    """What another tool measured, as a report; with a place and a price, its money and CO2e too."""
    from costcalc.base.units import parse
    from costcalc.report.importing import read
    from costcalc.report.importing.costed import Costing

    said = {"region": region, "pue": pue, "grid": grid, "price": price, "provider": provider,
            "plan": plan, "set": set_}  # fmt: skip
    costing = Costing(
        changes=options.changes(said),
        devices=dict(options.pair(text, "--device") for text in device or ()),
    )
    made = read(
        source,
        file,
        identify=identify,
        costing=costing,
        ranks=_ranks(ranks),
        interval=parse(interval, "s") if interval else None,
    )
    _write_report(made, output, force=force)
    warned = made.get("warnings") or []
    for line in warned[:_NOTED]:
        print(f"note: {line}", file=sys.stderr)
    if len(warned) > _NOTED:
        print(f"note: and {len(warned) - _NOTED} more, in the report", file=sys.stderr)


def _ranks(said: str | None) -> str | None:
    if said not in (None, "one", "each"):
        raise options.wrong("--ranks", f'expected one or each; got "{said}"')
    return said


def _print(lines: Iterable[str]) -> None:
    """Lines within the terminal, or 80 columns; what goes on stands further in."""
    import shutil
    import textwrap

    width = max(40, shutil.get_terminal_size().columns) if sys.stdout.isatty() else 80
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        print("\n".join(textwrap.wrap(line, width, subsequent_indent=indent)) if line else "")


def _write_report(made: Mapping[str, object], output: Path | None, *, force: bool) -> None:
    from costcalc.report.files import text

    _write(text(made, output, escape=output is None and not in_utf8()), output, force=force)


def _write(text: str, output: Path | None, *, force: bool) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    from costcalc.base.writing import save

    save(text, output, force=force)
    print(f"wrote {output}", file=sys.stderr)
