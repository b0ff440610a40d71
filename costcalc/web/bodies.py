"""The body of a request: a run file or a report, as JSON or YAML, read strictly."""

from __future__ import annotations

import json

from costcalc.base.document import Document
from costcalc.base.errors import InputError, Problem, wrong
from costcalc.base.reading import Bounds, read
from costcalc.runfile.loading import own_run
from costcalc.web.bounds import BODY, NODES, REPORT
from costcalc.web.gate import admitted
from costcalc.workload.hf import parse

_REPORT = Bounds(size=REPORT, nodes=NODES)


def run_of(body: bytes) -> tuple[Document, dict[str, object]]:
    """The run file in a body (of a report, its run), and its keys as a server takes them.

    Raises:
        InputError: it cannot be read, or asks for what a server does not do.
    """
    document = own_run(document_of(body, "run", Bounds(BODY, NODES)))
    return document, admitted(document)


def report_of(body: bytes) -> Document:
    """The report in a body, not yet checked.

    Raises:
        InputError: it cannot be read.
    """
    return document_of(body, "report", _REPORT)


def document_of(body: bytes, name: str, bounds: Bounds) -> Document:
    """A body as a document: JSON where it begins with a bracket and is some, else YAML.

    Raises:
        InputError: too large, empty, or neither.
    """
    if len(body) > bounds.size:
        raise wrong("", f"expected {bounds.size:,} bytes at most")
    if not body.strip():
        raise InputError(Problem(key="", message=f"expected a {name}; got nothing", file=name))
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        return read(body, name, bounds)  # which says where
    if text.lstrip().startswith("{"):
        try:
            data = dict(parse(text, name))
        except InputError as error:
            return _flow(text, name, bounds, error)
        return Document(_sayable(data, name), name)
    return read(text, name, bounds)


def _sayable(data: dict[str, object], name: str) -> dict[str, object]:
    """What JSON can say and no answer could say again: half of a letter, a number that is none."""
    try:
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(
            Problem(
                key="", message="holds half of a letter (a surrogate without its other)", file=name
            )
        ) from None
    except ValueError:
        message = "holds a number that is none, or is too large"
        raise InputError(Problem(key="", message=message, file=name)) from None
    return data


def _flow(text: str, name: str, bounds: Bounds, error: InputError) -> Document:
    """YAML in braces, which JSON is not; else what JSON's reader said."""
    try:
        return read(text, name, bounds)
    except InputError:
        raise error from None
