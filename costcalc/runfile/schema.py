"""The run file: what the user asks for.  Every key of it, with its unit, its check and its words.

Values are SI floats once read.  A key that is not given is None here: defaults are filled in one
place (:mod:`costcalc.resolve`), where each becomes an assumption of the result.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from costcalc.base.spellings import CURRENCIES
from costcalc.base.vocabulary import ACTIVATIONS, AXES, SHARDINGS
from costcalc.runfile import values as scalars
from costcalc.runfile import words
from costcalc.runfile.calibration import Calibrated
from costcalc.runfile.section import PRECISIONS, Count, DeviceHours, Precision, Section, Share, key
from costcalc.runfile.values import Money, choice, expected, money, quantity, text, whole, within
from costcalc.runfile.workload import (
    ADAPTED,
    DATA_ONE_OF,
    METHODS,
    MODEL_ONE_OF,
    SHAPE_KEYS,
    Lora,
    Model,
    Training,
)

__all__ = [
    "ADAPTED",
    "DATA_ONE_OF",
    "METHODS",
    "MODEL_ONE_OF",
    "PLANS",
    "PRECISIONS",
    "SHAPE_KEYS",
    "Hardware",
    "LayoutKeys",
    "Limits",
    "Lora",
    "Measured",
    "Model",
    "Part",
    "Price",
    "Run",
    "Section",
    "Site",
    "Stage",
    "Training",
    "schema",
]
PLANS = ("on-demand", "spot", "reserved-1y", "reserved-3y", "owned")
MOST_DEVICES = 1e9  # more than were ever made; the layouts of more would be searched for long
DEVICES = ("device", "gpu", "tpu", "chip", "accelerator", "card", "core")


class Subject(Section):
    """What the run belongs to: goes into the report as it stands."""

    paper: Annotated[str, text("a paper: DOI, arXiv number or URL")] | None = key(
        "DOI, arXiv number or URL of the paper"
    )
    code: Annotated[str, text("a repository")] | None = key("the repository")
    commit: Annotated[str, text("a commit")] | None = key("the commit that was trained")


class LayoutKeys(Section):
    """``hardware.layout``: data × tensor × pipeline × context = count; data is the rest."""

    data: Count | None = key("data-parallel groups; default: what the others leave")
    tensor: Count = Field(1, description="devices that share a layer's matrices")
    pipeline: Count = Field(1, description="stages that layers are cut into")
    virtual_pipeline: Count = Field(1, description="chunks of layers a stage has (interleaved)")
    context: Count = Field(1, description="devices that share a sequence")
    expert: Count = Field(1, description="devices that share the experts")
    sharding: Annotated[
        Annotated[str, choice("auto", *SHARDINGS, "fsdp", also=words.SHARDINGS)] | None,
        AfterValidator(lambda found: None if found == "auto" else found),
    ] = key(
        "what data-parallel devices share: auto, ZeRO 1 to 3 (by DeepSpeed in software that has "
        "it), FSDP, HSDP"
    )
    offload: Annotated[str, choice("none", "optimizer", "all")] | None = key(
        "what is kept in the host's memory"
    )
    activations: Annotated[str, choice(*ACTIVATIONS)] | None = key(
        "where activations are kept for the backward pass"
    )
    expert_overlap: bool | None = key("whether traffic of experts hides behind computing")
    sequence_parallel: bool | None = Field(
        default=None, description="false: what tensor parallelism does not divide is not divided"
    )

    @property
    def divides(self) -> bool:
        """Whether an axis or a sharding is said: what is not is 1 then, and data is the rest."""
        return bool({"sharding", *AXES} & self.model_fields_set)

    def groups(self, count: int) -> int:
        """Data-parallel groups of so many devices."""
        return self.data or count // (self.tensor * self.pipeline * self.context)

    def fills(self, count: int) -> bool:
        """Whether the axes make so many devices."""
        return self.groups(count) * self.tensor * self.pipeline * self.context == count


def _layout(value: object) -> object:
    if value == "auto":
        return None
    if isinstance(value, (dict, LayoutKeys)) or value is None:
        return value
    raise expected("auto or a mapping such as {data: 128, tensor: 8}", value)


class UtilizationBasis(Section):
    """Which peak and which attention count a measured utilization refers to."""

    peak: Precision | None = key("precision whose dense peak was divided by")
    attention: Annotated[str, choice("causal", "full")] | None = key(
        "whether attention was counted causal or full"
    )


class Calibrate(Section):
    """One measured step of this run: scales the time model."""

    step_time: Annotated[float, quantity("s")] = Field(
        description="time of one step of this very run, as measured"
    )


class Hardware(Section):
    """``hardware``: on what."""

    accelerator: Annotated[str, text("a profile (costcalc hardware list)")] | None = key(
        "the device: costcalc hardware list"
    )
    count: (
        Annotated[int, whole("a whole number of devices", most=MOST_DEVICES, of=DEVICES)] | None
    ) = key("how many, in the profile's unit")
    per_node: Count | None = key("devices in one node")
    instance: Annotated[str, text("the name of an instance or host")] | None = key(
        "a cloud instance, which says accelerator and devices a node"
    )
    host: Annotated[str, text("the name of a host")] | None = key(
        "the server that the devices stand in"
    )
    nodes: (
        Annotated[
            int,
            whole("a whole number of nodes", most=MOST_DEVICES, of=("node", "instance", "host")),
        ]
        | None
    ) = key("how many instances or hosts")
    share: Share | None = key("share of one device (MIG, time slices)")
    layout: Annotated[LayoutKeys | None, BeforeValidator(_layout)] = key(
        "how the model is spread over the devices; auto: the fastest that fits"
    )
    utilization: Share | None = key("share of the dense peak that useful computation reaches (MFU)")
    utilization_basis: UtilizationBasis | None = key("what utilization refers to")
    throughput: scalars.Throughput | None = key(
        "throughput as measured: token/s or sample/s of the job, FLOP/s a device"
    )
    calibrate: Calibrate | None = key("one measured step, to scale the time by")
    calibration: Calibrated | None = key("what this machine did: the file of costcalc calibrate")
    goodput: Share | None = key("share of the allocated time in which training advances")
    scale_up: Annotated[float, quantity("B/s")] | None = key("fast fabric, each way a device")
    scale_up_domain: Count | None = Field(
        default=None, description="devices that the fast fabric joins"
    )
    scale_out: Annotated[float, quantity("B/s")] | None = key(
        "network between nodes, each way a device"
    )
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
    network_power: Annotated[float, within("a share of what computers draw", 0, 10)] | None = key(
        "switches and links, as a share of what computers draw"
    )
    redone: Annotated[float, within("a share", 0, 1)] | None = Field(
        default=None,
        description="of the time that does not count, the share that draws as training does",
    )


class Site(Section):
    """``site``: where."""

    region: Annotated[str, text("a region")] | None = key("where: aws:us-east-1, FR, US-CA, Spain")
    grid: Annotated[float, quantity("gCO2e/J", zero=True)] | None = key(
        "emissions of the electricity"
    )
    grid_basis: Annotated[str, choice("lifecycle", "direct")] | None = key(
        "whether grid counts fuel supply and plants (lifecycle) or the stack only (direct)"
    )
    grid_resolution: Annotated[str, choice("hourly", "annual")] | None = key(
        "of what grid is the mean: the hours of the run (hourly), or a year in place of them "
        "(annual: a default for those hours, no figure of them)"
    )
    grid_low: Annotated[float, quantity("gCO2e/J", zero=True)] | None = key(
        "how low the grid's figure may be, where that is below its own range"
    )
    grid_high: Annotated[float, quantity("gCO2e/J", zero=True)] | None = key(
        "how high it may be, where that is above its own range"
    )
    pue: Annotated[float, within("a power usage effectiveness", 1, 5)] | None = key(
        "energy of the facility over that of its computers"
    )
    wue: Annotated[float, quantity("L/J", zero=True)] | None = Field(
        default=None, description="water used on site, by the energy of the computers"
    )
    grid_water: Annotated[float, quantity("L/J", zero=True)] | None = Field(
        default=None, description="water used at the power plants, by the energy of the facility"
    )


_Electricity = Annotated[Money, money("a price of electricity", per=("kWh",), required=True)]


class Owned(Section):
    """``price.owned``: hardware that was bought."""

    purchase: Annotated[Money, money("a purchase price")] | None = key(
        "what all the devices cost, servers and network with them; default: what the profile knows"
    )
    lifetime: Annotated[float, quantity("s")] | None = key("years over which it is written off")
    utilization: Share | None = key("share of its life in which it works")
    electricity: _Electricity | None = key("price of its electricity")


_HOURLY = ("h", "device_hour", "hour")


class Price(Section):
    """``price``: for how much."""

    provider: Annotated[str, text("a provider, or any")] | None = key(
        "whose prices; any: the median of those known"
    )
    plan: Annotated[str, choice(*PLANS, also=words.PLANS)] | None = key("terms of the price")
    device_hour: Annotated[Money, money("a price a device-hour", per=_HOURLY)] | None = key(
        "price of a device for an hour"
    )
    instance_hour: Annotated[Money, money("a price an instance-hour", per=_HOURLY)] | None = key(
        "price of an instance for an hour"
    )
    discount: Annotated[float, within("a share", 0, 1)] | None = key(
        "share taken off the list price"
    )
    rate: scalars.ExchangeRate | None = key("exchange rate of the prices given: 1.08 USD/EUR")
    currency: Annotated[str, choice("USD", *CURRENCIES)] | None = Field(
        default=None, description="all money of the result in it, at `rate`"
    )
    electricity: _Electricity | None = key(
        "price of electricity, where it is paid beside the price of an hour"
    )
    billed_share: Annotated[float, within("devices billed over devices used", 1, 1000)] | None = (
        key("devices billed over devices used")
    )
    owned: Owned | None = key("hardware that was bought")


class Embodied(Section):
    """``embodied``: what it took to make the hardware, a device, and over how long it counts."""

    device: Annotated[float, quantity("gCO2e", zero=True)] | None = key(
        "emissions of making one device"
    )
    host: Annotated[float, quantity("gCO2e", zero=True)] | None = Field(
        default=None, description="a device's share of its host"
    )
    abiotic_depletion: Annotated[float, quantity("gSbeq", zero=True)] | None = Field(
        default=None, description="minerals and metals that making one device depletes"
    )
    lifetime: Annotated[float, quantity("s")] | None = key("years over which they are spread")
    utilization: Share | None = key("share of that life in which it works")


class Limits(Section):
    """``limits``: what must not be passed; judged on the value."""

    cost: Annotated[Money, money("an amount of money")] | None = key(
        "money that must not be passed"
    )
    time: Annotated[float, quantity("s")] | None = key("duration that must not be passed")
    energy: Annotated[float, quantity("J")] | None = key("energy that must not be passed")
    carbon: Annotated[float, quantity("gCO2e", zero=True)] | None = key(
        "emissions that must not be passed"
    )


class Measured(Section):
    """``measured``: figures of a run that is over, each in the place of its stage.

    All are of one run, where ``training.runs`` says more.
    """

    wall_clock: Annotated[float, quantity("s")] | None = key(
        "duration of a run that is over: 36 h, 1.5d, 36:00:00"
    )
    device_hours: DeviceHours | None = key(
        "device-hours of a run that is over; of one, where training.runs says more"
    )
    energy: Annotated[float, quantity("J")] | None = key(
        "energy of a run that is over, behind PUE; of one, where training.runs says more"
    )
    energy_it: Annotated[float, quantity("J")] | None = key(
        "energy at the node or the plug, before PUE; of one, where training.runs says more"
    )
    energy_it_low: Annotated[float, quantity("J")] | None = key(
        "5th percentile of energy_it, where a part of it was not metered"
    )
    energy_it_high: Annotated[float, quantity("J")] | None = key(
        "95th percentile of energy_it, where a part of it was not metered"
    )
    cost: Annotated[Money, money("an amount of money")] | None = key(
        "what was paid; for one run, where training.runs says more"
    )


class Part(Section):
    """What the top level and each stage may say."""

    name: Annotated[str, text("a name")] | None = key("a name, for stages and reports")
    model: Model | None = key("what is trained")
    training: Training | None = key("on how much, and how")
    measured: Measured | None = key("figures of a run that is over, of one of training.runs")
    hardware: Hardware | None = key("on what")
    site: Site | None = key("where")
    price: Price | None = key("for how much")
    embodied: Embodied | None = key("what it took to make the hardware")


class Stage(Part):
    """One of ``stages``: a partial run, laid over the top level."""


class Run(Part):
    """A run file.

    >>> run = Run.model_validate({"model": {"preset": "llama-3-8b"}, "training": {"tokens": "15T"},
    ...                           "hardware": {"accelerator": "h100-sxm5-80", "count": 1024}})
    >>> run.training.tokens
    15000000000000.0
    """

    subject: Subject | None = key("what the run belongs to")
    limits: Limits | None = key("what must not be passed")
    profiles: Annotated[str, text("the path of a folder of profiles")] | None = key(
        "a folder with accelerators and hosts of your own"
    )
    defaults: Annotated[str, text("the path of a partial run file")] | None = key(
        "a partial run file laid under this one: a lab's prices, PUE, region, hardware"
    )
    stages: list[Stage] | None = key("parts of a run, each laid over the top level")
    sweep: dict[str, object] | None = Field(None, description="the axes of costcalc compare")


def schema() -> dict[str, object]:
    """The JSON Schema of the run file.

    >>> schema()["title"]
    'costcalc run file'
    """
    made = Run.model_json_schema()
    made["title"] = "costcalc run file"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
