"""``costcalc fleet``: the ledger of a cluster: init, import, report, top, job, check, export."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.base.errors import MissingExtraError
from costcalc.cli import LIMIT, OK, options

if TYPE_CHECKING:
    from costcalc.fleet.cluster import Cluster
    from costcalc.fleet.ledger import Ledger

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

LEDGER = "COSTCALC_FLEET_LEDGER"  # a tracked job's folder of records has a name of its own
Url = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        help="sqlite:///fleet.db or postgresql://…; default: fleet.yaml's, else fleet.db here.",
        envvar=LEDGER,
        show_default=False,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--fleet",
        help="What the cluster is; default: fleet.yaml here.",
        envvar="COSTCALC_FLEET",
        show_default=False,
    ),
]

Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="Write there.", show_default=False)
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")]


@app.command("init")
def init(url: Url = None, config: Config = None) -> None:
    """Make a ledger, and a fleet.yaml to fill in where there is none."""
    from costcalc.fleet.cluster import NAME

    path = config or Path(NAME)
    if not path.exists():
        from costcalc.base.writing import save
        from costcalc.fleet.shipped import template

        save(template(), path)
        print(f"wrote {path}: say there what the cluster is", file=sys.stderr)
    known = cluster(path)
    with opened(url, known, create=True) as ledger:
        with ledger.writing() as connection:  # one that was there, and is empty
            ledger.counting_in(connection, known.fleet.currency)
        print(f"the ledger is {ledger.shown}", file=sys.stderr)


@app.command("import")
def import_(
    source: Annotated[
        str, typer.Argument(help="slurm, reports, prometheus, kubernetes, lsf or pbs.")
    ],
    where: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|FOLDER|URL]",
            help="A dump of the source, - reads stdin; a folder of reports; a Prometheus.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="Ask the scheduler or the Prometheus itself, from this day on.",
            show_default=False,
        ),
    ] = None,
    named: Annotated[
        str | None,
        typer.Option("--cluster", help="Whose, where the dump does not say.", show_default=False),
    ] = None,
    job: Annotated[
        str | None, typer.Option("--job", help="slurm: of this one alone.", show_default=False)
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="3 where rows are refused.")] = False,
    url: Url = None,
    config: Config = None,
) -> int:
    """Take jobs into the ledger: each once, however often they are imported."""
    known = cluster(config)
    with opened(url, known) as ledger:
        from costcalc.fleet.sources import Asked, import_from

        asked = Asked(source=source, where=where, since=since, cluster=named, job=job)
        taken = import_from(ledger, known, asked)
    print("\n".join(taken.lines()), file=sys.stderr)
    return LIMIT if strict and taken.refused else OK


@app.command("report")
def report(
    month: Annotated[
        str | None,
        typer.Option(
            "--month", help="2026-10, 2026-Q4 or 2026; default: the last.", show_default=False
        ),
    ] = None,
    by: Annotated[
        str, typer.Option("--by", help="account, user, partition, model, device, state, …")
    ] = "account",
    shape: Annotated[
        str, typer.Option("--format", "-f", help="table, csv, json, html or parquet.")
    ] = "table",
    account: Annotated[
        str | None, typer.Option("--account", help="Of this one alone.", show_default=False)
    ] = None,
    budgets: Annotated[
        bool, typer.Option("--budgets", help="csv, parquet: the budgets, which are in no group.")
    ] = False,
    output: Output = None,
    force: Force = False,
    url: Url = None,
    config: Config = None,
) -> None:
    """What a month's jobs cost: money, kWh, CO2e with ranges, waste, budgets."""
    known = cluster(config)
    with opened(url, known) as ledger:
        from costcalc.fleet.month import of_period
        from costcalc.fleet.summary import account_of, fields
        from costcalc.fleet.told import check_format, parquet, text_of

        check_format(shape)
        if budgets and shape not in ("csv", "parquet"):
            raise options.wrong("--budgets", f"goes with --format csv or parquet; {shape} has them")
        mine = None if account is None else (account_of(ledger, account),)
        made = of_period(ledger, known, month, fields(by), accounts=mine)
        if shape == "table":
            from costcalc.cli.fleet_screen import show

            if output is not None:
                raise options.wrong("--output", "goes with --format csv, json, html or parquet")
            show(made)
        elif shape == "parquet":
            if output is None:
                raise options.wrong("--format", "parquet is a file: give -o FILE.parquet")
            parquet(made, output, force=force, of_budgets=budgets)
            print(f"wrote {output}", file=sys.stderr)
        else:
            write(text_of(made, shape, of_budgets=budgets), output, force=force)
        if made.budgets and not budgets and shape in ("csv", "parquet"):
            print("the budgets are not in it: --budgets gives them as a file", file=sys.stderr)


