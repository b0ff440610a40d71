"""The fields of a page, and the keys of the run file that they say.

A field is named by its key.  Three say more than one: ``model`` is a name or a number of
parameters, ``data`` with ``data_in`` any size of the data, ``more`` all keys without a field.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from costcalc.base.errors import InputError, Problem, wrong
from costcalc.base.numerals import number
from costcalc.base.reading import read
from costcalc.base.writing import to_yaml
from costcalc.catalog import accelerator, instances
from costcalc.runfile.laying import lay_over
from costcalc.runfile.schema import DATA_ONE_OF, METHODS, PLANS, PRECISIONS
from costcalc.runfile.section import SAMPLES, STEPS, TOKENS
from costcalc.web import address
from costcalc.web.address import Run

_SIZES = DATA_ONE_OF[:-1]  # prompts are told beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: its key, its words, and what it may hold."""

    key: str
    label: str
    hint: str = ""
    example: str = ""
    list: str = ""  # names that complete what is typed
    choices: Sequence[str] = ()  # the first is that nothing is said
    area: bool = False
    wide: bool = False
    value: str = ""
    problems: Sequence[str] = ()

    @property
    def id(self) -> str:
        """What a label and a message point at."""
        return "f-" + self.key.replace(".", "-")


MODEL = Field(
    key="model",
    label="Model",
    hint="a name, a hub id, or a number of parameters",
    example="llama-3-8b",
    list="models",
)
DATA = Field(key="data", label="Data", hint="how much is trained on", example="15T")
DATA_IN = Field(key="data_in", label="Counted in", choices=_SIZES)
ACCELERATOR = Field(
    key="hardware.accelerator", label="Machine", example="h100-sxm5-80", list="hardware",
    hint="an accelerator, as its maker or driver writes it, or a cloud's instance",
)  # fmt: skip
COUNT = Field(key="hardware.count", label="How many", example="8")
REGION = Field(
    key="site.region", label="Place", example="aws:us-east-1", list="regions",
    hint="a cloud's region, a country, a state",
)  # fmt: skip
CONFIG = Field(
    key="model.config", label="Or what stands in its config.json", area=True,
    example='{"model_type": "llama", …}', hint="pasted from the hub, in place of a model's name",
)  # fmt: skip
METHOD = Field(key="training.method", label="Method", choices=("", *METHODS))
PRECISION = Field(key="training.precision", label="Precision", choices=("", *PRECISIONS))
SEQUENCE = Field(key="training.sequence_length", label="Tokens a sequence", example="8192")
BATCH = Field(key="training.global_batch", label="Batch of a step", example="4M tokens")
SOFTWARE = Field(key="training.software", label="Software", example="transformers", list="software")
RUNS = Field(key="training.runs", label="Runs like it", example="3")
PLAN = Field(key="price.plan", label="Price plan", choices=("", *PLANS))
PRICE = Field(key="price.device_hour", label="Price of a device-hour", example="2.49 USD")
PUE = Field(key="site.pue", label="PUE", example="1.1")
GRID = Field(key="site.grid", label="Grid", example="56 gCO2e/kWh")
LIMITS = (
    Field(key="limits.cost", label="At most money", example="500 USD"),
    Field(key="limits.time", label="At most time", example="7 d"),
    Field(key="limits.energy", label="At most energy", example="200 kWh"),
    Field(key="limits.carbon", label="At most CO2e", example="80 kgCO2e"),
)
MORE = Field(
    key="more", label="Any other key of the run file", area=True,
    example="hardware.goodput: 0.9", hint="YAML: training: {lora: {rank: 16}}",
)  # fmt: skip
AXES = (
    Field(
        key="sweep.accelerators", label="Machines", example="h100-sxm5-80, a100-sxm4-80, mi300x",
        hint="several, between commas", wide=True,
    ),
    Field(key="sweep.counts", label="Counts", example="64..1024", hint="8,16 or 64..1024"),
    Field(
        key="sweep.regions", label="Places", example="FR, SE, aws:us-east-1",
        hint="names, a cloud (aws, gcp, azure), or all", wide=True,
    ),
    Field(key="sweep.plans", label="Price plans", example="on-demand, spot"),
    Field(key="sweep.precisions", label="Precisions", example="bf16, fp8"),
)  # fmt: skip
MEASURED = (
    Field(key="measured.wall_clock", label="It took", example="36 h", hint="36 h, 1.5 d, 36:00:00"),
    Field(key="measured.device_hours", label="Or device-hours of all", example="288"),
    Field(
        key="measured.energy_it", label="Energy at the plug", example="41 kWh",
        hint="if a meter says it; before the facility's share", wide=True,
    ),
    Field(key="measured.energy", label="Or energy with the facility's", example="48 kWh"),
    Field(key="measured.cost", label="It cost", example="310 USD"),
)  # fmt: skip
MINIMIZE = Field(key="minimize", label="Least of", choices=("", "time", "cost", "carbon"))
CONFIDENCE = Field(key="confidence", label="Each limit is kept with a chance of", example="0.8")

