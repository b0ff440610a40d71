"""Whether a file is meant as a run file though none by its keys: a section's name is mistyped.

Other tools' files have sections called ``model`` or ``hardware`` too.  One is taken for ours only
where its every section is one of a run file's, or all but spelt so, and what stands in them is too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from costcalc.base.document import Document
from costcalc.base.errors import InputError, nearest
from costcalc.runfile.schema import Run
from costcalc.runfile.section import Section

_HOLDER = "costcalc"
#: a letter too many, too few or another: of words as long as ours
_ALIKE = 0.8
#: the first line of a file that names our schema: whatever it holds is meant for us
_SCHEMA = re.compile(rb"\s*#\s*yaml-language-server:\s*\$schema=\S*\brun\.schema\.json\b")


def meant(
    document: Document, raw: bytes, is_run: Callable[[Mapping[str, object]], bool]
) -> Document | None:
    """The document as a run file, where that is what it is meant as; else None.

    ``is_run``: whether a mapping has the sections that make one.

    Raises:
        InputError: it holds a run under a name that is all but ours.
    """
    data = document.data
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        return None
    _held(document, data)
    strange = [key for key in data if key not in Run.model_fields]
    if not strange:
        return None  # a partial one: a lab's defaults
    if _SCHEMA.match(raw):
        return document
    spelt = {key: _spelt(key) for key in strange}
    if None in spelt.values():
        return None
    made = {spelt.get(key) or key: value for key, value in data.items()}
    alone = any(_is_part(spelt[key], data[key]) for key in strange)
    if len(made) == len(data) and _is_ours(made) and (alone or is_run(made)):
        return document
    return None


def _spelt(key: str) -> str | None:
    near = nearest(key, Run.model_fields, at_most=1)
    return near[0] if near and _alike(key, near[0]) else None


def _alike(one: str, other: str) -> bool:
    import difflib

    return difflib.SequenceMatcher(None, one.lower(), other).ratio() >= _ALIKE


def _is_ours(made: Mapping[str, object]) -> bool:
    """Whether sections hold mappings, and what a run is of and on what holds keys of ours."""
    for name, value in made.items():
        section = _section(name)
        if section is None or value is None:
            continue
        if not isinstance(value, Mapping) or (name in _TELLING and not _knows(section, value)):
            return False
    return True


def _is_part(name: str | None, value: object) -> bool:
    """Whether a section that is mistyped can be no other tool's: all that stands in it is ours.

    >>> _is_part("hardware", {"accelerator": "h100", "count": 8}), _is_part("hardware", {"id": 1})
    (True, False)
    """
    if name not in _ALONE or not isinstance(value, Mapping) or not value:
        return False
    section = _section(name)
    return section is not None and all(key in section.model_fields for key in value)


def _knows(section: type[Section] | None, value: object) -> bool:
    """Whether a section knows a key of what stands under its name."""
    if section is None or not isinstance(value, Mapping):
        return False
    return any(key in section.model_fields for key in value)


#: sections that other tools' files have too, by their names
_TELLING = ("model", "hardware", "measured")
#: those of which one alone tells, where no key of it is another tool's
_ALONE = ("hardware", "measured")


def is_foreign(data: Mapping[str, object]) -> bool:
    """Whether a mapping with a run file's sections is another tool's: nothing in them is ours.

    >>> is_foreign({"replicas": 2, "model": {"id": "x"}, "hardware": {}})
    True
    >>> is_foreign({"replicas": 2, "model": {"preset": "x"}, "hardware": {}})
    False
    >>> is_foreign({"model": {"prest": "x"}, "hardware": {}})
    False
    """
    if all(key in Run.model_fields or _spelt(str(key)) for key in data):
        return False
    for name in _TELLING:
        if _knows(_section(name), data.get(name)):
            return False
    return not isinstance(data.get("stages"), list) and "defaults" not in data


def _section(name: str) -> type[Section] | None:
    """The record of a section; None: it is a plain value or a list."""
    for one in getattr(Run.model_fields[name].annotation, "__args__", ()):
        if isinstance(one, type) and issubclass(one, Section):
            return one
    return None


def _held(document: Document, data: Mapping[str, object]) -> None:
    for key, value in data.items():
        if key != _HOLDER and _alike(key, _HOLDER) and _knows(Run, value):
            raise InputError(document.problem((key,), f"did you mean {_HOLDER}?"))