@app.command("job")
def job(
    number: Annotated[str, typer.Argument(metavar="ID", help="The scheduler's: 123, 12_3.")],
    named: Annotated[
        str | None, typer.Option("--cluster", help="Whose job it is.", show_default=False)
    ] = None,
    words: Annotated[
        bool, typer.Option("--words", help="A paragraph for the job's own output.")
    ] = False,
    identify: Annotated[
        bool, typer.Option("--identify", help="Name the job in the report.")
    ] = False,
    output: Output = None,
    force: Force = False,
    url: Url = None,
    config: Config = None,
) -> None:
    """One job as a full report, which costcalc report verify checks."""
    with opened(url, cluster(config)) as ledger:
        from costcalc.fleet.job import (
            attempts,
            crowded,
            differs,
            full,
            hosts,
            not_reported,
            paragraph,
            parts,
        )
        from costcalc.report.files import text

        rows = attempts(ledger, number, named)
        if words:
            write(
                paragraph(rows, ledger.about("currency"), hosts(ledger, rows)) + "\n",
                output,
                force=force,
            )
            return
        made = full(ledger, rows, identify=identify)
        if len(parts(rows)) > 1:
            print(f"note: of all {len(parts(rows))} parts of {number}", file=sys.stderr)
        for line in not_reported(rows):
            print(f"note: not in the report: {line}", file=sys.stderr)
        for line in crowded(rows):
            print(f"note: {line}", file=sys.stderr)
        for line in differs(made, rows):
            print(f"note: {line}: another version or profile wrote it", file=sys.stderr)
        write(text(made, output), output, force=force)


@app.command("check")
def check(
    month: Annotated[
        str | None, typer.Option("--month", help="Of this one alone.", show_default=False)
    ] = None,
    refused: Annotated[
        bool, typer.Option("--refused", help="List every row that was refused.")
    ] = False,
    url: Url = None,
    config: Config = None,
) -> None:
    """What is unmetered, unpriced, unknown or refused."""
    known = cluster(config)
    with opened(url, known) as ledger:
        from costcalc.decide.clock import zone
        from costcalc.fleet.checking import check as look
        from costcalc.fleet.checking import refusals
        from costcalc.fleet.period import period

        months = period(month, zone(known.fleet.timezone)).months if month else None
        print("\n".join(refusals(ledger) if refused else look(ledger, months, known.fleet).lines()))


@app.command("export")
def export(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where to listen.")] = 9842,
    host: Annotated[str, typer.Option("--host", help="On which address.")] = "127.0.0.1",
    once: Annotated[bool, typer.Option("--once", help="Print the metrics, and end.")] = False,
    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            help="Print a file that ships: grafana.json, alerts.yml, job_submit.lua, epilog.sh.",
            show_default=False,
        ),
    ] = None,
    url: Url = None,
    config: Config = None,
) -> None:
    """The ledger as metrics for Prometheus, on /metrics."""
    if file is not None:
        from costcalc.fleet.shipped import PLUGIN, named

        sys.stdout.write(named(file, cluster(config) if file == PLUGIN else None))
        return
    known = cluster(config)
    with opened(url, known) as ledger:
        from costcalc.fleet.exporting import registry, serve

        def log(line: str) -> None:
            print(line, file=sys.stderr, flush=True)

        if once:
            from prometheus_client import generate_latest

            sys.stdout.write(generate_latest(registry(ledger, known, log)).decode())
            return
        print(f"metrics on http://{host}:{port}/metrics; Ctrl-C ends", file=sys.stderr)
        serve(ledger, known, host, port, log)


@app.command("top")
def top(
    by: Annotated[str, typer.Option("--by", help="What to sum by.")] = "account",
    every: Annotated[float, typer.Option("--every", min=0.5, help="Seconds between looks.")] = 5.0,
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many are shown.")] = 20,
    url: Url = None,
    config: Config = None,
) -> None:
    """The running month, live: who uses what; in a pipe, once."""
    known = cluster(config)
    with opened(url, known) as ledger:
        from costcalc.cli.fleet_screen import live
        from costcalc.fleet.summary import fields

        live(ledger, known, fields(by), every, rows)


def write(text: str, output: Path | None, *, force: bool) -> None:
    """Text to stdout, or whole into a file."""
    if output is None:
        sys.stdout.write(text)
        return
    from costcalc.base.writing import save

    save(text, output, force=force)
    print(f"wrote {output}", file=sys.stderr)


def cluster(config: Path | None) -> Cluster:
    """What fleet.yaml says; without one, nothing is known of the cluster."""
    from costcalc.fleet.cluster import load, meant

    return load(meant(config))


def opened(url: str | None, known: Cluster, *, create: bool = False) -> Ledger:
    """The ledger that is meant: the option's, else the environment's, else fleet.yaml's."""
    try:
        from costcalc.fleet.ledger import DEFAULT, Ledger
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "sqlalchemy":
            raise MissingExtraError("a ledger", "SQLAlchemy", "fleet") from error
        raise
    wanted = url or os.environ.get(LEDGER) or known.fleet.ledger or DEFAULT
    return Ledger.open(wanted, create=create, currency=known.fleet.currency)
