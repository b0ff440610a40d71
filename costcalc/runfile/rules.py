"""What the keys of a run file ask of one another, each rule a few lines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from enum import Enum
from typing import Any, NamedTuple

from costcalc.runfile.schema import DATA_ONE_OF, MODEL_ONE_OF, Hardware, Part, Training


class Lacking(Enum):
    """What a run cannot be estimated without; a tracker sees for itself what its file lacks."""

    MODEL = "a model"
    DATA = "the size of the data"
    HARDWARE = "the hardware"


class Fault(NamedTuple):
    """Something wrong at a key path, without its place in a file yet; ``lacks``: it is missing."""

    path: tuple[str | int, ...]
    message: str
    lacks: Lacking | None = None


def faults(part: Part, *, may_lack: Collection[Lacking] = ()) -> Iterator[Fault]:
    """Every rule that a part breaks, but for what it may lack."""
    for rule in _RULES:
        for fault in rule(part):
            if fault.lacks in may_lack:
                continue
            yield fault
            if fault.lacks is Lacking.HARDWARE:
                break  # of hardware that is not named nothing else is asked


def _given(section: Any, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if section is not None and getattr(section, name) is not None]


def _model(part: Part) -> Iterator[Fault]:
    given = _given(part.model, MODEL_ONE_OF)
    if len(given) > 1:
        yield Fault(
            ("model",), f"expected one of {', '.join(MODEL_ONE_OF)}; got {' and '.join(given)}"
        )
    elif not given and part.model is not None:
        yield Fault(("model",), f"expected one of {', '.join(MODEL_ONE_OF)}; got none of them")
    elif not given and part.measured is None:
        message = "missing: what is trained (model.preset, model.config, …) or what was measured"
        yield Fault(("model",), message, Lacking.MODEL)
    if given and given[0] in ("preset", "config", "architecture"):
        for name in _given(part.model, _SHAPE):
            message = f"goes with model.parameters; model.{given[0]} says the shape already"
            yield Fault(("model", name), message)


_SHAPE = (
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


def _data(part: Part) -> Iterator[Fault]:
    training = part.training or Training()
    given = _given(training, DATA_ONE_OF)
    needs_none = part.measured is not None or (
        part.model is not None and part.model.flops is not None
    )
    reinforced = training.method in ("ppo", "grpo")
    if len(given) > 1:
        yield Fault(
            ("training",), f"expected one of {', '.join(DATA_ONE_OF)}; got {' and '.join(given)}"
        )
    elif reinforced and "prompts" not in given and not needs_none:
        yield Fault(
            ("training",), f"{training.method} needs prompts: how many prompts are trained on"
        )
    elif not given and not needs_none:
        message = "missing the size of the data: tokens, samples, steps or epochs"
        yield Fault(("training",), message, Lacking.DATA)
    elif "prompts" in given and not reinforced:
        yield Fault(("training", "prompts"), "prompts go with method: ppo or grpo")
    yield from _data_needs(training, given)


def _data_needs(training: Training, given: list[str]) -> Iterator[Fault]:
    if "steps" in given and training.global_batch is None:
        yield Fault(("training", "steps"), "steps need training.global_batch beside them")
    sets = _given(training, ("dataset_tokens", "dataset_samples"))
    if "epochs" in given and len(sets) != 1:
        yield Fault(
            ("training", "epochs"), "epochs need dataset_tokens or dataset_samples, one of them"
        )
    if sets and "epochs" not in given:
        yield Fault(("training", sets[0]), f"{sets[0]} needs epochs: how often it is passed")
    if "prompts" in given:
        for name in ("prompt_length", "generation_length"):
            if getattr(training, name) is None:
                yield Fault(("training", "prompts"), f"prompts need training.{name} beside them")


def _method(part: Part) -> Iterator[Fault]:
    training = part.training or Training()
    if training.method == "distill" and training.teacher is None:
        yield Fault(
            ("training", "method"), "distill needs training.teacher: the model that teaches"
        )
    if training.teacher is not None:
        if training.method != "distill":
            yield Fault(("training", "teacher"), "a teacher goes with method: distill")
        given = _given(training.teacher, MODEL_ONE_OF)
        if len(given) != 1:
            yield Fault(
                ("training", "teacher"), "expected one of preset, config, architecture, parameters"
            )
    if training.lora is not None and training.method != "lora":
        yield Fault(("training", "lora"), "lora goes with method: lora")


def _hardware(part: Part) -> Iterator[Fault]:
    hardware = part.hardware
    if hardware is None or (hardware.accelerator is None and hardware.instance is None):
        message = "missing on what: hardware.accelerator with count, or instance"
        yield Fault(("hardware",), message, Lacking.HARDWARE)
    if hardware is None:
        return
    if hardware.nodes is not None and hardware.instance is None:
        yield Fault(("hardware", "nodes"), "nodes go with hardware.instance")
    if hardware.count is not None and hardware.instance is not None:
        yield Fault(
            ("hardware", "count"), "expected count with accelerator, or nodes with instance"
        )
    if hardware.share is not None and (hardware.count or 1) != 1:
        yield Fault(("hardware", "share"), f"a share is of one device; count is {hardware.count}")
    if hardware.utilization is not None:
        yield from _utilization(part, hardware)
    if (
        hardware.utilization_basis is not None
        and hardware.utilization is None
        and (hardware.throughput is None or hardware.throughput.unit != "FLOP/s")
    ):
        yield Fault(("hardware", "utilization_basis"), "goes with hardware.utilization or TFLOP/s")


def _utilization(part: Part, hardware: Hardware) -> Iterator[Fault]:
    precision = part.training.precision if part.training else None
    basis = hardware.utilization_basis
    if precision in ("fp8", "mxfp8", "fp4") and (basis is None or basis.peak is None):
        message = (
            f"which peak does it refer to? precision is {precision}: "
            f"add utilization_basis: {{peak: bf16}} or {{peak: {precision}}}"
        )
        yield Fault(("hardware", "utilization"), message)


def _layout(part: Part) -> Iterator[Fault]:
    layout = part.hardware.layout if part.hardware else None
    count = part.hardware.count if part.hardware else None
    if layout is not None and layout.virtual_pipeline > 1 and layout.pipeline == 1:
        message = f"{layout.virtual_pipeline} needs a pipeline above 1: it cuts each stage up"
        yield Fault(("hardware", "layout", "virtual_pipeline"), message)
    if layout is not None and layout.expert_overlap and layout.expert == 1:
        message = "needs experts apart: say hardware.layout.expert, 2 or more"
        yield Fault(("hardware", "layout", "expert_overlap"), message)
    if layout is None or count is None:
        return
    model = layout.tensor * layout.pipeline * layout.context
    if layout.data is not None and layout.data * model != count:
        message = (
            f"data {layout.data} × tensor {layout.tensor} × pipeline {layout.pipeline} × context "
            f"{layout.context} = {layout.data * model}; expected the count, {count}"
        )
        yield Fault(("hardware", "layout"), message)
    elif count % model:
        message = f"tensor × pipeline × context = {model} does not divide the count, {count}"
        yield Fault(("hardware", "layout"), message)
    elif (count // layout.pipeline) % layout.expert:
        rest = count // layout.pipeline
        message = f"expert {layout.expert} does not divide data × tensor × context = {rest}"
        yield Fault(("hardware", "layout"), message)


def _site(part: Part) -> Iterator[Fault]:
    if part.site and part.site.grid_basis and part.site.grid is None:
        yield Fault(("site", "grid_basis"), "goes with site.grid, your own figure")


_MONEY_KEYS = (
    ("price", "device_hour"),
    ("price", "instance_hour"),
    ("price", "owned", "purchase"),
    ("price", "owned", "electricity"),
    ("measured", "cost"),
    ("limits", "cost"),
)


def _money(part: Part) -> Iterator[Fault]:
    rate = part.price.rate if part.price else None
    for path in _MONEY_KEYS:
        value: Any = part
        for name in path:
            value = getattr(value, name, None)
        if value is None or value.currency == "USD":
            continue
        if rate is None or rate.currency != value.currency:
            message = f"{value.currency} needs an exchange rate: price.rate: … USD/{value.currency}"
            yield Fault(path, message)
    price = part.price
    if price is None:
        return
    if price.device_hour is not None and price.instance_hour is not None:
        yield Fault(("price",), "expected device_hour or instance_hour; got both")
    if price.plan == "owned" and price.owned is None and price.device_hour is None:
        yield Fault(("price", "plan"), "owned needs price.owned: {purchase: …, lifetime: …}")
    if price.owned is not None and price.owned.purchase is None:
        yield Fault(("price", "owned"), "missing purchase: what the hardware cost")


def _measured(part: Part) -> Iterator[Fault]:
    measured = part.measured
    if measured is None:
        return
    if not _given(measured, ("wall_clock", "device_hours", "energy", "energy_it", "cost")):
        yield Fault(
            ("measured",), "expected one of wall_clock, device_hours, energy, cost; got none"
        )
    if measured.wall_clock is not None and measured.device_hours is not None:
        yield Fault(("measured",), "expected wall_clock or device_hours; got both")


_RULES: tuple[Callable[[Part], Iterator[Fault]], ...] = (
    _model,
    _data,
    _method,
    _hardware,
    _layout,
    _site,
    _money,
    _measured,
)
