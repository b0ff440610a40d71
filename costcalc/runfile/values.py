"""The kinds of value that a run file holds, each with its check, its message and its JSON Schema.

A kind is the metadata of an ``Annotated`` pydantic field.  Its check takes what YAML, JSON or a
Python caller gives (text, numbers) and returns SI floats, and says in words what was expected and
what was found.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple

from pydantic_core import PydanticCustomError, core_schema

from costcalc.base import moneys, numerals, units
from costcalc.base.batch import Tokens
from costcalc.base.errors import InputError, nearest, shown


def expected(what: str, got: object, hint: str = "") -> PydanticCustomError:
    """The error of a value that is not what its key takes."""
    return refused(f"expected {what}; got {shown(got)}{hint}")


def refused(message: str) -> PydanticCustomError:
    """An error with a message of our own."""
    return PydanticCustomError("costcalc", "{message}", {"message": message})


def _number(value: object, what: str, of: Sequence[str] = ()) -> float:
    if isinstance(value, bool) or not isinstance(value, (Real, str)):
        raise expected(what, value)
    try:
        number = numerals.number(_without(value, of)) if isinstance(value, str) else float(value)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise expected(what, value, numerals.hint(str(value))) from None
    if not math.isfinite(number):
        raise expected(what, value)
    return number


def _without(text: str, nouns: Sequence[str]) -> str:
    """An amount without the noun, of up to two words, that says what it is of."""
    words = text.split()
    for size in (2, 1):
        if words[:-size] and " ".join(words[-size:]).lower().removesuffix("s") in nouns:
            return " ".join(words[:-size])
    return text


class Kind:
    """What a field takes, as metadata of ``Annotated``: its check and its JSON Schema.

    ``written``: how a checked value is written back, so that it reads as the same again.
    """

    __slots__ = ("check", "schema", "written")

    def __init__(
        self,
        check: Callable[[object], object],
        schema: Mapping[str, object],
        written: Callable[[Any], Any] | None = None,
    ) -> None:
        self.check: Callable[[object], object] = check
        self.schema: Mapping[str, object] = schema
        self.written: Callable[[Any], Any] | None = written

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: object
    ) -> core_schema.CoreSchema:
        if self.written is None:
            return core_schema.no_info_plain_validator_function(self.check)
        back = core_schema.plain_serializer_function_ser_schema(self.written)
        return core_schema.no_info_plain_validator_function(self.check, serialization=back)

    def __get_pydantic_json_schema__(self, _schema: object, _handler: object) -> dict[str, object]:
        return dict(self.schema)


_NUMBER_SCHEMA: dict[str, object] = {"type": ["number", "string"]}


_WHOLE = 1e18  # beyond it a number is a slip of the keyboard


def whole(what: str, least: int = 1, most: float = _WHOLE, *, of: Sequence[str] = ()) -> Kind:
    """A whole number, ``least`` or more: ``50k``, ``1e6``, or with a noun that it is ``of``."""
    words = f"{what}, {least} or more"

    def check(value: object) -> int:
        number = _number(value, words, of)
        if most < number <= _WHOLE:
            raise expected(f"{what}, {most:,.0f} at most", value)
        if number != int(number) or number < least or number > _WHOLE:
            raise expected(words, value)
        return int(number)

    return Kind(check, {"type": ["integer", "string"], "description": words})


def positive(what: str, *, of: Sequence[str] = ()) -> Kind:
    """A number above zero: ``15T``, ``1/7``, or with a noun that it is ``of``: ``15T tokens``."""
    words = f"{what}, more than 0"

    def check(value: object) -> float:
        number = _number(value, words, of)
        if not 1e-40 <= number <= 1e40:  # beyond it arithmetic leaves what a float holds
            raise expected(words, value)
        return number

    return Kind(check, {**_NUMBER_SCHEMA, "description": words})


def batch(tokens: Sequence[str], samples: Sequence[str]) -> Kind:
    """A step's batch: ``1024``, ``1024`` of ``samples``, or ``4M tokens``, which is remembered."""
    number = positive("a number", of=samples)

    def check(value: object) -> object:
        if isinstance(value, str) and _without(value, tokens) != value:
            return Tokens(str(number.check(_without(value, tokens))))
        return number.check(value)

    def written(value: float) -> object:
        return f"{float(value)!r} tokens" if isinstance(value, Tokens) else value

    return Kind(check, number.schema, written)


