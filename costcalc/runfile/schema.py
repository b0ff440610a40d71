"""The run file: what the user asks for.  Every key of it, with its unit, its check and its words.

Values are SI floats once read.  A key that is not given is None here: defaults are filled in one
place (:mod:`costcalc.resolve`), where each becomes an assumption of the result.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from costcalc.base.spellings import CURRENCIES
from costcalc.runfile import values as scalars
from costcalc.runfile.values import (
    Money,
    choice,
    expected,
    money,
    positive,
    quantity,
    text,
    whole,
    within,
)

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "fp8", "mxfp8", "fp4")
METHODS = ("pretrain", "finetune", "lora", "frozen", "distill", "dpo", "ppo", "grpo")
PLANS = ("on-demand", "spot", "reserved-1y", "reserved-3y", "owned")
REINFORCED = ("ppo", "grpo")
HEADS = ("language-model", "classifier", "regression", "tokens", "none")
OPTIMIZERS = ("adamw", "adamw-8bit", "adafactor", "sgd", "muon")
SHARDINGS = ("none", "zero1", "zero2", "zero3", "fsdp", "hsdp")

_Count = Annotated[int, whole("a whole number")]
_Amount = Annotated[float, positive("a number")]
_Share = Annotated[float, within("a share", 0, 1, open_low=True)]
_Flop = Annotated[float, quantity("FLOP", bare=True)]
_Precision = Annotated[str, choice(*PRECISIONS)]


class Section(BaseModel):
    """A mapping of the run file; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Subject(Section):
    """What the run belongs to: goes into the report as it stands."""

    paper: Annotated[str, text("a paper: DOI, arXiv number or URL")] | None = None
    code: Annotated[str, text("a repository")] | None = None
    commit: Annotated[str, text("a commit")] | None = None


class Shape(Section):
    """``model.architecture``: a model by its shape."""

    kind: Annotated[str, choice("decoder", "encoder", "encoder-decoder", "vit", "dit")] = "decoder"
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
    shared_experts: Annotated[int, whole("a whole number", 0)] | None = None
    expert_ffn: _Count | None = None
    dense_layers: Annotated[int, whole("a whole number", 0)] | None = None
    decoder_layers: _Count | None = None
    window: _Count | None = None
    positions: _Count | None = None
    image_size: _Count | None = None
    patch_size: _Count | None = None
    channels: _Count | None = None
    classes: _Count | None = None


class Model(Section):
    """``model``: one of preset, config, architecture, parameters, forward_flops, flops."""

    preset: Annotated[str, text("the name of a preset (costcalc models lists them)")] | None = None
    config: Annotated[str, text("the path of a config.json or of its folder")] | None = None
    architecture: Shape | None = None
    parameters: _Amount | None = None
    forward_flops: _Flop | None = None
    flops: _Flop | None = None
    head: Annotated[str, choice(*HEADS)] | None = Field(
        default=None,
        description="what stands on top; default: what a config.json's architectures says",
    )
    labels: _Count | None = Field(default=None, description="outputs of a classifier's head")
    kind: Annotated[str, choice("cnn", "vit", "diffusion")] | None = Field(
        default=None, description="what model.forward_flops are of"
    )
    activations: _Amount | None = Field(
        default=None, description="elements that the layers put out, a sample (forward_flops)"
    )
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


# What may stand beside model.parameters: what is given is used.
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
    scalars.Kind(_targets, {"type": ["string", "array"], "items": {"type": "string"}}, list),
]


class Lora(Section):
    """``training.lora``: adapters on a frozen base."""

    rank: _Count | None = None
    targets: _Targets | None = None


class Training(Section):
    """``training``: on how much, and how."""

    method: Annotated[str, choice(*METHODS)] | None = None
    lora: Lora | None = None
    teacher: Model | None = None
    base_precision: Annotated[str, choice("nf4", "int8", "bf16", "fp16", "fp32")] | None = None
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
    packing: Annotated[str, choice("packed", "padded")] | None = None
    global_batch: _Amount | None = None
    micro_batch: _Count | None = None
    precision: _Precision | None = None
    recompute: Annotated[str, choice("auto", "none", "selective", "full")] | None = None
    attention: Annotated[str, choice("flash", "flash2", "standard")] | None = None
    kernels: Annotated[str, choice("plain", "fused")] | None = None
    overlap: bool | None = Field(
        default=None, description="false: software whose communication makes computation wait"
    )
    optimizer: Annotated[str, choice(*OPTIMIZERS)] | None = None
    runs: _Amount | None = None
    generation_time: Annotated[float, quantity("s", zero=True)] | None = None
    model_flops: _Flop | None = None


DATA_ONE_OF = ("tokens", "samples", "steps", "epochs", "prompts")


class LayoutKeys(Section):
    """``hardware.layout``: data × tensor × pipeline × context = count; data is the rest."""

    data: _Count | None = None
    tensor: _Count = 1
    pipeline: _Count = 1
    virtual_pipeline: _Count = 1
    context: _Count = 1
    expert: _Count = 1
    sharding: Annotated[
        Annotated[str, choice("auto", *SHARDINGS)] | None,
        AfterValidator(lambda found: None if found == "auto" else found),
    ] = None
    offload: Annotated[str, choice("none", "optimizer", "all")] | None = None
    expert_overlap: bool | None = None
    sequence_parallel: bool | None = Field(
        default=None, description="false: what tensor parallelism does not divide is not divided"
    )


def _layout(value: object) -> object:
    if value == "auto":
        return None
    if isinstance(value, (dict, LayoutKeys)) or value is None:
        return value
    raise expected("auto or a mapping such as {data: 128, tensor: 8}", value)


class UtilizationBasis(Section):
    """Which peak and which attention count a measured utilization refers to."""

    peak: _Precision | None = None
    attention: Annotated[str, choice("causal", "full")] | None = None


