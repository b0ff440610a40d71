"""``costcalc schema``: the JSON Schemas, for editors and for whoever checks files."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    of: Annotated[str, typer.Argument(help="run, accelerator, host, preset or report.")] = "run",
) -> None:
    """Print the JSON Schema of the run file (or of a profile, a preset, the report)."""
    from costcalc.base.schemas import schema
    from costcalc.base.writing import to_json

    print(to_json(schema(of)))
