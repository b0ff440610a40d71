"""The command line: one word a thing, one file a command; parse, call, print, no arithmetic.

Results go to stdout, everything else to stderr.  Exit codes: 0 done; 1 a bug; 2 wrong use or a bad
file; 3 a limit, deadline or check not met.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

# command: (module, what it does).  Only the module of the word that was typed is imported.
COMMANDS = {
    "estimate": (
        "costcalc.cli.estimate",
        "What a run will cost: days, dollars, kWh and CO2e, with ranges and sources.",
    ),
    "explain": (
        "costcalc.cli.explain",
        "Print each result's formula with its numbers, their sources, and what drives its range.",
    ),
    "layout": (
        "costcalc.cli.layout",
        "Walk every layout of a run, and show the fastest that fit in memory.",
    ),
    "calibrate": (
        "costcalc.cli.calibrate",
        "From measured steps, what a machine does: other estimates on it are scaled by that.",
    ),
    "validate": (
        "costcalc.cli.validate",
        "Score the predictions on measurements that the fit has not seen.",
    ),
    "models": (
        "costcalc.cli.models",
        "List the models known by name; with a NAME, show one with its sources.",
    ),
    "software": (
        "costcalc.cli.software",
        "List the software known to run a step; with a NAME, show one with its sources.",
    ),
    "hardware": ("costcalc.cli.hardware", "The accelerators known: list, show, check."),
    "peak": (
        "costcalc.cli.peak",
        "The dense peak of a device, to divide by, and what it is a peak of.",
    ),
    "regions": ("costcalc.cli.regions", "The places known, and their grids: list, show."),
    "prices": (
        "costcalc.cli.prices",
        "The prices known: list, show; update takes a newer catalogue.",
    ),
    "diff": (
        "costcalc.cli.diff",
        "What a change of run files costs: time, money, energy, CO2e, before and after.",
    ),
    "check": ("costcalc.cli.check", "Check that run files are valid and keep their limits."),
    "compare": (
        "costcalc.cli.compare",
        "Where it is cheaper, faster or cleaner: the front of time, money and CO2e, then the rest.",
    ),
    "plan": (
        "costcalc.cli.plan",
        (
            "From limits to a run: the model and data that they buy, "
            "or a model's best ways within them."
        ),
    ),
    "place": (
        "costcalc.cli.place",
        "Where a run stands: neighbours, doubling times, marks, purses, what a target takes.",
    ),
    "report": ("costcalc.cli.report", "Reports: verify, merge, compare, show, render, import."),
    "track": ("costcalc.cli.track", "Measure a command; merge the records of a job."),
    "serve": (
        "costcalc.cli.serve",
        "The web calculator and its REST API, on this machine; Ctrl-C ends it.",
    ),
    "when": (
        "costcalc.cli.when",
        (
            "When to start: the hour that emits least, what pausing saves, whether waiting is worth"
            " it."
        ),
    ),
    "fleet": (
        "costcalc.cli.fleet",
        "What every job of a cluster costs: a ledger from Slurm and meters, its reports, a check.",
    ),
    "mcp": (
        "costcalc.cli.mcp",
        "Serve the calculator to assistants over the Model Context Protocol.",
    ),
    "sbatch": (
        "costcalc.cli.sbatch",
        "What a batch script can cost at most and is estimated at; then sbatch.",
    ),
    "schema": (
        "costcalc.cli.schema",
        "Print the JSON Schema of the run file (or of a profile, a preset, the report).",
    ),
}

GROUPS = (
    "fleet",
    "hardware",
    "prices",
    "regions",
    "report",
    "track",
)  # words with words of their own, listed last

OK, BUG, WRONG_USE, LIMIT = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of ``costcalc``; exits with one of the codes above."""
    import gc

    words = list(sys.argv[1:] if arguments is None else arguments)
    if _is_main_job(words):
        gc.disable()  # what lives for a third of a second leaves no cycles worth a search
    code = run(words)
    gc.freeze()  # nor is what is left searched at the end
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run a command line; the exit code."""
    # pydantic looks through every installed package for plugins, of which we use none
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    from costcalc.base.errors import CostcalcError
    from costcalc.cli.screen import degrade

    degrade()
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
    except CostcalcError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _silence_stdout()
        return OK
    return code


def _silence_stdout() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(arguments: list[str]) -> int:
    if _is_main_job(arguments):
        return _estimate(arguments[1])
    import typer

    if arguments == ["--version"]:
        from costcalc import __version__

        print(f"costcalc {__version__}")
        return OK
    word = arguments[0] if arguments else "--help"
    if not word.startswith("-") and word not in COMMANDS:
        return _unknown(word)
    app = typer.Typer(
        name="costcalc",
        add_completion=True,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    if arguments in ([], ["--help"]) and _COMPLETE not in os.environ:
        _list(app)
    else:
        for name in COMMANDS if word.startswith("-") else (word,):
            _register(app, name)
    try:
        if _COMPLETE in os.environ:
            app(prog_name="costcalc")
        # Not by app(): it ends an interrupt and a closed pipe in its own way.
        command = typer.main.get_command(app)
        with command.make_context("costcalc", arguments or ["--help"]) as context:
            code = command.invoke(context)
    except typer.Exit as stop:
        return int(stop.exit_code)
    except Exception as error:
        if not hasattr(error, "format_message"):  # click's own errors of usage have it
            raise
        print(f"costcalc: {error.format_message()}", file=sys.stderr)
        print(f"see: costcalc {word if word in COMMANDS else ''} --help", file=sys.stderr)
        return WRONG_USE
    return int(code) if isinstance(code, int) else OK


_COMPLETE = "_COSTCALC_COMPLETE"


def _is_main_job(arguments: list[str]) -> bool:
    """`estimate RUN.yaml` and no more: what has no options needs nothing that reads them."""
    if len(arguments) != 2 or arguments[0] != "estimate" or _COMPLETE in os.environ:
        return False
    return arguments[1] == "-" or (bool(arguments[1]) and not arguments[1].startswith("-"))


def _estimate(file: str) -> int:
    from pathlib import Path

    from costcalc.calculator.calculate import estimate
    from costcalc.cli.screen import show

    made = estimate(str(Path(file)), changes={})
    show(made)
    return OK if made.within_limits else LIMIT


def _list(app: object) -> None:
    """Every word with its summary, for the help of all: no command is imported."""
    from typing import Any

    import typer

    target: Any = app
    for name, (_, summary) in COMMANDS.items():
        if name in GROUPS:
            group = typer.Typer(help=summary)
            group.command("_")(lambda: None)
            group.callback()(lambda: None)
            target.add_typer(group, name=name, help=summary)
        else:
            target.command(name, help=summary)(lambda: None)


def _root() -> None:
    """What training a model costs: time, money, energy, CO2e, with ranges and sources."""


def _register(app: object, name: str) -> None:
    import importlib
    from typing import Any

    module, summary = COMMANDS[name]
    loaded: Any = importlib.import_module(module)
    target: Any = app
    if hasattr(loaded, "app"):
        target.add_typer(loaded.app, name=name, help=summary)
    else:
        settings = getattr(loaded, "context_settings", None)
        words = loaded.command.__doc__ or summary
        target.command(name, help=words, context_settings=settings)(loaded.command)


def _unknown(word: str) -> int:
    from costcalc.base.errors import nearest

    near = nearest(word, COMMANDS, at_most=1)
    hint = f"; did you mean {near[0]}?" if near else f"; commands: {', '.join(COMMANDS)}"
    print(f"costcalc: no command {word}{hint}", file=sys.stderr)
    return WRONG_USE
