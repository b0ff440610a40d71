"""Every configuration class of transformers, with its own defaults, against what is counted here.

    python scripts/sweep.py            prints the table's summary and what differs
    python scripts/sweep.py --write    writes docs/architectures.md

Each class is built on the meta device, which needs torch and transformers and no memory; a class
whose packages are not installed, or whose defaults cannot be built, is left out.  What is written
is read by the light tests, which hold every exact row without transformers.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from costcalc import InputError
from costcalc.workload.counting import parameters
from costcalc.workload.families import build

PAGE = Path(__file__).parent.parent / "docs" / "architectures.md"
#: which class stands for a family: the first of these tasks that it has
TASKS = (
    "SEQ_TO_SEQ_CAUSAL_LM", "SPEECH_SEQ_2_SEQ", "MASKED_LM", "IMAGE_TEXT_TO_TEXT", "CAUSAL_LM",
    "MULTIMODAL_LM", "CTC", "IMAGE_CLASSIFICATION", "SEMANTIC_SEGMENTATION",
    "OBJECT_DETECTION", "MASK_GENERATION", "AUDIO_CLASSIFICATION", "VIDEO_CLASSIFICATION",
    "PRETRAINING",
)  # fmt: skip
#: what a class has no default of and cannot be built without
NEEDED: dict[str, dict[str, object]] = {
    "deepseek_v2": {"num_experts_per_tok": 6},
    "esm": {"vocab_size": 33, "mask_token_id": 32},
    "hunyuan_v1_dense": {"head_dim": 128},
    "hunyuan_v1_moe": {"head_dim": 128},
    "lfm2_moe": {"layer_types": ["conv", "full_attention"] * 16},
    "ministral": {"head_dim": 128},
    "wav2vec2-bert": {"vocab_size": 32},
    "wav2vec2-conformer": {"vocab_size": 32},
    "nemotron": {"num_key_value_heads": 8, "head_dim": 128},
}


@dataclass(frozen=True, slots=True)
class Row:
    """One family: its class, what transformers builds of it, and what is counted here."""

    model_type: str
    task: str
    built: int
    counted: int | None  # None: refused

    @property
    def exact(self) -> bool:
        """Whether the two are equal."""
        return self.built == self.counted


def rows() -> Iterator[Row]:
    """Every family that transformers builds with its own defaults."""
    import torch
    import transformers
    from transformers.models.auto import modeling_auto
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING, CONFIG_MAPPING_NAMES

    transformers.logging.set_verbosity_error()
    warnings.filterwarnings("ignore")
    mappings = [getattr(modeling_auto, f"MODEL_FOR_{task}_MAPPING_NAMES", {}) for task in TASKS]
    for model_type in sorted(CONFIG_MAPPING_NAMES):
        found = (m[model_type] for m in (*mappings, modeling_auto.MODEL_MAPPING_NAMES)
                 if model_type in m)  # fmt: skip
        name = next(found, None)
        task = name[0] if isinstance(name, list | tuple) else name
        if task is None:
            continue
        try:
            made = CONFIG_MAPPING[model_type](**NEEDED.get(model_type, {}))
            with torch.device("meta"):
                module = getattr(transformers, task)._from_config(made)
            module.tie_weights()
        except Exception:  # noqa: BLE001 (whatever a class cannot do with its own defaults)
            continue
        config = json.loads(json.dumps(made.to_dict() | {"architectures": [task]}, default=str))
        try:
            counted: int | None = parameters(build(config))
        except InputError:
            counted = None
        built = sum(parameter.numel() for parameter in module.parameters())
        yield Row(model_type, task, built, counted)


def page(found: list[Row], version: str) -> str:
    """The page of the docs."""
    exact = [row for row in found if row.exact]
    near = [row for row in found if row.counted is not None and not row.exact]
    lines = [
        "# Architectures",
        "",
        (
            "Written by `scripts/sweep.py`: every configuration class of transformers "
            f"{version} that can be built with its own defaults, and what costcalc counts from the "
            f"same file. {len(exact)} of {len(found)} are exact, {len(near)} are counted in part "
            "(a note says what is left out), the rest are refused by name."
        ),
        "",
        "| model_type | class | parameters | costcalc |",
        "| --- | --- | ---: | --- |",
    ]
    for row in found:
        says = "refused"
        if row.counted is not None:
            says = "exact" if row.exact else f"{row.counted - row.built:+,}"
        lines.append(f"| {row.model_type} | {row.task} | {row.built:,} | {says} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print or write."""
    import transformers

    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true")
    found = list(rows())
    if arguments.parse_args().write:
        PAGE.write_text(page(found, transformers.__version__), encoding="utf-8")
    for row in found:
        if row.counted is not None and not row.exact:
            print(f"{row.model_type}: {row.counted:,} here, {row.built:,} built")
    print(Counter("exact" if r.exact else "refused" if r.counted is None else "differs"
                  for r in found))  # fmt: skip


if __name__ == "__main__":
    main()
