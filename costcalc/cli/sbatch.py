"""``costcalc sbatch``: what a submission can cost and is estimated at, then ``sbatch`` itself."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.base.errors import InputError, Problem
from costcalc.cli import LIMIT, OK, options
from costcalc.cli.fleet import Config, cluster

if TYPE_CHECKING:
    from costcalc.fleet.cluster import Fleet

context_settings = {"ignore_unknown_options": True, "allow_interspersed_args": False}
_OWN = ("--dry-run", "--max-cost", "--run", "--fleet")


def command(
    words: Annotated[
        list[str],
        typer.Argument(metavar="SCRIPT ...", help="As sbatch takes them: its options, the script."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say it, and submit nothing; 3 if it can never run.")
    ] = False,
    max_cost: Annotated[
        str | None,
        options.option("--max-cost", "Submit nothing that can cost more: 200EUR. Exit 3."),
    ] = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="The run file of the job.", show_default=False)
    ] = None,
    config: Config = None,
) -> int | None:
    """What a batch script can cost at most and is estimated at; then sbatch.

    Our options come first. A run file is found where the script has costcalc track --run FILE, or
    a line # costcalc: FILE.
    """
    from costcalc.fleet.requests import submission
    from costcalc.fleet.sbatch_options import words as read
    from costcalc.fleet.submitting import over, quoted

    given = read(words)
    late = [name for name in given.typed if name in _OWN]
    if late:
        raise options.wrong(late[0], "goes before the options of sbatch")
    known = cluster(config)
    most = None if max_cost is None else _money(max_cost, known.fleet)
    text = given.wrapped if given.wrapped is not None else _script(given.script)
    asked = submission(text, given, os.environ, given.script or "sbatch")
    folder = Path(given.script).parent if given.script else Path()
    found = quoted(known, asked, folder, run)
    print("\n".join(f"costcalc: {line}" for line in found.lines()), file=sys.stderr)
    if most is not None:
        refused = over(found, most)
        if refused:
            print(f"costcalc: not submitted: {refused}", file=sys.stderr)
            return LIMIT
    if dry_run:
        return LIMIT if found.never else OK
    if found.never:  # fleet.yaml may be behind the cluster
        print("costcalc: submitted nonetheless: Slurm decides", file=sys.stderr)
    sbatch = shutil.which("sbatch")
    if sbatch is None:
        raise InputError(Problem(key="sbatch", message="there is no sbatch here"))
    sys.stderr.flush()
    return os.execv(sbatch, [sbatch, *words])  # noqa: S606  # the user's own words, no shell between


def _script(name: str | None) -> str:
    from costcalc.base.reading import read_text

    if name is None or name == "-":  # what is read here would be gone for sbatch
        raise options.wrong("SCRIPT", "expected a batch script in a file")
    return read_text(Path(name), name)


def _money(text: str, fleet: Fleet) -> float:
    """A limit in the ledger's money; of dollars by fleet.yaml's rate."""
    from costcalc.runfile.values import Money, money

    try:
        found = money("an amount of money").check(text)
    except ValueError as error:
        raise options.wrong("--max-cost", str(error)) from None
    assert isinstance(found, Money)
    currency, rate = fleet.currency, fleet.rate
    if found.currency == "USD" and rate is not None and rate.currency == currency:
        return found.amount / rate.usd
    if found.currency != currency:
        said = f"expected {currency}, as fleet.yaml has it; got {found.currency}"
        raise options.wrong("--max-cost", said)
    return found.amount