class Calibrate(Section):
    """One measured step of this run: scales the time model."""

    step_time: Annotated[float, quantity("s")]


class Hardware(Section):
    """``hardware``: on what."""

    accelerator: Annotated[str, text("a profile (costcalc hardware list)")] | None = None
    count: Annotated[int, whole("a whole number of devices")] | None = None
    per_node: _Count | None = None
    instance: Annotated[str, text("the name of an instance or host")] | None = None
    host: Annotated[str, text("the name of a host")] | None = None
    nodes: Annotated[int, whole("a whole number of nodes")] | None = None
    share: _Share | None = None
    layout: Annotated[LayoutKeys | None, BeforeValidator(_layout)] = None
    utilization: _Share | None = None
    utilization_basis: UtilizationBasis | None = None
    throughput: scalars.Throughput | None = None
    calibrate: Calibrate | None = None
    goodput: _Share | None = None
    scale_up: Annotated[float, quantity("B/s")] | None = None
    scale_up_domain: _Count | None = Field(
        default=None, description="devices that the fast fabric joins"
    )
    scale_out: Annotated[float, quantity("B/s")] | None = None
    peak: Annotated[float, quantity("FLOP/s")] | None = Field(
        default=None, description="dense FLOP/s of a device at the precision of the training"
    )
    board_power: Annotated[float, quantity("W")] | None = Field(
        default=None, description="what a device's board draws while it trains"
    )
    idle_power: Annotated[float, quantity("W")] | None = Field(
        default=None, description="what a device's board draws while it waits"
    )
    host_power: Annotated[float, quantity("W", zero=True)] | None = Field(
        default=None, description="what a node draws beside its boards"
    )
    network_power: Annotated[float, within("a share of what computers draw", 0, 10)] | None = None
    redone: Annotated[float, within("a share", 0, 1)] | None = Field(
        default=None,
        description="of the time that does not count, the share that draws as training does",
    )


class Site(Section):
    """``site``: where."""

    region: Annotated[str, text("a region")] | None = None
    grid: Annotated[float, quantity("gCO2e/J", zero=True)] | None = None
    grid_basis: Annotated[str, choice("lifecycle", "direct")] | None = None
    pue: Annotated[float, within("a power usage effectiveness", 1, 5)] | None = None
    wue: Annotated[float, quantity("L/J", zero=True)] | None = Field(
        default=None, description="water used on site, by the energy of the computers"
    )
    grid_water: Annotated[float, quantity("L/J", zero=True)] | None = Field(
        default=None, description="water used at the power plants, by the energy of the facility"
    )


_Electricity = Annotated[Money, money("a price of electricity", per=("kWh",), required=True)]


class Owned(Section):
    """``price.owned``: hardware that was bought."""

    purchase: Annotated[Money, money("a purchase price")] | None = None
    lifetime: Annotated[float, quantity("s")] | None = None
    utilization: _Share | None = None
    electricity: _Electricity | None = None


_HOURLY = ("h", "device_hour", "hour")


class Price(Section):
    """``price``: for how much."""

    provider: Annotated[str, text("a provider, or any")] | None = None
    plan: Annotated[str, choice(*PLANS)] | None = None
    device_hour: Annotated[Money, money("a price a device-hour", per=_HOURLY)] | None = None
    instance_hour: Annotated[Money, money("a price an instance-hour", per=_HOURLY)] | None = None
    discount: Annotated[float, within("a share", 0, 1)] | None = None
    rate: scalars.ExchangeRate | None = None
    currency: Annotated[str, choice("USD", *CURRENCIES)] | None = Field(
        default=None, description="all money of the result in it, at `rate`"
    )
    electricity: _Electricity | None = None
    billed_share: Annotated[float, within("devices billed over devices used", 1, 1000)] | None = (
        None
    )
    owned: Owned | None = None


class Embodied(Section):
    """``embodied``: what it took to make the hardware, a device, and over how long it counts."""

    device: Annotated[float, quantity("gCO2e", zero=True)] | None = None
    host: Annotated[float, quantity("gCO2e", zero=True)] | None = Field(
        default=None, description="a device's share of its host"
    )
    lifetime: Annotated[float, quantity("s")] | None = None
    utilization: _Share | None = None


class Limits(Section):
    """``limits``: what must not be passed; judged on the value."""

    cost: Annotated[Money, money("an amount of money")] | None = None
    time: Annotated[float, quantity("s")] | None = None
    energy: Annotated[float, quantity("J")] | None = None
    carbon: Annotated[float, quantity("gCO2e", zero=True)] | None = None


class Measured(Section):
    """``measured``: figures of a run that is over, each in the place of its stage."""

    wall_clock: Annotated[float, quantity("s")] | None = None
    device_hours: Annotated[float, positive("a number of device-hours")] | None = None
    energy: Annotated[float, quantity("J")] | None = None
    energy_it: Annotated[float, quantity("J")] | None = None
    cost: Annotated[Money, money("an amount of money")] | None = None


class Part(Section):
    """What the top level and each stage may say."""

    name: Annotated[str, text("a name")] | None = None
    model: Model | None = None
    training: Training | None = None
    measured: Measured | None = None
    hardware: Hardware | None = None
    site: Site | None = None
    price: Price | None = None
    embodied: Embodied | None = None


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
    profiles: Annotated[str, text("the path of a folder of profiles")] | None = None
    stages: list[Stage] | None = None
    sweep: dict[str, object] | None = Field(None, description="the axes of costcalc compare")


def schema() -> dict[str, object]:
    """The JSON Schema of the run file.

    >>> schema()["title"]
    'costcalc run file'
    """
    made = Run.model_json_schema()
    made["title"] = "costcalc run file"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
