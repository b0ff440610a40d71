"""``costcalc serve``: the web calculator and its REST API."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from costcalc.base.errors import MissingExtraError
from costcalc.cli import OK


def command(
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free.")] = 8000,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            envvar="COSTCALC_ALLOW_HOST",
            help="A name that the server goes by, behind a proxy; * for any.",
            show_default=False,
        ),
    ] = None,
    embed_in: Annotated[
        list[str] | None,
        typer.Option(
            "--embed-in",
            envvar="COSTCALC_EMBED_IN",
            help="A site that may show it in a frame: https://example.org.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            max=64,
            help="Processes; one a core if not said.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """The web calculator and its REST API, on this machine; Ctrl-C ends it."""
    try:
        from costcalc.web.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "costcalc":
            raise
        raise MissingExtraError("costcalc serve", str(error.name), "web") from None

    def ready(address: str) -> None:
        print(f"costcalc serves {address}  (its API: {address}/api/v1; Ctrl-C ends it)",
              file=sys.stderr)  # fmt: skip

    serve(host, port, hosts=allow_host or (), embed=embed_in or (), workers=workers, ready=ready)
    return OK
