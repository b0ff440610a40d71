"""The ``model`` section of a run file, from a preset, a configuration, a shape or a size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from costcalc.base.errors import InputError, NotFoundError, wrong
from costcalc.catalog import preset as presets
from costcalc.catalog.preset import Preset
from costcalc.runfile.loading import Input
from costcalc.runfile.schema import SHAPE_KEYS, Model
from costcalc.runfile.workload import Inline
from costcalc.workload import hf
from costcalc.workload.adapter import Adapter, folder_of
from costcalc.workload.architecture import Architecture
from costcalc.workload.families import build
from costcalc.workload.families.heads import asked as asked_head
from costcalc.workload.families.heads import crowned
from costcalc.workload.generic import Given, from_shape
from costcalc.workload.hf import Checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One ``model`` section: fields of :class:`WorkloadInput`, and what stands in its preset."""

    fields: dict[str, object]
    sequence_length: tuple[int, str] | None = None  # that it was trained on, and who says so
    context: int | None = None  # the positions that its config.json gives it
    adapter: Adapter | None = None  # of the folder that was given: its own method, rank, targets
    notes: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    name: str = ""
    workload: str | None = None
    config: Mapping[str, object] | None = None


def described(asked: Model, given: Input) -> Described:
    """What a ``model`` section says.

    Raises:
        InputError: a name that is unknown, or a configuration that cannot be read.
    """
    if asked.preset is not None:
        return _named(asked.preset, asked)
    if isinstance(asked.config, Inline):
        return _inline(asked.config, asked, given)
    if asked.config is not None:
        return _config((given.folder or Path()) / asked.config, asked)
    if asked.architecture is not None:
        shape = from_shape(Given(**asked.architecture.model_dump()))
        return Described(fields={"architecture": _with_head(shape, asked.head, asked.labels)})
    beside = {name: getattr(asked, name) for name in SHAPE_KEYS}
    return Described(
        fields={
            "parameters": asked.parameters,
            "active_parameters": asked.active_parameters,
            "forward_flops": asked.forward_flops,
            "flops": asked.flops,
            "activations": asked.activations,
            "layers": asked.layers if asked.forward_flops is not None else None,
            "given": Given(**{name: value for name, value in beside.items() if value is not None}),
        },
        workload=asked.kind,
    )


def _with_head(model: Architecture, head: str | None, labels: int | None) -> Architecture:
    """A model that no configuration describes, with the head that the run file asks for."""
    return model if head is None else crowned(model, asked_head({}, head, labels), labels or 2)


def _named(name: str, asked: Model) -> Described:
    """A preset by a name that may say what its weights are quantised to."""
    known = _preset(presets.find(name), asked.head, asked.labels)
    stored = presets.stored_as(name)
    if stored is None:
        return known
    precision, words = stored
    note = f"{words} in its name: " + (
        "of which precision is not said, so the weights count in the run's"
        if precision is None
        else f"a base that is frozen counts as {precision}"
    )
    return replace(
        known, fields=known.fields | {"base_precision": precision}, notes=(*known.notes, note)
    )


def _preset(found: Preset, head: str | None = None, labels: int | None = None) -> Described:
    fields: dict[str, object] = {}
    if found.forward_flops is not None and head is not None:
        raise wrong(
            "model.head", f"{found.id} is known by its FLOPs alone: its head cannot be changed"
        )
    if found.forward_flops is not None:
        fields = {"forward_flops": found.forward_flops.si, "parameters": found.parameters}
        if found.first_layer_flops is not None:
            fields["first_layer_flops"] = found.first_layer_flops.si
        if found.activations is not None:
            fields["activations"] = found.activations.si
        if found.layers is not None:
            fields["layers"] = found.layers.si
    else:
        fields["architecture"] = architecture_of(found, head, labels)
    length = found.sequence_length
    title = found.sources[length.source].title if length else ""
    return Described(
        fields=fields,
        files={found.file: found.digest},
        name=found.name,
        workload=_WORKLOADS.get(found.family) if found.forward_flops is not None else None,
        sequence_length=(int(length.value), title) if length else None,
        context=_context(found.config or {}),
    )


