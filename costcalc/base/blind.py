"""What the author typed, without what names a person, a host, a path or a job.

A report is blind unless somebody asks for more: one run file then serves the anonymous submission
and, with ``--identify``, the final version.  Only text that the author wrote is touched (the run
file and the names of files of their own), by fixed patterns: the same input gives the same report
on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

WITHHELD = "(withheld)"
ASK = "tells who wrote it; --identify keeps it"

# Where a link says nothing about who links: archives of papers, and code made anonymous.
_PUBLIC = re.compile(
    r"https?://(?:www\.)?(?:arxiv\.org|doi\.org|dx\.doi\.org|openreview\.net|aclanthology\.org"
    r"|anonymous\.4open\.science)/\S*$"
)
_NAMING = re.compile(
    r"""
    (?<![a-z0-9+.-])[a-z][a-z0-9+.-]{0,20}://\S+         # a link: a host, often its owner
    | (?<![\w.+-])[\w.+-]{1,64}@[\w-][\w.-]*(?::\S+)?    # a person, or a person at a host
    | (?<![\w.])(?:~[\w-]*|\.\.?|[A-Za-z]:|\$\w+|\$\{\w+\})?
      (?:[/\\]{1,2}[\w.@+$-]+){2,}[/\\]?                  # a path
    | (?<![\w.])(?:~[\w-]*|\.\.|[A-Za-z]:|\$\w+|\$\{\w+\})[/\\][\w.@+$-]*   # ~/x, ../x, C:\x
    | (?<![\w./])/(?:home|users|root|mnt|data|scratch|work|tmp|var|opt|srv)\b
    | \b\d{1,3}(?:\.\d{1,3}){3}\b                        # an address
    | (?<![\w.-])(?:[a-z0-9-]{1,63}\.){1,10}
      (?:com|org|net|edu|gov|io|ai|dev|ac\.\w\w|local|internal|lan|cluster|hpc
         |at|be|ca|ch|cn|cz|de|dk|es|eu|fi|fr|in|it|jp|kr|nl|no|pl|se|sg|uk|us)\b   # a host
    | \b(?:slurm|sbatch|job|jobid|pbs|lsf)[-_ :#=]*\d{2,}(?:_\d+)?\b                # a job
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PLACES = {"config": "config.json", "profiles": "profiles"}  # keys that hold a path


def blinded(report: Mapping[str, Any]) -> dict[str, Any]:
    """A report before its sections are made, without what names anybody.

    >>> found = blinded({"name": "run of /home/ada/x", "run": {"model": {"config": "/ada/c.json"}},
    ...                  "subject": {"paper": "arXiv:1", "code": "https://github.com/ada/x"},
    ...                  "data": {"/home/ada/h.yaml": "sha256:0"}, "warnings": ["at /home/ada/x"]})
    >>> found["name"], found["run"], found["subject"]["code"], found["data"]
    ('run of (withheld)', {'model': {'config': 'c.json'}}, None, {'h.yaml': 'sha256:0'})
    """
    made = {key: value for key, value in report.items() if key not in ("run", "subject")}
    run = report.get("run") or {}
    changes = {old: new for old in _texts(run) if (new := nameless(old)) != old}
    name = str(report.get("name") or "")
    if nameless(name) != name:
        changes[name] = nameless(name)
    for file in report.get("data") or ():
        if _leaves(file):
            changes[file] = PurePosixPath(file.replace("\\", "/")).name
    changes |= dict(_paths(run))
    if changes:
        made = _replaced(made, sorted(changes.items(), key=lambda item: -len(item[0])))
    made["run"] = _run(run)
    if report.get("subject"):
        made["subject"] = subject(report["subject"])
    return {key: made[key] for key in report}


def nameless(text: str) -> str:
    """Text of the author without what names a person, a host, a path or a job.

    >>> nameless("8B on node7.cluster.example.edu, ada@example.edu, slurm-4711")
    '8B on (withheld), (withheld), (withheld)'
    >>> nameless("Llama 3 8B, 15T tokens/1024 H100")
    'Llama 3 8B, 15T tokens/1024 H100'
    """
    return _NAMING.sub(WITHHELD, text)


def without_names(profile: Mapping[str, Any]) -> dict[str, Any]:
    """A profile of the author's own without links and what else names somebody.

    >>> without_names({"id": "x", "sources": {"a": {"title": "ours", "url": "https://a.example"}}})
    {'id': 'x', 'sources': {'a': {'title': 'ours'}}}
    """
    made: dict[str, Any] = {}
    for key, value in profile.items():
        if isinstance(value, Mapping):
            made[key] = without_names(value)
        elif isinstance(value, list):
            made[key] = [without_names(i) if isinstance(i, Mapping) else _run(i) for i in value]
        elif key != "url" or nameless(str(value)) == value:
            made[key] = nameless(value) if isinstance(value, str) else value
    return made


def subject(given: Mapping[str, object]) -> dict[str, object]:
    """What the figures belong to; a statement that names somebody is null, with the reason.

    >>> subject({"paper": "https://arxiv.org/abs/2407.21783", "code": "git@example.org:ada/x"})
    {'paper': 'https://arxiv.org/abs/2407.21783', 'code': None, 'why': 'code: tells who wrote it; \
--identify keeps it'}
    """
    made: dict[str, object] = {}
    for key, value in given.items():
        if isinstance(value, list):
            made[key] = [nameless(item) if isinstance(item, str) else item for item in value]
            continue
        naming = isinstance(value, str) and not _PUBLIC.match(value) and nameless(value) != value
        made[key] = None if naming else value
    lost = [key for key in given if given[key] is not None and made[key] is None]
    return made | ({"why": f"{', '.join(lost)}: {ASK}"} if lost else {})


def _run(value: object) -> Any:
    """The run file in the same way; of a path the file's name is kept, of a folder nothing."""
    if isinstance(value, Mapping):
        return {
            key: _place(key, inner)
            if key in _PLACES and isinstance(inner, str)
            else {k: v for k, v in subject(inner).items() if k != "why"}
            if key == "subject" and isinstance(inner, Mapping)
            else _run(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_run(inner) for inner in value]
    return nameless(value) if isinstance(value, str) else value


def _place(key: str, path: str) -> str:
    name = PurePosixPath(path.replace("\\", "/")).name
    return name if name.endswith((".json", ".yaml", ".yml")) else _PLACES[key]


def _paths(run: object) -> Iterator[tuple[str, str]]:
    if isinstance(run, list):
        for inner in run:
            yield from _paths(inner)
    if isinstance(run, Mapping):
        for key, inner in run.items():
            if key in _PLACES and isinstance(inner, str):
                if "/" in inner or "\\" in inner:
                    yield inner, _place(key, inner)
            else:
                yield from _paths(inner)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list)):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            if key not in ("subject", *_PLACES):
                yield from _texts(inner)


def _leaves(path: str) -> bool:
    return path[:1] in "/\\~" or path[1:2] == ":" or path.startswith("..")


def _replaced(value: object, changes: list[tuple[str, str]]) -> Any:
    """The same with every text of the author replaced, wherever it stands in a text."""
    if isinstance(value, str):
        for old, new in changes:
            if old in value:
                value = value.replace(old, new)
        return value
    if isinstance(value, Mapping):
        return {_replaced(key, changes): _replaced(item, changes) for key, item in value.items()}
    return [_replaced(item, changes) for item in value] if isinstance(value, list) else value
