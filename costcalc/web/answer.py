"""What goes back: status, kind and bytes; errors are the same problems as everywhere."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from costcalc.base.errors import MAX_LISTED, CostcalcError, InputError, Problem

JSON = "application/json"
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
OK, BAD, NOT_FOUND, TOO_LARGE, BUG, BUSY = 200, 400, 404, 413, 500, 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it is sent."""

    body: bytes
    status: int = OK
    media: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def data(value: object, status: int = OK) -> Answer:
    """Plain values as JSON."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Answer(body=text.encode("utf-8"), status=status)


def problems(found: Iterable[Problem], status: int = BAD) -> Answer:
    """Problems as JSON: ``{"problems": [{"key": …, "message": …}]}``, with a place if known."""
    listed = list(found)[:MAX_LISTED]
    return data({"problems": [_shown(problem) for problem in listed]}, status)


def _shown(problem: Problem) -> dict[str, object]:
    made: dict[str, object] = {"key": _sayable(problem.key), "message": _sayable(problem.message)}
    if problem.line is not None:
        made |= {"line": problem.line, "column": problem.column}
    return made


def _sayable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def of_error(error: CostcalcError, status: int = BAD) -> Answer:
    """What was wrong with a request."""
    found = error.problems if isinstance(error, InputError) else [of_text(str(error))]
    return problems(found, status)


def of_text(message: str, key: str = "") -> Problem:
    """A problem that no file has."""
    return Problem(key=key, message=message)


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>No answer · costcalc</title>
<link rel="stylesheet" href="/static/style.css">
</head>
<body>
<header class="top"><a class="brand" href="/">costcalc</a></header>
<main id="content">
<h1>costcalc</h1>
<div id="headline">
<section class="problems" aria-labelledby="problems-title">
<h2 id="problems-title">No answer</h2>
<ul>{}</ul>
</section>
</div>
<div id="rest"></div>
</main>
</body>
</html>
"""


def for_people(made: Answer) -> Answer:
    """A page's answer: where no page was made, problems as one, which takes an old answer's place.

    >>> page = for_people(problems([of_text("took <10 s")], BUSY))
    >>> page.status, page.media, b"<li>took &lt;10 s</li>" in page.body
    (503, 'text/html; charset=utf-8', True)
    """
    if made.status < BAD or made.media != JSON:
        return made
    told = [problem["message"] for problem in json.loads(made.body)["problems"]]
    items = "".join(f"<li>{html.escape(message)}</li>" for message in told)
    body = _PAGE.replace("{}", items).encode("utf-8")
    return Answer(body=body, status=made.status, media=HTML, headers=made.headers)
