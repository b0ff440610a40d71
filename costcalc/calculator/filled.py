"""The run file with everything filled in, and the data behind a part."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from costcalc.base.assumption import Assumption, Choice
from costcalc.base.units import unit
from costcalc.catalog.prices import catalogue
from costcalc.catalog.region_table import table

if TYPE_CHECKING:
    from costcalc.calculator.calculated import Calculated

# Constants that every estimate rests on.
_CONSTANTS = ("throughput.yaml", "efficiency.yaml", "power.yaml", "price.yaml", "providers.yaml")


def filled(
    raw: Mapping[str, object],
    listed: Sequence[Assumption | Choice],
    whole_file: Mapping[str, object],
) -> dict[str, object]:
    """The run file with every default and every worked-out value in its place.

    What was filled in stands among the assumptions with a basis other than ``given``: without
    those keys it is the file as it was read.
    """
    made = copied({**whole_file, **raw})
    for item in listed:
        section, _, key = item.key.partition(".")
        if section in _SECTIONS and item.basis not in ("given", "measured") and key in _KEYS:
            _fill(made, item)
    return made


_SECTIONS = ("training", "hardware", "site", "price")
_KEYS = {
    "method",
    "packing",
    "sequence_length",
    "global_batch",
    "micro_batch",
    "precision",
    "software",
    "compiled",
    "states",
    "logits",
    "gradients",
    "attention",
    "kernels",
    "optimizer",
    "runs",
    "group",
    "inner_epochs",
    "lora.rank",
    "lora.targets",
    "layout",
    "layout.sharding",
    "utilization",
    "goodput",
    "pue",
    "grid",
    "device_hour",
}


def _fill(made: dict[str, object], item: Assumption | Choice) -> None:
    *outer, last = item.key.split(".")
    target = made
    for name in outer:
        inner = target.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        target = inner
    target.setdefault(last, written(item))


def written(item: Assumption | Choice) -> object:
    """A value as a run file writes it.

    >>> from costcalc.base.assumption import exact
    >>> written(exact("site.grid", 56 / 3.6e6, "gCO2e/kWh", basis="profile", source="a table"))
    '56.0 gCO2e/kWh'
    """
    if isinstance(item, Choice):
        return item.value
    value = item.value / unit(item.unit).factor
    if item.unit == "1":
        return value
    return f"{value!r} {item.unit.removesuffix('/device_hour')}"


def copied(value: Mapping[str, object]) -> dict[str, object]:
    """A copy of what YAML holds, as mappings and lists of its own."""
    return {key: _copy(inner) for key, inner in value.items()}


def carried(run: dict[str, object], parts: Sequence[Calculated]) -> dict[str, object]:
    """The run with what stands in a config.json in the place of its path, where that is all."""
    for part in parts:
        stages, stage = run.get("stages"), run
        if part.given.own and isinstance(stages, list):
            stage = stages[int(part.given.own[-1])]
        inlined(_with_model(stage, run), part.trained.config)
        taught = _under(stage, "training", "teacher") or _under(run, "training", "teacher")
        inlined({"model": taught}, part.trained.teacher)
    return run


def _with_model(stage: dict[str, object], run: dict[str, object]) -> dict[str, object]:
    return stage if isinstance(stage.get("model"), dict) else run


def _under(run: Mapping[str, object], *path: str) -> object:
    found: object = run
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def inlined(run: dict[str, object], config: Mapping[str, object] | None) -> dict[str, object]:
    """The run with a config.json, where there is one, in the place of its path.

    >>> inlined({"model": {"config": "a/config.json"}}, {"model_type": "llama"})
    {'model': {'config': {'model_type': 'llama'}}}
    """
    model = run.get("model")
    if config is not None and isinstance(model, dict) and isinstance(model.get("config"), str):
        model["config"] = copied(config)
    return run


def profiles(part: Calculated) -> dict[str, Mapping[str, object]]:
    """The profiles of the author's own behind a part, by their file."""
    own = (part.devices.accelerator, part.devices.host.host)
    return {one.file: one.written for one in own if one.written}


def _copy(value: object) -> object:
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Mapping):
        return copied(value)
    return [_copy(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def data_files(part: Calculated) -> dict[str, str]:
    """The digest of each data file behind a part."""
    place = part.region.files if part.region is not None else {}
    listed = "price" in part.known and part.known["price"].basis == "profile"
    asked = catalogue().files if listed else {}
    return {**part.trained.files, **part.devices.files, **place, **asked, **_constants()}


@functools.cache
def _constants() -> dict[str, str]:
    return {f"costcalc/data/{name}": table(name).digest for name in _CONSTANTS}
