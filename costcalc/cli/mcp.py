"""``costcalc mcp``: the tools for assistants, on standard input and output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from costcalc.base.errors import MissingExtraError
from costcalc.cli import OK, options


def command(
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            help="The only folder whose files are read; without one, none is.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Serve the calculator to assistants over the Model Context Protocol.

    Its tools are estimate, explain, compare, plan, memory_fit, peak, find and verify; an assistant
    starts it, and speaks to it on standard input and output.
    """
    try:
        from costcalc.assistant.server import serve
    except ImportError as error:
        if (error.name or "").split(".")[0] not in ("mcp", "mcp_types", "anyio"):
            raise
        raise MissingExtraError("costcalc mcp", "mcp", "mcp") from None
    if folder is not None and not folder.is_dir():
        raise options.wrong("--folder", f'expected a folder; got "{folder}"')
    serve(folder)
    return OK
