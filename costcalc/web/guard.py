"""What stands before every address: whose name was called, and what a browser may do with it."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MISDIRECTED = 421
_API = "/api/"
ANY = "*"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # an address holds a run
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def policy(embed: Collection[str] = ()) -> str:
    """The content security policy: nothing inline, nothing from another host.

    >>> policy().split("; ")[0]
    "default-src 'none'"
    """
    ancestors = " ".join(embed) or "'none'"
    own = ("script", "style", "img", "connect")
    return "; ".join(
        (
            "default-src 'none'",
            *(f"{kind}-src 'self'" for kind in own),
            "form-action 'self'",
            "base-uri 'none'",
            f"frame-ancestors {ancestors}",
        )
    )


def named(host: str) -> str:
    """The name of a ``Host`` header, without its port.

    >>> named("LocalHost:8000"), named("[::1]:8000"), named("calc.example.org.")
    ('localhost', '::1', 'calc.example.org')
    """
    text = host.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].removesuffix(".")


def answers_to(name: str, hosts: Collection[str]) -> bool:
    """Whether a server is meant by that name: an address always, a name only if it was given.

    A page elsewhere can give its own name our address (DNS rebinding); it cannot be an address.

    >>> answers_to("127.0.0.1", ()), answers_to("evil.example", ()), answers_to("a.b", ("a.b",))
    (True, False, True)
    """
    if name == "localhost" or ANY in hosts or name in hosts:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """ASGI: refuses hosts that are not ours, and adds the headers that bind browsers."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], embed: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(named(host) for host in hosts)
        self._headers = {**_HEADERS, "Content-Security-Policy": policy(embed)}
        if not embed:
            self._headers["Cross-Origin-Resource-Policy"] = "same-origin"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        given = Headers(scope=scope).getlist("host")
        if len(given) == 1 and answers_to(named(given[0]), self._hosts):
            await self._app(scope, receive, guarded)
            return
        await _refusal(str(scope["path"]))(scope, receive, guarded)


def _refusal(path: str) -> Response:
    """The answer to a name that is not ours, in the form of what was asked."""
    said = "this server does not go by that name; costcalc serve --allow-host NAME lets it"
    if path.startswith(_API):
        problems = [{"key": "Host", "message": said}]
        return JSONResponse({"problems": problems}, _MISDIRECTED)
    return PlainTextResponse(f"{said}\n", _MISDIRECTED)
