"""``costcalc track``: measure a command, follow a job, and merge its records."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from costcalc.base.errors import InputError, Problem
from costcalc.cli import OK, options
from costcalc.cli.screen import print_yaml


class _Group(TyperGroup):
    """``track [options] -- COMMAND`` is ``track run``; merge and show are words of their own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the word in that people leave out."""
        plain = args[: args.index("--")] if "--" in args else args
        if args and "--help" not in plain[:1] and plain[:1] not in (["merge"], ["run"], ["show"]):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_Group, no_args_is_help=True, rich_markup_mode=None)

RunFile = Annotated[
    Path | None, typer.Option("--run", help="The run file of the job.", show_default=False)
]
Job = Annotated[
    str | None, typer.Option("--job", help="The job's name; restarts share it.", show_default=False)
]
Identify = Annotated[bool, typer.Option("--identify", help="Name the job in the report.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite whatever stands there.")]


@app.command("run", context_settings={"allow_interspersed_args": False})
def run(
    words: Annotated[list[str], typer.Argument(metavar="-- COMMAND...", help="What to run.")],
    run: RunFile = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The report.")] = Path(
        "costs.yaml"
    ),
    ledger: Annotated[
        str | None, typer.Option("--ledger", help="Folder of the records.", show_default=False)
    ] = None,
    job: Job = None,
    on_limit: Annotated[str, typer.Option("--on-limit", help="warn or stop.")] = "warn",
    interval: Annotated[float, typer.Option("--interval", help="Seconds between samples.")] = 10.0,
    set_: options.Set = None,
    limit: options.Limit = None,
    identify: Identify = False,
    force: Force = False,
) -> int:
    """Measure a command: costcalc track [--run RUN.yaml] [-o costs.yaml] -- python train.py.

    Exits as the command does; with 3 where a limit stopped it.
    """
    from costcalc.cli.wrapping import wrap
    from costcalc.tracking import ranks
    from costcalc.tracking.options import LEDGER, Options
    from costcalc.tracking.tracker import Tracker

    around = os.environ.get(LEDGER)
    folder = ledger or around or str(output.absolute().with_suffix(".ledger"))
    named = job or ranks.detect().job
    changes = options.changes({"set": set_, "limit": limit})
    asked = Options(
        run=str(run) if run else {} if changes else None,
        output=output,
        ledger=folder,
        job=named,
        stage=None,
        changes=changes,
        on_limit=on_limit,  # type: ignore[arg-type]
        progress=None,
        callback=None,
        interval=interval,
        identify=identify,
        force=force,
        wrapper=True,
    )
    return wrap(words, Tracker(asked), job=named, ledger=folder)


@app.command("merge")
def merge(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Folder of the records.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write it there.", show_default=False)
    ] = None,
    run: RunFile = None,
    job: Job = None,
    identify: Identify = False,
    force: Force = False,
) -> int:
    """One report of a job from the records that its nodes have left."""
    from costcalc.tracking.final_report import merged, save, summary

    if output is not None and output.exists() and not force:
        message = "exists already; give --force (force=True) to overwrite it"
        raise InputError(Problem(key="", message=message, file=str(output)))
    made, said = merged(folder, job=job, run=str(run) if run else None, identify=identify)
    for line in said:
        print(line, file=sys.stderr)
    if output is None:
        print_yaml(made)
        return OK
    save(made, output)
    for line in summary(made, output):
        print(line, file=sys.stderr)
    return OK


@app.command("show")
def show(
    folder: Annotated[str, typer.Argument(metavar="LEDGER", help="Folder of the records.")],
    run: RunFile = None,
    job: Job = None,
    once: Annotated[bool, typer.Option("--once", help="One look, also at a terminal.")] = False,
    every: Annotated[float, typer.Option("--every", help="Seconds between looks.")] = 5.0,
    as_json: Annotated[bool, typer.Option("--json", help="One look's figures, as JSON.")] = False,
) -> int:
    """Follow a running job from another terminal, until it ends or Ctrl-C; in a pipe one look."""
    from costcalc.cli.following import follow, print_view
    from costcalc.cli.screen import print_json
    from costcalc.tracking.options import LONGEST
    from costcalc.tracking.showing import Watch

    if not every > 0:
        message = f"expected a number of seconds above 0; got {every:g}"
        raise InputError(Problem(key="--every", message=message, file="track show"))
    watch = Watch(folder, job=job, run=str(run) if run else None)
    if as_json:
        view = watch.look()
        told = {"job": view.job, "status": view.status, "over": view.over}
        print_json({**told, "metrics": dict(view.metrics), "notes": list(view.notes)})
    elif once or not sys.stdout.isatty():
        print_view(watch.look())
    else:
        follow(watch, min(every, LONGEST))
    return OK
