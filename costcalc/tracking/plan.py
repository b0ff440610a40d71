"""What the run file says of a job that is going to be tracked: checked at once, estimated later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

from costcalc.base.errors import CostcalcError, InputError, Problem
from costcalc.calculator.calculate import estimate
from costcalc.calculator.result import Estimate
from costcalc.resolve.names import look_up
from costcalc.runfile.loading import Input, Request, Source, document_of, load
from costcalc.runfile.schema import DATA_ONE_OF, MODEL_ONE_OF, Limits, Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The run file as written (``raw``, with paths made absolute) and what it lacks.

    What is going to be detected or counted may be missing from it; something sound stood in its
    place while the rest was checked.
    """

    raw: Mapping[str, Any] = field(default_factory=dict)
    given: Input | None = None
    limits: Limits | None = None
    price: Price | None = None
    name: str = ""
    has_model: bool = False
    has_size: bool = False
    has_hardware: bool = False

    @property
    def layout(self) -> dict[str, int]:
        """Tensor, pipeline and context of ``hardware.layout``; empty where none is given."""
        found = self.given.part.hardware.layout if self.given and self.given.part.hardware else None
        if found is None:
            return {}
        return {"tensor": found.tensor, "pipeline": found.pipeline, "context": found.context}

    def gives(self, key: str) -> bool:
        """Whether the run file says a dotted key, or another that takes its place.

        >>> plan = prepare({"model": {"preset": "gpt2"}, "training": {"epochs": 1,
        ...                 "dataset_tokens": "1e6"}})
        >>> plan.gives("model.config"), plan.gives("training.samples"), plan.gives("site.pue")
        (True, True, False)
        """
        section, _, name = key.partition(".")
        written = self.raw.get(section) or {}
        if section == "model":
            return self.has_model
        if name in (*DATA_ONE_OF, "sample_tokens"):
            return self.has_size
        return name.partition(".")[0] in written

    @property
    def sample_length(self) -> float | None:
        """Tokens of a sample, where the run file says them."""
        training = self.given.part.training if self.given else None
        found = training and (training.sample_tokens or training.sequence_length)
        return float(found) if found else None


def prepare(
    source: Source | None, *, changes: Mapping[str, Any] | None = None, stage: str | None = None
) -> Plan:
    """Read and check a run file; hardware and the size of the data may be missing.

    Raises:
        InputError: every problem of the file; several stages and none picked.

    >>> prepare({"model": {"preset": "llama-3-8b"}, "hardware": {"layout": {"tensor": 2}}}).has_size
    False
    """
    if source is None:
        return Plan()
    request = checked(source, changes or {})
    parts = {part.name: part for part in request.parts}
    given = request.parts[0]
    if request.run.stages:
        if stage not in parts:
            listed = ", ".join(parts)
            message = f"expected stage=, one of {listed}; got {stage or 'none'}"
            raise InputError(Problem(key="stages", message=message, file=given.document.name))
        given = parts[stage]
    raw = {key: value for key, value in request.raw.items() if key not in ("stages", "sweep")}
    raw |= {key: value for key, value in given.raw.items() if key != "name"}
    written = {key: value for key in raw if (value := _without(raw[key])) != {}}
    return Plan(
        raw=_absolute(written, given.folder),
        given=given,
        limits=request.run.limits,
        price=given.part.price,
        name=str(raw.get("name") or ""),
        has_model=any(key in (written.get("model") or {}) for key in MODEL_ONE_OF),
        has_size=any(key in (written.get("training") or {}) for key in DATA_ONE_OF),
        has_hardware=any(
            key in (written.get("hardware") or {}) for key in ("accelerator", "instance")
        ),
    )


class _Filled(str):
    """A value that stands in for one that is missing."""

    __slots__ = ()


class _FilledNumber(int):
    """A number that stands in for one that is missing."""


def checked(source: Source, changes: Mapping[str, Any]) -> Request:
    """The request, with what may be missing filled in so that the rest is checked.

    Raises:
        InputError: every problem of the file, but for what is going to be seen.
    """
    try:
        return load(source, look_up, changes=changes)
    except InputError as error:
        filled = _filled(error, source)
        if not filled:
            raise
        return load(source, look_up, changes={**changes, **filled})


def _filled(error: InputError, source: Source) -> dict[str, Any]:
    """What stands in for the things that are said to be missing."""
    said = {(p.key.rpartition(".")[2], p.message.partition(":")[0]) for p in error.problems}
    made: dict[str, Any] = {}
    if ("hardware", "missing on what") in said:
        made |= {"hardware.accelerator": "a100-sxm4-80", "hardware.count": _count(source)}
    if any(text.startswith("missing the size") for _, text in said):
        made["training.tokens"] = 1
    if ("model", "missing") in said:
        made["measured.wall_clock"] = "1 h"
    return {key: _Filled(v) if isinstance(v, str) else _FilledNumber(v) for key, v in made.items()}


def _count(source: Source) -> int:
    """Devices that fit the layout, which stands though the hardware is going to be detected."""
    hardware = document_of(source)[0].data.get("hardware")
    layout = hardware.get("layout") if isinstance(hardware, Mapping) else None
    axes = layout if isinstance(layout, Mapping) else {}
    named = [axes.get(name) for name in ("data", "tensor", "pipeline", "context")]
    experts = axes.get("expert") if "data" not in axes else 1
    return prod(value for value in (*named, experts) if isinstance(value, int) and value > 0)


def _without(value: Any) -> Any:
    """A copy without what was filled in."""
    if isinstance(value, Mapping):
        return {
            k: _without(v) for k, v in value.items() if not isinstance(v, (_Filled, _FilledNumber))
        }
    return value


def _absolute(raw: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """Paths of the file made absolute: the script may change its folder."""
    base = (folder or Path()).absolute()
    model = raw.get("model")
    if isinstance(model, Mapping) and isinstance(model.get("config"), str):
        raw["model"] = {**model, "config": str(base / model["config"])}
    if isinstance(raw.get("profiles"), str):
        raw["profiles"] = str(base / raw["profiles"])
    return raw


def predicted(plan: Plan) -> tuple[Estimate | None, str]:
    """The estimate made before, of one run; else None and why there is none."""
    if not plan.has_model or not plan.has_size or not plan.has_hardware:
        lacking = [
            word
            for word, there in (
                ("a model", plan.has_model),
                ("the size of the data", plan.has_size),
                ("the hardware", plan.has_hardware),
            )
            if not there
        ]
        return None, f"nothing was predicted: the run file does not say {', '.join(lacking)}"
    try:
        return estimate(_one_run(plan.raw)), ""
    except CostcalcError as error:
        return None, f"nothing was predicted: {str(error).splitlines()[0]}"


def _one_run(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The tracked job is one of ``runs``."""
    kept = {key: value for key, value in raw.items() if key not in ("measured", "limits")}
    training = {k: v for k, v in (raw.get("training") or {}).items() if k != "runs"}
    return {**kept, "training": training}
