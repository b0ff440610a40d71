"""``costcalc fleet``: the ledger of a cluster: init, import, report, top, job, check, export."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.base.errors import MissingExtraError
from costcalc.cli import LIMIT, OK

if TYPE_CHECKING:
    from costcalc.fleet.cluster import Cluster
    from costcalc.fleet.ledger import Ledger

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

Url = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        help="sqlite:///fleet.db or postgresql://…; default: fleet.yaml's, else fleet.db here.",
        envvar="COSTCALC_LEDGER",
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
    ledger = opened(url, cluster(path), create=True)
    print(f"the ledger is {ledger.shown}", file=sys.stderr)
    ledger.close()


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(help="slurm.")],
    file: Annotated[
        Path | None, typer.Argument(help="A dump of the source; - reads stdin.", show_default=False)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="Ask the scheduler, from this day on.", show_default=False),
    ] = None,
    named: Annotated[
        str | None,
        typer.Option("--cluster", help="Whose, where the dump does not say.", show_default=False),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="3 where rows are refused.")] = False,
    url: Url = None,
    config: Config = None,
) -> int:
    """Take jobs into the ledger: each once, however often they are imported."""
    known = cluster(config)
    with opened(url, known) as ledger:
        from costcalc.fleet.sources import Asked
        from costcalc.fleet.sources import opened as source_of
        from costcalc.fleet.taking import take

        asked = Asked(source=source, file=file, since=since, cluster=named)
        with source_of(asked, known) as stream:
            name = str(file) if file else f"{source} since {since}"
            taken = take(ledger, known, stream, source=source, name=name)
    print("\n".join(taken.lines()), file=sys.stderr)
    return LIMIT if strict and taken.refused else OK


def cluster(config: Path | None) -> Cluster:
    """What fleet.yaml says; without one, nothing is known of the cluster."""
    from costcalc.base.document import Document
    from costcalc.fleet.cluster import NAME, checked, load

    path = config or Path(NAME)
    if config is None and not path.exists():
        return checked(Document({}, NAME))
    return load(path)


def opened(url: str | None, known: Cluster, *, create: bool = False) -> Ledger:
    """The ledger that is meant: the option's, else the environment's, else fleet.yaml's."""
    try:
        from costcalc.fleet.ledger import DEFAULT, Ledger
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "sqlalchemy":
            raise MissingExtraError("a ledger", "SQLAlchemy", "fleet") from error
        raise
    wanted = url or os.environ.get("COSTCALC_LEDGER") or known.fleet.ledger or DEFAULT
    return Ledger.open(wanted, create=create, currency=known.fleet.currency)