def within(what: str, low: float, high: float, *, open_low: bool = False) -> Kind:
    """A number between bounds, the lower one left out if ``open_low``."""
    words = f"{what}, {'more than' if open_low else 'from'} {low:g} to {high:g}"
    if high == float("inf"):
        words = f"{what}, {low:g} or more"

    def check(value: object) -> float:
        number = _number(value, words)
        if number > high or number < low or (open_low and number == low):
            raise expected(words, value)
        return number

    return Kind(check, {**_NUMBER_SCHEMA, "description": words})


def quantity(si_unit: str, *, bare: bool = False, zero: bool = False) -> Kind:
    """A quantity with a unit, in SI; ``bare``: a number without a unit is in ``si_unit`` too."""
    words = units.describe(si_unit)

    def check(value: object) -> float:
        if isinstance(value, Real) and not isinstance(value, bool):
            if not bare:
                raise expected(words, value, ", which has no unit")
            number = _number(value, words)
        elif isinstance(value, str):
            number = _parsed(value, si_unit, bare=bare)
        else:
            raise expected(words, value)
        if number < 0 or (number == 0 and not zero) or number > 1e45:
            raise expected(f"{words} {'of 0 or more' if zero else 'above 0'}", value)
        return number

    schema = _NUMBER_SCHEMA if bare else {"type": "string"}
    return Kind(
        check, {**schema, "description": words}, written=lambda value: f"{value!r} {si_unit}"
    )


def _parsed(text: str, si_unit: str, *, bare: bool) -> float:
    if bare:
        try:
            return numerals.number(text)
        except (ValueError, ZeroDivisionError):
            pass
    try:
        return units.parse(text, si_unit)
    except InputError as error:
        raise refused(error.problems[0].message) from None


def choice(*names: str, also: Mapping[str, str] = MappingProxyType({})) -> Kind:
    """One of a few words; ``also``: what other tools say, answered with ours."""
    words = f"one of {', '.join(names)}"

    def check(value: object) -> str:
        if isinstance(value, str) and value in names:
            return value
        if isinstance(value, str) and value.lower() in also:
            raise expected(words, value, f"; here that is {also[value.lower()]}")
        near = nearest(str(value), names, at_most=1) if isinstance(value, str) else []
        raise expected(words, value, f"; did you mean {near[0]}?" if near else "")

    return Kind(check, {"enum": list(names)})


def text(what: str) -> Kind:
    """Text that is not empty.  A whole number is taken as written; of another, who knows how
    it was written: the commit ``1234e5`` is not 123400000.0.
    """

    def check(value: object) -> str:
        if isinstance(value, float):
            raise expected(what, value, ", a number; write it in quotes")
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise expected(what, value)
        if not str(value).strip():
            raise expected(what, value)
        return str(value)

    return Kind(check, {"type": "string", "description": what})


class Money(NamedTuple):
    """An amount in a currency, a unit of something where ``per`` says so (SI)."""

    amount: float
    currency: str
    per: str = ""


_MONEY = re.compile(
    r"(?P<number>[0-9.,eE+_-]+)\s*(?P<prefix>[kMG]?)\s*(?P<currency>[A-Z]{3})"
    r"(?:\s*(?:/|per )\s*(?P<per>\S.*))?",
    re.ASCII,
)
_PREFIX = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}


