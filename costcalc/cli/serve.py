"""``costcalc serve``: the web calculator and its REST API."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.base.errors import MissingExtraError
from costcalc.base.reading import read_text
from costcalc.cli import OK, options
from costcalc.cli.fleet import Config, opened

if TYPE_CHECKING:
    from costcalc.web.app import Served


Host = Annotated[str, typer.Option("--host", help="The address to listen on.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free.")]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host",
        envvar="COSTCALC_ALLOW_HOST",
        help="A name that the server goes by, behind a proxy; * for any.",
        show_default=False,
    ),
]
EmbedIn = Annotated[
    list[str] | None,
    typer.Option(
        "--embed-in",
        envvar="COSTCALC_EMBED_IN",
        help="A site that may show it in a frame: https://example.org.",
        show_default=False,
    ),
]
Ledger = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        help="Show the jobs of a cluster too: a ledger of costcalc fleet.",
        show_default=False,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        help="Of the ledger's pages; default: COSTCALC_TOKEN, else one is made and printed.",
        show_default=False,
    ),
]
UserHeader = Annotated[
    str | None,
    typer.Option(
        "--user-header",
        help="Where a reverse proxy names the user: X-Remote-User. It must set it always.",
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, max=64, help="Processes; one a core if not said.", show_default=False
    ),
]


def command(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    allow_host: AllowHost = None,
    embed_in: EmbedIn = None,
    ledger: Ledger = None,
    fleet: Config = None,
    token_file: TokenFile = None,
    user_header: UserHeader = None,
    workers: Workers = None,
) -> int:
    """The web calculator and its REST API, on this machine; Ctrl-C ends it."""
    serve = _server()
    served, token = _served(ledger, fleet, token_file, user_header, host)

    def ready(address: str) -> None:
        print(f"costcalc serves {address}  (its API: {address}/api/v1; Ctrl-C ends it)",
              file=sys.stderr)  # fmt: skip
        if served is not None:
            print(_entry(served, token, address), file=sys.stderr)

    serve(
        host, port, hosts=allow_host or (), embed=embed_in or (), workers=workers, fleet=served,
        ready=ready,
    )  # fmt: skip
    return OK


def _server() -> Callable[..., None]:
    """What serves; another error where a package of the extra is not there."""
    try:
        from costcalc.web.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "costcalc":
            raise
        raise MissingExtraError("costcalc serve", str(error.name), "web") from None
    return serve


def _served(
    url: str | None, config: Path | None, token_file: Path | None, header: str | None, host: str
) -> tuple[Served | None, str | None]:
    """The ledger that is served, opened once to see that it can be; and a token that was made."""
    if url is None:
        for name, said in (("--token-file", token_file), ("--user-header", header)):
            if said is not None:
                raise options.wrong(name, "goes with --ledger: the calculator asks nobody")
        return None, None
    from costcalc.fleet.cluster import load, meant
    from costcalc.fleet.freshening import freshen
    from costcalc.web.app import Served
    from costcalc.web.door import door

    token = os.environ.get("COSTCALC_TOKEN") or None
    if token_file is not None:
        token = read_text(token_file, str(token_file))
    entry, made = door(token, header, local=host in _LOCAL)
    path = meant(config)
    with opened(url, load(path)) as ledger:
        freshen(ledger)
    shown = str(path.resolve()) if path is not None else ""
    return Served(ledger=url, config=shown, door=entry), entry.token if made else None


_LOCAL = ("127.0.0.1", "::1", "localhost")


def _entry(served: Served, token: str | None, address: str) -> str:
    """What is said of who may see the ledger."""
    if token is not None:
        how = f"password, of any user: {token}"
    elif served.door.header is not None:
        also = " and the token" if served.door.token else ""
        how = f"whom the proxy names in {served.door.header}{also}"
    else:
        how = "whoever has the token, as a password of any user"
    return f"the fleet: {address}/fleet  ({how})"
