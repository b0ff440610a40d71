"""What the keys of a run file ask of one another, each rule a few lines."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from costcalc.base.vocabulary import REINFORCED
from costcalc.runfile.schema import (
    ADAPTED,
    DATA_ONE_OF,
    MODEL_ONE_OF,
    SHAPE_KEYS,
    Hardware,
    Measured,
    Part,
    Section,
    Training,
)
from costcalc.runfile.values import Money

KeyPath = tuple[str | int, ...]


class Lacking(Enum):
    """What a run cannot be estimated without; a tracker sees for itself what its file lacks."""

    MODEL = "a model"
    DATA = "the size of the data"
    HARDWARE = "the hardware"


class Fault(NamedTuple):
    """Something wrong at a key path, without its place in a file yet; ``lacks``: it is missing.

    ``about``: other keys that it rests on.  Where one of them cannot be read it is not told: what
    is wrong with that key is told already.
    """

    path: KeyPath
    message: str
    lacks: Lacking | None = None
    about: tuple[KeyPath, ...] = ()


def faults(part: Part, *, may_lack: Collection[Lacking] = ()) -> Iterator[Fault]:
    """Every rule that a part breaks, but for what it may lack."""
    for rule in _RULES:
        for fault in rule(part):
            if fault.lacks in may_lack:
                continue
            yield fault
            if fault.lacks is Lacking.HARDWARE:
                break  # of hardware that is not named nothing else is asked


def _given(section: Section | None, names: Iterable[str]) -> list[str]:
    return [name for name in names if section is not None and getattr(section, name) is not None]


def _under(section: str, names: Iterable[str]) -> tuple[KeyPath, ...]:
    return tuple((section, name) for name in names)


_MODELS = _under("model", MODEL_ONE_OF)


def _model(part: Part) -> Iterator[Fault]:
    given = _given(part.model, MODEL_ONE_OF)
    one_of = f"expected one of {', '.join(MODEL_ONE_OF)}"
    if len(given) > 1:
        yield Fault(("model",), f"{one_of}; got {' and '.join(given)}", about=_MODELS)
    elif not given and part.model is not None:
        yield Fault(("model",), f"{one_of}; got none of them", about=_MODELS)
    elif not given and part.measured is None:
        message = "missing: what is trained (model.preset, model.config, …) or what was measured"
        yield Fault(("model",), message, Lacking.MODEL, (*_MODELS, ("measured",)))
    if given and given[0] in ("preset", "config", "architecture"):
        for name in _given(part.model, SHAPE_KEYS):
            message = f"goes with model.parameters; model.{given[0]} says the shape already"
            yield Fault(("model", name), message, about=_MODELS)
    elif given:
        for name in _given(part.model, ("head", "labels")):
            message = f"goes with preset, config or architecture; got {given[0]}"
            yield Fault(("model", name), message, about=_MODELS)
    if "forward_flops" not in given:
        for name in _given(part.model, ("kind", "activations")):
            yield Fault(("model", name), "goes with model.forward_flops", about=_MODELS)


def _data(part: Part) -> Iterator[Fault]:
    training = part.training or Training()
    given = _given(training, DATA_ONE_OF)
    sizes = _under("training", DATA_ONE_OF)
    method: KeyPath = ("training", "method")
    needs_none = part.measured is not None or (
        part.model is not None and part.model.flops is not None
    )
    reinforced = training.method in REINFORCED
    if len(given) > 1:
        message = f"expected one of {', '.join(DATA_ONE_OF)}; got {' and '.join(given)}"
        yield Fault(("training",), message, about=sizes)
    elif reinforced and "prompts" not in given and not needs_none:
        message = f"{training.method} needs prompts: how many prompts are trained on"
        yield Fault(("training",), message, about=(("training", "prompts"),))
    elif not given and not needs_none:
        message = "missing the size of the data: tokens, samples, steps or epochs"
        yield Fault(("training",), message, Lacking.DATA, sizes)
    elif "prompts" in given and not reinforced:
        yield Fault(("training", "prompts"), "prompts go with method: ppo or grpo", about=(method,))
    yield from _data_needs(training, given)


def _data_needs(training: Training, given: list[str]) -> Iterator[Fault]:
    if "steps" in given and training.global_batch is None:
        message = "steps need training.global_batch beside them"
        yield Fault(("training", "steps"), message, about=(("training", "global_batch"),))
    sets = _given(training, ("dataset_tokens", "dataset_samples"))
    if "epochs" in given and len(sets) != 1:
        message = "epochs need dataset_tokens or dataset_samples, one of them"
        whole = [name for name in given if name in ("tokens", "samples")]
        if whole:  # of one data set, as many trainers ask for it
            message += f"; {whole[0]} is all that is trained on: say dataset_{whole[0]} instead"
        about = _under("training", ("dataset_tokens", "dataset_samples"))
        yield Fault(("training", "epochs"), message, about=about)
    if sets and "epochs" not in given:
        message = f"{sets[0]} needs epochs: how often it is passed"
        yield Fault(("training", sets[0]), message, about=(("training", "epochs"),))
    if training.documents is not None and training.sample_tokens is not None:
        message = "expected documents or sample_tokens, the mean length of a sample; got both"
        about = _under("training", ("sample_tokens",))
        yield Fault(("training", "documents"), message, about=about)
    if "prompts" in given:
        for name in ("prompt_length", "generation_length"):
            if getattr(training, name) is None:
                message = f"prompts need training.{name} beside them"
                yield Fault(("training", "prompts"), message, about=(("training", name),))


def _method(part: Part) -> Iterator[Fault]:
    training = part.training or Training()
    method, teacher = ("training", "method"), ("training", "teacher")
    if training.method == "distill" and training.teacher is None:
        message = "distill needs training.teacher: the model that teaches"
        yield Fault(method, message, about=(teacher,))
    if training.teacher is not None:
        if training.method != "distill":
            yield Fault(teacher, "a teacher goes with method: distill", about=(method,))
        if len(_given(training.teacher, MODEL_ONE_OF)) != 1:
            message = "expected one of preset, config, architecture, parameters"
            about = tuple((*teacher, name) for name in MODEL_ONE_OF)
            yield Fault(teacher, message, about=about)
    if training.base_precision is not None and training.method in ("pretrain", "finetune"):
        message = f"all weights learn under {training.method}: it goes with adapters (method: lora)"
        yield Fault(("training", "base_precision"), message, about=(method,))
    if training.lora is not None and training.method not in ADAPTED:
        message = f"adapters go with method: {', '.join(ADAPTED[:-1])} or {ADAPTED[-1]}"
        yield Fault(("training", "lora"), message, about=(method,))


def _hardware(part: Part) -> Iterator[Fault]:
    hardware = part.hardware
    accelerator, instance = _under("hardware", ("accelerator", "instance"))
    if hardware is None or (hardware.accelerator is None and hardware.instance is None):
        message = "missing on what: hardware.accelerator with count, or instance"
        about = (accelerator, instance, ("hardware", "count"))
        yield Fault(("hardware",), message, Lacking.HARDWARE, about)
    if hardware is None:
        return
    if hardware.nodes is not None and hardware.instance is None:
        yield Fault(("hardware", "nodes"), "nodes go with hardware.instance", about=(instance,))
    if hardware.instance is not None:
        for name in _given(hardware, ("count", "host")):
            message = {
                "count": "expected count with accelerator, or nodes with instance",
                "host": "goes with hardware.accelerator; hardware.instance says the host already",
            }[name]
            yield Fault(("hardware", name), message, about=(accelerator, instance))
    if hardware.share is not None and (hardware.count or 1) != 1:
        message = f"a share is of one device; count is {hardware.count}"
        yield Fault(("hardware", "share"), message, about=(("hardware", "count"),))
    yield from _utilization(part, hardware)


def _utilization(part: Part, hardware: Hardware) -> Iterator[Fault]:
    precision = part.training.precision if part.training else None
    basis = hardware.utilization_basis
    used, of = _under("hardware", ("utilization", "utilization_basis"))
    narrow = precision in ("fp8", "mxfp8", "fp4")
    if hardware.utilization is not None and narrow and (basis is None or basis.peak is None):
        message = (
            f"which peak does it refer to? precision is {precision}: "
            f"add utilization_basis: {{peak: bf16}} or {{peak: {precision}}}"
        )
        yield Fault(used, message, about=(of, (*of, "peak"), ("training", "precision")))
    rate = hardware.throughput
    if (
        basis is not None
        and hardware.utilization is None
        and (rate is None or rate.unit != "FLOP/s")
    ):
        message = "goes with hardware.utilization or TFLOP/s"
        yield Fault(of, message, about=(used,))


def _layout(part: Part) -> Iterator[Fault]:
    layout = part.hardware.layout if part.hardware else None
    count = part.hardware.count if part.hardware else None
    if layout is None:
        return
    at: KeyPath = ("hardware", "layout")
    if layout.virtual_pipeline > 1 and layout.pipeline == 1:
        message = f"{layout.virtual_pipeline} needs a pipeline above 1: it cuts each stage up"
        yield Fault((*at, "virtual_pipeline"), message, about=((*at, "pipeline"),))
    if layout.expert_overlap and layout.expert == 1:
        message = "needs experts apart: say hardware.layout.expert, 2 or more"
        yield Fault((*at, "expert_overlap"), message, about=((*at, "expert"),))
    if count is None:
        return
    model = layout.tensor * layout.pipeline * layout.context
    rest = count // layout.pipeline
    message = ""
    if layout.data is not None and layout.data * model != count:
        message = (
            f"data {layout.data} × tensor {layout.tensor} × pipeline {layout.pipeline} × context "
            f"{layout.context} = {layout.data * model}; expected the count, {count}"
        )
    elif count % model:
        message = f"tensor × pipeline × context = {model} does not divide the count, {count}"
    elif rest % layout.expert:
        message = f"expert {layout.expert} does not divide data × tensor × context = {rest}"
    if message:
        axes = ("data", "tensor", "pipeline", "context", "expert")
        yield Fault(at, message, about=(("hardware", "count"), *((*at, axis) for axis in axes)))


def _site(part: Part) -> Iterator[Fault]:
    if part.site and part.site.grid_basis and part.site.grid is None:
        message = "goes with site.grid, your own figure"
        yield Fault(("site", "grid_basis"), message, about=(("site", "grid"),))


_MONEY_KEYS = (
    ("price", "device_hour"),
    ("price", "instance_hour"),
    ("price", "electricity"),
    ("price", "owned", "purchase"),
    ("price", "owned", "electricity"),
    ("measured", "cost"),
    ("limits", "cost"),
)


def value_at(part: Section, path: KeyPath) -> object:
    """What the record holds at a key path; None where it holds nothing.

    >>> value_at(Part.model_validate({"site": {"pue": 1.1}}), ("site", "pue"))
    1.1
    """
    value: object = part
    for name in path:
        value = getattr(value, str(name), None)
    return value


def _money(part: Part) -> Iterator[Fault]:
    rate = part.price.rate if part.price else None
    for path in _MONEY_KEYS:
        value = value_at(part, path)
        if not isinstance(value, Money) or value.currency == "USD":
            continue
        if rate is None or rate.currency != value.currency:
            message = f"{value.currency} needs an exchange rate: price.rate: … USD/{value.currency}"
            yield Fault(path, message, about=(("price", "rate"),))
    price = part.price
    if price is None:
        return
    if price.currency not in (None, "USD") and (rate is None or rate.currency != price.currency):
        message = f"{price.currency} needs an exchange rate: price.rate: … USD/{price.currency}"
        yield Fault(("price", "currency"), message, about=(("price", "rate"),))
    hourly = _under("price", ("device_hour", "instance_hour"))
    if price.device_hour is not None and price.instance_hour is not None:
        yield Fault(("price",), "expected device_hour or instance_hour; got both", about=hourly)
    if price.electricity is not None and price.owned and price.owned.electricity is not None:
        message = "expected price.electricity or price.owned.electricity; got both"
        yield Fault(("price", "electricity"), message)


def _measured(part: Part) -> Iterator[Fault]:
    measured = part.measured
    if measured is None:
        return
    yield from _ends(measured)
    figures = ("wall_clock", "device_hours", "energy", "energy_it", "cost")
    about = _under("measured", figures)
    if not _given(measured, figures):
        message = "expected one of wall_clock, device_hours, energy, cost; got none"
        yield Fault(("measured",), message, about=about)
    if measured.wall_clock is not None and measured.device_hours is not None:
        message = "expected wall_clock or device_hours; got both"
        yield Fault(("measured",), message, about=about[:2])


_ROUNDED = 1e-6  # of figures written with fewer digits than they have


def _ends(measured: Measured) -> Iterator[Fault]:
    """The ends of a range are of a figure, and on its two sides."""
    key: KeyPath = ("measured", "energy_it")
    energy, low, high = (
        getattr(measured, name) for name in ("energy_it", "energy_it_low", "energy_it_high")
    )
    for name, end in (("energy_it_low", low), ("energy_it_high", high)):
        if end is not None and energy is None:
            message = "is an end of measured.energy_it's range: give that too"
            yield Fault(("measured", name), message, about=(key,))
    if energy is not None and low is not None and low > energy * (1 + _ROUNDED):
        message = "expected at most measured.energy_it, whose lower end it is"
        yield Fault(("measured", "energy_it_low"), message, about=(key,))
    if energy is not None and high is not None and high < energy * (1 - _ROUNDED):
        message = "expected at least measured.energy_it, whose upper end it is"
        yield Fault(("measured", "energy_it_high"), message, about=(key,))


_TOLD = 0.01  # by which a PUE may miss that of two energies: people round


def _pue(part: Part) -> Iterator[Fault]:
    """Of energy before and behind PUE the one follows from the other."""
    said, pue = part.measured, part.site.pue if part.site else None
    if said is None or said.energy is None or said.energy_it is None:
        return
    energy, energy_it = said.energy / 3.6e6, said.energy_it / 3.6e6
    about: tuple[KeyPath, ...] = (("measured", "energy_it"), ("site", "pue"))
    if energy < energy_it * (1 - _TOLD):
        message = f"expected at least measured.energy_it, {energy_it:.6g} kWh; got {energy:.6g} kWh"
        yield Fault(("measured", "energy"), message, about=about[:1])
    elif pue is not None and abs(energy / (energy_it * pue) - 1) > _TOLD:
        message = (
            f"expected measured.energy_it × site.pue, {energy_it:.6g} × {pue:g} = "
            f"{energy_it * pue:.6g} kWh; got {energy:.6g} kWh: leave one of the three out"
        )
        yield Fault(("measured", "energy"), message, about=about)


_RULES: tuple[Callable[[Part], Iterator[Fault]], ...] = (
    _model,
    _data,
    _method,
    _hardware,
    _layout,
    _site,
    _money,
    _measured,
    _pue,
)
