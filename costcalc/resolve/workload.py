"""What is trained, from the ``model`` and ``training`` sections: the workload stage's input."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from costcalc.base.assumption import Assumption, Choice
from costcalc.base.errors import InputError, NotFoundError, wrong
from costcalc.catalog import preset as presets
from costcalc.catalog.preset import Preset
from costcalc.resolve.known import stated, taken
from costcalc.runfile.loading import Input
from costcalc.runfile.schema import REINFORCED, SHAPE_KEYS, Lora, Model, Training
from costcalc.runfile.workload import Inline
from costcalc.workload import hf
from costcalc.workload.adapter import Adapter
from costcalc.workload.architecture import Architecture
from costcalc.workload.data import WorkloadInput
from costcalc.workload.families import build
from costcalc.workload.families.heads import asked as asked_head
from costcalc.workload.families.heads import crowned
from costcalc.workload.generic import Given, from_shape
from costcalc.workload.hf import Checkpoint
from costcalc.workload.stage import workload
from costcalc.workload.work import Work

T = TypeVar("T")
DEFAULT_LENGTH = 2048
_TRAINING_KEYS = (
    "tokens",
    "samples",
    "sample_tokens",
    "steps",
    "global_batch",
    "epochs",
    "dataset_tokens",
    "dataset_samples",
    "target_length",
    "prompts",
    "prompt_length",
    "generation_length",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What is trained: the work, or None where only measured figures were given."""

    work: Work | None
    assumptions: tuple[Assumption | Choice, ...] = ()
    notes: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    workload: str | None = None  # of what only its FLOPs are known: cnn, diffusion, speech, …
    config: Mapping[str, object] | None = None  # the whole of the file that says the model

    def assumed(self, key: str) -> Assumption | Choice | None:
        """What was assumed under a key; None where it was said."""
        return next((item for item in self.assumptions if item.key == key), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """One ``model`` section: fields of :class:`WorkloadInput`, and what stands in its preset."""

    fields: dict[str, object]
    sequence_length: tuple[int, str] | None = None
    adapter: Adapter | None = None  # of the folder that was given: its own method, rank, targets
    notes: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    name: str = ""
    workload: str | None = None
    config: Mapping[str, object] | None = None


def trained(given: Input) -> Trained:
    """The work of a part.

    Raises:
        InputError: what the counting needs and was not given.
    """
    asked, training = given.part.model, given.part.training or Training()
    if asked is None or (given.part.measured is not None and not _sized(training, asked)):
        return Trained(work=None)
    known = _known(asked, given)
    said = stated(given, "training.sample_tokens", "token")
    assumed: list[Assumption | Choice] = [said] if said else []
    fields = known.fields | _training(training, known, assumed)
    if training.teacher is not None:
        fields |= _teacher(training.teacher, given)
    try:
        work = workload(WorkloadInput(**fields))  # type: ignore[arg-type]  # each of its kind
    except InputError as error:
        raise given.placed(error) from None
    return Trained(
        work=work,
        assumptions=tuple(assumed),
        notes=(
            *known.notes,
            *(known.adapter.notes if known.adapter else ()),
            *work.notes,
            *_of_length(assumed),
        ),
        files=known.files,
        name=known.name,
        workload=known.workload,
        config=known.config,
    )


def _of_length(assumed: list[Assumption | Choice]) -> Iterator[str]:
    for item in assumed:
        if isinstance(item, Assumption) and not item.exact:
            yield (
                f"samples are taken to be of {item.value:.0f} tokens in the mean, as instructions "
                f"are, and may be of {item.low:.0f} to {item.high:.0f}: say training.sample_tokens"
            )


def _sized(training: Training, model: Model) -> bool:
    names = ("tokens", "samples", "steps", "epochs", "prompts")
    return model.flops is not None or any(getattr(training, name) for name in names)


def _known(asked: Model, given: Input) -> _Known:
    if asked.preset is not None:
        return _named(asked.preset, asked)
    if isinstance(asked.config, Inline):
        return _inline(asked.config, asked, given)
    if asked.config is not None:
        return _config((given.folder or Path()) / asked.config, asked)
    if asked.architecture is not None:
        shape = from_shape(Given(**asked.architecture.model_dump()))
        return _Known(fields={"architecture": _with_head(shape, asked.head, asked.labels)})
    beside = {name: getattr(asked, name) for name in SHAPE_KEYS}
    return _Known(
        fields={
            "parameters": asked.parameters,
            "active_parameters": asked.active_parameters,
            "forward_flops": asked.forward_flops,
            "flops": asked.flops,
            "activations": asked.activations,
            "given": Given(**{name: value for name, value in beside.items() if value is not None}),
        },
        workload=asked.kind,
    )


def _with_head(model: Architecture, head: str | None, labels: int | None) -> Architecture:
    """A model that no configuration describes, with the head that the run file asks for."""
    return model if head is None else crowned(model, asked_head({}, head, labels), labels or 2)


def _named(name: str, asked: Model) -> _Known:
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


def _preset(found: Preset, head: str | None = None, labels: int | None = None) -> _Known:
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
    else:
        fields["architecture"] = architecture_of(found, head, labels)
    length = found.sequence_length
    title = found.sources[length.source].title if length else ""
    return _Known(
        fields=fields,
        files={found.file: found.digest},
        name=found.name,
        workload=_WORKLOADS.get(found.family) if found.forward_flops is not None else None,
        sequence_length=(int(length.value), title) if length else None,
    )


# A preset's family, as the measured efficiencies and powers name workloads.
_WORKLOADS = {
    "cnn": "cnn",
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


def _inline(text: Inline, asked: Model, given: Input) -> _Known:
    """The model of a config.json that stands in the run file; faults at its keys there."""
    try:
        return _checkpoint(hf.load_text(text, head=asked.head, labels=asked.labels))
    except InputError as error:
        raise InputError(
            given.problem(("model", "config", *filter(None, p.key.split("."))), p.message)
            for p in error.problems
        ) from None


def _config(path: Path, asked: Model) -> _Known:
    found = hf.load_adapter(path)
    if found is not None and not (path / "config.json").is_file():
        return _adapted(path, found, asked)
    checkpoint = hf.load(path, head=asked.head, labels=asked.labels)
    known = _checkpoint(checkpoint, found)
    file = path / "config.json" if path.is_dir() else path
    if not file.is_file():  # a pipeline of diffusers: several files
        return known
    text = file.read_text(encoding="utf-8-sig")
    alone = hf.load_text(text, str(file), head=asked.head, labels=asked.labels)
    if found is None and alone == checkpoint:
        return replace(known, config=hf.parse(text, str(file)))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return replace(known, files={str(file): f"sha256:{digest}"})


def _checkpoint(checkpoint: Checkpoint, found: Adapter | None = None) -> _Known:
    fields: dict[str, object] = {"architecture": checkpoint.architecture}
    if checkpoint.basis == "weights":
        fields["parameters"] = float(checkpoint.parameters)
    return _Known(
        fields=fields | {"base_precision": checkpoint.base_precision},
        adapter=found,
        notes=checkpoint.notes,
        name=checkpoint.architecture.name,
    )


def _adapted(path: Path, found: Adapter, asked: Model) -> _Known:
    """The base of an adapter: a folder beside it or on disk, else a preset of that name."""
    for folder in (path.parent / found.base, path / found.base):
        if found.base and (folder / "config.json").is_file():
            return replace(_config(folder, asked), adapter=found)
    try:
        return replace(_named(found.base, asked), adapter=found)
    except NotFoundError:
        raise wrong(
            "model.config",
            f"holds an adapter whose base ({found.base or 'not named'}) is no preset: give the "
            f"base's config.json as model.config, and training.method: lora with "
            f"lora: {{rank: {found.rank}}}",
        ) from None


def _teacher(asked: Model, given: Input) -> dict[str, object]:
    known = _known(asked, given).fields
    if "architecture" in known:
        return {"teacher": known["architecture"]}
    return {"teacher_parameters": known.get("active_parameters") or known.get("parameters")}


def _training(
    training: Training, known: _Known, assumed: list[Assumption | Choice]
) -> dict[str, object]:
    """The fields that ``training`` gives, defaults filled and listed."""

    def default(key: str, value: T, source: str = "costcalc", why: str = "") -> T:
        return taken(assumed, f"training.{key}", value, why, source)

    fields: dict[str, object] = {name: getattr(training, name) for name in _TRAINING_KEYS}
    fields["sample_tokens"] = training.sample_tokens or training.documents
    method = training.method
    if method is None and known.adapter is not None:
        method = default("method", "lora", _ADAPTER)
    method = method or default("method", "pretrain")
    fields["method"] = method
    fields["packing"] = training.packing or default("packing", "packed")
    fields["sequence_length"] = training.sequence_length
    if training.sequence_length is None and _needs_length(known, method):
        length, source = known.sequence_length or (DEFAULT_LENGTH, "costcalc")
        why = "" if known.sequence_length else "no sequence_length given, none known of the model"
        fields["sequence_length"] = default("sequence_length", length, source, why)
    if _samples_of_any_length(training, fields, known):
        mean = sample_length(int(str(fields["sequence_length"])))
        assumed.append(mean)
        fields["sample_tokens"] = mean.value
    if method == "lora":
        asked = _lora(training.lora or Lora(), known, assumed)
        fields["lora_rank"] = asked.rank or default(
            "lora.rank", 16, why="the cost hardly depends on it"
        )
        fields["lora_targets"] = asked.targets or (default("lora.targets", "all", _ALL_LINEAR),)
    if method in REINFORCED:
        fields["group"] = training.group
        if training.group is None:
            why = "answers a prompt; DeepSeekMath's GRPO takes 64"
            fields["group"] = default("group", 16 if method == "grpo" else 1, why=why)
        fields["inner_epochs"] = training.inner_epochs or default(
            "inner_epochs", 1, "on-policy: each answer is trained on once"
        )
    return fields


# Mean tokens of a sample of instruction data: bytes a sample of whole data sets, at 4.2 bytes
# a token of English.  Alpaca as it is prompted 545 B, 130 tokens (of its own words 374 B, 90);
# GPT-4's answers to the same 936 B, 223; Tülu 3's mixture 3102 B, 739.  At most it is a context.
SAMPLE_TOKENS = 220
_SHORT_SAMPLE = 90
_SAMPLE_SOURCE = (
    "dataset cards of tatsu-lab/alpaca, vicgalle/alpaca-gpt4 and allenai/tulu-3-sft-mixture "
    "(Hugging Face): bytes over examples"
)


def sample_length(sequence_length: int) -> Assumption:
    """The mean tokens of a sample, where nobody says: of instructions, or up to a whole context.

    >>> found = sample_length(8192)
    >>> found.low, found.value, found.high
    (90.0, 220.0, 8192.0)
    """
    return Assumption(
        key="training.sample_tokens",
        value=float(min(SAMPLE_TOKENS, sequence_length)),
        low=float(min(_SHORT_SAMPLE, sequence_length)),
        high=float(sequence_length),
        unit="token",
        basis="default",
        source=_SAMPLE_SOURCE,
        why="not told: as instruction data, up to a whole context",
    )


def _samples_of_any_length(training: Training, fields: Mapping[str, object], known: _Known) -> bool:
    """Whether samples of text are counted, packed, and nobody says how long they are.

    A sample of what is said to be pretraining is a context.
    """
    counted = training.samples or (training.epochs and training.dataset_samples)
    if not counted or fields["sample_tokens"] is not None or fields["packing"] != "packed":
        return False
    model = known.fields.get("architecture")
    text = not isinstance(model, Architecture) or model.counts == "token"
    sized = known.fields.get("forward_flops") is None and fields["sequence_length"] is not None
    return text and sized and training.method != "pretrain"


def _lora(asked: Lora, known: _Known, assumed: list[Assumption | Choice]) -> Lora:
    """What is asked of LoRA; what is not, as the adapter's own file says it."""
    found, model = known.adapter, known.fields.get("architecture")
    if found is None or not isinstance(model, Architecture):
        return asked
    if asked.rank is None:
        taken(assumed, "training.lora.rank", found.rank, source=_ADAPTER)
        asked = asked.model_copy(update={"rank": found.rank})
    if asked.targets is None:
        names = found.names(model)
        taken(assumed, "training.lora.targets", names, source=_ADAPTER)
        asked = asked.model_copy(update={"targets": names})
    return asked


_ADAPTER = "adapter_config.json"
_ALL_LINEAR = "Dettmers et al. 2023 (QLoRA, arXiv 2305.14314), section 4: all linear layers"


def _needs_length(known: _Known, method: str) -> bool:
    """Whether data of this model are tokens, so that a length of sequence is needed."""
    if known.fields.get("flops") is not None or method in REINFORCED:
        return False
    if known.fields.get("forward_flops") is not None:
        return False
    model = known.fields.get("architecture")
    if not isinstance(model, Architecture):
        return True
    return any(stream.length is None for stream in model.streams)
