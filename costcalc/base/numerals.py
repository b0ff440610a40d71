"""Plain numbers and durations as people, clocks and schedulers write them."""

from __future__ import annotations

import math
import re

NUMBER = re.compile(
    r"\s*(?P<number>[+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"\s*(?P<unit>\S.*?)?\s*",
    re.ASCII,
)
# Powers of ten, in any case of letters: where a plain number is asked, no unit is spelt so.
_SCALES = {"k": 3, "m": 6, "b": 9, "t": 12, "%": -2, "bn": 9, "mn": 6, "tn": 12}
_SCALES |= {"thousand": 3, "million": 6, "billion": 9, "trillion": 12}


_POWER = re.compile(
    r"\s*(?:(?P<times>\d+(?:\.\d+)?)\s*[×x*]\s*)?(?P<base>2|10)\s*(?:\^|\*\*)\s*(?P<power>\d{1,2})\s*",
    re.ASCII,
)
_PARTED = re.compile(r"\s*\d{1,3}(?:[ \u00a0\u202f]\d{3})+\s*")  # by blanks, as ISO 80000 has it


def number(text: str) -> float:
    """A plain number as people write it: ``15T``, ``20 billion``, ``2,500,000``, ``12 %``, ``1/7``.

    Raises:
        ValueError: it is no such number.

    >>> number("15T"), number("12 %"), number("1/4"), number("8.03b"), number("2,500,000")
    (15000000000000.0, 0.12, 0.25, 8030000000.0, 2500000.0)
    >>> number("1.5×10^12"), number("2^20"), number("1 000 000")
    (1500000000000.0, 1048576.0, 1000000.0)
    """
    if len(text) > 60:
        raise ValueError("too long for a number")
    if (raised := _POWER.fullmatch(text)) is not None:
        return _float(raised["times"] or "1") * _float(raised["base"]) ** int(raised["power"])
    if _PARTED.fullmatch(text) is not None:
        text = "".join(text.split())
    over, slash, under = text.partition("/")
    if slash:
        return _float(over) / _float(under)
    match = NUMBER.fullmatch(text)
    if match is None:
        raise ValueError("no number")
    scale = match["unit"]
    if scale is None:
        return _float(match["number"])
    if scale.lower() not in _SCALES:
        raise ValueError(f'unknown scale "{scale}"')
    mantissa, _, power = match["number"].lower().partition("e")
    ten = int(power or 0) + _SCALES[scale.lower()]
    return _float(f"{mantissa}e{ten}")  # 8.03B is 8.03e9 to the digit


def _float(text: str) -> float:
    value = float(text.replace(",", ""))  # the pattern lets through thousands only
    if not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


_COMMA = re.compile(r"\s*(\d+),(?!\d{3}(?!\d))(\d+)(?![\d,])(.*)", re.ASCII)
_POINTED = re.compile(r"\s*[1-9]\d{0,2}(?:\.\d{3}){2,}\s*", re.ASCII)  # two points are no decimals
_TIMES = re.compile(r"\s*(\d{1,9}) ?[x×]\s*", re.ASCII)  # how many: 8x
_GIGA = re.compile(r"\s*([\d.,]+) ?G", re.ASCII)


def comma(text: str) -> str:
    """What to write instead of a comma that parts no thousands; empty where there is none.

    >>> comma("36,5 h"), comma("1,500 kWh")
    ('; a comma parts thousands: write 36.5 h', '')
    """
    match = _COMMA.fullmatch(text)
    return f"; a comma parts thousands: write {match[1]}.{match[2]}{match[3]}" if match else ""


def hint(text: str) -> str:
    """What to write instead of a plain number that is none; empty if nothing is known.

    >>> hint("1G"), hint("1,5B"), hint("eight")
    ('; write 1B, or 1e9', '; a comma parts thousands: write 1.5B', '')
    >>> hint("1.500.000"), hint("8x")
    ('; a point parts decimals: write 1,500,000', '; write 8')
    """
    if _POINTED.fullmatch(text):
        return f"; a point parts decimals: write {text.strip().replace('.', ',')}"
    if (times := _TIMES.fullmatch(text)) is not None:
        return f"; write {times[1]}"
    match = _GIGA.fullmatch(text)
    return f"; write {match[1]}B, or {match[1]}e9" if match else comma(text)


_CLOCK = re.compile(r"\s*(?:(\d{1,5})-)?(\d{1,6}):([0-5]\d):([0-5]\d)\s*", re.ASCII)
_SPAN = re.compile(
    r"\s*(?:(\d{1,5}) ?d(?:ays?)?)? ?(?:(\d{1,6}) ?h(?:ours?|rs?)?)? ?(?:(\d{1,4}) ?m(?:in)?)?"
    r" ?(?:(\d{1,5}) ?s)?\s*",
    re.ASCII,
)


def clock(text: str) -> float | None:
    """Seconds of ``36:00:00``, Slurm's ``1-12:00:00``, ``1d 12h`` and ``1h30m``; else None.

    >>> clock("36:00:00"), clock("1-12:00:00"), clock("1d 12h"), clock("1h30m"), clock("36 h")
    (129600.0, 129600.0, 129600.0, 5400.0, None)
    """
    match = _CLOCK.fullmatch(text) or _SPAN.fullmatch(text)
    if match is None or sum(part is not None for part in match.groups()) < 2:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return 86_400.0 * days + 3_600.0 * hours + 60.0 * minutes + seconds