# page: the fields that stand first, those behind "more"
PAGES: Mapping[str, tuple[Sequence[Field], Sequence[Field]]] = {
    "calculate": (
        (MODEL, DATA, DATA_IN, ACCELERATOR, COUNT, REGION),
        (
            *(CONFIG, METHOD, PRECISION, SEQUENCE, BATCH, SOFTWARE, RUNS),
            *(PLAN, PRICE, PUE, GRID, *LIMITS[:2], MORE),
        ),
    ),
    "compare": (
        (MODEL, DATA, DATA_IN, *AXES[:4], MINIMIZE),
        (AXES[4], CONFIG, METHOD, SEQUENCE, BATCH, *LIMITS, MORE),
    ),
    "plan": (
        (*LIMITS[:2], MODEL, ACCELERATOR, COUNT, REGION),
        (DATA, DATA_IN, *LIMITS[2:], CONFIG, METHOD, PLAN, CONFIDENCE, MORE),
    ),
    "finished": (
        (ACCELERATOR, COUNT, *MEASURED[:1], MEASURED[2], REGION),
        (
            *(MEASURED[1], MEASURED[3], MEASURED[4], RUNS, MODEL, DATA, DATA_IN, CONFIG),
            *(PLAN, PRICE, PUE, GRID, MORE),
        ),
    ),
}
#: words that make a number one of parameters, not a name
_COUNTED = {"parameters", "params", "b", "m", "t", "billion", "million", "trillion"}
#: the fields in which what a whole section lacks is said
_LACKS = {"hardware": ("hardware.accelerator", "sweep.accelerators"), "training": ("data",)}
#: keys of an instance, and the fields in which they stand
_OF_INSTANCES = {"hardware.instance": ACCELERATOR.key, "hardware.nodes": COUNT.key}
_SPECIAL = ("model", "data", "data_in", "more", "model.config")


def run_of(pairs: Iterable[tuple[str, str]]) -> tuple[Run, dict[str, str]]:
    """The run and options that a form says.

    Raises:
        InputError: a field cannot be read.
    """
    given = {key: text.strip() for key, text in pairs if text.strip()}
    plain = [(key, text) for key, text in given.items() if key not in _SPECIAL]
    run, options = address.of_pairs(plain)
    run = _of_instance(run)
    if "model.config" in given:
        run = address.put(run, "model.config", _config(given["model.config"]))
    elif "model" in given:
        run = address.put(run, *_model(given["model"]))
    if "data" in given:
        key = _size(given["data"], given.get("data_in", "tokens"))
        run = address.put(run, f"training.{key}", address.value(given["data"], "data"))
    if "more" in given:
        more = _more(given["more"])
        _said_once(more, run)
        run = lay_over(more, run)
    return {key: run[key] for key in sorted(run, key=_place)}, options


