"""Grid intensity from three APIs, each by name, with the user's own token, one GET and small JSON.

Electricity Maps v3 (header ``auth-token``; average), WattTime v3 (login, then bearer; marginal, in
lb/MWh), and Great Britain's National Grid (no key; average).  No redirect is followed, so that a
token goes nowhere else, and no token is in any message.
"""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from costcalc.base.errors import InputError, not_found, wrong
from costcalc.decide.series import Series, of_json

BASES = {
    "electricity-maps": "https://api.electricitymaps.com",
    "watttime": "https://api.watttime.org",
    "uk-national-grid": "https://api.carbonintensity.org.uk",
}
TOKENS = {
    "electricity-maps": ("ELECTRICITY_MAPS_TOKEN",),
    "watttime": ("WATTTIME_USER", "WATTTIME_PASSWORD"),
    "uk-national-grid": (),
}
MAX_BYTES = 10_000_000
TIMEOUT = 20.0  # seconds


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def fetch(
    name: str,
    *,
    zone: str | None = None,
    base: str | None = None,
    hours: float = 48.0,
    now: datetime | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> Series:
    """The forecast of an API for the next hours, by name.

    Credentials come from the environment: ``ELECTRICITY_MAPS_TOKEN``; ``WATTTIME_USER`` and
    ``WATTTIME_PASSWORD``.  ``zone`` is the API's own: ``DE``, ``CAISO_NORTH``.

    Raises:
        InputError: no such API, no token, no zone, or a reply that cannot be used.
    """
    if name not in BASES:
        raise not_found("--source", "source", name, sorted(BASES))
    known = os.environ if environment is None else environment
    secrets = [known.get(variable, "") for variable in TOKENS[name]]
    if not all(secrets):
        missing = [v for v, secret in zip(TOKENS[name], secrets, strict=True) if not secret]
        raise _problem(name, f"set {' and '.join(missing)} in the environment: your own account's")
    root = _base(name, base)
    if name == "uk-national-grid":
        start = (now or datetime.now(UTC)).astimezone(UTC)
        end = start + timedelta(hours=hours)
        form = "%Y-%m-%dT%H:%MZ"
        data = _get(
            name, f"{root}/intensity/{start.strftime(form)}/{end.strftime(form)}", {}, timeout
        )
    elif zone is None:
        raise _problem(name, "give --zone, as the API names it")
    elif name == "electricity-maps":
        query = urllib.parse.urlencode({"zone": zone})
        data = _get(
            name,
            f"{root}/v3/carbon-intensity/forecast?{query}",
            {"auth-token": secrets[0]},
            timeout,
        )
    else:
        pair = base64.b64encode(":".join(secrets).encode()).decode()
        login = _get(name, f"{root}/login", {"Authorization": f"Basic {pair}"}, timeout)
        token = login.get("token")
        if not isinstance(token, str):
            raise _problem(name, "the login's reply has no token")
        query = urllib.parse.urlencode(
            {
                "region": zone,
                "signal_type": "co2_moer",
                "horizon_hours": max(1, min(round(hours), 72)),
            }
        )
        data = _get(
            name, f"{root}/v3/forecast?{query}", {"Authorization": f"Bearer {token}"}, timeout
        )
        meta = data.get("meta")
        if not isinstance(meta, Mapping) or "units" not in meta:
            raise _problem(name, "the reply does not say its units (meta.units)")
        data = {**data, "meta": {"signal_type": "co2_moer", **meta}}
    return of_json(data, f"{name} ({root})")


def _base(name: str, base: str | None) -> str:
    root = (base or BASES[name]).rstrip("/")
    parts = urllib.parse.urlsplit(root)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise _problem(name, f"expected an https address; got {root[:60]}")
    return root


def _problem(name: str, message: str) -> InputError:
    return wrong(f"--source {name}", message)


def _get(name: str, url: str, headers: Mapping[str, str], timeout: float) -> dict[str, object]:
    """One GET of a JSON mapping; every fault is an error in one line, without the token."""
    request = urllib.request.Request(url, headers={**headers, "Accept": "application/json"})  # noqa: S310 - checked in _base
    opener = urllib.request.build_opener(_Stay)
    where = urllib.parse.urlsplit(url).path
    try:
        with opener.open(request, timeout=timeout) as reply:
            body = reply.read(MAX_BYTES + 1)
            lacking = getattr(reply, "length", None) if len(body) <= MAX_BYTES else None
    except urllib.error.HTTPError as error:
        with error:
            said = _said(error)
            after = str(error.headers.get("Retry-After") or "")
        hint = _HINTS.get(error.code, "")
        if error.code == 429 and after.isdecimal():
            hint += f" ({int(after)} s, it says)"
        raise _problem(name, f"{where}: HTTP {error.code}{said}{hint}") from None
    except TimeoutError:
        raise _problem(name, f"{where}: no reply within {timeout:g} s") from None
    except (urllib.error.URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise _problem(name, f"{where}: no reply within {timeout:g} s") from None
        raise _problem(name, f"{where}: no reply: {type(reason).__name__}") from None
    except Exception as error:
        if type(error).__module__ != "http.client":  # a reply that breaks off, or is no HTTP
            raise
        raise _problem(name, f"{where}: the reply broke off ({type(error).__name__})") from None
    return _parsed(name, where, body, lacking)


def _parsed(name: str, where: str, body: bytes, lacking: int | None) -> dict[str, object]:
    if lacking:
        raise _problem(name, f"{where}: the reply broke off")
    if len(body) > MAX_BYTES:
        raise _problem(name, f"{where}: a reply of more than {MAX_BYTES:,} bytes")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise _problem(name, f"{where}: the reply is not JSON") from None
    if not isinstance(data, dict):
        raise _problem(name, f"{where}: the reply is not a mapping")
    return data


_HINTS = {
    401: "; is the token yours and alive?",
    403: "; your plan does not cover this",
    429: "; too many requests, wait and try again",
}


def _said(error: urllib.error.HTTPError) -> str:
    try:
        data = json.loads(error.read(10_000))
    except (ValueError, OSError, RecursionError):
        return ""
    if not isinstance(data, Mapping):
        return ""
    text = data.get("error") or data.get("message")
    if isinstance(text, Mapping):
        text = text.get("message")
    return f": {str(text)[:120]}" if text else ""
