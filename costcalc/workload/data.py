"""What a run trains on: how much, and in which unit.

What a datum is: a token for text models (for an encoder-decoder, a token of the source), a sample
for everything else.  How data are counted:

* ``packed``: documents fill the sequences, no token is padding.  Where ``sample_tokens``, the mean
  length of a document, is known and below the sequence length, attention stays within a document
  (as with variable-length kernels), all documents taken to be of the mean length: keys
  Σs_i²/Σs_i = ``sample_tokens``.  That is the least they can be; documents of exponential length
  have twice as many, which is what ``spread`` covers.
* ``padded``: a sample is a sequence, filled up with padding that is computed like any token.
  ``data`` counts the computed tokens: samples x sequence length.
* ``dynamic``: a sample is a sequence, filled up to the longest of its micro-batch only.  Counted
  are the samples' own tokens, in sequences of their mean length; what padding adds is a range
  (:func:`padding`), and memory is that of the longest, ``sequence_length``.

A DPO sample is a pair of sequences; ``steps`` and ``global_batch`` count sequences throughout.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NoReturn

from costcalc.base import batch
from costcalc.base.errors import InputError, Problem
from costcalc.base.vocabulary import REINFORCED
from costcalc.workload.generic import Given

if TYPE_CHECKING:
    from costcalc.workload.architecture import Architecture
    from costcalc.workload.counting import Convention

NOTHING = Given()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadInput:
    """What the stage needs of a run; figures in SI (tokens, samples, FLOP).

    One of ``architecture``, ``parameters``, ``forward_flops``, ``flops`` says what is trained;
    ``parameters`` beside an architecture or FLOPs are its count.  ``given`` is the shape that
    stands beside ``parameters``.  One of ``tokens``, ``samples``, ``steps`` (with
    ``global_batch``), ``epochs`` (with a ``dataset_…``), ``prompts`` says on how much.
    """

    architecture: Architecture | None = None
    parameters: float | None = None
    active_parameters: float | None = None
    given: Given = NOTHING
    forward_flops: float | None = None
    first_layer_flops: float | None = None  # the part of forward_flops that has no input gradient
    flops: float | None = None
    activations: float | None = None  # elements that the layers put out for a sample
    layers: float | None = None  # with weights, where FLOPs are a sample's
    method: str = "pretrain"
    tokens: float | None = None
    samples: float | None = None
    sample_tokens: float | None = None
    steps: float | None = None
    global_batch: float | None = None
    epochs: float | None = None
    dataset_tokens: float | None = None
    dataset_samples: float | None = None
    sequence_length: int | None = None
    target_length: int | None = None
    longest: int | None = None  # of sequences of the length above, which is their mean then
    micro_batch: int | None = None  # sequences that are padded together
    packing: Literal["packed", "padded", "dynamic"] = "packed"
    base_precision: str | None = None  # of the checkpoint that is trained on
    adapters: bool = False  # of lora, and where distill, dpo or grpo train them alone
    lora_rank: int = 16
    lora_targets: tuple[str, ...] = ("all",)
    lora_layers: int | None = None  # how many layers have adapters; None: all
    lora_saved: tuple[str, ...] = ()  # modules that train whole beside the adapters
    last_layers: int = 0  # frozen: layers at the end that learn beside the head
    teacher: Architecture | None = None
    teacher_parameters: float | None = None
    prompts: float | None = None
    prompt_length: int | None = None
    generation_length: int | None = None
    group: int = 1
    inner_epochs: int = 1
    reference: bool = True
    convention: Convention = "causal"


def amount(
    inputs: WorkloadInput, datum: Literal["token", "sample"], length: float
) -> tuple[float, tuple[str, ...]]:
    """How many data one run trains on, and what was assumed to say so."""
    if inputs.method in REINFORCED:
        return (inputs.prompts or 0) * inputs.group * length, ()
    if inputs.steps is not None:
        if inputs.global_batch is None:
            missing("global_batch", "sequences (or samples) an optimizer step, beside steps")
        return inputs.steps * batch.data(inputs.global_batch, datum, length), ()
    epochs, tokens, samples = 1.0, inputs.tokens, inputs.samples
    if inputs.epochs is not None:
        epochs, tokens, samples = inputs.epochs, inputs.dataset_tokens, inputs.dataset_samples
    if datum == "token":
        made, notes = _tokens(inputs, tokens, samples, length)
        return made * epochs, notes
    if samples is None:
        missing("samples", "a number of samples: the data of this model are not tokens")
    return samples * epochs, ()


def _tokens(
    inputs: WorkloadInput, tokens: float | None, samples: float | None, length: float
) -> tuple[float, tuple[str, ...]]:
    """Computed tokens of so many tokens or samples."""
    padded, mean = inputs.packing == "padded", inputs.sample_tokens
    if inputs.sequence_length is None and (tokens is None or padded):
        missing("sequence_length", "the length of a sequence")
    if tokens is not None:
        # A padded sample shorter than its sequence is computed as if it filled it.
        fill = max(1.0, length / mean) if padded and mean is not None else 1.0
        return tokens * fill, ()
    if samples is None:
        missing("tokens", "the size of the data: tokens, samples, steps or epochs")
    sequences = samples * (2 if inputs.method == "dpo" else 1)
    if mean is None:
        return sequences * length, (f"a sample fills a sequence of {length:g} tokens",)
    if inputs.packing == "dynamic" and mean > length:
        cut = f"samples of {mean:,.0f} tokens are cut to training.sequence_length, {length:,g}"
        return sequences * length, (cut,)
    return sequences * (length if padded else mean), ()


def with_sequence(inputs: WorkloadInput) -> WorkloadInput:
    """PPO and GRPO train on prompt and answer; a DPO sequence is what it is."""
    if inputs.method not in REINFORCED or inputs.flops is not None:
        return inputs
    names = ("prompts", "prompt_length", "generation_length")
    missing = [name for name in names if getattr(inputs, name) is None]
    if missing:
        message = f"expected a number, 1 or more, for {inputs.method}; got none"
        raise InputError(Problem(key=f"training.{name}", message=message) for name in missing)
    lengths = (inputs.prompt_length, inputs.generation_length)
    length = sum(each for each in lengths if each is not None)
    return replace(inputs, sequence_length=length, sample_tokens=None)


#: samples of a micro-batch where nobody says (costcalc: a stated judgement)
_TOGETHER = 4


def of_own_length(inputs: WorkloadInput) -> WorkloadInput:
    """The input whose sequences are the samples: as long as they are in the mean, and at most."""
    mean, most = inputs.sample_tokens, inputs.sequence_length
    if inputs.packing != "dynamic" or mean is None or most is None or mean >= most:
        return inputs
    return replace(inputs, sequence_length=max(round(mean), 1), longest=most)


def padding(inputs: WorkloadInput) -> float:
    """Tokens computed over those of the samples, at the most that is likely; 1 without padding.

    Of ``m`` lengths that are distributed exponentially the longest is 1 + 1/2 + … + 1/m times
    their mean (Rényi 1953, "On the theory of order statistics"), and no sample is longer than the
    longest.

    >>> pairs = WorkloadInput(packing="dynamic", sequence_length=100, longest=2048, micro_batch=2)
    >>> padding(pairs)
    1.5
    """
    if inputs.longest is None or not inputs.sequence_length:
        return 1.0
    together = min(inputs.micro_batch or _TOGETHER, 10_000)
    harmonic = sum(1 / n for n in range(1, together + 1))
    return min(harmonic, inputs.longest / inputs.sequence_length)


def missing(key: str, what: str) -> NoReturn:
    """The error of a key that the counting needs."""
    raise InputError(Problem(key=f"training.{key}", message=f"expected {what}; got none"))
