"""Units: a table of the spellings that files use, and pint for everything else.

Inside costcalc every number is in SI base units (second, joule, watt, byte, FLOP, USD, gCO2e,
litre, device, token, sample, metre).  This module is the border: :func:`parse` turns what a person
wrote into SI and refuses the wrong dimension, :func:`from_si` turns SI into the unit that is
shown.  pint is imported only when a spelling is not in the table (``import pint`` alone costs as
much as a whole estimate); a test proves each row of the table equal to pint.
"""

from __future__ import annotations

import functools
import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from costcalc.base.errors import InputError, Problem, nearest
from costcalc.base.numerals import NUMBER, clock, comma
from costcalc.base.spellings import CURRENCIES, REFUSED, intensity

if TYPE_CHECKING:
    import pint

Dimension = tuple[tuple[str, int], ...]


class Unit(NamedTuple):
    """A factor to SI, and the powers of the base dimensions, sorted by name."""

    factor: float
    dimension: Dimension


_SI = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18, "Z": 1e21, "Y": 1e24}
_BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50}
_SMALL = {"m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "n": 1e-9}  # both micro signs

_HOUR, _DAY = 3600.0, 86400.0

# base spelling: (factor to SI, dimensions, prefixes that it takes).  One meaning a spelling.
_ATOMS: dict[str, tuple[float, dict[str, int], dict[str, float]]] = {
    "1": (1.0, {}, {}),
    "%": (0.01, {}, {}),
    "s": (1.0, {"time": 1}, _SMALL),
    "min": (60.0, {"time": 1}, {}),
    "h": (_HOUR, {"time": 1}, {}),
    "d": (_DAY, {"time": 1}, {}),
    "week": (7 * _DAY, {"time": 1}, {}),
    "year": (365.25 * _DAY, {"time": 1}, {}),
    "J": (1.0, {"energy": 1}, _SI),
    "Wh": (_HOUR, {"energy": 1}, _SI),
    "W": (1.0, {"energy": 1, "time": -1}, {**_SI, "m": 1e-3}),
    "Hz": (1.0, {"time": -1}, _SI),
    "B": (1.0, {"information": 1}, {**_SI, **_BINARY}),
    "bit": (0.125, {"information": 1}, {**_SI, **_BINARY}),
    "FLOP": (1.0, {"computation": 1}, _SI),
    "OP": (1.0, {"computation": 1}, _SI),
    "MAC": (2.0, {"computation": 1}, _SI),  # a multiplication and an addition
    "MACs": (2.0, {"computation": 1}, _SI),
    "Mac": (2.0, {"computation": 1}, _SI),  # as ptflops prints it
    "token": (1.0, {"token": 1}, _SI),
    "sample": (1.0, {"sample": 1}, _SI),
    "step": (1.0, {}, {}),
    "device": (1.0, {"device": 1}, {}),
    "device_hour": (_HOUR, {"device": 1, "time": 1}, {}),
    "USD": (1.0, {"currency": 1}, {"k": 1e3, "M": 1e6, "G": 1e9}),
    "gCO2e": (1.0, {"co2e": 1}, {"k": 1e3, "M": 1e6, "G": 1e9}),
    "tCO2e": (1e6, {"co2e": 1}, {"k": 1e3, "M": 1e6}),
    "gCO2eq": (1.0, {"co2e": 1}, {"k": 1e3, "M": 1e6, "G": 1e9}),  # as many tools write it
    "tCO2eq": (1e6, {"co2e": 1}, {"k": 1e3, "M": 1e6}),
    "gSbeq": (1.0, {"antimony": 1}, {"k": 1e3, "m": 1e-3}),  # of depletion, as antimony
    "L": (1.0, {"volume": 1}, {"m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9}),
    "m3": (1e3, {"volume": 1}, {}),
    "m": (1.0, {"length": 1}, {"k": 1e3, "m": 1e-3, "u": 1e-6, "n": 1e-9}),
}

_ATOMS |= {name: (1.0, {f"currency {name}": 1}, {}) for name in CURRENCIES}  # each its own

# Other spellings of an atom; they take no prefix.
_ALSO = {
    "s": "sec second seconds",
    "min": "minute minutes",
    "h": "hr hrs hour hours",
    "d": "day days",
    "week": "weeks",
    "year": "years",
    "B": "byte bytes",
    "token": "tokens",
    "sample": "samples",
    "step": "steps",
    "device": "devices",
    "device_hour": "device_hours",
    "L": "litre liter",
}
for _base, _words in _ALSO.items():
    _ATOMS |= {word: (*_ATOMS[_base][:2], {}) for word in _words.split()}
for _p in _SI:
    REFUSED |= {f"{_p}{word}": f"write {_p}FLOP or {_p}FLOP/s" for word in ("FLOPS", "FLOPs")}
    REFUSED |= {f"{_p}bps": f"write {_p}bit/s", f"{_p}Bps": f"write {_p}B/s"}


@functools.cache
def _atom(spelling: str) -> Unit | None:
    if spelling in _ATOMS:
        factor, powers, _ = _ATOMS[spelling]
        return Unit(factor, tuple(sorted(powers.items())))
    for length in (2, 1):
        prefix, base = spelling[:length], spelling[length:]
        if base in _ATOMS and prefix in _ATOMS[base][2]:
            factor, powers, prefixes = _ATOMS[base]
            return Unit(prefixes[prefix] * factor, tuple(sorted(powers.items())))
    return None


def spellings() -> list[str]:
    """Every spelling of the table, prefixes included."""
    prefixed = [p + base for base, (_, _, ps) in _ATOMS.items() for p in ps]
    return sorted({*_ATOMS, *prefixed}.difference(CURRENCIES))


@functools.cache
def unit(text: str) -> Unit:
    """The factor and dimension of a unit such as ``GB/s`` or ``gCO2e/kWh``.

    Raises:
        InputError: the spelling is unknown or ambiguous.

    >>> unit("km").factor, unit("GB/s").dimension
    (1000.0, (('information', 1), ('time', -1)))
    """
    factor, powers = 1.0, dict[str, int]()
    for position, part in enumerate(text.split("/")):
        sign = 1 if position == 0 else -1
        for name in re.split(r"[*·]", part):
            atom = _known(name.strip().replace("CO₂", "CO2"), text)
            factor *= atom.factor**sign
            for dimension, power in atom.dimension:
                powers[dimension] = powers.get(dimension, 0) + sign * power
    return Unit(factor, tuple(sorted((d, p) for d, p in powers.items() if p)))


def _known(name: str, whole: str) -> Unit:
    if name in REFUSED:
        raise _bad(f'"{name}" is not a unit here: {REFUSED[name]}')
    atom = _atom(name)
    if atom is None:
        atom = _from_pint(name)
    if atom is None:
        near = nearest(name.replace(" ", "_"), spellings())
        hint = f"; did you mean {near[0]}?" if near else ""
        raise _bad(f'unknown unit "{name}"' + (f' in "{whole}"' if whole != name else "") + hint)
    return atom


def _bad(message: str) -> InputError:
    return InputError(Problem(key="", message=message))


def to_si(value: float, unit_text: str) -> float:
    """A value in the given unit, as SI.

    >>> to_si(2.0, "kWh")
    7200000.0
    """
    return value * unit(unit_text).factor


def from_si(value: float, unit_text: str) -> float:
    """An SI value in the given unit.

    >>> from_si(7.2e6, "kWh")
    2.0
    """
    return value / unit(unit_text).factor


# What a person calls each dimension, and the units to offer for it.
_NAMES: dict[str, tuple[str, str]] = {
    "1": ("a plain number", ""),
    "s": ("a time", "s, min, h, d, year"),
    "J": ("an energy", "Wh, kWh, MWh, J"),
    "W": ("a power", "W, kW, MW"),
    "B": ("an amount of memory", "GB, GiB"),
    "B/s": ("a bandwidth", "GB/s, Gbit/s"),
    "FLOP": ("an amount of computation", "FLOP, GFLOP, TFLOP"),
    "FLOP/s": ("a rate of computation", "TFLOP/s"),
    "USD": ("an amount of money", "USD, kUSD"),
    "gCO2e": ("emissions", "gCO2e, kgCO2e, tCO2e"),
    "gSbeq": ("an abiotic depletion", "gSbeq, kgSbeq"),
    "gCO2e/J": ("a carbon intensity", "gCO2e/kWh"),
    "USD/J": ("a price of electricity", "USD/kWh"),
    "L": ("a volume of water", "L, m3"),
    "L/J": ("a water intensity", "L/kWh"),
    "token/s": ("a rate of tokens", "token/s"),
    "sample/s": ("a rate of samples", "sample/s"),
    "device*s": ("device-hours", "device_hour"),
    "USD/device*s": ("a price a device-hour", "USD/device_hour"),
    "USD/s": ("a price an hour", "USD/h"),
    "m": ("a distance", "m, km"),
}


def describe(si_unit: str) -> str:
    """How messages name the dimension of an SI unit, with units to choose from.

    >>> describe("W")
    'a power (W, kW, MW)'
    """
    name, units = _NAMES.get(si_unit, (f"a quantity in {si_unit}", ""))
    return f"{name} ({units})" if units else name


def wrong_dimension(found: str, wanted: str) -> InputError:
    """The error of a conversion between units of two dimensions."""
    return _bad(f'expected a unit of {name_of(unit(found).dimension)}; got "{wanted}"')


def name_of(dimension: Dimension) -> str:
    """What a dimension is called: ``an energy``."""
    for si_unit, (name, _) in _NAMES.items():
        if unit(si_unit).dimension == dimension:
            return name
    return "*".join(f"{d}^{p}" if p != 1 else d for d, p in dimension)


def parse(text: str, si_unit: str) -> float:
    """A quantity that a person wrote, in SI, its dimension checked against ``si_unit``.

    Raises:
        InputError: no quantity, an unknown unit, or another dimension.

    >>> parse("450 GB/s", "B/s")
    450000000000.0
    >>> parse("400 Wh", "W")
    Traceback (most recent call last):
    ...
    costcalc.base.errors.InputError: expected a power (W, kW, MW); got "400 Wh", which is an energy
    """
    if si_unit == "s" and (seconds := clock(text)) is not None:
        return seconds
    if si_unit == "gCO2e/J" and len(text) <= 80:
        text = intensity(text)
    match = NUMBER.fullmatch(text) if len(text) <= 80 and ":" not in text else None
    if match is None:
        hint = f"; write {text.strip()}:00, hours first" if _short_clock(text, si_unit) else ""
        raise _bad(f'expected {describe(si_unit)}; got "{text[:40]}"{hint}')
    found, wanted = match["unit"], unit(si_unit)
    if hinted := comma(text):
        raise _bad(f'expected {describe(si_unit)}; got "{text}"{hinted}')
    if found is None and wanted.dimension:
        raise _bad(f'expected {describe(si_unit)}; got "{text}", which has no unit')
    got = unit(found or "1")
    if got.dimension != wanted.dimension:
        minutes = "; write min" if si_unit == "s" and found == "m" else ""
        is_one = f"which is {name_of(got.dimension)}{minutes}"
        raise _bad(f'expected {describe(si_unit)}; got "{text}", {is_one}')
    value = float(match["number"].replace(",", "")) * got.factor / wanted.factor
    if not math.isfinite(value):
        raise _bad(f'expected {describe(si_unit)}; got "{text}", which is no number in reach')
    return value


def _short_clock(text: str, si_unit: str) -> bool:
    """Whether hours and minutes, or minutes and seconds, were meant."""
    return si_unit == "s" and re.fullmatch(r"\d{1,4}:[0-5]\d", text.strip()) is not None


# --- pint: for spellings that the table does not have, and for the proofs in the tests ----------

_DEFINITIONS = """
second = [time] = s = sec
meter = [length] = m = metre
gram = [mass] = g
joule = kilogram * meter ** 2 / second ** 2 = J
watt = joule / second = W
hertz = 1 / second = Hz
minute = 60 * second = min
hour = 60 * minute = h = hr = hrs
day = 24 * hour = d
week = 7 * day
year = 365.25 * day
watt_hour = watt * hour = Wh
calorie = 4.184 * joule = cal
british_thermal_unit = 1055.05585262 * joule = BTU
horsepower = 745.69987158227022 * watt = hp
byte = [information] = B
bit = byte / 8
FLOP = [computation] = FLOP = OP
MAC = 2 * FLOP = MAC = MACs = Mac
token = [token]
sample = [sample]
device = [device]
device_hour = device * hour
USD = [currency]
gram_co2e = [co2e] = gCO2e = gCO2eq
tonne_co2e = 1e6 * gram_co2e = tCO2e = tCO2eq
gram_antimony = [antimony] = gSbeq
litre = [volume_of_water] = L = liter = l
m3 = 1000 * litre
gallon = 3.785411784 * litre = gal
mile = 1609.344 * meter = mi
percent = 0.01 = %
step = 1
kilo- = 1e3 = k-
mega- = 1e6 = M-
giga- = 1e9 = G-
tera- = 1e12 = T-
peta- = 1e15 = P-
exa- = 1e18 = E-
zetta- = 1e21 = Z-
yotta- = 1e24 = Y-
milli- = 1e-3 = m-
micro- = 1e-6 = µ- = u- = μ-
nano- = 1e-9 = n-
kibi- = 2**10 = Ki-
mebi- = 2**20 = Mi-
gibi- = 2**30 = Gi-
tebi- = 2**40 = Ti-
pebi- = 2**50 = Pi-
"""


@functools.cache
def registry() -> pint.UnitRegistry[Any]:
    """A lean pint registry in which CO2e, dollars, FLOPs, tokens and devices are dimensions.

    >>> registry()("2 kWh").to("J").magnitude
    7200000.0
    """
    import pint as _pint

    made: Any = _pint.UnitRegistry(None)
    made.load_definitions(_DEFINITIONS.strip().splitlines())
    return made  # type: ignore[no-any-return]


def _from_pint(name: str) -> Unit | None:
    import pint as _pint

    if not re.fullmatch(r"[A-Za-zµμ_][A-Za-zµμ_0-9]{0,30}", name):
        return None
    try:
        quantity = registry()(name).to_base_units()
    except (_pint.errors.PintError, AttributeError, TypeError, ValueError, AssertionError):
        return None
    if not math.isfinite(float(quantity.magnitude)):
        return None
    powers = {
        d.strip("[]").removesuffix("_of_water"): int(float(p.real))
        for d, p in quantity.dimensionality.items()
    }
    if powers.get("mass", 0) * 2 == powers.get("length", 0) != 0:  # joule = kg m2 s-2
        energy = powers.pop("mass")
        powers["length"] = powers.get("length", 0) - 2 * energy
        powers["time"] = powers.get("time", 0) + 2 * energy
        powers["energy"] = energy
    factor = float(quantity.magnitude) / 1000.0 ** powers.get("energy", 0)  # its base is the gram
    return Unit(factor, tuple(sorted((d, p) for d, p in powers.items() if p)))
