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
    "estimate": ("costcalc.cli.estimate", "What a run will cost: days, dollars, kWh, CO2e."),
    "explain": ("costcalc.cli.explain", "Each figure's formula with its numbers and sources."),
    "layout": ("costcalc.cli.layout", "The fastest layouts that fit, and why the first is first."),
    "validate": ("costcalc.cli.validate", "Predictions scored on published measurements."),
    "models": ("costcalc.cli.models", "The models known by name."),
    "hardware": ("costcalc.cli.hardware", "The accelerators known: list, show, check."),
    "regions": ("costcalc.cli.regions", "The places known, and their grids: list, show."),
    "compare": ("costcalc.cli.compare", "Across hardware, places and prices: what is best."),
    "plan": ("costcalc.cli.plan", "From limits to a run: what they buy."),
    "place": ("costcalc.cli.place", "Where a run stands in the history of compute."),
    "report": ("costcalc.cli.report", "Reports: verify, merge, compare, show, render, import."),
    "track": ("costcalc.cli.track", "Measure a command; merge the records of a job."),
    "when": ("costcalc.cli.when", "The start that emits least, and whether waiting is worth it."),
    "schema": ("costcalc.cli.schema", "The JSON Schema of the run file, a profile or the report."),
}

OK, BUG, WRONG_USE, LIMIT = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point of ``costcalc``; exits with one of the codes above."""
    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


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
    for name, (module, summary) in COMMANDS.items():
        if word == name or word.startswith("-"):
            _register(app, name, module, summary)
    try:
        if "_COSTCALC_COMPLETE" in os.environ:
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


def _root() -> None:
    """What training a model costs: time, money, energy, CO2e, with ranges and sources."""


def _register(app: object, name: str, module: str, summary: str) -> None:
    import importlib
    from typing import Any

    loaded: Any = importlib.import_module(module)
    target: Any = app
    if hasattr(loaded, "app"):
        target.add_typer(loaded.app, name=name, help=summary)
    else:
        target.command(name, help=loaded.command.__doc__ or summary)(loaded.command)


def _unknown(word: str) -> int:
    from costcalc.base.errors import nearest

    near = nearest(word, COMMANDS, at_most=1)
    hint = f"; did you mean {near[0]}?" if near else f"; commands: {', '.join(COMMANDS)}"
    print(f"costcalc: no command {word}{hint}", file=sys.stderr)
    return WRONG_USE
