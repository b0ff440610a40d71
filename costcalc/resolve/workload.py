"""What is trained, from the ``model`` and ``training`` sections: the workload stage's input."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from costcalc.base.assumption import Assumption, Choice
from costcalc.base.batch import Tokens
from costcalc.base.errors import InputError
from costcalc.base.vocabulary import REINFORCED
from costcalc.resolve.known import stated, taken
from costcalc.resolve.model import Described, described
from costcalc.runfile.loading import Input
from costcalc.runfile.schema import Lora, Model, Training
from costcalc.workload.architecture import Architecture
from costcalc.workload.data import WorkloadInput
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
    "micro_batch",
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
    teacher: Mapping[str, object] | None = None  # the same of the model that it learns from

    def assumed(self, key: str) -> Assumption | Choice | None:
        """What was assumed under a key; None where it was said."""
        return next((item for item in self.assumptions if item.key == key), None)


def trained(given: Input) -> Trained:
    """The work of a part.

    Raises:
        InputError: what the counting needs and was not given.
    """
    asked, training = given.part.model, given.part.training or Training()
    if asked is None or (given.part.measured is not None and not _sized(training, asked)):
        return Trained(work=None)
    known = described(asked, given)
    said = stated(given, "training.sample_tokens", "token")
    assumed: list[Assumption | Choice] = [said] if said else []
    fields = known.fields | _training(training, known, assumed)
    taught = described(training.teacher, given) if training.teacher is not None else None
    if taught is not None:
        fields |= _teacher(taught.fields)
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
            *_of_latents(work, known),
            *_of_bits(training, work),
            *_of_context(training.sequence_length, known),
            *_of_batch(training.global_batch, work),
        ),
        files={**known.files, **(taught.files if taught else {})},
        name=known.name,
        workload=known.workload,
        config=known.config,
        teacher=taught.config if taught else None,
    )


def _of_length(assumed: list[Assumption | Choice]) -> Iterator[str]:
    for item in assumed:
        if isinstance(item, Assumption) and not item.exact:
            yield (
                f"samples are taken to be of {item.value:.0f} tokens in the mean, {item.why}, "
                f"and may be of {item.low:.0f} to {item.high:.0f}: say training.sample_tokens"
            )


def _of_context(asked: int | None, known: Described) -> Iterator[str]:
    """What is to be said of sequences that are longer than the model has positions."""
    if asked is not None and known.context is not None and asked > known.context:
        yield (
            f"sequences of {asked:,} tokens are longer than its context of {known.context:,}: "
            "counted as if its positions reached so far"
        )


def _of_latents(work: Work, known: Described) -> Iterator[str]:
    """What runs beside a model of diffusion in trainers that store nothing of it beforehand."""
    kind = work.architecture.kind if work.architecture is not None else known.workload
    if kind == "diffusion":
        yield (
            "only what denoises is counted: encoders of the image and of the text run beside it "
            "in each step, where latents and embeddings are not stored beforehand"
        )


#: kinds of architecture whose checkpoints are in 32 bits, and are tuned so where nobody asks
_WIDE = ("encoder", "encoder-decoder", "speech", "vision")


def _of_bits(training: Training, work: Work) -> Iterator[str]:
    """What is to be said where 16 bits are assumed of a model that a trainer tunes in 32 unasked.

    Neither ``fp16`` nor ``bf16`` of transformers' TrainingArguments is on by default.
    """
    kind = work.architecture.kind if work.architecture is not None else None
    unsaid = training.precision is None and training.software in (None, "transformers")
    if unsaid and training.method == "finetune" and kind in _WIDE:
        yield (
            "16 bits are assumed where the accelerator has them: a trainer that is asked for "
            "neither fp16 nor bf16 takes 32, which is slower: say training.precision"
        )


#: tokens of a step that are hardly meant: twice the 128M that MiniMax-01 (arXiv 2501.08313) ends at
_BEYOND = 256e6


def _of_batch(batch: float | None, work: Work) -> Iterator[str]:
    if batch is None or isinstance(batch, Tokens) or work.datum != "token":
        return
    length = work.sequence_length or 1
    if batch * length > _BEYOND:
        yield (
            f"training.global_batch: {batch:,.0f} are taken as sequences of {length:,} tokens, far "
            f"more than published runs take: if tokens are meant, write {batch:.0f} tokens"
        )


def _sized(training: Training, model: Model) -> bool:
    names = ("tokens", "samples", "steps", "epochs", "prompts")
    return model.flops is not None or any(getattr(training, name) for name in names)


def _teacher(known: Mapping[str, object]) -> dict[str, object]:
    if "architecture" in known:
        return {"teacher": known["architecture"]}
    return {"teacher_parameters": known.get("active_parameters") or known.get("parameters")}


def _training(
    training: Training, known: Described, assumed: list[Assumption | Choice]
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
    fields["packing"] = training.packing
    if training.packing is None:
        alone = _one_a_sequence(training, known, method)
        how, source, why = _ALONE if alone else ("packed", "costcalc", "")
        fields["packing"] = default("packing", how, source, why)
    fields["sequence_length"] = training.sequence_length
    if training.sequence_length is None and _needs_length(known, method):
        length, source, why = _usual_length(known, method)
        fields["sequence_length"] = default("sequence_length", length, source, why)
    if _samples_of_any_length(training, fields, known):
        length = int(str(fields["sequence_length"]))
        context = known.sequence_length[0] if known.sequence_length else length
        most = length if training.sequence_length else max(length, context)
        timed = bool(training.steps and training.sequence_length and not training.packing)
        mean = sample_length(length, most, timed=timed)
        assumed.append(mean)
        fields["sample_tokens"] = mean.value
    fields["adapters"] = training.adapts(method)
    if fields["adapters"]:
        asked = _lora(training.lora or Lora(), known, assumed)
        fields["lora_rank"] = asked.rank or default(
            "lora.rank", 16, why="the cost hardly depends on it"
        )
        if known.adapter is not None:
            fields["lora_saved"] = known.adapter.saved
            fields["lora_layers"] = known.adapter.layers
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


#: what trainers cut samples to where nobody says; no model is tuned at all of its context
TUNED_LENGTH = 2048
_TUNED_SOURCE = (
    "LLaMA-Factory 072bfe2, hparams/data_args.py: cutoff_len 2048 (TRL's SFTConfig: max_length "
    "1024)"
)


def _usual_length(known: Described, method: str) -> tuple[int, str, str]:
    """The length of a sequence where nobody says it: value, source, why."""
    length, source = known.sequence_length or (DEFAULT_LENGTH, "costcalc")
    if known.sequence_length is None:
        return length, source, "no sequence_length given, none known of the model"
    if method == "pretrain" or length <= TUNED_LENGTH:
        return length, source, ""
    context = known.context or length
    return TUNED_LENGTH, _TUNED_SOURCE, f"samples are cut to it; the model's context is {context:,}"


# Mean tokens of a sample of instruction data: bytes a sample of whole data sets, at 4.2 bytes
# a token of English.  Alpaca as it is prompted 545 B, 130 tokens (of its own words 374 B, 90);
# GPT-4's answers to the same 936 B, 223; Tülu 3's mixture 3102 B, 739.  At most it is a context.
SAMPLE_TOKENS = 220
_SHORT_SAMPLE = 90
_SAMPLE_SOURCE = (
    "dataset cards of tatsu-lab/alpaca, vicgalle/alpaca-gpt4 and allenai/tulu-3-sft-mixture "
    "(Hugging Face): bytes over examples"
)


def sample_length(sequence_length: int, most: int, *, timed: bool = False) -> Assumption:
    """The mean tokens of a sample, where nobody says: of instructions, or up to ``most``.

    ``timed``: steps of sequences are counted, which in notebooks are of instructions and where a
    machine is timed are filled: between the two.

    >>> found = sample_length(2048, 8192)
    >>> found.low, found.value, found.high
    (90.0, 220.0, 8192.0)
    """
    value = float(min(SAMPLE_TOKENS, sequence_length))
    return Assumption(
        key="training.sample_tokens",
        value=math.sqrt(value * sequence_length) if timed else value,
        low=float(min(_SHORT_SAMPLE, sequence_length)),
        high=float(most),
        unit="token",
        basis="default",
        source=_SAMPLE_SOURCE,
        why="between instructions and filled sequences" if timed else "as instructions are",
    )


def _samples_of_any_length(
    training: Training, fields: Mapping[str, object], known: Described
) -> bool:
    """Whether samples of text are counted, packed, and nobody says how long they are.

    A sample of what is said to be pretraining is a context.
    """
    if fields["sample_tokens"] is not None or fields["packing"] == "padded":
        return False
    tuned = training.method != "pretrain" and fields["sequence_length"] is not None
    return tuned and _samples_of_text(training, known, str(fields["method"]))


def _samples_of_text(training: Training, known: Described, method: str) -> bool:
    """Whether it is samples that are counted, and of text; in tuning, steps of them too.

    A length beside steps is what a trainer cuts samples to, few of which are as long.
    """
    model = known.fields.get("architecture")
    text = not isinstance(model, Architecture) or model.counts == "token"
    counted = training.samples or (training.epochs and training.dataset_samples)
    steps = training.steps and (method != "pretrain" or training.sequence_length is None)
    counted = counted or (steps and training.packing != "packed")
    return bool(counted) and text and known.fields.get("forward_flops") is None


_ALONE = (
    "dynamic",
    (
        "huggingface/trl a4458af, sft_config.py: packing False; LLaMA-Factory 072bfe2, "
        "hparams/data_args.py: packing in pretraining alone"
    ),
    "a sample a sequence; padding to the longest of a micro-batch (of 4 if unsaid) is in the range",
)


def _one_a_sequence(training: Training, known: Described, method: str) -> bool:
    """Whether tuning takes a sample a sequence, as trainers do where nobody asks them to pack."""
    tuned = method != "pretrain" and _needs_length(known, method)
    return tuned and _samples_of_text(training, known, method)


def _lora(asked: Lora, known: Described, assumed: list[Assumption | Choice]) -> Lora:
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


def _needs_length(known: Described, method: str) -> bool:
    """Whether data of this model are tokens, so that a length of sequence is needed."""
    if known.fields.get("flops") is not None or method in REINFORCED:
        return False
    if known.fields.get("forward_flops") is not None:
        return False
    model = known.fields.get("architecture")
    if not isinstance(model, Architecture):
        return True
    return any(stream.length is None for stream in model.streams)
