"""What stands at which address; all work is done by the pool."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from costcalc.web import answer, bounds
from costcalc.web.answer import Answer
from costcalc.web.door import Door
from costcalc.web.guard import Guard

API = "/api/v1"
_WRONG_WAY = 405
_LISTS = ("models", "hardware", "regions")
_BODIES = {
    "estimate": bounds.BODY,
    "compare": bounds.BODY,
    "plan": bounds.BODY,
    "report/verify": bounds.REPORT,
    "report/render": bounds.REPORT,
}
#: the pages of a ledger, which ``fleet_pages`` shows
PLACES = {
    "month": "/fleet", "accounts": "/fleet/accounts", "job": "/fleet/job",
    "budgets": "/fleet/budgets",
}  # fmt: skip
Endpoint = Callable[[Request], Awaitable[Response]]


class Working(Protocol):
    """Who does the work: processes, or in tests a thread."""

    async def start(self) -> None:
        """Begin to take work."""

    async def ask(self, name: str, body: bytes, given: Mapping[str, str]) -> Answer:
        """Do one request's work."""
        ...

    def stop(self) -> None:
        """Take no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A ledger that is served: its URL, the fleet.yaml beside it, and who may see it."""

    ledger: str
    config: str
    door: Door


def app(
    working: Working,
    hosts: Collection[str] = (),
    embed: Collection[str] = (),
    fleet: Served | None = None,
) -> Starlette:
    """The server's application.

    ``hosts`` are the names it goes by, ``embed`` who may frame it, ``fleet`` what ledger it shows.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await working.start()
        yield
        working.stop()

    return Starlette(
        routes=[*_api(working), *_pages(working, fleet), *_fleet(working, fleet), *_static()],
        middleware=[
            Middleware(Guard, hosts=hosts, embed=embed),
            Middleware(GZipMiddleware, minimum_size=2000, compresslevel=4),
        ],
        exception_handlers={HTTPException: _refused},
        lifespan=lifespan,
    )


def _api(working: Working) -> list[Route]:
    made = [
        Route(f"{API}/{name}", _posted(working, name, most), methods=["POST"])
        for name, most in _BODIES.items()
    ]
    made += [Route(f"{API}/{name}", _got(working, name)) for name in (*_LISTS, "openapi.json")]
    return [*made, Route(f"{API}/peak/{{name:path}}", _got(working, "peak"))]


def _posted(working: Working, name: str, most: int) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        body = await body_of(request, most)
        if isinstance(body, Answer):
            return response(body)
        return response(await working.ask(name, body, dict(request.query_params)))

    return endpoint


def _got(working: Working, name: str) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        body = str(request.path_params.get("name", "")).encode()
        return response(await working.ask(name, body, dict(request.query_params)))

    return endpoint


def _pages(working: Working, fleet: Served | None) -> list[Route]:
    """The pages, by the names that ``pages.PATHS`` links to."""
    made = [Route("/", _page(working, "calculate", fleet), methods=["GET", "POST"])]
    made += [
        Route(f"/{name}", _page(working, name, fleet), methods=["GET", "POST"])
        for name in ("compare", "plan", "finished", "check")
    ]
    api = Route("/api", _page(working, "api", fleet))
    return [*made, api, Route("/report", _report(working))]


def _page(working: Working, name: str, fleet: Served | None) -> Endpoint:
    most = bounds.REPORT + 10_000 if name == "check" else bounds.BODY

    async def endpoint(request: Request) -> Response:
        given = {
            "part": request.headers.get("x-costcalc-part", ""),
            "content_type": request.headers.get("content-type", ""),
            "base": f"{request.url.scheme}://{request.url.netloc}",
            "fleet": "yes" if fleet is not None else "",
        }
        if request.method == "POST":
            body = await body_of(request, most)
            if isinstance(body, Answer):
                return response(answer.for_people(body))
            return response(answer.for_people(await working.ask(f"form/{name}", body, given)))
        return response(
            answer.for_people(await working.ask(f"page/{name}", _query(request), given))
        )

    return endpoint


def _fleet(working: Working, fleet: Served | None) -> list[Route]:
    """The pages of a ledger; each asks at the door first, and none changes anything."""
    if fleet is None:
        return []
    return [Route(place, _of_ledger(working, name, fleet)) for name, place in PLACES.items()]


def _of_ledger(working: Working, name: str, fleet: Served) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        user = fleet.door.entered(request.headers)
        if isinstance(user, Response):
            return user
        given = {"ledger": fleet.ledger, "config": fleet.config, "user": user}
        return response(
            answer.for_people(await working.ask(f"fleet/{name}", _query(request), given))
        )

    return endpoint


def _report(working: Working) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        return response(await working.ask("report", _query(request), {}))

    return endpoint


def _query(request: Request) -> bytes:
    query: bytes = request.scope["query_string"]
    return query


def _static() -> list[Route]:
    """Sheets and modules, read once: no address is looked for in a folder."""
    made = []
    for path in sorted((Path(__file__).parent / "static").iterdir()):
        if path.suffix in _MEDIA:
            body, kind = path.read_bytes(), _MEDIA[path.suffix]
            made.append(Route(f"/static/{path.name}", _held(body, kind)))
    return made


_MEDIA = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def _held(body: bytes, kind: str) -> Endpoint:
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"Cache-Control": "no-cache", "ETag": tag}

    async def endpoint(request: Request) -> Response:
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=kind, headers=headers)

    return endpoint


async def body_of(request: Request, most: int) -> bytes | Answer:
    """The body of a request, or why it is not taken: too large, too slow."""
    told = request.headers.get("content-length", "0")
    too_large = answer.of_text(f"expected {most:,} bytes at most")
    if not told.isdecimal() or int(told) > most:
        return answer.problems([too_large], answer.TOO_LARGE)
    read = bytearray()
    try:
        async with asyncio.timeout(bounds.ARRIVAL):
            async for piece in request.stream():
                read += piece
                if len(read) > most:
                    return answer.problems([too_large], answer.TOO_LARGE)
    except (TimeoutError, ClientDisconnect):
        return answer.problems([answer.of_text("the body did not arrive in time")], 408)
    return bytes(read)


def response(made: Answer) -> Response:
    """An answer as Starlette sends it; nobody keeps it, for its address may hold a run."""
    headers = {"Cache-Control": "no-store", **made.headers}
    if made.status == answer.BUSY:
        headers["Retry-After"] = "1"
    return Response(made.body, made.status, headers, made.media)


async def _refused(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else answer.BUG
    said = error.detail if isinstance(error, HTTPException) else "a bug"
    if not request.url.path.startswith("/api/"):
        return PlainTextResponse(f"{said}\n", status)
    headers = error.headers if isinstance(error, HTTPException) else None
    if status == answer.NOT_FOUND:
        said = f"nothing stands here; {API}/openapi.json says what does"
    elif status == _WRONG_WAY:
        said = f"expected {(headers or {}).get('Allow', 'another method')}; got {request.method}"
    made = answer.problems([answer.of_text(said)], status)
    return Response(made.body, status, headers, made.media)
