"""Everything that costcalc raises on purpose.

::

    CostcalcError
    ├── InputError (ValueError)       what you wrote cannot be used; carries every Problem found
    │   └── NotFoundError (LookupError)   no profile, preset, region or model of that name
    └── MissingExtraError (ImportError)   a framework that this feature needs is not installed

A :class:`Problem` is a line that an editor can jump to: where, which key, what was expected, what
was found.  All problems of a file are raised together, in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from costcalc.base.human import number_of

MAX_LISTED = 100  # problems that a message lists; the exception carries them all


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with an input, and where it stands.

    >>> print(Problem(key="hardware.count", message='expected 1 or more; got "0"',
    ...               file="run.yaml", line=3, column=10))
    run.yaml:3:10: hardware.count: expected 1 or more; got "0"
    """

    key: str
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = [str(part) for part in (self.file, self.line, self.column) if part is not None]
        parts = [":".join(place), self.key, self.message]
        return ": ".join(part for part in parts if part)

    def at(self, file: str | None, line: int | None, column: int | None) -> Problem:
        """The same problem with its place filled in."""
        return replace(self, file=file, line=line, column=column)


class CostcalcError(Exception):
    """The root of all errors that costcalc raises on purpose.

    >>> try:
    ...     raise InputError(Problem(key="hardware.count", message="expected 1 or more; got 0"))
    ... except CostcalcError as error:
    ...     print(error)
    hardware.count: expected 1 or more; got 0
    """


class InputError(CostcalcError, ValueError):
    """What was written cannot be used.  ``problems`` lists everything found, in file order.

    >>> bad = [Problem(key=key, message="expected a number", file="run.yaml") for key in "ab"]
    >>> print(InputError(bad))
    run.yaml: a: expected a number
    run.yaml: b: expected a number
    2 problems in run.yaml
    >>> InputError(bad).problems[1].key
    'b'
    """

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        listed = [problems] if isinstance(problems, Problem) else list(problems)
        self.problems: tuple[Problem, ...] = tuple(listed)
        super().__init__(listed)

    def __str__(self) -> str:
        lines = [str(problem) for problem in self.problems[:MAX_LISTED]]
        if len(self.problems) > MAX_LISTED:
            lines.append(f"… and {len(self.problems) - MAX_LISTED} more")
        files = {problem.file for problem in self.problems if problem.file}
        if len(files) == 1:
            lines.append(f"{number_of(len(self.problems), 'problem')} in {files.pop()}")
        return "\n".join(lines)


def wrong(key: str, message: str) -> InputError:
    """The error of one problem with a key."""
    return InputError(Problem(key=key, message=message))


class NotFoundError(InputError, LookupError):
    """Nothing of that name is known; the message names the nearest ones.

    >>> print(not_found("site.region", "region", "FRR", ["FR", "DE"]))
    site.region: no region FRR; nearest: FR
    """


class MissingExtraError(CostcalcError, ImportError):
    """A feature needs a package that is not installed.

    >>> print(MissingExtraError("costcalc.count", "PyTorch", "torch"))
    costcalc.count needs PyTorch: pip install "costcalc[torch]"
    """

    def __init__(self, feature: str, package: str, extra: str) -> None:
        self.feature: str = feature
        self.package: str = package
        self.extra: str = extra
        super().__init__(f'{feature} needs {package}: pip install "costcalc[{extra}]"')

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str]]:
        return type(self), (self.feature, self.package, self.extra)


def nearest(name: str, names: Iterable[str], *, at_most: int = 3) -> list[str]:
    """The names most like ``name``, best first, of those alike what begins as it does; or none.

    >>> nearest("acelerator", ["accelerator", "count"])
    ['accelerator']
    >>> nearest("us-esat-1", ["us-west-1", "us-east-2", "us-east-1"], at_most=1)
    ['us-east-1']
    """
    import difflib
    from itertools import takewhile

    if len(name) > 200:  # no name of ours; difflib would take its time
        return []
    by_lower: dict[str, str] = {}
    for known in names:
        by_lower.setdefault(known.lower(), known)
    wanted = name.lower()

    def unlike(known: str) -> tuple[float, int, str]:
        alike = difflib.SequenceMatcher(None, known, wanted).ratio()
        pairs = zip(known, wanted, strict=False)
        return -alike, -sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)), known

    close = difflib.get_close_matches(wanted, by_lower, n=len(by_lower) or 1, cutoff=0.6)
    return [by_lower[known] for known in sorted(close, key=unlike)[:at_most]]


def not_found(key: str, kind: str, name: str, names: Sequence[str]) -> NotFoundError:
    """The error for an unknown name: ``no region aws:us-esat-1; nearest: aws:us-east-1``.

    >>> print(not_found("site.region", "region", "FRR", ["FR", "DE"]))
    site.region: no region FRR; nearest: FR
    """
    near = nearest(name, names)
    hint = f"nearest: {', '.join(near)}" if near else f"known: {listing(names)}"
    return NotFoundError(Problem(key=key, message=f"no {kind} {name}; {hint}"))


def listing(names: Sequence[str], *, at_most: int = 12) -> str:
    """Names for a message, cut where there are too many to read.

    >>> listing(["a", "b", "c"], at_most=2)
    'a, b, … (3 in all)'
    """
    shown = ", ".join(names[:at_most])
    return shown if len(names) <= at_most else f"{shown}, … ({len(names)} in all)"


def shown(value: object) -> str:
    """How a message quotes what was found.

    >>> shown("eight"), shown(True), shown(None), shown([1])
    ('"eight"', 'true', 'nothing', 'a list')
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (int, float)):
        return f"{float(value):.10g}" if -1e300 < value < 1e300 else "a number out of range"
    text = str(value)
    return f'"{text[:40]}…"' if len(text) > 41 else f'"{text}"'
