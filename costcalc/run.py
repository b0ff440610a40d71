"""The run file: what the user asks for.  Every key of it, with its unit, its check and its words.

Values are SI floats once read.  A key that is not given is None here: defaults are filled in one
place (:mod:`costcalc.resolve`), where each becomes an assumption of the result.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from costcalc import scalars
from costcalc.scalars import choice, expected, money, positive, quantity, text, whole, within

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "fp8", "mxfp8", "fp4")
METHODS = ("pretrain", "finetune", "lora", "frozen", "distill", "dpo", "ppo", "grpo")
PLANS = ("on-demand", "spot", "reserved-1y", "reserved-3y", "owned")
SHARDINGS = ("none", "zero1", "zero2", "zero3", "fsdp", "hsdp")

_Count = whole("a whole number")
_Amount = positive("a number")
_Share = within("a share", 0, 1, open_low=True)
_Flop = quantity("FLOP", bare=True)
_Precision = choice(*PRECISIONS)


class Section(BaseModel):
    """A mapping of the run file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Subject(Section):
    """What the run belongs to: goes into the report as it stands."""

    paper: text("a paper: DOI, arXiv number or URL") | None = None  # type: ignore[valid-type]
    code: text("a repository") | None = None  # type: ignore[valid-type]
    commit: text("a commit") | None = None  # type: ignore[valid-type]


class Shape(Section):
    """``model.architecture``: a model by its shape."""

    kind: choice("decoder", "encoder", "encoder-decoder", "vit", "dit") = "decoder"  # type: ignore[valid-type]
    layers: _Count
    hidden: _Count
    heads: _Count | None = None
    kv_heads: _Count | None = None
    head_dim: _Count | None = None
    ffn: _Count | None = None
    vocabulary: _Count | None = None
    gated: bool | None = None
    tied: bool | None = None
    biases: bool | None = None
    experts: _Count | None = None
    experts_per_token: _Count | None = None
    shared_experts: whole("a whole number", 0) | None = None  # type: ignore[valid-type]
    expert_ffn: _Count | None = None
    dense_layers: whole("a whole number", 0) | None = None  # type: ignore[valid-type]
    decoder_layers: _Count | None = None
    window: _Count | None = None
    positions: _Count | None = None
    image_size: _Count | None = None
    patch_size: _Count | None = None
    channels: _Count | None = None
    classes: _Count | None = None


class Model(Section):
    """``model``: one of preset, config, architecture, parameters, forward_flops, flops."""

    preset: text("the name of a preset (costcalc models lists them)") | None = None  # type: ignore[valid-type]
    config: text("the path of a config.json or of its folder") | None = None  # type: ignore[valid-type]
    architecture: Shape | None = None
    parameters: _Amount | None = None
    forward_flops: _Flop | None = None
    flops: _Flop | None = None
    active_parameters: _Amount | None = None
    layers: _Count | None = None
    hidden: _Count | None = None
    heads: _Count | None = None
    kv_heads: _Count | None = None
    head_dim: _Count | None = None
    ffn: _Count | None = None
    vocabulary: _Count | None = None
    experts: _Count | None = None
    experts_per_token: _Count | None = None


MODEL_ONE_OF = ("preset", "config", "architecture", "parameters", "forward_flops", "flops")


def _targets(value: Any) -> tuple[str, ...]:
    words = "all, attention, mlp or a list of projections"
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not names:
        raise expected(words, value)
    if not all(isinstance(name, str) for name in names):
        raise expected(words, value)
    return tuple(names)


class Lora(Section):
    """``training.lora``: adapters on a frozen base."""

    rank: _Count | None = None
    targets: Annotated[
        tuple[str, ...], BeforeValidator(_targets),
        WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}}),
    ] | None = None


class Training(Section):
    """``training``: on how much, and how."""

    method: choice(*METHODS) | None = None  # type: ignore[valid-type]
    lora: Lora | None = None
    teacher: Model | None = None
    base_precision: choice("nf4", "int8", "bf16", "fp16", "fp32") | None = None  # type: ignore[valid-type]
    tokens: _Amount | None = None
    samples: _Amount | None = None
    sample_tokens: _Amount | None = None
    steps: _Amount | None = None
    epochs: _Amount | None = None
    dataset_tokens: _Amount | None = None
    dataset_samples: _Amount | None = None
    prompts: _Amount | None = None
    prompt_length: _Count | None = None
    generation_length: _Count | None = None
    group: _Count | None = None
    inner_epochs: _Count | None = None
    sequence_length: _Count | None = None
    target_length: _Count | None = None
    packing: choice("packed", "padded") | None = None  # type: ignore[valid-type]
    global_batch: _Amount | None = None
    micro_batch: _Count | None = None
    precision: _Precision | None = None
    recompute: choice("auto", "none", "selective", "full") | None = None  # type: ignore[valid-type]
    attention: choice("flash", "standard") | None = None  # type: ignore[valid-type]
    optimizer: choice("adamw", "adamw-8bit", "adafactor", "sgd", "muon") | None = None  # type: ignore[valid-type]
    runs: _Amount | None = None


DATA_ONE_OF = ("tokens", "samples", "steps", "epochs", "prompts")


