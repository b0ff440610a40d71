"""``costcalc schema``: the JSON Schemas, for editors and for whoever checks files."""

from __future__ import annotations

from typing import Annotated

import typer

from costcalc.cli.screen import print_json


def command(
    of: Annotated[str, typer.Argument(help="run, accelerator, host, preset or report.")] = "run",
) -> None:
    """Print the JSON Schema of the run file (or of a profile, a preset, the report)."""
    from costcalc.base.schemas import schema

    print_json(schema(of))
