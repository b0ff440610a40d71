"""``model`` and ``training`` of a run file: what is trained, on how much, and how."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from costcalc.base.vocabulary import GRADIENTS, LOGITS, STATES
from costcalc.runfile import words
from costcalc.runfile.section import (
    Amount,
    Batch,
    Count,
    Epochs,
    Flop,
    Length,
    Parameters,
    Precision,
    Samples,
    Section,
    Steps,
    Tokens,
    key,
)
from costcalc.runfile.values import Kind, choice, expected, quantity, text, whole

METHODS = ("pretrain", "finetune", "lora", "frozen", "distill", "dpo", "ppo", "grpo")
#: methods in which a model may learn by its adapters; of PPO's four nobody says which have some
ADAPTED = ("lora", "distill", "dpo", "grpo")
HEADS = ("language-model", "classifier", "regression", "tokens", "none")
OPTIMIZERS = ("adamw", "adamw-8bit", "adafactor", "sgd", "muon")
BASES = ("nf4", "int8", "bf16", "fp16", "fp32")


class Shape(Section):
    """``model.architecture``: a model by its shape."""

    kind: Annotated[str, choice("decoder", "encoder", "encoder-decoder", "vit", "dit")] = Field(
        "decoder", description="what the model is made of"
    )
    layers: Count = Field(description="layers; of an encoder-decoder, the encoder's")
    hidden: Count = Field(description="width of the residual stream")
    heads: Count | None = key("attention heads")
    kv_heads: Count | None = key(
        "heads of keys and values, where queries share them; default: heads"
    )
    head_dim: Count | None = key("width of a head; default: hidden over heads")
    ffn: Count | None = key("inner width of the feed-forward; default: 4 × hidden, 8/3 where gated")
    vocabulary: Count | None = key("words of the vocabulary, as padded")
    gated: bool | None = key("whether the feed-forward has a gate (SwiGLU)")
    tied: bool | None = key("whether the output shares the embedding")
    biases: bool | None = key("whether matrix products have biases")
    experts: Count | None = key("routed experts a layer")
    experts_per_token: Count | None = key("routed experts that a token passes")
    shared_experts: Annotated[int, whole("a whole number", 0)] | None = key(
        "experts that every token passes"
    )
    expert_ffn: Count | None = key("inner width of one expert")
    dense_layers: Annotated[int, whole("a whole number", 0)] | None = key(
        "first layers without experts"
    )
    decoder_layers: Count | None = key("layers of the decoder, where there is an encoder too")
    window: Count | None = key("tokens that attention looks back, where it is local")
    positions: Count | None = key("learned positions; none: rotary or alike")
    image_size: Count | None = key("pixels a side of an image")
    patch_size: Count | None = key("pixels a side of a patch")
    channels: Count | None = key("channels of an image or latent")
    classes: Count | None = key("outputs of the classifier's head")


class Inline(str):
    """What stands in a config.json, as JSON text, where a run file holds it and not its path."""

    __slots__ = ()


def _config(value: object) -> str:
    if isinstance(value, Mapping):
        return Inline(json.dumps(value, sort_keys=True))
    if not isinstance(value, str) or not value:
        raise expected("the path of a config.json or of its folder, or its mapping", value)
    return value


Config = Annotated[
    str,
    Kind(
        _config,
        {"type": ["string", "object"], "description": "a path, or what stands in the file"},
        lambda made: json.loads(made) if isinstance(made, Inline) else made,
    ),
]


class Model(Section):
    """``model``: one of preset, config, architecture, parameters, forward_flops, flops."""

    preset: Annotated[str, text("the name of a preset (costcalc models lists them)")] | None = key(
        "a known model by name: costcalc models lists them"
    )
    config: Config | None = key(
        "path of a config.json of the Hugging Face kind, or of its folder; or what stands in it"
    )
    architecture: Shape | None = key("the model by its shape")
    parameters: Parameters | None = key("number of parameters, where nothing else is known")
    forward_flops: Flop | None = key("computation of one sample forward, 2 FLOP a multiply-add")
    flops: Flop | None = key("the whole computation of the training")
    head: Annotated[str, choice(*HEADS)] | None = Field(
        default=None,
        description="what stands on top; default: what a config.json's architectures says",
    )
    labels: Count | None = Field(default=None, description="outputs of a classifier's head")
    kind: Annotated[str, choice("cnn", "vit", "diffusion")] | None = Field(
        default=None, description="what model.forward_flops are of"
    )
    activations: Amount | None = Field(
        default=None, description="elements that the layers put out, a sample (forward_flops)"
    )
    active_parameters: Parameters | None = key(
        "parameters that one token passes, in a mixture of experts"
    )
    layers: Count | None = key(
        "layers, beside parameters; those with weights, beside forward_flops"
    )
    hidden: Count | None = key("width of the residual stream, beside parameters")
    heads: Count | None = key("attention heads, beside parameters")
    kv_heads: Count | None = key("heads of keys and values, beside parameters")
    head_dim: Count | None = key("width of a head, beside parameters")
    ffn: Count | None = key("inner width of the feed-forward, beside parameters")
    vocabulary: Count | None = key("words of the vocabulary, beside parameters")
    experts: Count | None = key("routed experts a layer, beside parameters")
    experts_per_token: Count | None = key("routed experts that a token passes, beside parameters")


# What may stand beside model.parameters: layers and hidden are used, the rest where all is given.
SHAPE_KEYS = (
    "layers",
    "hidden",
    "heads",
    "kv_heads",
    "head_dim",
    "ffn",
    "vocabulary",
    "experts",
    "experts_per_token",
)
MODEL_ONE_OF = ("preset", "config", "architecture", "parameters", "forward_flops", "flops")


def _targets(value: object) -> tuple[str, ...]:
    words = "all, attention, mlp or a list of projections"
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not names:
        raise expected(words, value)
    if not all(isinstance(name, str) for name in names):
        raise expected(words, value)
    return tuple(names)


_Targets = Annotated[
    tuple[str, ...],
    Kind(_targets, {"type": ["string", "array"], "items": {"type": "string"}}, list),
]


class Lora(Section):
    """``training.lora``: adapters on a frozen base."""

    rank: Count | None = key("rank of the adapters; default 16")
    targets: _Targets | None = key(
        "which matrices get adapters: all, attention, mlp, or projections by name"
    )


class Training(Section):
    """``training``: on how much, and how."""

    method: Annotated[str, choice(*METHODS, also=words.METHODS)] | None = key(
        "how it is trained; default pretrain, of known weights finetune"
    )
    lora: Lora | None = key(
        "the adapters that learn: of method lora, and of dpo, grpo and distill where they have some"
    )
    teacher: Model | None = key("the model that distill learns from, as under model")
    base_precision: Annotated[str, choice(*BASES, also=words.BASES)] | None = key(
        "precision in which frozen weights are kept: nf4 is QLoRA's"
    )
    tokens: Tokens | None = key("tokens trained on, repeats counted")
    samples: Samples | None = key("samples trained on, repeats counted")
    sample_tokens: Tokens | None = key("mean tokens of a sample")
    documents: Tokens | None = key("mean tokens of a document, in packed or padded data")
    steps: Steps | None = key("optimizer steps")
    epochs: Epochs | None = key("passes over the data")
    dataset_tokens: Tokens | None = key("tokens of the data, for epochs")
    dataset_samples: Samples | None = key("samples of the data, for epochs")
    prompts: Amount | None = key("prompts of reinforcement learning")
    prompt_length: Length | None = key("mean tokens of a prompt")
    generation_length: Length | None = key("mean tokens that are generated")
    group: Count | None = key("answers a prompt (GRPO)")
    inner_epochs: Count | None = key("updates on each batch of answers")
    sequence_length: Length | None = key("tokens of a sequence as the model sees it")
    target_length: Length | None = key(
        "tokens of the decoder's sequence, where there is an encoder"
    )
    packing: Annotated[str, choice("packed", "padded", "dynamic")] | None = key(
        "packed: several samples fill a sequence; padded: each is filled up to sequence_length; "
        "dynamic: each is a sequence, as long as the longest of its micro-batch"
    )
    global_batch: Batch | None = key(
        "a step's batch over all devices: sequences, samples, or tokens where said: 4M tokens"
    )
    micro_batch: Count | None = key("sequences that one device takes at once")
    precision: Precision | None = key("precision of the matrix products")
    software: Annotated[str, text("software that trains (costcalc software)")] | None = key(
        "what runs the step: costcalc software; sets the defaults of the next four keys"
    )
    compiled: bool | None = key(
        "torch.compile, jit or fused kernels throughout; false: kernels launched one by one"
    )
    states: Annotated[str, choice(*STATES, also=words.STATES)] | None = key(
        "precision of master weights and optimizer states"
    )
    logits: Annotated[str, choice(*LOGITS, also=words.LOGITS)] | None = key(
        "what of the logits stays in memory"
    )
    gradients: Annotated[str, choice(*GRADIENTS)] | None = key(
        "freed: the optimizer steps in backward"
    )
    recompute: Annotated[str, choice("auto", "none", "selective", "full")] | None = key(
        "which activations are computed again instead of kept"
    )
    attention: (
        Annotated[str, choice("flash", "flash2", "standard", also=words.ATTENTION)] | None
    ) = key("kernel of attention")
    kernels: Annotated[str, choice("plain", "fused")] | None = key(
        "whether element-wise kernels are fused"
    )
    overlap: bool | None = Field(
        default=None, description="false: software whose communication makes computation wait"
    )
    optimizer: Annotated[str, choice(*OPTIMIZERS, also=words.OPTIMIZERS)] | None = key(
        "what updates the weights"
    )
    runs: Amount | None = key("runs of this size in all: seeds, sweeps, restarts from the start")
    generation_time: Annotated[float, quantity("s", zero=True)] | None = key(
        "time spent generating, a run"
    )
    model_flops: Flop | None = key("computation of the training, instead of what is counted")

    def adapts(self, method: str) -> bool:
        """Whether adapters alone learn, by a method that may be a default."""
        return method == "lora" or self.lora is not None


DATA_ONE_OF = ("tokens", "samples", "steps", "epochs", "prompts")
