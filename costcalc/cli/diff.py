"""``costcalc diff``: what a change of run files costs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.cli import LIMIT, OK, options
from costcalc.cli.screen import print_json, screen, table

if TYPE_CHECKING:
    from costcalc.change.difference import Change

FORMATS = ("table", "markdown", "json")


def command(
    base: Annotated[str, typer.Argument(help="A file, a folder or a revision of git: before.")],
    head: Annotated[str, typer.Argument(help="The same after.")],
    paths: Annotated[
        list[str] | None, typer.Argument(help="Only these of them.", show_default=False)
    ] = None,
    shape: Annotated[
        str, typer.Option("--format", "-f", help="table, markdown or json.")
    ] = "table",
    fail_over: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-over",
            help="Exit 3 where a figure rises by more, or cannot be judged: cost=10%, time=1/4.",
            show_default=False,
        ),
    ] = None,
    json_: options.Json = False,
) -> int:
    """What a change of run files costs: time, money, energy, CO2e, before and after.

    Exit 3 where a limit of a run file is passed, a run file cannot be read before or after, a
    figure rises by more than --fail-over allows, or it cannot be judged whether it does.
    """
    from costcalc.change.difference import all_of, changes, over
    from costcalc.change.run_files import pairs

    if shape not in FORMATS:
        raise options.wrong("--format", f'expected one of {", ".join(FORMATS)}; got "{shape}"')
    policy = dict(map(_policy, fail_over or ()))
    with pairs(base, head, paths or ()) as found:
        made = changes(found)
    risen = over(made, policy)
    if json_ or shape == "json":
        print_json(all_of(made, policy))
    elif shape == "markdown":
        from costcalc.change.comment import markdown

        sys.stdout.write(markdown(made, risen))
    else:
        _print(made)
    for text in risen:
        print(text, file=sys.stderr)
    bad = any(one.passed or one.status == "invalid" for one in made)
    return LIMIT if risen or bad else OK


def _policy(text: str) -> tuple[str, float]:
    from costcalc.base.numerals import number
    from costcalc.calculator.limits import LIMITED

    key, value = options.pair(text, "--fail-over")
    try:
        most = number(value)
    except (ValueError, ZeroDivisionError):
        most = -1.0
    if key not in LIMITED or not 0 <= most < 1e6:
        words = ", ".join(LIMITED)
        message = f'expected one of {words} and a share, such as cost=10%; got "{text}"'
        raise options.wrong("--fail-over", message)
    return key, most


def _print(made: Sequence[Change]) -> None:
    from costcalc.calculator.result import HEADLINE
    from costcalc.change.comment import effect, figure, headline, unknown

    console = screen()
    console.print(headline(made))
    if not made:
        return
    shown = table("run", *HEADLINE.values())
    for one in made:
        cells = [figure(moved) if (moved := one.moved(name)) else "–" for name in HEADLINE]
        shown.add_row(one.title, *cells)
    console.print()
    console.print(shown)
    for one in made:
        for text in (*one.limits, *one.problems):
            console.print(f"{one.title}: {text}" if text not in one.problems else text)
        for text in (*unknown(one), *one.notes):
            console.print(f"{one.title}: {text}")
        if one.effects:
            console.print(f"\n{one.title}: what explains it")
            for item in one.effects:
                console.print(f"  {effect(item)}")
