"""The page that checks a report: a file that is dropped, verified and rendered; nothing is kept."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP

from costcalc.base.errors import InputError, Problem
from costcalc.base.filling import page as fill
from costcalc.report import files
from costcalc.report.check import Verdict, verified
from costcalc.report.renderings import FORMATS, render
from costcalc.report.view import View
from costcalc.web import answer, bodies
from costcalc.web.address import pairs_of
from costcalc.web.answer import Answer
from costcalc.web.copies import Copy
from costcalc.web.pages import FOLDER, PATHS, TITLES

_ENDS = {"latex": "tex", "markdown": "md", "html": "html", "model-card": "md", "csv": "csv"}
_ENDS |= {"cyclonedx": "json", "spdx": "json"}


def got(_: bytes, given: Mapping[str, str]) -> Answer:
    """The page, before a report is given."""
    return _page(fleet=bool(given.get("fleet")))


def sent(body: bytes, given: Mapping[str, str]) -> Answer:
    """The page with what a report comes to."""
    fleet = bool(given.get("fleet"))
    try:
        document = bodies.report_of(_report(body, given.get("content_type", "")))
        verdict = verified(document)
        if files.schema_problems(document):
            return _page(verdict=verdict, fleet=fleet)
        report = files.checked(document)
        texts = [Copy(name, title, render(report, name)) for name, title in FORMATS.items()]
    except InputError as error:
        return _page(problems=error.problems, fleet=fleet)
    return _page(verdict=verdict, view=View(report), texts=texts, fleet=fleet)


def _report(body: bytes, kind: str) -> bytes:
    """The file of a form, or what was pasted."""
    if not kind.startswith("multipart/form-data"):
        given = dict(pairs_of(body.decode("utf-8", "replace")))
        return given.get("pasted", "").encode("utf-8", "replace")
    head = b"Content-Type: " + kind.encode("latin-1", "replace") + b"\r\n\r\n"
    parsed = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + body)
    found: dict[str, bytes] = {}
    for part in parsed.iter_parts() if parsed.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            found[str(name)] = content
    return found.get("report") or found.get("pasted", b"")


def _page(
    *,
    problems: tuple[Problem, ...] = (),
    verdict: Verdict | None = None,
    view: View | None = None,
    texts: list[Copy] | None = None,
    fleet: bool = False,
) -> Answer:
    text = fill(
        FOLDER,
        "check.html.j2",
        page="check",
        fleet=fleet,
        title=TITLES["check"],
        paths=PATHS,
        run_query="",
        problems=problems,
        verdict=verdict,
        view=view,
        texts=[(copy, _ends(copy), _address(copy)) for copy in texts or ()],
    )
    status = answer.BAD if problems else answer.OK
    return Answer(body=text.encode("utf-8", "replace"), status=status, media=answer.HTML)


def _ends(copy: Copy) -> str:
    """The file that a rendering is kept as."""
    return f"report.{_ENDS.get(copy.name, 'txt')}"


def _address(copy: Copy) -> str:
    """A rendering as an address of its own, so that it can be kept without asking again."""
    return f"data:text/plain;base64,{base64.b64encode(copy.text.encode()).decode()}"
