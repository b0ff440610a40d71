"""A config of another tool while it is read: what was taken, for which key, and what is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from costcalc.base.document import Document, Key, Mark
from costcalc.base.errors import InputError
from costcalc.base.vocabulary import REINFORCED
from costcalc.runfile import words
from costcalc.runfile.workload import DATA_ONE_OF, METHODS, OPTIMIZERS

_OPTIMIZERS = {**words.OPTIMIZERS, **{name: name for name in OPTIMIZERS}}


class Config:
    """A config, and the run that is being read out of it.

    ``get`` takes a value (``parallelism.tensor_parallel_degree`` where it stands in a table) and
    notes that it was read; ``put`` sets a key of the run, at the place of the value last named.
    ``told`` is what a reader is to know of how it was read; ``pairs``: an example is two sequences;
    ``cut``: what of the training holds in place of what the block says.
    """

    def __init__(self, document: Document, said: Mapping[str, object]) -> None:
        self.document = document
        self.said = said
        self.run: dict[str, dict[str, object]] = {}
        self.marks: dict[Key, Mark] = {}
        self.told: list[str] = []
        self.pairs = False
        self.cut: dict[str, object] = {}
        self._read: set[Key] = {("costcalc",), ("tool", "costcalc")}

    def has(self, *names: str) -> bool:
        """Whether one of them stands in the config and is not empty; reads nothing."""
        return any(self._at(name) is not None for name in names)

    def _at(self, name: str) -> object:
        value: object = self.document.data
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def get(self, *names: str) -> object:
        """The value of the first of these keys that is there, which counts as read; else None."""
        for name in names:
            value = self._at(name)
            if value is not None:
                self._read.add(tuple(name.split(".")))
                return value
        return None

    def text(self, *names: str) -> str:
        """The same as text in lower case; empty where there is none."""
        value = self.get(*names)
        return str(value).lower() if value is not None else ""

    def is_on(self, *names: str) -> bool:
        """Whether a switch is on: ``true``, or ``auto``, which takes it where the device can."""
        return self.text(*names) in ("true", "auto", "full", "yes", "1")

    def whole(self, *names: str, default: int) -> int:
        """A whole number of the config.

        Raises:
            InputError: it is none.
        """
        value = self.get(*names)
        if value is None:
            return default
        if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            named = next(name for name in names if self.has(name))
            raise self.wrong(named, f'expected a whole number; got "{value}"')
        return value

    def put(self, key: str, value: object, *names: str) -> None:
        """Set a key of the run; its place is that of the first of ``names`` that is there."""
        if value is None:
            return
        section, _, name = key.partition(".")
        self.run.setdefault(section, {})[name] = value
        for found in names:
            mark = self.document.marks.get(tuple(found.split(".")))
            if mark is not None:
                self.marks[section, name] = mark
                return

    def take(self, key: str, *names: str) -> None:
        """Set a key of the run to what a key of the config says, as it stands there."""
        self.put(key, self.get(*names), *names)

    def unread(self, name: str) -> None:
        """Tell a key as not read after all."""
        self._read.discard(tuple(name.split(".")))

    def says(self, section: str, *names: str) -> bool:
        """Whether the block of costcalc says one of these keys itself."""
        given = self.said.get(section)
        return isinstance(given, Mapping) and any(name in given for name in names)

    def said_method(self) -> str | None:
        """The training.method of the block of costcalc; None where it names none."""
        given = self.said.get("training")
        if not isinstance(given, Mapping) or "method" not in given:
            return None
        return str(given["method"])

    def wrong(self, name: str, message: str) -> InputError:
        """The error of a key of the config, at its place."""
        problem = self.document.problem(tuple(name.split(".")), message)
        return InputError(replace(problem, key=name))

    def optimizer(self, *names: str) -> None:
        """The optimizer, where it is one that is counted; another stays among what is not read."""
        name = next((str(self._at(n)).lower() for n in names if self.has(n)), "")
        if name in _OPTIMIZERS:
            self.get(*names)
            self.put("training.optimizer", _OPTIMIZERS[name], *names)

    def batch(self, micro: int, accumulated: int, name: str, *, model: int = 1) -> None:
        """``training.micro_batch`` and ``global_batch`` of a batch that is told a device.

        ``model``: devices that share one sequence (tensor × pipeline × context).  DPO's batches are
        of pairs, each two sequences (TRL, DPOTrainer: chosen and rejected are one forward pass),
        and so are those of its kin without a reference, by whatever method they are counted.

        Raises:
            InputError: the batch of all devices needs their number, which nothing says.
        """
        method = self.said_method() or self.run.get("training", {}).get("method")
        micro *= 2 if method == "dpo" or self.pairs else 1
        self.put("training.micro_batch", micro, name)
        if self.says("training", "global_batch"):
            return
        count = self.count()
        if count is None:
            message = (
                "is of one device: the batch of all needs their number; "
                "say hardware.count, or training.global_batch, under costcalc"
            )
            raise self.wrong(name, message)
        if count % model:
            message = f"tensor × pipeline × context = {model} does not divide the count, {count}"
            raise self.wrong(name, message)
        self.put("training.global_batch", micro * accumulated * (count // model), name)

    def count(self) -> int | None:
        """The devices: what the block of costcalc says, else what the config does."""
        for hardware in (self.said.get("hardware"), self.run.get("hardware")):
            if not isinstance(hardware, Mapping):
                continue
            count, nodes, a_node = (hardware.get(k) for k in ("count", "nodes", "per_node"))
            if isinstance(count, int):
                return count
            if isinstance(nodes, int) and isinstance(a_node, int):
                return nodes * a_node
        return None

    def left(self) -> tuple[str, ...]:
        """The keys that were not read, in the order of the config."""
        return tuple(self._left(self.document.data, ()))

    def _left(self, data: Mapping[str, object], above: tuple[str, ...]) -> Iterator[str]:
        for key, value in data.items():
            path = (*above, str(key))
            if path in self._read or value is None:
                continue
            inside = [read for read in self._read if read[: len(path)] == path]
            if inside and isinstance(value, Mapping):
                yield from self._left(value, path)
            else:
                yield ".".join(path)


def steps_or_epochs(config: Config, steps: Sequence[str], epochs: str, usual: float) -> None:
    """``training.steps`` where a number above 0 is said, which wins in all four tools; else epochs.

    Nothing where the block of costcalc says the size of the data in another way.
    """
    number = config.whole(*steps, default=0)
    passes = config.get(epochs)
    if config.says("training", *DATA_ONE_OF):
        return
    if number > 0:
        config.put("training.steps", number, *steps)
    else:
        config.put("training.epochs", usual if passes is None else passes, epochs)


def packing(config: Config, *names: str, alone: bool) -> None:
    """How samples become sequences; ``alone``: where nobody asks to pack, each is one."""
    method = config.run.get("training", {}).get("method")
    if config.is_on(*names):
        config.put("training.packing", "packed", *names)
    elif alone and method not in ("pretrain", *REINFORCED):
        config.put("training.packing", "dynamic", *names)


def precision(config: Config) -> None:
    """``training.precision`` of the switches that Transformers' ``TrainingArguments`` has.

    Raises:
        InputError: both of the two that exclude each other are on.
    """
    if config.text("bf16") == config.text("fp16") == "true":
        raise config.wrong("fp16", "expected one of bf16 and fp16; got both")
    for name in ("fp8", "bf16", "fp16", "tf32"):
        if config.is_on(name):
            config.put("training.precision", name, name)
            for other in ("bf16", "fp16", "tf32"):
                config.get(other)
            return
    if config.text("bf16") == "false":  # said to be off, and nothing else is on
        config.put("training.precision", "fp32", "bf16")


def model_of(config: Config, name: str) -> None:
    """``model``: a path on this disk is a config.json's folder, anything else a name of the Hub."""
    value = str(config.get(name))
    way = "model.config" if value.startswith((".", "/", "~")) else "model.preset"
    config.put(way, value, name)


