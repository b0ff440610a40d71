"""The run that a file is, or that a config of another tool carries.

A YAML or TOML file of another tool carries a run under ``costcalc:`` (``[tool.costcalc]`` or
``[costcalc]`` in TOML), any text file in comments that begin with ``# costcalc:``.  Where the file
is a config that :mod:`costcalc.runfile.configs` knows, the rest of the run is read from it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from costcalc.base.document import Document
from costcalc.base.errors import InputError, Problem
from costcalc.base.reading import read_all, read_bytes
from costcalc.runfile.configs import adapted
from costcalc.runfile.meant import is_foreign, meant
from costcalc.runfile.schema import Run

MARK = "# costcalc:"
#: a mapping with one of each of these is a run file
_WHAT, _WHERE = ("model", "measured", "stages"), ("hardware", "measured", "defaults")
#: a section of ours at the start of a line; what templates of other tools are filled in at
_BROKEN = re.compile(rb"^(model|training|hardware|measured|stages):", re.MULTILINE)
_TEMPLATE = re.compile(rb"\{\{|\{%|<%|\$\{")
#: a job of GitLab's CI has one of these (docs.gitlab.com/ci/yaml)
_JOB = {"script", "trigger", "extends"}


def run_in(path: Path, shown: str, *, asked: bool = False) -> Document | None:
    """The run that a file is or carries, with its places; None where it holds none.

    ``asked`` for, as where the file held a run before, what cannot be read is an error.

    Raises:
        InputError: it is no text, what it carries is no strict YAML, or its config cannot be read.
    """
    raw = read_bytes(path, shown)
    asked = asked or _sounds_like_a_run(raw)
    return run_of(raw, shown, toml=path.suffix == ".toml", asked=asked)


def run_of(raw: bytes, shown: str, *, toml: bool = False, asked: bool = True) -> Document | None:
    """The same of bytes that were read; ``asked`` for, what cannot be read is an error.

    Raises:
        InputError: as for a file.
    """
    carried = _commented(raw.decode("utf-8-sig", errors="replace"))
    try:
        document = _whole(raw, shown, toml=toml)
    except InputError:
        if carried:
            return read_all(carried, shown)  # a file of any kind may carry a run in its comments
        if not asked:
            return None  # a template, several documents, another tool's tags: not ours to judge
        raise
    found = _own(document)
    if found is None and carried:
        found = read_all(carried, shown)
    if found is None:
        found = meant(document, raw, _is_run)
    return found if found is None or found is document else adapted(document, found)


def _sounds_like_a_run(raw: bytes) -> bool:
    """Whether the keys that make a run file, or our name, stand anywhere in what cannot be read.

    One that nobody can read does with one of our sections alone, where it is no template.

    >>> _sounds_like_a_run(b"model: {\\nhardware: ["), _sounds_like_a_run(b"kind: {{ .kind }}")
    (True, False)
    >>> _sounds_like_a_run(b"model: ["), _sounds_like_a_run(b"model: [{{ .name }}")
    (True, False)
    """
    if _BROKEN.search(raw) and not _TEMPLATE.search(raw) and not _parses(raw):
        return True
    said = [[word for word in words if f"{word}".encode() in raw] for words in (_WHAT, _WHERE)]
    return b"costcalc:" in raw or all(said)


def _parses(raw: bytes) -> bool:
    """Whether anybody can read it as YAML, also where we do not: tags, several documents."""
    import yaml

    try:
        for _ in yaml.parse(raw, Loader=yaml.SafeLoader):
            pass
    except (yaml.YAMLError, UnicodeDecodeError):
        return False
    return True


def _whole(raw: bytes, shown: str, *, toml: bool) -> Document:
    if not toml:
        return read_all(raw, shown)
    try:
        return Document(tomllib.loads(raw.decode("utf-8-sig", errors="replace")), shown)
    except tomllib.TOMLDecodeError as error:
        raise InputError(Problem(key="", message=f"no TOML: {error}", file=shown)) from None


def _own(document: Document) -> Document | None:
    """The run that the document itself is or holds."""
    data = document.data
    if not isinstance(data, Mapping):
        return None
    block = data.get("costcalc")
    if isinstance(block, Mapping) and not _is_job(block):
        return document.inside("costcalc")
    tool = data.get("tool")
    if isinstance(tool, Mapping) and isinstance(tool.get("costcalc"), Mapping):
        return document.inside("tool").inside("costcalc")
    return document if _is_run(data) and not is_foreign(data) else None


def _is_job(block: Mapping[str, object]) -> bool:
    """Whether what is named after us is a job of GitLab's CI, which runs us.

    >>> _is_job({"image": "python", "script": ["costcalc diff A B"]}), _is_job({"model": {}})
    (True, False)
    """
    return bool(_JOB & set(block)) and not set(Run.model_fields) & set(block)


def _is_run(data: Mapping[str, object]) -> bool:
    """Whether a mapping has what makes a run file."""
    where = any(key in data for key in _WHERE if key != "defaults")
    where = where or isinstance(data.get("defaults"), str)  # Hydra's defaults are a list
    return where and any(key in data for key in _WHAT)


def _commented(text: str) -> str:
    """The YAML in comments, each line at its own line of the file; empty where there is none.

    The mark stands alone on its line, or a mapping in braces follows it.

    >>> _commented("lr: 1\\n# costcalc:\\n#   name: a\\n# other\\n")
    '\\n\\n   name: a\\n'
    >>> _commented("lr: 1\\n# costcalc: estimate with care\\n")
    ''
    """
    made: list[str] = []
    inside = False
    for line in text.splitlines():
        stripped = line.strip()
        rest = stripped.removeprefix(MARK).strip()
        if stripped.startswith(MARK) and rest[:1] in ("", "{"):
            inside = True
            made.append(rest)
        elif inside and stripped.startswith("#  "):
            made.append(stripped[1:])
        else:
            inside = False
            made.append("")
    found = "\n".join(made).rstrip()
    return f"{found}\n" if found else ""
