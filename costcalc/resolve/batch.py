"""The batch of a step where none is given: by method, kind and size of what is trained."""

from __future__ import annotations

import math
from typing import NamedTuple

from costcalc.base.human import number_of
from costcalc.resolve.hardware import Devices
from costcalc.throughput.basis import kind_of
from costcalc.workload.work import Work


class Usual(NamedTuple):
    """A batch that papers take: how many, and where that stands."""

    size: int
    source: str


#: sequences a step of tuning, whatever the devices
TUNED = {
    "finetune": Usual(128, "Taori et al. 2023 (Stanford Alpaca): batch of 128"),
    "distill": Usual(128, "Taori et al. 2023 (Stanford Alpaca): batch of 128"),
    "frozen": Usual(32, "Devlin et al. 2018 (BERT, arXiv 1810.04805), A.3: 16 or 32"),
    "lora": Usual(16, "Dettmers et al. 2023 (QLoRA, arXiv 2305.14314), table 9: 16"),
    "dpo": Usual(128, "Rafailov et al. 2023 (DPO, arXiv 2305.18290), appendix B: 64 pairs"),
    "ppo": Usual(64, "Ouyang et al. 2022 (InstructGPT, arXiv 2203.02155), C.4: minibatches of 64"),
    "grpo": Usual(1024, "Shao et al. 2024 (DeepSeekMath, arXiv 2402.03300), 4.2: batch of 1024"),
}
_TUNED_ENCODER = TUNED["frozen"]
#: tokens a step of pretraining decoders, up to so many parameters
_DECODERS = (
    (1e9, Usual(2**19, "Brown et al. 2020 (GPT-3, arXiv 2005.14165), table 2.1: 0.5M tokens")),
    (5e9, Usual(2**20, "Brown et al. 2020 (GPT-3, arXiv 2005.14165), table 2.1: 1M tokens")),
    (1e11, Usual(4_000_000, "Touvron et al. 2023 (Llama 2, arXiv 2307.09288): 4M tokens")),
    (math.inf, Usual(2**24, "Grattafiori et al. 2024 (Llama 3, arXiv 2407.21783), 3.4.1: 16M")),
)
#: sequences a step of pretraining what is no decoder
_OTHERS = {
    "encoder": Usual(256, "Devlin et al. 2018 (BERT, arXiv 1810.04805), A.2: 256 sequences"),
    "encoder-decoder": Usual(128, "Raffel et al. 2020 (T5, arXiv 1910.10683), 3.1.2: 128"),
}
#: samples a device
_SAMPLES = {
    "cnn": Usual(32, "Goyal et al. 2017 (arXiv 1706.02677): 32 images a device"),
    "vit": Usual(64, "Touvron et al. 2021 (DeiT, arXiv 2012.12877): 1024 images on 16 devices"),
}
_SAMPLES["vision"] = _SAMPLES["vit"]  # with heads; those without are cnn
_ADAPTED = Usual(4, "huggingface/diffusers, examples/text_to_image: 1 image, accumulated 4 times")
#: the longest that a step of pretraining is taken to compute (s), at two fifths of the peak: nobody
#: waits for minutes (costcalc: a stated judgement)
LONGEST_STEP = 120.0
_REACHED = 0.4


def usual_batch(
    work: Work, devices: Devices, precision: str, workload: str | None = None
) -> tuple[int, str, str]:
    """Sequences (or samples) a step where none are given: value, why, source."""
    count = devices.count
    if work.datum == "sample":
        if work.method == "lora":
            return _whole(_ADAPTED.size, count), _words(_ADAPTED.size, "samples"), _ADAPTED.source
        found = _SAMPLES.get(workload or kind_of(work) or "", _SAMPLES["cnn"])
        return found.size * count, f"{number_of(found.size, 'sample')} a device", found.source
    kind = work.architecture.kind if work.architecture is not None else "decoder"
    if work.method != "pretrain":
        found = TUNED[work.method]
        if kind == "encoder" and work.method in ("finetune", "distill"):
            found = _TUNED_ENCODER
        return _whole(found.size, count), _words(found.size, "sequences"), found.source
    if kind in _OTHERS:
        found = _OTHERS[kind]
        return _whole(found.size, count), _words(found.size, "sequences"), found.source
    return _of_decoder(work, devices, precision)


def _of_decoder(work: Work, devices: Devices, precision: str) -> tuple[int, str, str]:
    size = work.parameters or math.inf
    tokens, source = next(usual for most, usual in _DECODERS if size < most or most == math.inf)
    length = work.sequence_length or 1
    sequences = max(round(tokens / length), 1)
    why = f"about {tokens / 1e6:.2g}M tokens a step, at least a sequence a device"
    peak = devices.machine.peak.get(precision)
    if peak and work.flops_per_datum:
        rate = _REACHED * peak * devices.count / (work.flops_per_datum * length)
        most = max(LONGEST_STEP * rate, 1.0)  # sequences
        if sequences > most:
            sequences = 2 ** math.floor(math.log2(most))
            why = f"what these devices compute in {LONGEST_STEP / 60:.0f} minutes at most, of {why}"
    return _whole(sequences, devices.count), why, source


def _words(size: int, what: str) -> str:
    return f"{size} {what} a step, at least one a device"


def _whole(size: int, count: int) -> int:
    """At least ``size``, and as many on every device.

    >>> _whole(128, 8), _whole(16, 3), _whole(16, 1024)
    (128, 18, 1024)
    """
    return max(-(-size // count), 1) * count