def base_precision(config: Config) -> None:
    """``training.base_precision`` of bitsandbytes' two switches."""
    for name, base in (("load_in_4bit", "nf4"), ("load_in_8bit", "int8")):
        if config.is_on(name):
            config.put("training.base_precision", base, name)


def targets(config: Config, value: object, *names: str) -> None:
    """``training.lora.rank`` and ``targets``; PEFT's ``all-linear`` and ``all`` are all.

    An empty one says that adapters learn, whatever their rank.
    """
    lora: dict[str, object] = {}
    rank = config.get("lora_r", "lora_rank")
    if rank is not None:
        lora["rank"] = rank
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(",") if part.strip()]
        value = "all" if value in ("all", "all-linear") else parts
    if value:
        lora["targets"] = value
    config.put("training.lora", lora, "lora_r", "lora_rank", *names)


def uncounted(config: Config, name: str, value: str, *, adapted: bool = False) -> InputError:
    """The error of a method that is not counted, with what comes nearest to it."""
    near = words.METHODS.get(value, "")
    if adapted and near.startswith("finetune"):
        near = f"lora{near.removeprefix('finetune')}"
    counted = near.split(" ")[0].rstrip(",")
    nearest = f"; the nearest is {near}" if counted in METHODS else ""
    message = f"{value} is not counted: say training.method under costcalc{nearest}"
    return config.wrong(name, message)
