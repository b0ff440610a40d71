"""``costcalc serve``: the application on a port, without a log of what was asked."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Collection

import uvicorn

from costcalc.base.errors import wrong
from costcalc.web.app import Served, app
from costcalc.web.workers import Pool

_CONNECTIONS = 512
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - what a user may say, not what we bind


class _Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(
    host: str,
    port: int,
    *,
    hosts: Collection[str] = (),
    embed: Collection[str] = (),
    workers: int | None = None,
    fleet: Served | None = None,
    ready: Callable[[str], None],
) -> None:
    """Serve until interrupted; ``ready`` is told the address.

    Raises:
        InputError: nothing can listen there.
    """
    listening = _listen(host, port)
    name, number = listening.getsockname()[:2]
    address = f"http://[{name}]:{number}" if ":" in name else f"http://{name}:{number}"
    own = {host} - set(_EVERYWHERE)
    config = uvicorn.Config(
        app(Pool(workers), {*hosts, *own}, embed, fleet),
        access_log=False,  # an address holds a run
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_graceful_shutdown=3,
        ws="none",
    )
    sys.setswitchinterval(0.0005)  # threads only carry: the loop must not wait 5 ms for each
    with listening, contextlib.suppress(KeyboardInterrupt):
        _Server(config, lambda: ready(address)).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    made: socket.socket | None = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # asyncio sends small packets at once only on a socket that says it is TCP's
        made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(1024)
    except (OSError, UnicodeError) as error:
        if made is not None:
            made.close()
        number = getattr(error, "errno", None) or 0
        reason = os.strerror(number) if number > 0 else getattr(error, "strerror", None) or error
        raise wrong("--port", f"{host}:{port} cannot be listened on: {reason}") from None
    return made