def _of_instance(run: Run) -> Run:
    """A machine that is a cloud's instance or a host, and how many of them, under its own keys."""
    hardware = run.get("hardware")
    if not isinstance(hardware, dict):
        return run
    name = hardware.get("accelerator")
    if not isinstance(name, str) or not _is_instance(name):
        return run
    made = {key: said for key, said in hardware.items() if key not in ("accelerator", "count")}
    made["instance"] = name
    if "count" in hardware:
        made["nodes"] = hardware["count"]
    return {**run, "hardware": made}


def _is_instance(name: str) -> bool:
    """Whether a name is one of an instance or host, and of no accelerator.

    >>> _is_instance("p5.48xlarge"), _is_instance("h100-sxm5-80"), _is_instance("p6000")
    (True, False, False)
    """
    try:
        accelerator.find(name)
    except InputError:
        pass
    else:
        return False
    try:
        instances.find(name)
    except InputError:
        return False
    return True


#: the words that say of what a number is, whatever it is counted in beside it
_UNITS = {
    "tokens": TOKENS, "samples": SAMPLES, "steps": STEPS, "epochs": ("epoch",),
}  # fmt: skip


def _size(text: str, counted_in: str) -> str:
    """What a size of data is of: the unit that is typed, else the one that is chosen beside it.

    >>> _size("500 samples", "tokens"), _size("3 epochs", "tokens"), _size("2T", "steps")
    ('samples', 'epochs', 'steps')
    """
    said = text.lower().split()[-1]
    for size, words in _UNITS.items():
        if said in (*words, *(f"{word}s" for word in words)):
            return size
    return counted_in if counted_in in _SIZES else "tokens"


_ORDER = ("name", "model", "training", "measured", "hardware", "site", "price", "limits", "sweep")


def _place(key: str) -> int:
    """Sections in the order in which people tell a run."""
    return _ORDER.index(key) if key in _ORDER else len(_ORDER)


def _model(text: str) -> tuple[str, object]:
    if text.startswith("{"):
        return "model.config", _config(text)
    words = text.split()
    try:
        number(words[0])
    except ValueError:
        return "model.preset", text
    said = {word.lower() for word in words[1:]}
    named = said <= _COUNTED and len(said) == len(words) - 1
    return ("model.parameters" if named else "model.preset"), text


def _config(text: str) -> object:
    try:
        found: object = read(text, "model.config").data
    except InputError as error:
        raise InputError(
            Problem(key="model.config", message=problem.message, line=problem.line)
            for problem in error.problems
        ) from None
    if not isinstance(found, Mapping):
        raise wrong("model.config", "expected what stands in a config.json: {…}")
    return found


def _more(text: str) -> Run:
    try:
        found: object = read(text, "more").data
    except InputError as error:
        raise InputError(
            Problem(key="more", message=problem.message, line=problem.line, column=problem.column)
            for problem in error.problems
        ) from None
    if not isinstance(found, Mapping):
        raise wrong("more", "expected keys of a run file, a line each: hardware.goodput: 0.9")
    run: Run = {}
    for key, said in found.items():
        below: Run = address.put({}, str(key), said)
        run = lay_over(run, below)
    return run


def _said_once(more: Run, run: Run, at: str = "") -> None:
    """What is told among the other keys is told by no field in other words: one would be lost."""
    for key, said in more.items():
        name, other = f"{at}{key}", run.get(key)
        if isinstance(said, dict) and isinstance(other, dict):
            _said_once(said, other, f"{name}.")
        elif other is not None and said is not None and said != other:
            told = f"{name} has a field of its own, which says {address.text_of(other)[:60]}"
            raise wrong("more", told)