def money(what: str, *, per: Sequence[str] = (), required: bool = False) -> Kind:
    """An amount of money, such as ``2.49 USD`` or ``250 kUSD``.

    ``per``: units that it may be a price of; ``required``: the ``/unit`` must be written
    (electricity).  The amount is turned into that of the first unit in ``per``: 60 USD/MWh is
    0.06 USD/kWh.
    """
    words = f"{what} such as {f'0.08 USD/{per[0]}' if required else '2.49 USD'}"

    def check(value: object) -> Money:
        if isinstance(value, Money):
            return value
        match = _MONEY.fullmatch(moneys.spelt(value)) if isinstance(value, str) else None
        if match is None:
            bare = isinstance(value, Real) and not isinstance(value, bool)
            hint = moneys.hint(value) if isinstance(value, str) else ""
            raise expected(words, value, ", which has no currency" if bare else hint)
        try:
            amount = numerals.number(match["number"]) * _PREFIX[match["prefix"]]
        except ValueError:
            raise expected(words, value, moneys.hint(str(value))) from None
        if not 0 <= amount <= 1e15 or (required and match["per"] is None):
            raise expected(words, value)
        if match["per"] is None:
            return Money(amount, match["currency"])
        factor = _in_first(match["per"], per)
        if factor is None:
            raise expected(words, value)
        return Money(amount / factor, match["currency"], per[0])

    return Kind(check, {"type": "string", "description": words}, _written_money)


def _in_first(found: str, per: Sequence[str]) -> float | None:
    """How many of the first unit of ``per`` the unit found is; None if it is none of them."""
    try:
        unit = units.unit(found)
    except InputError:
        return None
    if all(unit.dimension != units.unit(known).dimension for known in per):
        return None
    return unit.factor / units.unit(per[0]).factor


def _written_money(value: Money) -> str:
    return f"{value.amount!r} {value.currency}" + (f"/{value.per}" if value.per else "")


class Rate(NamedTuple):
    """An exchange rate: dollars for one unit of ``currency``."""

    usd: float
    currency: str


_RATE = re.compile(r"([0-9.eE+-]+)\s*USD\s*/\s*([A-Z]{3})", re.ASCII)


def _rate(value: object) -> Rate:
    if isinstance(value, Rate):
        return value
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        usd = float(match[1]) if match else 0.0
    except ValueError:
        usd = 0.0
    if match is None or not 0 < usd < 1e6:
        raise expected("an exchange rate such as 1.08 USD/EUR", value)
    return Rate(usd, match[2])


ExchangeRate = Annotated[
    Rate,
    Kind(
        _rate,
        {"type": "string", "description": "such as 1.08 USD/EUR"},
        lambda rate: f"{rate.usd!r} USD/{rate.currency}",
    ),
]


class MeasuredRate(NamedTuple):
    """A throughput as somebody measured it: ``unit`` is token/s, sample/s or FLOP/s (a device)."""

    value: float
    unit: str


# What trainers log and people type: 12k tok/s, 1.2M tokens per second, 900 img/sec.
_LOGGED = re.compile(
    r"(?P<number>[0-9][0-9.,_]*(?:[eE][+-]?[0-9]+)?)\s*(?P<prefix>[kKMG]?)\s*"
    r"(?P<what>tok|toks|tokens?|samples?|images?|imgs?)\s*(?:/|per )\s*"
    r"(?P<time>s|secs?|seconds?)",
    re.ASCII,
)


def _as_logged(text: str) -> str:
    """A rate in our spelling.

    >>> _as_logged("12k tok/s"), _as_logged("900 img/sec"), _as_logged("420 TFLOP/s")
    ('12000.0 token/s', '900.0 sample/s', '420 TFLOP/s')
    """
    match = _LOGGED.fullmatch(text.strip())
    if match is None:
        return text
    try:
        number = numerals.number(match["number"]) * _PREFIX[match["prefix"].replace("K", "k")]
    except ValueError:
        return text
    return f"{number!r} {'token' if match['what'].startswith('tok') else 'sample'}/s"


def _measured_rate(value: object) -> MeasuredRate:
    if isinstance(value, MeasuredRate):
        return value
    words = "a throughput of the whole job (token/s, sample/s) or TFLOP/s a device"
    if not isinstance(value, str):
        raise expected(words, value, ", which has no unit" if not isinstance(value, dict) else "")
    for si_unit in ("token/s", "sample/s", "FLOP/s"):
        try:
            number = units.parse(_as_logged(value), si_unit)
        except InputError:
            continue
        if number > 0:
            return MeasuredRate(number, si_unit)
    raise expected(words, value)


Throughput = Annotated[
    MeasuredRate,
    Kind(
        _measured_rate,
        {"type": "string", "description": "9.6e6 token/s, 400 sample/s, or 420 TFLOP/s a device"},
        lambda rate: f"{rate.value!r} {rate.unit}",
    ),
]
