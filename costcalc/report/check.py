"""``costcalc report verify``: consistency in three steps, each said; honesty in none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from costcalc.base import writing
from costcalc.base.document import Document
from costcalc.base.errors import InputError
from costcalc.report import claims, closure, follows, identities, stated
from costcalc.report.files import document_of, schema_problems

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

NOT_HONESTY = (
    "This proves that the report is consistent, not that it is honest: whoever wrote it could have "
    "measured or stated something else."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: what was checked, the discrepancies found, or why it was not done."""

    title: str
    said: str
    discrepancies: tuple[str, ...] = ()
    skipped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The three steps of one report."""

    steps: tuple[Step, ...]

    @property
    def discrepancies(self) -> tuple[str, ...]:
        """All discrepancies, in the order of the steps."""
        return tuple(line for step in self.steps for line in step.discrepancies)

    @property
    def holds(self) -> bool:
        """Whether everything that could be checked holds."""
        return not self.discrepancies

    @property
    def recomputed(self) -> bool:
        """Whether every step was done."""
        return not any(step.skipped for step in self.steps)

    def lines(self) -> list[str]:
        """What to print: each step, each discrepancy on a line, and what it proves."""
        checked = "" if self.steps[1].skipped else "; its arithmetic is checked, no more"
        made = [] if self.recomputed else [f"NOT RECOMPUTED: {self._why}{checked}"]
        for number, step in enumerate(self.steps, 1):
            made.append(f"{number}. {step.title}: {step.said}")
            made += [f"   {line}" for line in step.discrepancies]
        found = len(self.discrepancies)
        made.append(
            "What could be checked holds."
            if self.holds
            else f"{found} discrepanc{'y' if found == 1 else 'ies'}."
        )
        return [*made, NOT_HONESTY] if self.holds else made

    @property
    def _why(self) -> str:
        last = next(step for step in reversed(self.steps) if step.skipped)
        return last.said.partition("not recomputed here: ")[2] or last.said


def verify(path: str | Path) -> Verdict:
    """Check a report file; see :class:`Verdict`.

    A whole number or a text in the place of a stage is a problem with its key, as all else that is
    no report.

    Raises:
        InputError: the file cannot be read at all.

    >>> from tempfile import TemporaryDirectory
    >>> from costcalc import estimate
    >>> run = {"measured": {"device_hours": 8}, "price": {"device_hour": "2 USD"},
    ...        "hardware": {"accelerator": "h100-sxm5-80", "count": 8}}
    >>> with TemporaryDirectory() as folder:
    ...     verify(estimate(run).save(f"{folder}/report.yaml")).holds
    True
    """
    return verified(document_of(path))


def verified(document: Document) -> Verdict:
    """The verdict on a document that was read as a report; see :func:`verify`."""
    problems = schema_problems(document)
    if problems:
        lines = tuple(str(problem) for problem in problems)
        skipped = Step(title="arithmetic", said="not checked: no valid report", skipped=True)
        again = Step(title="recomputation", said="not recomputed: no valid report", skipped=True)
        bad = Step(title="schema and digest", said="not valid", discrepancies=lines)
        return Verdict(steps=(bad, skipped, again))
    report = cast("Report", document.data)
    return Verdict(steps=(_digest(report), _closure(report), _again(report)))


def _digest(report: Report) -> Step:
    made = writing.digest(report)
    title = "schema and digest"
    if made == report["digest"]:
        return Step(title=title, said="valid costcalc/report/v1, digest intact")
    line = (
        f"digest: the file says {report['digest']}, its content has {made}: changed since written"
    )
    return Step(title=title, said="valid costcalc/report/v1, digest broken", discrepancies=(line,))


def _closure(report: Report) -> Step:
    title = "arithmetic"
    try:
        each = (closure, identities, follows, claims, stated)
        found = tuple(line for one in each for line in one.discrepancies(report))
        number, free = closure.checked(report), closure.unchecked(report)
    except (TypeError, AttributeError, LookupError, ValueError, ArithmeticError) as error:
        line = f"stages or runs are not in the shape of a report ({type(error).__name__})"
        return Step(title=title, said="cannot be checked", discrepancies=(line,))
    said = f"{number} figures follow from their parts; sums and ranges hold"
    if free:
        said += f"; from nothing that it carries follow {', '.join(free)}"
    return Step(title=title, said=said if not found else "does not close", discrepancies=found)


def _again(report: Report) -> Step:
    from costcalc.report.recompute import recompute

    title = "recomputation"
    try:
        again = recompute(report)
    except (
        *(InputError, TypeError, AttributeError, LookupError, ValueError, ArithmeticError),
        OSError,  # the name of a profile that no file can have
    ) as error:
        line = f"the run cannot be calculated again ({type(error).__name__})"
        return Step(title=title, said="failed", discrepancies=(line,))
    return Step(
        title=title, said=again.said(), discrepancies=again.found, skipped=bool(again.reasons)
    )
