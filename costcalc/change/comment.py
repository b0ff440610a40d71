"""A change of run files as one comment in Markdown: a sentence, a table, details folded."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

from costcalc.base.human import digits, human, percent
from costcalc.calculator.result import HEADLINE
from costcalc.change.difference import UNKNOWN, Change, Effect, Moved, total

#: the mark by which a comment is found again, to be written anew
MARK = "<!-- costcalc diff -->"
#: GitHub refuses comments of more than 65,536 characters
MOST = 60_000
#: so many files that a total leaves out are named, and one more
_NAMED = 3
#: so many figures that a policy does not allow are told; each file may have four
_RISEN = 20
#: a chance that would be printed as 100 % is told as draws that agree: the model may still be wrong
_AGREED = 0.995
_SAID = {"added": "is new", "removed": "is gone", "same": "costs the same", **UNKNOWN}


def headline(made: Sequence[Change]) -> str:
    """The whole change in one sentence.

    >>> headline([])
    'No run file changed.'
    """
    if not made:
        return "No run file changed."
    passed = [one for one in made if one.passed]
    told = []
    if len(made) == 1:
        told.append(f"{made[0].title} {one_line(made[0])}.")
    else:
        told.append(f"{len(made)} run files changed{_total(made)}.")
    for status, said in (("invalid", "cannot be read"), ("lost", "without a run now")):
        number = sum(one.status == status for one in made)
        if number and len(made) > 1:
            told.append(f"{number} {said}.")
    if passed:
        told.append(f"{len(passed)} pass{'es' if len(passed) == 1 else ''} a limit.")
    return " ".join(told)


def _total(made: Sequence[Change]) -> str:
    """What those cost before and after of which it is known, in one currency; which are not."""
    found = total(made)
    if found is None:
        return ""
    shown = f"{human(found.before, found.unit)} → {human(found.after, found.unit)}"
    but = [one.path for one in made if one.path not in found.of]
    return f": {shown} in all{' but ' + _listed(but) if but else ''}"


def _listed(names: Sequence[str]) -> str:
    """Names, the first of many.

    >>> _listed(["a", "b"]), _listed(list("abcde"))
    ('a and b', 'a, b, c and 2 more')
    """
    shown = list(names if len(names) <= _NAMED + 1 else names[:_NAMED])
    if len(shown) < len(names):
        shown.append(f"{len(names) - len(shown)} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def one_line(one: Change) -> str:
    """What became of one file: its cost, or its time where no price is known."""
    if one.status != "changed":
        return _SAID[one.status]
    for name in ("cost", "wall_clock"):
        moved = one.moved(name)
        word = "costs" if name == "cost" else "takes"
        if moved is not None and moved.in_two_units:
            return f"{word} {arrow(moved)}"
        if moved is None or moved.ratio is None:
            continue
        if moved.ratio == 1.0:
            return f"{word} the same"
        return f"{word} {arrow(moved)}{chance(moved)}"
    return "changed; neither its time nor its cost is known"


def arrow(moved: Moved) -> str:
    """A figure before and after, and by how much: ``100 USD → 150 USD (+50 %)``."""
    before, after = (
        human(result.value, result.unit) if result is not None else "–"
        for result in (moved.before, moved.after)
    )
    if moved.before is None or moved.after is None:
        return f"{before} → {after}"
    if moved.before == moved.after:
        return after
    return f"{before} → {after}{_by(moved.ratio)}"


def _by(ratio: float | None) -> str:
    if ratio is None:
        return ""
    if ratio >= 2 or ratio <= 0.5:
        return f" (× {digits(ratio)})"
    return f" ({'+' if ratio >= 1 else '−'}{percent(abs(ratio - 1))})"


def figure(moved: Moved) -> str:
    """A figure in a table: how sure it is stands beside it only where draws do not agree."""
    return arrow(moved) + ("" if _sure(moved) >= _AGREED else chance(moved))


def chance(moved: Moved) -> str:
    """How sure it is that it is more, or less."""
    if moved.more is None or moved.ratio == 1.0:
        return ""
    word = "more" if moved.more >= 0.5 else "less"
    sure = _sure(moved)
    if sure < _AGREED:
        return f", {word} with {percent(sure)}"
    return f", {word} in {'all' if sure == 1 else 'nearly all'} draws"


def _sure(moved: Moved) -> float:
    """The chance of the likelier direction."""
    return 1.0 if moved.more is None else max(moved.more, 1 - moved.more)


def unknown(one: Change) -> list[str]:
    """Why a figure is not known, of those that are not."""
    sides = (
        (label, side)
        for name, label in HEADLINE.items()
        if (moved := one.moved(name)) is not None
        for side in (moved.before, moved.after)
    )
    told = (
        f"{label} is unknown: {side.why}"
        for label, side in sides
        if side is not None and side.value is None
    )
    return list(dict.fromkeys(told))


def effect(one: Effect) -> str:
    """What a changed key alone does: ``hardware.count: 8 → 16: cost × 1.02``."""
    word = {"wall_clock": "time"}.get(one.of, one.of)
    return f"{one.key}: {_value(one.before)} → {_value(one.after)}: {word} × {digits(one.factor)}"


def _value(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def markdown(made: Sequence[Change], risen: Sequence[str] = ()) -> str:
    """The comment, of at most ``MOST`` characters: what does not fit is left out and counted.

    ``risen`` is what a policy says against it (:func:`costcalc.change.difference.over`).
    """
    whole = _filled(made, made, risen)
    if len(whole) <= MOST:
        return whole
    numbers = range(1, len(made) + 1)
    fits = bisect_left(numbers, True, key=lambda n: len(_filled(made, made[:n], risen)) > MOST)
    return _filled(made, made[:fits], risen)


def _filled(made: Sequence[Change], shown: Sequence[Change], risen: Sequence[str]) -> str:
    from costcalc.base.filling import environment

    made_by = environment(Path(__file__).parent)
    made_by.filters.update(cell=cell, figure=figure, effect=effect, unknown=unknown)
    return made_by.get_template("comment.md.j2").render(
        mark=MARK,
        headline=headline(made),
        changes=shown,
        figures=HEADLINE,
        left_out=len(made) - len(shown),
        risen=risen[:_RISEN],
        risen_beside=len(risen[_RISEN:]),
    )


def cell(text: object) -> str:
    """Text in a cell of a table: no markup of its author, no mention of anybody.

    >>> cell("a|b @all <img>")
    'a\\\\|b @\\u200ball &lt;img>'
    """
    made = str(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")
    made = made.replace("`", "'").replace("@", "@\u200b").replace("[", "\\[")
    return " ".join(made.split())
