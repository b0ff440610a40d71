"""A run and its report as what can be taken along: YAML, a command, Python, LaTeX, Markdown."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from costcalc.base.writing import to_yaml
from costcalc.report.renderings import render
from costcalc.runfile.flags import FLAGS
from costcalc.web.address import text_of

_SCHEMA = "# a run file of costcalc"
_WIDE = 88
_SHORT = -(10**9)  # before a value that stands on the line of its mapping


class Copy(NamedTuple):
    """One text to take along."""

    name: str
    title: str
    text: str


def copies(run: Mapping[str, object], report: Mapping[str, object]) -> list[Copy]:
    """What stands under "copy" of an estimate."""
    return [
        Copy("yaml", "Run file (YAML)", to_yaml(dict(run), first_line=_SCHEMA)),
        Copy("command", "Command", command(run)),
        Copy("python", "Python", python(run)),
        Copy("latex", "LaTeX", render(report, "latex")),
        Copy("markdown", "Markdown", render(report, "markdown")),
    ]


def command(run: Mapping[str, object]) -> str:
    """The command that estimates the same run.

    >>> print(command({"model": {"preset": "gpt2"}, "training": {"tokens": "1B"}}), end="")
    costcalc estimate --model gpt2 --tokens 1B
    """
    words = ["costcalc estimate", *_words(run)]
    lines, line = [], ""
    for word in words:
        if line and len(line) + len(word) > _WIDE:
            lines.append(line)
            line = "  "
        line += word if not line.strip() else f" {word}"
    return " \\\n".join([*lines, line]) + "\n"


_OPTIONS = {"model.preset": "model", **{key: name for name, key in FLAGS.items()}}


def _words(run: Mapping[str, object]) -> Iterator[str]:
    for key, said in _leaves(run, ""):
        name = _OPTIONS.get(key)
        word = said if isinstance(said, str) else text_of(said)
        if key.startswith("limits."):
            yield f"--limit {shlex.quote(key.removeprefix('limits.') + '=' + word)}"
        elif name is None:
            yield f"--set {shlex.quote(f'{key}={text_of(said)}')}"
        else:
            yield f"--{name.replace('_', '-')} {shlex.quote(word)}"


def _leaves(run: Mapping[str, object], at: str) -> Iterator[tuple[str, object]]:
    for key, said in run.items():
        if isinstance(said, Mapping) and key != "config":
            yield from _leaves(said, f"{at}{key}.")
        elif said is not None:
            yield f"{at}{key}", said


def python(run: Mapping[str, object]) -> str:
    """The lines of Python that estimate the same run.

    >>> print(python({"model": {"preset": "gpt2"}}).splitlines()[2])
    run = {"model": {"preset": "gpt2"}}
    """
    return (
        f"import costcalc\n\nrun = {_literal(run, 0, len('run = '))}\n"
        "est = costcalc.estimate(run)\n"
        'cost = est.results["cost"]\nprint(cost.value, cost.low, cost.high, cost.unit)\n'
    )


def _literal(said: object, depth: int, before: int) -> str:
    """A value as Python writes it; what is too long for its line has a line for each part."""
    inner = "    " * (depth + 1)
    if isinstance(said, Mapping):
        marks = "{}"
        parts = [(f"{_literal(key, 0, 0)}: ", value) for key, value in said.items()]
    elif isinstance(said, (list, tuple)):
        marks, parts = "[]", [("", value) for value in said]
    else:
        quoted = isinstance(said, str) and said.isprintable()
        return json.dumps(said, ensure_ascii=False) if quoted else repr(said)
    flat = ", ".join(name + _literal(value, depth, _SHORT) for name, value in parts)
    if before + len(flat) + 2 <= _WIDE:
        return f"{marks[0]}{flat}{marks[1]}"
    lines = [
        f"{inner}{name}{_literal(value, depth + 1, len(inner) + len(name) + 1)},"
        for name, value in parts
    ]
    return "\n".join([marks[0], *lines, "    " * depth + marks[1]])
