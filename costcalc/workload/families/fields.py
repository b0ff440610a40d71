"""A model's configuration, read with care: types, ranges, old names; all problems at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from costcalc.base.errors import InputError, Problem

MOST_LAYERS = 10_000  # no model is deeper; a larger figure would only cost time
LARGEST = 10**9
T = TypeVar("T")
# Keys whose names say that they shape a model; and those of them that add no parameter or FLOP.
_SHAPING = re.compile(
    r"adapter|draft|eagle|medusa|expert|layer|size|dim|head|rank|width|depth|channel|mtp|nextn"
    r"|kernel|tower|project|codebook|lora|quant|bottleneck|block|window|expan|prun|early_exit"
    r"|^add_cross_attention$"
)
_ADDING = re.compile("^add_cross_attention$|medusa|eagle")  # true, or 1, adds parameters
_HARMLESS = re.compile(
    r"_size_feed_forward|layer_?norm|layerdrop|^layer_types$|_eps$|batch_size|beam|max_length"
    r"|^rope|scal|router|num_labels|head_mask|logits|initializer|_token|_loss|quantization_config"
    r"|layer_idx|max_window_layers|window_size$|sliding_window|problem|_norm_|drop|mlp_layer_types"
    r"|pretraining_tp|topk_group|n_group|cache|chunk_size|summary|norm_head|pruned_heads|rotary_dim"
    r"|^qk_head_dim$|median_filter|classifier_proj_size|time_step|pooler_output"
)

# The sizes that every configuration says; one that does not has the shape of its class's default.
_SIZES = {"hidden_size", "d_model", "n_embd", "num_hidden_layers", "n_layer", "num_layers"}
_SIZES |= {"num_attention_heads", "n_head", "intermediate_size", "vocab_size"}
_PARTS = ("text_config", "vision_config", "audio_config")

LANGUAGE = "language-model"


@dataclass(frozen=True, slots=True)
class Asked:
    """The head that a configuration or a run file asks for, and who says so."""

    head: str = LANGUAGE
    labels: int | None = None  # None: what the configuration says
    said_by: str = ""


class _Noted(Mapping[str, object]):
    """A mapping that remembers which of its keys were asked for."""

    def __init__(self, config: Mapping[str, object]) -> None:
        self.within: Mapping[str, object] = config
        self.seen: set[str] = set()

    def __getitem__(self, key: str) -> object:
        self.seen.add(key)
        return self.within[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.within)

    def __len__(self) -> int:
        return len(self.within)


class Fields:
    """Typed access to a configuration; problems are kept and raised together by :meth:`check`.

    An absent key takes the default that transformers 5.23 gives its class.  ``null`` reads as
    absent, except for :meth:`optional`, where it says "none".

    >>> c = Fields({"hidden_size": 64, "n_layer": "two"})
    >>> c.integer("hidden_size", 768), c.integer("n_layer", 12)
    (64, 12)
    >>> c.check()
    Traceback (most recent call last):
    costcalc.base.errors.InputError: n_layer: expected a whole number, 1 or more; got "two"
    """

    def __init__(self, config: Mapping[str, object], prefix: str = "") -> None:
        self.config: _Noted = _Noted(config)
        self.prefix: str = prefix
        self.head: Asked = Asked()
        self.problems: list[Problem] = []
        self.defaults: dict[str, str] = {}  # what the file does not say, and how it was filled
        self.absent = False  # a part that the file does not have: all of it is its class's default

    def unread(self) -> list[str]:
        """Keys that sound as if they shaped the model and that no one asked for."""
        return [
            key
            for key, value in self.config.within.items()
            if key not in self.config.seen
            and (value not in (None, False, 0, 1, "", [], {}) or (_ADDING.search(key) and value))
            and not isinstance(value, Mapping)
            and _SHAPING.search(key)
            and not _HARMLESS.search(key)
        ]

    def problem(self, key: str, message: str) -> None:
        """Keep a problem with one key, once however often the key is read."""
        found = Problem(key=self.prefix + key, message=message)
        if found not in self.problems:
            self.problems.append(found)

    def within(self, key: str) -> Fields:
        """The mapping that stands under a key, none if there is none; its problems are ours."""
        found = self.config.get(key)
        inner = Fields(found if isinstance(found, Mapping) else {}, f"{self.prefix}{key}.")
        inner.problems, inner.head, inner.defaults = self.problems, self.head, self.defaults
        inner.absent = not inner.config
        if inner.absent and key in _PARTS:
            self.defaults[self.prefix + key] = "as its class has it"
        return inner

    def put(self, key: str, value: object) -> None:
        """Say under one key what the file says under another."""
        self.config.within = {**self.config.within, key: value}
        self.config.seen.add(key)

    def check(self) -> None:
        """Raise what was found."""
        if self.problems:
            raise InputError(self.problems)

    def find(self, names: Sequence[str]) -> tuple[str, object]:
        """The first of these keys that is there and not null, else the first name and None."""
        for name in names:
            if self.config.get(name) is not None:
                return name, self.config[name]
        return names[0], None

    def integer(self, key: str, default: int, *old: str, low: int = 1, high: int = LARGEST) -> int:
        """A whole number in ``low`` … ``high``; ``old``: other names of the key."""
        name, value = self.find((key, *old))
        if value is None:
            self._filled(key, default)
            return default
        if isinstance(value, list | tuple) and value and all(each == value[0] for each in value):
            value = value[0]  # a number for each layer, all of them the same
        whole = _whole(value)
        if whole is None or not low <= whole <= high:
            bound = f"{low} or more" if whole is None or whole < low else f"{high} or less"
            self.problem(name, f"expected a whole number, {bound}; got {shown(value)}")
            return default
        return whole

    def _filled(self, key: str, default: int) -> None:
        """Remember a size that the file should say and does not; null says the class's own."""
        within = self.config.within
        dense = key != "intermediate_size" or not any("expert" in each for each in within)
        if key in _SIZES and key not in within and dense and not self.absent:
            self.defaults[self.prefix + key] = str(default)

    def optional(self, key: str, default: int | None, *old: str, low: int = 1) -> int | None:
        """A whole number, or None where the key is null (or absent with the default None)."""
        names = [name for name in (key, *old) if name in self.config]
        if not names:
            return default
        name, value = self.find(names)
        return None if value is None else self.integer(name, default or low, low=low)

    def layers(self, key: str, default: int, *old: str) -> int:
        """A number of layers."""
        return self.integer(key, default, *old, high=MOST_LAYERS)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        return self._of(bool, key, default, "true or false")

    def text(self, key: str, default: str) -> str:
        """A word."""
        return self._of(str, key, default, "a text")

    def _of(self, kind: type[T], key: str, default: T, expected: str) -> T:
        value = self.config.get(key)
        if isinstance(value, kind):
            return value
        if value is not None:
            self.problem(key, f"expected {expected}; got {shown(value)}")
        return default

    def number(self, key: str, default: float) -> float:
        """A finite number above zero."""
        value = self.config.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LARGEST:
            return float(value)
        if value is not None:
            self.problem(key, f"expected a number above 0; got {shown(value)}")
        return default

    def integers(self, key: str, length: int | None = None) -> list[int] | None:
        """A list of whole numbers, 0 or more; ``length`` of them if given."""
        value = self.config.get(key)
        if value is None:
            return None
        whole = [_whole(item) for item in value] if isinstance(value, list | tuple) else [None]
        found = [item for item in whole if item is not None and item >= 0]
        if len(found) != len(whole) or length not in (None, len(found)):
            size = "" if length is None else f"{length} "
            self.problem(key, f"expected a list of {size}whole numbers; got {shown(value)}")
            return None
        return found

    def words(self, key: str, length: int, known: Sequence[str]) -> list[str] | None:
        """A list of ``length`` of the ``known`` words, such as ``layer_types``."""
        value = self.config.get(key)
        if value is None:
            return None
        items = value if isinstance(value, list | tuple) else ()
        if len(items) == length and all(item in known for item in items):
            return list(items)
        among = ", ".join(known)
        self.problem(key, f"expected {length} words, each one of {among}; got {shown(value)}")
        return None

    def divides(self, key: str, divisor: int, of: str, number: int) -> None:
        """A problem unless ``divisor`` divides ``number``."""
        if number % divisor:
            self.problem(key, f"expected a divisor of {of} ({number}); got {divisor}")

    def labels(self, default: int = 2) -> int:
        """Classes of a classification head: ``num_labels``, or the entries of ``id2label``."""
        named = self.config.get("id2label")
        if "num_labels" not in self.config and isinstance(named, Mapping):
            return len(named)
        return self.integer("num_labels", default)


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not value.is_integer():
        return None
    return int(value)


def shown(value: object) -> str:
    """A value for a message, cut where it is long.

    >>> shown("eight"), shown([1] * 50)
    ('"eight"', '[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,…')
    """
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else text[:39] + "…"
