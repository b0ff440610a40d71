"""Who may see the fleet's pages: whoever has the token, or whom a reverse proxy names, or both.

A token comes as the password of HTTP's own dialogue, or as ``Authorization: Bearer``: no cookie is
set, and no address holds it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response

from costcalc.base.errors import wrong

LEAST = 16  # characters of a token that somebody chose
_LONGEST = 200  # of a user's name
_ASKS = {"WWW-Authenticate": 'Basic realm="costcalc fleet", charset="UTF-8"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """``token``: what has to be known; ``header``: where a proxy says who asks."""

    token: str | None
    header: str | None

    def entered(self, headers: Headers) -> str | Response:
        """The user that a proxy names, empty where a token alone is asked for; or a refusal."""
        if self.token is not None and not _same(_told(headers), self.token):
            return PlainTextResponse(
                "the fleet's pages ask for the server's token, as a password\n", 401, _ASKS
            )
        if self.header is None:
            return ""
        names = [name.strip() for name in headers.getlist(self.header)]
        if len(names) != 1 or not 0 < len(names[0]) <= _LONGEST:
            return PlainTextResponse("the proxy names no user, or several\n", 403)
        return names[0]


def door(token: str | None, header: str | None, *, local: bool) -> tuple[Door, bool]:
    """The door of a server, and whether its token was made here; ``local``: on loopback alone.

    Raises:
        InputError: the token is too short, or any machine could name any user.

    >>> door(None, "X-Remote-User", local=True)[0].token is None
    True
    """
    token = None if token is None else token.strip()
    if token is not None and len(token) < LEAST:
        raise wrong("--token-file", f"expected a token of {LEAST} characters or more")
    if header is not None and token is None and not local:
        message = (
            "whoever reaches the port could name any user: listen on 127.0.0.1, or give a token "
            "that the proxy sends along (--token-file)"
        )
        raise wrong("--user-header", message)
    made = token is None and header is None
    return Door(token=secrets.token_urlsafe(24) if made else token, header=header), made


def _told(headers: Headers) -> str:
    """The token of a request: a bearer's, or a password of any user."""
    kind, _, said = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return said.strip()
    if kind.lower() != "basic":
        return ""
    try:
        pair = base64.b64decode(said.strip(), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""
    return pair.partition(":")[2]


def _same(told: str, token: str) -> bool:
    return hmac.compare_digest(told.encode(), token.encode())
