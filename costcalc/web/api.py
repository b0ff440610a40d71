"""The REST API: from the body of a request to its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from costcalc.base.document import Document
from costcalc.base.errors import InputError, wrong
from costcalc.calculator.calculate import estimated
from costcalc.calculator.result import Estimate
from costcalc.catalog import accelerator, preset, region
from costcalc.catalog.peak import told as told_peak
from costcalc.decide import ending, sweep
from costcalc.decide.comparing import Comparison
from costcalc.decide.comparing import compare as compared
from costcalc.decide.planning import Planned
from costcalc.decide.planning import plan as planned
from costcalc.report import files
from costcalc.report.check import Verdict, verified
from costcalc.report.renderings import render as rendered
from costcalc.resolve.names import look_up
from costcalc.runfile.loading import check
from costcalc.web import answer, bodies, options
from costcalc.web.answer import Answer
from costcalc.web.bounds import HARDWARE, SCENARIOS, SCORES, SWEEP

Given = Mapping[str, str]
MEDIA = {
    "html": answer.HTML,
    "csv": "text/csv; charset=utf-8",
    "cyclonedx": answer.JSON,
    "spdx": answer.JSON,
    "markdown": "text/markdown; charset=utf-8",
}


def estimate(body: bytes, given: Given) -> Answer:
    """The report of a run file."""
    asked = options.read(options.EstimateOptions, given)
    document, run = bodies.run_of(body)
    return answer.data(estimate_of(document, run, ranges=asked.ranges).to_dict())


def estimate_of(document: Document, run: dict[str, object], *, ranges: bool = True) -> Estimate:
    """The estimate of a run that a server takes; ``document`` says where its keys stand.

    Raises:
        InputError: every problem of it.
    """
    request = check(replace(document, data=run), None, look_up)
    return estimated(request, ranges=ranges)


def compare(body: bytes, given: Given) -> Answer:
    """The comparison of a run file over its ``sweep``."""
    asked = options.read(options.CompareOptions, given)
    _, run = bodies.run_of(body)
    return answer.data(comparison(run, asked).to_dict())


def comparison(run: Mapping[str, object], asked: options.CompareOptions) -> Comparison:
    """A comparison that is no larger than a server takes.

    Raises:
        InputError: the run or an axis cannot be read, or there are too many scenarios.
    """
    _, axes = sweep.read(run, {})
    hardware = len(axes.accelerators) * len(axes.counts) * len(axes.precisions)
    if hardware > HARDWARE:
        raise wrong(
            "sweep",
            f"expected {HARDWARE:,} accelerators × counts × precisions at most; got {hardware:,}: "
            "costcalc compare takes more",
        )
    if axes.number > SCENARIOS:
        message = f"expected {SCENARIOS:,} scenarios at most; got {axes.number:,}"
        raise wrong("sweep", f"{message}: costcalc compare takes more")
    return compared(
        run,
        minimize=asked.minimize,
        ranges=asked.ranges,
        interruptions=asked.interruptions,
        progress=ending.within(SWEEP, "sweep"),
        chunk_size=ending.piece(axes),
    )


def plan(body: bytes, given: Given) -> Answer:
    """The plan of what the limits of a run file buy."""
    asked = options.read(options.PlanOptions, given)
    _, run = bodies.run_of(body)
    return answer.data(plan_of(run, asked).to_dict())


def plan_of(run: Mapping[str, object], asked: options.PlanOptions) -> Planned:
    """A plan by its options.

    Raises:
        InputError: the run cannot be read, or nothing keeps its limits.
    """
    made = planned(
        run,
        tokens_per_parameter=asked.tokens_per_parameter,
        experts=asked.experts,
        confidence=asked.confidence,
        interruptions=asked.interruptions,
        scores=_scores(asked.scores),
    )
    return replace(made, run={key: value for key, value in made.run.items() if key != "defaults"})


def _scores(text: str | None) -> list[float] | None:
    if text is None:
        return None
    words = text.split(",")
    if len(words) > SCORES:
        raise wrong("scores", f"expected {SCORES:,} at most; got {len(words):,}")
    try:
        return [float(word) for word in words]
    except ValueError:
        raise wrong("scores", "expected numbers, as 0.71,0.74") from None


def verify(body: bytes, given: Given) -> Answer:
    """The three steps of checking a report."""
    options.read(options.VerifyOptions, given)
    return answer.data(said(verified(bodies.report_of(body))))


def said(verdict: Verdict) -> dict[str, object]:
    """A verdict as plain values."""
    return {
        "holds": verdict.holds,
        "recomputed": verdict.recomputed,
        "steps": [
            {
                "title": step.title,
                "said": step.said,
                "done": not step.skipped,
                "discrepancies": list(step.discrepancies),
            }
            for step in verdict.steps
        ],
        "lines": verdict.lines(),
    }


def render(body: bytes, given: Given) -> Answer:
    """A report as what a venue asks for."""
    asked = options.read(options.RenderOptions, given)
    return rendering(bodies.report_of(body), asked.format)


def rendering(document: Document, shape: str) -> Answer:
    """A report in a format of :data:`costcalc.report.renderings.FORMATS`.

    Raises:
        InputError: it is no report, or there is no such format.
    """
    report = files.checked(document)
    text = rendered_as(report, shape)
    headers = {} if files.intact(report) else {"Warning": '199 costcalc "the digest is broken"'}
    return Answer(body=text.encode("utf-8"), media=MEDIA.get(shape, answer.TEXT), headers=headers)


def rendered_as(report: Mapping[str, object], shape: str) -> str:
    """The text of a report in a format; problems name the option as an address writes it.

    Raises:
        InputError: there is no such format.
    """
    try:
        return rendered(report, shape)
    except InputError as error:
        raise InputError(
            answer.of_text(p.message, p.key.removeprefix("--")) for p in error.problems
        ) from None


# --- what is known -------------------------------------------------------------------------------


class Entry(NamedTuple):
    """An entry of the catalogue in a list, and the words that find it."""

    shown: Mapping[str, object]
    words: str
    names: tuple[str, ...]


@lru_cache(maxsize=4)
def entries(kind: str) -> tuple[Entry, ...]:
    """All of a kind: ``models``, ``hardware``, ``regions``."""
    return tuple(
        Entry(shown, " ".join(map(str, (*shown.values(), *names))).lower(), names)
        for shown, names in _KINDS[kind]()
    )


def _models() -> list[tuple[Mapping[str, object], tuple[str, ...]]]:
    return [
        (
            {"id": one.id, "name": one.name, "family": one.family, "parameters": one.parameters},
            (one.organisation, *one.aliases),
        )
        for one in preset.listed()
    ]


def _hardware() -> list[tuple[Mapping[str, object], tuple[str, ...]]]:
    return [
        ({"id": one.id, "name": one.name, "vendor": one.vendor, "unit": one.unit}, one.aliases)
        for one in accelerator.listed()
    ]


def _regions() -> list[tuple[Mapping[str, object], tuple[str, ...]]]:
    made: list[tuple[Mapping[str, object], tuple[str, ...]]] = []
    for one in map(region.find, region.codes()):
        grid = None if one.grid is None else one.grid.value
        shown = {"id": one.code, "name": one.label, "grid": grid, "unit": "gCO2e/kWh"}
        made.append((shown, (one.grid_zone,)))
    return made


_KINDS: Mapping[str, Callable[[], list[tuple[Mapping[str, object], tuple[str, ...]]]]] = {
    "models": _models,
    "hardware": _hardware,
    "regions": _regions,
}


def listed(kind: str) -> Callable[[bytes, Given], Answer]:
    """What answers with a list of that kind."""

    def made(_: bytes, given: Given) -> Answer:
        search = options.read(options.ListOptions, given).search
        wanted = (search or "").lower().split()
        found = [e.shown for e in entries(kind) if all(word in e.words for word in wanted)]
        return answer.data({kind: found})

    return made


def peak(body: bytes, given: Given) -> Answer:
    """The dense peaks of a device, whose name is the body; FLOP/s."""
    asked = options.read(options.PeakOptions, given)
    return answer.data(told_peak(body.decode("utf-8", "replace"), asked.precision))