def _context(config: Mapping[str, object]) -> int | None:
    """The positions that a config.json of a model of text gives it.

    >>> _context({"n_positions": 1024}), _context({"model_type": "vit"})
    (1024, None)
    """
    said = [config.get(key) for key in ("max_position_embeddings", "n_positions")]
    return next((number for number in said if isinstance(number, int)), None)


# A preset's family, as the measured efficiencies and powers name workloads.
_WORKLOADS = {
    "cnn": "cnn",
    "detector": "detector",
    "vit": "vit",
    "unet": "diffusion",
    "dit": "diffusion",
    "speech": "speech",
    "encoder": "bert",
    "encoder-decoder": "t5",
}

_BUILT: dict[tuple[str, str | None, int | None], Architecture] = {}


def architecture_of(
    found: Preset, head: str | None = None, labels: int | None = None
) -> Architecture:
    """The architecture of a preset, built once for each head."""
    key = (found.digest, head, labels)
    if key not in _BUILT:
        if found.config is not None:
            made = build(found.config, head=head, labels=labels)
        else:
            made = _with_head(from_shape(Given(**(found.architecture or {}))), head, labels)
        _BUILT[key] = replace(made, name=found.name)
    return _BUILT[key]


def _inline(text: Inline, asked: Model, given: Input) -> Described:
    """The model of a config.json that stands in the run file; faults at its keys there."""
    try:
        return _checkpoint(hf.load_text(text, head=asked.head, labels=asked.labels))
    except InputError as error:
        raise InputError(
            given.problem(("model", "config", *filter(None, p.key.split("."))), p.message)
            for p in error.problems
        ) from None


def _config(path: Path, asked: Model) -> Described:
    found = hf.load_adapter(path)
    if found is not None and not (path / "config.json").is_file():
        return _adapted(path, found, asked)
    checkpoint = hf.load(path, head=asked.head, labels=asked.labels)
    known = _checkpoint(checkpoint, found)
    told = None if found else checkpoint  # with an adapter beside it there are more files
    config, files = hf.carried(path, told, head=asked.head, labels=asked.labels)
    return replace(known, config=config, files=files | _of_adapter(path))


def _of_adapter(path: Path) -> dict[str, str]:
    """The digest of an adapter's own configuration, where there is one."""
    found = folder_of(path)
    return hf.digests(found) if found is not None else {}


def _checkpoint(checkpoint: Checkpoint, found: Adapter | None = None) -> Described:
    fields: dict[str, object] = {"architecture": checkpoint.architecture}
    if checkpoint.basis == "weights":
        fields["parameters"] = float(checkpoint.parameters)
    return Described(
        fields=fields | {"base_precision": checkpoint.base_precision},
        adapter=found,
        notes=checkpoint.notes,
        name=checkpoint.architecture.name,
    )


def _adapted(path: Path, found: Adapter, asked: Model) -> Described:
    """The base of an adapter: a folder beside it or on disk, else a preset of that name."""
    for folder in (path.parent / found.base, path / found.base):
        if found.base and (folder / "config.json").is_file():
            base = _config(folder, asked)  # of another folder than the run names: not carried
            files = {**hf.digests(folder / "config.json"), **base.files, **_of_adapter(path)}
            return replace(base, adapter=found, config=None, files=files)
    try:
        base = _named(found.base, asked)
        return replace(base, adapter=found, files={**base.files, **_of_adapter(path)})
    except NotFoundError:
        raise wrong(
            "model.config",
            f"holds an adapter whose base ({found.base or 'not named'}) is no preset: give the "
            f"base's config.json as model.config, and training.method: lora with "
            f"lora: {{rank: {found.rank}}}",
        ) from None
