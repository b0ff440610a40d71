"""Two documents leaf by leaf: what is said against what comes out again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from costcalc.report.closure import same

VALUE, RANGE = 1e-9, 1e-6  # what the contract holds values and ranges to, on every machine
# What is of draws, or of a sum of them.
_OF_DRAWS = frozenset({"low", "high", "share", "chance"})
Items = Sequence[object]


def differences(said: object, made: object, path: str = "") -> Iterator[str]:
    """Every leaf that differs, is missing, or that nothing made, with its key.

    >>> list(differences({"a": 1.0, "b": {"x": 2}}, {"a": 1.1, "b": {"y": 2}}))
    ['a: 1; recomputed 1.1', 'b.x: unknown key; recomputed there is none', \
'b.y: missing; recomputed 2']
    """
    if isinstance(said, Mapping) and isinstance(made, Mapping):
        yield from _of_mappings(said, made, path)
    elif isinstance(said, list) and isinstance(made, list):
        yield from _of_lists(said, made, path)
    elif not _same(said, made, path):
        yield f"{path or 'report'}: {text(said)}; recomputed {text(made)}"


def _of_mappings(
    said: Mapping[str, object], made: Mapping[str, object], path: str
) -> Iterator[str]:
    for key in dict.fromkeys([*said, *made]):
        inner = f"{path}.{key}" if path else str(key)[:200]
        if key not in made:
            yield f"{inner}: unknown key; recomputed there is none"
        elif key not in said:
            yield f"{inner}: missing; recomputed {text(made[key])}"
        else:
            yield from differences(said[key], made[key], inner)


def _of_lists(said: Items, made: Items, path: str) -> Iterator[str]:
    names = [_name(item) for item in (*said, *made)]
    if None not in names and len(set(names)) < len(names):
        mine, ours = _by_name(said), _by_name(made)
        if len(mine) == len(said) and len(ours) == len(made):
            yield from _of_named(mine, ours, path)
            return
    if len(said) != len(made):
        yield f"{path}: {len(said)} entries; recomputed {len(made)}"
    for index, (one, other) in enumerate(zip(said, made, strict=False)):
        yield from differences(one, other, f"{path}[{index}]")


def _of_named(mine: Mapping[str, object], ours: Mapping[str, object], path: str) -> Iterator[str]:
    if set(mine) == set(ours) and list(mine) != list(ours):
        yield f"{path}: in another order; recomputed {', '.join(ours)[:80]}"
    for name in dict.fromkeys([*mine, *ours]):
        if name not in ours:
            yield f"{path} {name}: recomputed there is none"
        elif name not in mine:
            yield f"{path} {name}: missing"
        else:
            yield from differences(mine[name], ours[name], f"{path} {name}")


def _name(item: object) -> str | None:
    """What an assumption, a limit or a component is told apart by."""
    if not isinstance(item, Mapping):
        return None
    of, key = item.get("of"), item.get("key") or item.get("name")
    return None if key is None else f"{of} of {key}"[:80] if of else str(key)[:80]


def _by_name(items: Items) -> dict[str, object]:
    return {str(_name(item)): item for item in items}


def _same(said: object, made: object, path: str) -> bool:
    if isinstance(said, bool) or isinstance(made, bool):
        return said is made
    return same(said, made, RANGE if path.rpartition(".")[2] in _OF_DRAWS else VALUE)


def text(value: object) -> str:
    """A leaf in at most 80 letters."""
    if isinstance(value, bool) or value is None:
        return str(value).lower() if value is not None else "null"
    return f"{value:.10g}" if isinstance(value, (int, float)) else str(value)[:80]