def filled(
    page: str,
    run: Mapping[str, object],
    options: Mapping[str, str],
    problems: Sequence[Problem] = (),
) -> tuple[list[Field], list[Field]]:
    """The fields of a page as a run fills them: those first, those behind "more"."""
    first, behind = PAGES[page]
    rest = _copy(run)
    values = dict(options)
    values |= dict(_special(rest, {field.key for field in (*first, *behind)}))
    for field in (*first, *behind):
        if field.key not in _SPECIAL and "." in field.key:
            said = _taken(rest, field.key.split("."))
            if said is not None:
                values[field.key] = _shown(said)
    left = _without_empty(rest)
    if left:
        values["more"] = to_yaml(left).rstrip("\n")
    told = _told(problems, [field.key for field in (*first, *behind)])
    return (
        [_with(field, values, told) for field in first],
        [_with(field, values, told) for field in behind],
    )


def _shown(said: object) -> str:
    """A list as people write it: between commas."""
    if isinstance(said, list) and all(isinstance(item, (str, int)) for item in said):
        return ", ".join(str(item) for item in said)
    return address.text_of(said)


def _special(rest: Run, keys: set[str]) -> Iterator[tuple[str, str]]:
    model = rest.get("model")
    if isinstance(model, dict) and "model" in keys:
        for key in ("preset", "parameters"):
            if key in model:
                yield "model", address.text_of(model.pop(key))
                break
        if isinstance(model.get("config"), Mapping):
            yield "model.config", address.text_of(model.pop("config"))
    if ACCELERATOR.key in keys:
        yield from _instance(rest)
    training = rest.get("training")
    if isinstance(training, dict) and "data" in keys:
        for size in _SIZES:
            if size in training:
                yield "data", address.text_of(training.pop(size))
                yield "data_in", size
                break


def _instance(rest: Run) -> Iterator[tuple[str, str]]:
    """The fields of an instance and how many of it, which :func:`_of_instance` reads again."""
    hardware = rest.get("hardware")
    if isinstance(hardware, dict) and "instance" in hardware and "accelerator" not in hardware:
        for key, field in _OF_INSTANCES.items():
            name = key.rpartition(".")[2]
            if name in hardware:
                yield field, address.text_of(hardware.pop(name))


def _told(problems: Sequence[Problem], keys: Sequence[str]) -> dict[str, list[str]]:
    """The messages of each field, by the key that a problem names or the section that holds it."""
    told: dict[str, list[str]] = {}
    for problem in problems:
        key = problem.key
        if key.startswith("model") and not key.startswith("model.config"):
            key = "model"
        elif key.removeprefix("training.") in _SIZES:
            key = "data"
        key = _OF_INSTANCES.get(key, key)
        of = (key, *_LACKS.get(key, ()))
        found = next((k for k in keys if k in of), None) or next(
            (k for k in keys if k.rpartition(".")[2] == key or key.startswith(f"{k}.")), "more"
        )
        told.setdefault(found, []).append(problem.message)
    return told


def _with(field: Field, values: Mapping[str, str], told: Mapping[str, Sequence[str]]) -> Field:
    return replace(field, value=values.get(field.key, ""), problems=tuple(told.get(field.key, ())))


def typed(fields: Sequence[Field], given: Mapping[str, str]) -> list[Field]:
    """Fields as somebody filled them, where what was typed cannot be read."""
    return [replace(field, value=given.get(field.key, "")) for field in fields]


def _copy(run: Mapping[str, object]) -> Run:
    return {
        key: _copy(said) if isinstance(said, Mapping) and key != "config" else said
        for key, said in run.items()
    }


def _taken(rest: Run, path: Sequence[str]) -> object:
    holder: object = rest
    for key in path[:-1]:
        holder = holder.get(key) if isinstance(holder, dict) else None
    return holder.pop(path[-1], None) if isinstance(holder, dict) else None


def _without_empty(run: Run) -> Run:
    made = {
        key: _without_empty(said) if isinstance(said, dict) and key != "config" else said
        for key, said in run.items()
    }
    return {key: said for key, said in made.items() if said != {}}
