"""The cost of a change: figures before and after, the chance of more, and what explains it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from costcalc.base.document import Document
from costcalc.base.errors import InputError
from costcalc.base.numbers import Number
from costcalc.base.ranges import DRAWS
from costcalc.calculator.calculate import estimated, whole
from costcalc.calculator.limits import LIMITED
from costcalc.calculator.result import HEADLINE, Estimate, Result
from costcalc.change.run_files import Pair
from costcalc.resolve.names import look_up
from costcalc.runfile.carried import run_in
from costcalc.runfile.laying import apply
from costcalc.runfile.loading import Request, check
from costcalc.runfile.paths import outside

#: ``lost``: the file is there and holds no run any more, so that what it trains is not known
Status = Literal["added", "removed", "changed", "same", "lost", "invalid"]
#: of these files it is not known what they cost; what is said of them
UNKNOWN = {"lost": "holds no run any more", "invalid": "cannot be read"}
#: a rise below is of arithmetic
_SAME = 1e-9
#: changes of fewer than so many keys are taken apart, each an estimate of its own
MOST_KEYS = 12
#: an effect below is not told
LITTLE = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One figure before and after; ``more``: the chance that it is more after than before."""

    name: str
    unit: str
    before: Result | None
    after: Result | None
    more: float | None

    @property
    def ratio(self) -> float | None:
        """After over before, None where one is unknown or nothing, or they are of two units."""
        if not _like(self.before, self.after):
            return None
        one, two = (r.value if r is not None else None for r in (self.before, self.after))
        return two / one if one and two is not None else None

    @property
    def in_two_units(self) -> bool:
        """Whether both are known, in two currencies."""
        sides = (self.before, self.after)
        return all(r is not None and r.value is not None for r in sides) and not _like(*sides)

    @property
    def unjudged(self) -> str:
        """Why it cannot be said whether it rises; nothing where it can, or one side is not there.

        >>> made = Result.exact(0.0, "USD")
        >>> Moved(name="cost", unit="USD", before=made, after=made, more=None).unjudged
        ''
        """
        one, two = self.before, self.after
        if one is None or two is None or self.ratio is not None:
            return ""
        if one.value is None or two.value is None:
            return f"before: {one.why}" if one.value is None else two.why
        if self.in_two_units:
            return f"before in {one.unit}, after in {two.unit}"
        return "it was 0 before" if two.value else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A key that was changed, and what it alone does to a figure (a factor)."""

    key: str
    before: object
    after: object
    of: str
    factor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of one run file."""

    path: str
    name: str
    status: Status
    figures: tuple[Moved, ...] = ()
    effects: tuple[Effect, ...] = ()
    limits: tuple[str, ...] = ()  # what is said of each limit that is passed
    passed: bool = False
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # keys of another tool's config that were not read
    was: str = ""  # the path before, if it was renamed

    @property
    def title(self) -> str:
        """The path; of a file that was renamed both."""
        return f"{self.was} → {self.path}" if self.was else self.path

    def moved(self, name: str) -> Moved | None:
        """A figure by its name."""
        return next((one for one in self.figures if one.name == name), None)

    def to_dict(self) -> dict[str, object]:
        """Plain values."""
        return {
            "path": self.path,
            **({"was": self.was} if self.was else {}),
            "name": self.name,
            "status": self.status,
            "figures": {
                one.name: {
                    "unit": one.unit,
                    "before": None if one.before is None else one.before.to_dict(),
                    "after": None if one.after is None else one.after.to_dict(),
                    "ratio": one.ratio,
                    "chance_of_more": one.more,
                }
                for one in self.figures
            },
            "explained_by": [
                {"key": e.key, "before": e.before, "after": e.after, "of": e.of, "factor": e.factor}
                for e in self.effects
            ],
            "limits_passed": list(self.limits),
            "problems": list(self.problems),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    request: Request
    estimate: Estimate
    draws: Mapping[str, Number] = field(default_factory=dict)


def changes(pairs: Iterable[Pair]) -> list[Change]:
    """The change of every pair that is or carries a run file, the dearest first."""
    found = [made for made in map(change, pairs) if made is not None]
    return sorted(found, key=lambda one: (-_weight(one), one.path))


def _weight(one: Change) -> float:
    cost = one.moved("cost")
    if one.status == "invalid":
        return float("inf")
    if cost is None:
        return 0.0
    before, after = (r.value or 0.0 if r is not None else 0.0 for r in (cost.before, cost.after))
    return abs(after - before)


def change(pair: Pair) -> Change | None:
    """What became of one path; None where no side holds a run."""
    told: tuple[list[str], list[str]] = ([], [])
    found = [_document(pair, after, told[after]) for after in (False, True)]
    if not any(found) and not any(told):
        return None
    sides: list[_Side | None] = [None, None]
    for after, (path, document) in enumerate(zip((pair.before, pair.after), found, strict=True)):
        try:
            if document is not None and path is not None:
                root = pair.within[after] if pair.within else None
                sides[after] = _side(document, path, root)
            elif path is not None and not told[after]:  # the other holds a run: is this broken?
                run_in(path, _name(pair, after), asked=True)
        except InputError as error:
            told[after].extend(map(str, error.problems))
    if any(told):
        problems = (*(f"before: {text}" for text in told[0]), *told[1])
        return Change(
            path=pair.path, name=pair.path, status="invalid", problems=problems, was=pair.was
        )
    made = replace(_compared(pair.path, *sides), was=pair.was)
    if made.status == "removed" and pair.after is not None:
        problem = f"{pair.path}: the file {UNKNOWN['lost']}"
        return replace(made, status="lost", problems=(problem,))
    return made


def _name(pair: Pair, after: int) -> str:
    return pair.path if after or not pair.was else pair.was


def _document(pair: Pair, after: int, told: list[str]) -> Document | None:
    """The run of one side of a path; what is wrong with it is added to what is ``told``."""
    path = pair.after if after else pair.before
    try:
        return run_in(path, _name(pair, after)) if path is not None else None
    except InputError as error:
        told.extend(map(str, error.problems))
        return None


def _side(document: Document, path: Path, root: Path | None) -> _Side:
    if root is not None and (problems := outside(document, path.parent, root)):
        raise InputError(problems)
    request = check(document, path.parent, look_up)
    made = whole(request, DRAWS)
    found = {name: made.drawn(name) for name in HEADLINE}
    draws = {name: one for name, one in found.items() if one is not None}
    return _Side(request=request, estimate=made.estimate, draws=draws)


def _compared(path: str, before: _Side | None, after: _Side | None) -> Change:
    here = after or before
    assert here is not None
    status: Status = "added" if before is None else "removed" if after is None else "changed"
    figures = tuple(_moved(name, before, after) for name in HEADLINE)
    if before and after and all(m.ratio == 1.0 or m.before == m.after for m in figures):
        status = "same"
    passed = [one for one in (after.estimate.limits if after else ()) if one["passed"]]
    return Change(
        path=path,
        name=here.estimate.name,
        status=status,
        figures=figures,
        effects=tuple(_effects(before, after)) if before and after else (),
        limits=tuple(one["text"] for one in passed),
        passed=bool(passed),
        notes=here.request.document.notes,
    )


def _moved(name: str, before: _Side | None, after: _Side | None) -> Moved:
    results = [side.estimate.results[name] if side else None for side in (before, after)]
    shown = next(result.unit for result in reversed(results) if result is not None)
    more = None
    if before and after and name in before.draws and name in after.draws and _like(*results):
        one, two = np.asarray(before.draws[name]), np.asarray(after.draws[name])
        more = float(np.mean(two > one * (1 + _SAME)))
    return Moved(name=name, unit=shown, before=results[0], after=results[1], more=more)


def _like(one: Result | None, two: Result | None) -> bool:
    """Whether two figures are there and in one unit: costs may be in two currencies."""
    return one is not None and two is not None and one.unit == two.unit


def _effects(before: _Side, after: _Side) -> list[Effect]:
    """What each changed key alone does to the cost, or to the time where no price is known."""
    if before.request.run.stages or after.request.run.stages:
        return []
    one, two = (dict(side.request.parts[0].raw) for side in (before, after))
    changed = list(_changed(one, two))
    if not 0 < len(changed) <= MOST_KEYS:
        return []
    costs = [side.estimate.results["cost"] for side in (before, after)]
    of = "cost" if all(cost.value for cost in costs) and _like(*costs) else "wall_clock"
    base = before.estimate.results[of].value
    made = []
    for key, old, new in changed:
        factor = _alone(before, one, key, new, of)
        if base and factor is not None and abs(factor / base - 1) >= LITTLE:
            made.append(Effect(key=key, before=old, after=new, of=of, factor=factor / base))
    return sorted(made, key=lambda e: (-abs(np.log(e.factor)), e.key))


def _alone(
    side: _Side, raw: Mapping[str, object], key: str, value: object, of: str
) -> float | None:
    try:
        given = side.request.parts[0]
        document = Document(apply(raw, {key: value}), given.document.name)
        made = estimated(check(document, given.folder, look_up), ranges=False).results[of]
        return made.value if _like(made, side.estimate.results[of]) else None
    except InputError:
        return None  # alone it says nothing: it needs what was changed beside it


def _changed(
    one: Mapping[str, object], two: Mapping[str, object], above: str = ""
) -> Iterable[tuple[str, object, object]]:
    for key in dict.fromkeys([*one, *two]):
        old, new = one.get(key), two.get(key)
        if old == new or (not above and key == "name"):
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _changed(old, new, f"{above}{key}.")
        else:
            yield f"{above}{key}", old, new


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What files cost together before and after, and of which of them that is known."""

    unit: str
    before: float
    after: float
    of: tuple[str, ...]  # the paths


def total(made: Iterable[Change]) -> Total | None:
    """The cost of those files of which it is known before and after; None in two currencies.

    A file that is new cost nothing before; of one that cannot be read that is not known.

    >>> total([]) is None
    True
    """
    counted = [(one, cost) for one in made if (cost := _known(one)) is not None]
    units = {r.unit for _, cost in counted for r in (cost.before, cost.after) if r is not None}
    if len(units) != 1:
        return None
    before, after = (
        sum(r.value or 0.0 for r in side if r is not None)
        for side in zip(*((cost.before, cost.after) for _, cost in counted), strict=True)
    )
    return Total(
        unit=units.pop(), before=before, after=after, of=tuple(one.path for one, _ in counted)
    )


def _known(one: Change) -> Moved | None:
    """The cost of a file, if it is known on each side on which there is one."""
    cost = one.moved("cost")
    if cost is None or one.status in UNKNOWN:
        return None
    known = (side is None or side.value is not None for side in (cost.before, cost.after))
    return cost if all(known) else None


def all_of(made: Sequence[Change], policy: Mapping[str, float]) -> dict[str, object]:
    """The whole change as plain values: each file, the total, and what a policy says against it."""
    found = total(made)
    return {
        "schema": "costcalc/diff/v1",
        "total": None
        if found is None
        else {
            "cost": {"unit": found.unit, "before": found.before, "after": found.after},
            "of": list(found.of),
            "without": [one.path for one in made if one.path not in found.of],
        },
        "over": over(made, policy),
        "changes": [one.to_dict() for one in made],
    }


def over(made: Sequence[Change], policy: Mapping[str, float]) -> list[str]:
    """What rises by more than a policy allows, or cannot be judged: ``{"cost": 0.1}`` is a tenth.

    >>> over([], {"cost": 0.1})
    []
    """
    judged = ((one, key, _judged(one, key, most)) for one in made for key, most in policy.items())
    return [f"{one.path}: {key} {text}" for one, key, text in judged if text]


def _judged(one: Change, key: str, most: float) -> str:
    """What is said against one figure of one file; nothing where the policy allows it."""
    name = LIMITED[key]
    if one.status in UNKNOWN:
        return f"cannot be judged: the file {UNKNOWN[one.status]}"
    moved = one.moved(name)
    if moved is None:
        return ""
    if moved.unjudged:
        return f"cannot be judged: {moved.unjudged}"
    if moved.ratio is None or moved.ratio <= 1 + most + _SAME:
        return ""
    return f"rises by {100 * (moved.ratio - 1):.3g} %, more than {100 * most:g} %"
