"""Names in a run file that the catalogue must know, checked before anything is calculated."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from costcalc.base.errors import InputError, listing, nearest, wrong
from costcalc.base.human import human
from costcalc.base.spellings import intensity
from costcalc.base.units import parse
from costcalc.catalog import accelerator, host, instances, preset, provider, region, software
from costcalc.catalog.index import plain
from costcalc.catalog.loading import names
from costcalc.catalog.matching import said
from costcalc.catalog.parts import slice_of
from costcalc.catalog.provider import Provider
from costcalc.catalog.twins import alternatives
from costcalc.runfile.rules import Fault

ANY = "any"


def folders(raw: Mapping[str, object], folder: Path | None) -> tuple[Path, ...]:
    """The user's folders of profiles: ``profiles``, relative to the run file."""
    given = raw.get("profiles")
    if not isinstance(given, str):
        return ()
    return ((folder or Path()) / given,)


def look_up(raw: Mapping[str, object], folder: Path | None) -> Iterable[Fault]:
    """Every name in a part that is not known, with the nearest ones."""
    own = folders(raw, folder)
    for place in own:
        if not _is(place.is_dir):
            yield Fault(("profiles",), f"expected a folder of profiles; {place} is none")
            return
    for path, find in _FINDS.items():
        name = _named_at(raw, path)
        if name is not None:
            yield from _tried(path, name, own, find)
    for path in (("model", "config"), ("training", "teacher", "config")):
        name = _text_at(raw, path)
        if name is not None and not _is(((folder or Path()) / name).exists):
            message = f'expected a config.json or its folder; "{name}" is not there'
            yield Fault(path, message + _instead(name))


def _instead(name: str) -> str:
    """What to write for a configuration that is the name or the address of a model."""
    with contextlib.suppress(InputError):
        return f"; nothing is fetched: write preset: {preset.find(name).id} in its place"
    if preset.repository(name) != name:
        return "; nothing is fetched: download its config.json, and give the file"
    return ""


def taken(raw: Mapping[str, object], own: Sequence[Path]) -> Iterator[str]:
    """What a result says of names that stand for another: ``"rtx4090" is taken as rtx-4090``."""
    for path in _FINDS:
        name = _named_at(raw, path)
        if name is None or (path[1] == "accelerator" and slice_of(name)):
            continue
        note = _said(path, name, own) if own else _said_of_ours(path, name)
        if note is not None:
            yield f"{'.'.join(path)}: {note}"


_NAMED = (accelerator.Accelerator, host.Host, preset.Preset, software.Software)


def _said(path: tuple[str, ...], name: str, own: Sequence[Path]) -> str | None:
    found = _FINDS[path](name, own)
    if isinstance(found, region.Region):
        return said(name, f"{found.code} ({found.label})", (plain(found.code),))
    if isinstance(found, Provider):
        return said(name, f"{found.id} ({found.name})", (found.id,))
    if not isinstance(
        found, accelerator.Accelerator | host.Host | preset.Preset | software.Software
    ):
        return None
    if isinstance(found, accelerator.Accelerator) and (note := left_open(name, found)):
        return note
    return said(name, f"{found.id} ({found.name})", names(found))


def left_open(name: str, taken: accelerator.Accelerator) -> str:
    """What a result says of a name that several boards have; empty where it says which."""
    others = alternatives(name, taken.id)
    return f'"{name}" is taken as {taken.id} ({taken.name}), {others}' if others else ""


@functools.lru_cache(maxsize=1024)
def _said_of_ours(path: tuple[str, ...], name: str) -> str | None:
    return _said(path, name, ())


def spelt(raw: Mapping[str, object]) -> Iterator[str]:
    """What a result says of amounts in another unit than ours: multiply-adds, which are 2 FLOP."""
    for path in (("model", "forward_flops"), ("model", "flops"), ("training", "model_flops")):
        text = _text_at(raw, path)
        if text is not None and "MAC" in text:
            flop = human(parse(text, "FLOP"), "FLOP")
            yield f'{".".join(path)}: "{text}" is taken as {flop}: 2 FLOP a multiply-add'
    grid = _text_at(raw, ("site", "grid"))
    if grid is not None and "CO2e" not in grid and (meant := intensity(grid)) != grid:
        yield f'site.grid: "{grid}" is taken as {meant}'


def _is(there: Callable[[], bool]) -> bool:
    try:
        return there()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _named_at(raw: Mapping[str, object], path: tuple[str, ...]) -> str | None:
    """A name; that of a region with its provider's before it, where that one calls a place so."""
    name = _text_at(raw, path)
    if name is None or path != ("site", "region"):
        return name
    return region.qualified(name, _text_at(raw, ("price", "provider")))


def _text_at(raw: Mapping[str, object], path: tuple[str, ...]) -> str | None:
    value: object = raw
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) and value else None


_Find = Callable[[str, Sequence[Path]], object]


def _tried(path: tuple[str, ...], name: str, own: Sequence[Path], find: _Find) -> Iterable[Fault]:
    try:
        find(name, own)
    except InputError as error:
        for problem in error.problems:
            place = f"{problem.file}:{problem.line}: " if problem.file else ""
            yield Fault(path, f"{place}{problem.message}")


def _provider(name: str, _: Sequence[Path]) -> Provider | None:
    found = provider.find(name)
    if found is None and name != ANY:
        known = provider.names()
        near = nearest(name, known)
        hint = f"nearest: {', '.join(near)}" if near else f"known: {listing(known)}, any"
        raise wrong("price.provider", f"no provider {name}; {hint}")
    return found


# Where a run file names an entry of the catalogue, and what finds it there.
_FINDS: Mapping[tuple[str, ...], _Find] = {
    ("model", "preset"): lambda name, _: preset.find(name),
    ("training", "teacher", "preset"): lambda name, _: preset.find(name),
    ("training", "software"): lambda name, _: software.find(name),
    ("hardware", "accelerator"): accelerator.find,
    ("hardware", "instance"): instances.find,
    ("hardware", "host"): instances.find,
    ("site", "region"): lambda name, _: region.find(name),
    ("price", "provider"): _provider,
}
