"""Report files: data from a stranger, checked before anything looks at it; reports as text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from costcalc.base import writing
from costcalc.base.document import Document
from costcalc.base.errors import MAX_LISTED, InputError, Problem
from costcalc.base.reading import Bounds, read, read_file
from costcalc.calculator.result import SCHEMA

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report


BOUNDS = Bounds(size=16_000_000, nodes=400_000)
"""A project of hundreds of runs is one report; what costcalc writes it can read."""


def load(path: str | Path) -> Report:
    """The report in a YAML or JSON file (``-`` is stdin); nothing in it is executed.

    Raises:
        InputError: it is missing, too large, no strict YAML, or no ``costcalc/report/v1``.

    >>> from tempfile import TemporaryDirectory
    >>> from costcalc import estimate
    >>> run = {"measured": {"device_hours": 8}, "price": {"device_hour": "2 USD"},
    ...        "hardware": {"accelerator": "h100-sxm5-80", "count": 8}}
    >>> with TemporaryDirectory() as folder:
    ...     load(estimate(run).save(f"{folder}/report.yaml"))["results"]["cost"]["value"]
    16.0
    """
    return checked(document_of(path))


def checked(document: Document) -> Report:
    """The report in a document that was read.

    Raises:
        InputError: it is no ``costcalc/report/v1``.
    """
    problems = schema_problems(document)
    if problems:
        raise InputError(problems)
    return cast("Report", document.data)


def document_of(path: str | Path) -> Document:
    """The strict YAML of a report file, not yet checked against the schema."""
    if str(path) == "-":
        import sys

        return read(sys.stdin.buffer.read(BOUNDS.size + 1), "stdin", BOUNDS)
    return read_file(Path(path), str(path), BOUNDS)


def schema_problems(document: Document) -> list[Problem]:
    """What in a document does not follow the schema, each at its line."""
    from pydantic import ValidationError

    from costcalc.calculator.report_schema import shape

    if not isinstance(document.data, dict):
        return [document.problem((), "expected a report: a mapping of keys")]
    if "schema" not in document.data and "results" not in document.data:
        message = (
            "no report: neither schema nor results; costcalc estimate RUN.yaml -o report.yaml "
            "writes one from a run file"
        )
        return [document.problem((), message)]
    if str(document.data.get("schema", "")).startswith("costcalc/fleet/"):
        message = (
            "the sums of a fleet's ledger, which are checked against the reports of its jobs: "
            "costcalc fleet job ID writes one"
        )
        return [document.problem(("schema",), message)]
    huge = _too_large(document)
    if huge:
        return huge
    try:
        shape().validate_python(document.data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return [document.problem(item["loc"], item["msg"]) for item in found[:MAX_LISTED]]
    return list(_in_stages(document))[:MAX_LISTED]


def _in_stages(document: Document) -> Iterator[Problem]:
    """What of the stages is malformed, of what they say at all."""
    from pydantic import ValidationError

    from costcalc.calculator.report_schema import sections_of_a_stage

    for index, stage in enumerate(document.data["stages"]):
        if "results" not in stage:
            message = "expected what came of the stage: its figures; there are none"
            yield document.problem(("stages", index, "results"), message)
        for key, shape in sections_of_a_stage().items():
            if key not in stage:
                continue
            try:
                shape.validate_python(stage[key])
            except ValidationError as error:
                found = error.errors(include_url=False, include_context=False, include_input=False)
                for item in found:
                    yield document.problem(("stages", index, key, *item["loc"]), item["msg"])


BROKEN = "the digest is broken: the report was changed since it was written"


def intact(report: Mapping[str, object]) -> bool:
    """Whether a report is as it was written: its digest is that of its content."""
    return writing.digest(report) == report.get("digest")


def _too_large(document: Document) -> list[Problem]:
    """Whole numbers that no float holds: arithmetic on them would be a crash."""
    found: list[Problem] = []
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), document.data)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*path, key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, i), inner) for i, inner in enumerate(value)]
        elif isinstance(value, (int, float)) and not (-1e300 < value < 1e300):
            found.append(document.problem(path, "expected a number below 1e300"))
        elif isinstance(value, float) and not math.isfinite(value):
            found.append(document.problem(path, "expected a finite number"))
    return found[:MAX_LISTED]


def text(report: Mapping[str, object], path: Path | None = None, *, escape: bool = False) -> str:
    """YAML, or JSON where the file's name ends so; ``escape`` keeps YAML to ASCII.

    Raises:
        InputError: it is larger than a report that is read.
    """
    if path is not None and path.suffix == ".json":
        made = writing.to_json(report) + "\n"
    else:
        first = f"# {SCHEMA}: costcalc report verify checks it"
        made = writing.to_yaml(report, first_line=first, escape=escape)
    size = len(made.encode("utf-8"))
    if size > BOUNDS.size:
        message = (
            f"expected a report of at most {BOUNDS.size / 1e6:g} MB, which is what is read; this "
            f"would be {size / 1e6:.3g} MB: take fewer runs at once, and keep their reports apart"
        )
        raise InputError(Problem(key="", message=message, file=str(path) if path else None))
    return made


def read_card(path: Path) -> str:
    """A README.md with its own line ends.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8 text"
        raise InputError(
            Problem(key="", message=f"cannot be read: {reason}", file=str(path))
        ) from None