class LayoutKeys(Section):
    """``hardware.layout``: data × tensor × pipeline × context = count; data is the rest."""

    data: _Count | None = None
    tensor: _Count = 1
    pipeline: _Count = 1
    virtual_pipeline: _Count = 1
    context: _Count = 1
    expert: _Count = 1
    sharding: choice(*SHARDINGS) | None = None  # type: ignore[valid-type]
    offload: choice("none", "optimizer", "all") | None = None  # type: ignore[valid-type]


def _layout(value: Any) -> Any:
    if value == "auto":
        return None
    if isinstance(value, (dict, LayoutKeys)) or value is None:
        return value
    raise expected("auto or a mapping such as {data: 128, tensor: 8}", value)


class UtilizationBasis(Section):
    """Which peak and which attention count a measured utilization refers to."""

    peak: _Precision | None = None
    attention: choice("causal", "full") | None = None  # type: ignore[valid-type]


class Calibrate(Section):
    """One measured step of this run: scales the time model."""

    step_time: quantity("s")  # type: ignore[valid-type]


class Hardware(Section):
    """``hardware``: on what."""

    accelerator: text("the name of a profile (costcalc hardware list)") | None = None  # type: ignore[valid-type]
    count: whole("a whole number of devices") | None = None  # type: ignore[valid-type]
    per_node: _Count | None = None
    instance: text("the name of an instance or host") | None = None  # type: ignore[valid-type]
    nodes: whole("a whole number of nodes") | None = None  # type: ignore[valid-type]
    share: _Share | None = None
    layout: Annotated[LayoutKeys | None, BeforeValidator(_layout)] = None
    utilization: _Share | None = None
    utilization_basis: UtilizationBasis | None = None
    throughput: scalars.Throughput | None = None  # type: ignore[valid-type]
    calibrate: Calibrate | None = None
    goodput: _Share | None = None
    scale_up: quantity("B/s") | None = None  # type: ignore[valid-type]
    scale_out: quantity("B/s") | None = None  # type: ignore[valid-type]


class Site(Section):
    """``site``: where."""

    region: text("a region") | None = None  # type: ignore[valid-type]
    grid: quantity("gCO2e/J", zero=True) | None = None  # type: ignore[valid-type]
    grid_basis: choice("lifecycle", "direct") | None = None  # type: ignore[valid-type]
    pue: within("a power usage effectiveness", 1, 5) | None = None  # type: ignore[valid-type]


class Owned(Section):
    """``price.owned``: hardware that was bought."""

    purchase: money("a purchase price") | None = None  # type: ignore[valid-type]
    lifetime: quantity("s") | None = None  # type: ignore[valid-type]
    utilization: _Share | None = None
    electricity: money("a price of electricity", per=("kWh",), required=True) | None = None  # type: ignore[valid-type]


_HOURLY = ("h", "device_hour", "hour")


class Price(Section):
    """``price``: for how much."""

    provider: text("a provider, or any") | None = None  # type: ignore[valid-type]
    plan: choice(*PLANS) | None = None  # type: ignore[valid-type]
    device_hour: money("a price a device-hour", per=_HOURLY) | None = None  # type: ignore[valid-type]
    instance_hour: money("a price an instance-hour", per=_HOURLY) | None = None  # type: ignore[valid-type]
    discount: within("a share", 0, 1) | None = None  # type: ignore[valid-type]
    rate: scalars.ExchangeRate | None = None  # type: ignore[valid-type]
    owned: Owned | None = None


class Limits(Section):
    """``limits``: what must not be passed; judged on the value."""

    cost: money("an amount of money") | None = None  # type: ignore[valid-type]
    time: quantity("s") | None = None  # type: ignore[valid-type]
    energy: quantity("J") | None = None  # type: ignore[valid-type]
    carbon: quantity("gCO2e", zero=True) | None = None  # type: ignore[valid-type]


class Measured(Section):
    """``measured``: figures of a run that is over, each in the place of its stage."""

    wall_clock: quantity("s") | None = None  # type: ignore[valid-type]
    device_hours: positive("a number of device-hours") | None = None  # type: ignore[valid-type]
    energy: quantity("J") | None = None  # type: ignore[valid-type]
    energy_it: quantity("J") | None = None  # type: ignore[valid-type]
    cost: money("an amount of money") | None = None  # type: ignore[valid-type]


class Part(Section):
    """What the top level and each stage may say."""

    name: text("a name") | None = None  # type: ignore[valid-type]
    model: Model | None = None
    training: Training | None = None
    measured: Measured | None = None
    hardware: Hardware | None = None
    site: Site | None = None
    price: Price | None = None


class Stage(Part):
    """One of ``stages``: a partial run, laid over the top level."""


class Run(Part):
    """A run file.

    >>> run = Run.model_validate({"model": {"preset": "llama-3-8b"}, "training": {"tokens": "15T"},
    ...                           "hardware": {"accelerator": "h100-sxm5-80", "count": 1024}})
    >>> run.training.tokens
    15000000000000.0
    """

    subject: Subject | None = None
    limits: Limits | None = None
    profiles: text("the path of a folder of profiles") | None = None  # type: ignore[valid-type]
    stages: list[Stage] | None = None


def schema() -> dict[str, Any]:
    """The JSON Schema of the run file.

    >>> schema()["title"]
    'costcalc run file'
    """
    made = Run.model_json_schema()
    made["title"] = "costcalc run file"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


Mode = Literal["file", "python"]
