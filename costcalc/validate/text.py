"""The report as lines of at most 80 columns, the same on a terminal, in a pipe and in a file."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

from costcalc.base.human import digits
from costcalc.validate.score import Point, Score
from costcalc.validate.tables import SEEN, Line, Report

WIDTH = 79
NAME = 36


class Styled(NamedTuple):
    """A line and how a terminal shows it."""

    text: str
    style: str = ""


def summary(report: Report) -> list[str]:
    """One line a category, then what the figures mean."""
    return [line.text for line in brief(report)]


def brief(report: Report) -> Iterator[Styled]:
    """The summary, styled."""
    yield from _wrapped(report.method)
    predicted = [line for line in report.lines() if not line.arithmetic]
    arithmetic = [line for line in report.lines() if line.arithmetic]
    yield Styled("")
    yield from _block("Predictions against measurements", predicted, "inside")
    if arithmetic:
        yield Styled("")
        yield from _block("Published, from its own inputs", arithmetic, "follows")
    yield Styled("")
    yield from _legend(report, predicted, arithmetic)
    for remark in _remarks(report):
        yield from _wrapped(remark)


def full(report: Report) -> Iterator[Styled]:
    """Every split of every table, and what does not follow from its own inputs."""
    yield from _wrapped(report.method)
    title = ""
    for table in report.tables:
        yield Styled("")
        if table.title != title:
            title = table.title
            yield Styled(title, "bold")
            if table.note:
                yield from _wrapped(table.note, "dim")
        last = "follows" if table.arithmetic else "inside"
        yield from _block(f"by {table.by}", table.lines(table.rows), last)
    yield Styled("")
    yield from _listed(report)
    for remark in _remarks(report):
        yield from _wrapped(remark)


def worst(report: Report, number: int) -> Iterator[Styled]:
    """The predictions farthest from what was measured: refused ones, then by their ratio."""
    yield Styled(f"{'':<49}{'measured':>10}{'predicted':>10}{'off':>8}", "bold")
    for point in report.worst(number):
        ours = "refused" if point.predicted is None else digits(point.predicted)
        what = f"{point.id} {point.name}"[:25]
        chip = f"{point.accelerator} × {point.devices:,.0f}"[:22]
        text = f"{what:<26}{chip:<23}{digits(point.measured):>10}{ours:>10}"
        yield Styled(f"{text}{_off(point):>8}", "" if point.inside else "bold red")
        said = ", ".join(filter(None, (point.unit, point.user, point.reference or point.source)))
        yield from _wrapped(f"  {point.refusal or said}", "dim", rest="  ")


def _off(point: Point) -> str:
    """By how much a prediction is off: a share, or a factor where it is large.

    >>> _off(Point(measured=2.0, predicted=1.0)), _off(Point(measured=1.0, predicted=30.0))
    ('-50%', '×30')
    """
    if point.predicted is None:
        return ""
    ratio = point.predicted / point.measured
    return f"×{ratio:.0f}" if ratio > 10.995 else _percent(ratio - 1.0, 0, "+")


def _block(title: str, lines: list[Line], last: str) -> Iterator[Styled]:
    refused = any(line.score.refused for line in lines)
    yield Styled(_head(title, last, refused=refused), "bold")
    for line in lines:
        name = f"  {line.name}" if line.baseline else line.name
        yield _row(name, line.score, refused=refused, exact=line.arithmetic)


def _head(title: str, last: str, *, refused: bool) -> str:
    more = f"{'refused':>8}" if refused else ""
    return f"{title:<{NAME}}{'n':>5}{'median':>8}{'p90':>8}{'bias':>7}{last:>8}{more}"


def _row(name: str, one: Score, *, refused: bool, exact: bool) -> Styled:
    label = name if one.claimed else f"{name} *"
    if len(label) > NAME:  # a name is cut only where it cannot be said in full
        label = label[: NAME - 1] + "…"
    places = 1 if exact else 0
    text = (
        f"{label:<{NAME}}{one.n:5}{_percent(one.median, places):>8}{_percent(one.p90, places):>8}"
        f"{_percent(one.bias, places, '+'):>7}{_percent(one.inside):>8}"
    )
    if refused:
        text += f"{one.refused or '':>8}"
    return Styled(text.rstrip(), "" if one.claimed else "dim")


def _percent(value: float, places: int = 0, sign: str = "") -> str:
    if math.isnan(value):
        return ""
    text = f"{value:{sign}.{places}%}"
    return "refused" if math.isinf(value) else text.replace("-0%", "+0%").replace("-0.0%", "+0.0%")


def _legend(report: Report, predicted: list[Line], arithmetic: list[Line]) -> Iterator[Styled]:
    every = [*predicted, *arithmetic]
    if any(not line.score.claimed for line in every):
        yield Styled("* fewer than 30 configurations: not claimed")
    if any(SEEN in line.name for line in every):
        yield Styled(f"{SEEN} its constants have seen these rows: not held out")
    yield from _wrapped("inside: share of the measurements inside the predicted 90 % range")
    if arithmetic:
        yield from _wrapped(
            "follows: share of the published figures that follow from the inputs that their source "
            "prints, within rounding or 2 %. Nothing is predicted there, and a rating times hours "
            "tests arithmetic only: nobody measured that power."
        )
    if any(line.baseline for line in every):
        yield from _wrapped(
            "indented: the same rows as others would predict them, or held out more strictly"
        )
    bad = report.unexplained
    if bad:
        yield from _wrapped(
            f"Do not follow: {'; '.join(_said(point) for point in bad)}.", rest="  "
        )


def _said(point: Point) -> str:
    ours = "nothing" if point.predicted is None else _amount(point.predicted, point.unit)
    return f"{point.name}, {_amount(point.measured, point.unit)} printed, {ours} from its inputs"


def _listed(report: Report) -> Iterator[Styled]:
    """Every published figure from its own inputs, line by line."""
    titles = dict.fromkeys(table.title for table in report.tables if table.arithmetic)
    for title in titles:
        yield Styled(f"{title}, line by line", "bold")
        yield Styled(f"{'':<41}{'printed':>13}{'ours':>13}{'off':>9}", "bold")
        for point in report.points[title]:
            yield _line(point)
        yield Styled("")


def _line(point: Point) -> Styled:
    ours = "" if point.predicted is None else _amount(point.predicted, point.unit)
    name = point.name if len(point.name) <= 41 else point.name[:40] + "…"
    ratio = math.inf if point.predicted is None else point.predicted / point.measured - 1.0
    off = f"×{ratio + 1.0:.0f}" if ratio > 9.995 else _percent(ratio, 1, "+")
    text = f"{name:<41}{_amount(point.measured, point.unit):>13}{ours:>13}{off:>9}"
    return Styled(text, "" if point.inside else "bold red")


def _amount(value: float, unit: str) -> str:
    """In the size that the source would print.

    >>> _amount(12900.0, "kgCO2e"), _amount(5576000.0, "USD")
    ('12.9 t', '$5,580,000')
    """
    if unit == "USD":
        return f"${digits(value)}"
    large, small = {"kgCO2e": ("t", "kg"), "kWh": ("MWh", "kWh")}[unit]
    return f"{digits(value / 1e3)} {large}" if value >= 1e3 else f"{digits(value)} {small}"


def _remarks(report: Report) -> Iterator[str]:
    repeats, noise = report.noise
    if repeats:
        yield (f"Noise floor: {repeats} repeats differ by {noise:.1%} "
               "(median) from the median of their configuration.")  # fmt: skip
    if report.unsized:
        yield (f"Not counted: {report.unsized} configurations whose source states neither "
               "a shape nor a parameter count.")  # fmt: skip


def _wrapped(text: str, style: str = "", rest: str = "") -> Iterator[Styled]:
    for line in textwrap.wrap(text, WIDTH, subsequent_indent=rest):
        yield Styled(line, style)
