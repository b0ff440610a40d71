"""One mapping of a run file laid over another: defaults, stages, ``--set``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costcalc.base.document import dotted
from costcalc.base.errors import InputError, Problem
from costcalc.base.faults import KeyPath
from costcalc.runfile.schema import DATA_ONE_OF, MODEL_ONE_OF

COMMAND_LINE = "command line"
# Keys of which a stage's own choice takes the place of the top level's.
_EXCLUSIVE = {
    ("model",): MODEL_ONE_OF,
    ("training",): DATA_ONE_OF,
    ("hardware",): ("accelerator", "instance"),
    ("hardware", "size"): ("count", "nodes"),
    ("price",): ("device_hour", "instance_hour", "owned"),
    ("training", "teacher"): MODEL_ONE_OF,
}
# Another kind of model: the shape that stands beside the old one goes too.
_WHOLE = (("model",), ("training", "teacher"))


def steps(key: str) -> KeyPath:
    """The path that a dotted key names.

    >>> steps("stages[0].training.tokens")
    ('stages', 0, 'training', 'tokens')
    """
    parts = key.replace("[", ".").replace("]", "").split(".")
    return tuple(int(part) if part.isdecimal() and part.isascii() else part for part in parts)


def apply(raw: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """A copy of ``raw`` with dotted keys set, as a stage is laid over: a choice drops its like.

    >>> apply({"a": {"b": 1}}, {"a.c": 2})
    {'a': {'b': 1, 'c': 2}}
    >>> apply({"training": {"tokens": "2T"}}, {"training.samples": "1M"})
    {'training': {'samples': '1M'}}
    """
    made: dict[str, object] = dict(raw)
    top: dict[str, object] = {}
    for key, value in changes.items():
        path = steps(key)
        if any(isinstance(step, int) for step in path):
            made = _set_in_list(made, path, value)
            continue
        inner = top
        for name in path[:-1]:
            below = inner.get(str(name))
            inner[str(name)] = inner = below if isinstance(below, dict) else {}
        inner[str(path[-1])] = value
    return lay_over(made, top)


def _set_in_list(made: object, path: KeyPath, value: object, above: KeyPath = ()) -> Any:
    """A copy of nested mappings and lists with the value at ``path`` set."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, int) and isinstance(made, list):
        if step >= len(made):
            message = f"there is no [{step}]; {len(made)} stand there"
            key = dotted((*above, *path))
            raise InputError(Problem(key=key, message=message, file=COMMAND_LINE))
        changed = _set_in_list(made[step], rest, value, (*above, step))
        return [*made[:step], changed, *made[step + 1 :]]
    copy = dict(made) if isinstance(made, Mapping) else {}
    copy[str(step)] = _set_in_list(copy.get(str(step)), rest, value, (*above, step))
    return copy


def lay_over(
    base: Mapping[str, object], top: Mapping[str, object], path: KeyPath = ()
) -> dict[str, object]:
    """``top`` laid over ``base``, mapping by mapping; its choice of a kind drops the other kinds.

    >>> lay_over({"model": {"preset": "a"}, "x": 1}, {"model": {"flops": "1e20 FLOP"}})
    {'model': {'flops': '1e20 FLOP'}, 'x': 1}
    """
    made = _of_one_electricity(base, top) if path == ("price",) else dict(base)
    for group, names in _EXCLUSIVE.items():
        if (group == path or group[:-1] == path == ("hardware",)) and any(n in top for n in names):
            made = {k: v for k, v in made.items() if k not in names and path not in _WHOLE}
    for key, value in top.items():
        below = made.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            made[key] = lay_over(below, value, (*path, key))
        else:
            made[key] = value
    return made


def _of_one_electricity(base: Mapping[str, object], top: Mapping[str, object]) -> dict[str, object]:
    """The prices below without the electricity that ``top`` says under the key's other place."""
    made = dict(base)
    name = "electricity"
    above, below = top.get("owned"), base.get("owned")
    if name in top and isinstance(below, Mapping):
        made["owned"] = {key: value for key, value in below.items() if key != name}
    if isinstance(above, Mapping) and name in above:
        made.pop(name, None)
    return made
