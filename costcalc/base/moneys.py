"""Money as people write it: a sign or a code before the number or behind it, in any case."""

from __future__ import annotations

import re

from costcalc.base.numerals import comma
from costcalc.base.spellings import CURRENCIES

_SIGNS = {
    "$": "USD", "us$": "USD", "dollar": "USD", "dollars": "USD", "€": "EUR", "euro": "EUR",
    "euros": "EUR", "£": "GBP", "₹": "INR", "rs": "INR", "₩": "KRW", "won": "KRW", "元": "CNY",
    "rmb": "CNY", "yuan": "CNY", "円": "JPY", "yen": "JPY", "c$": "CAD", "ca$": "CAD",
    "a$": "AUD", "au$": "AUD", "nz$": "NZD", "hk$": "HKD", "s$": "SGD", "nt$": "TWD",
    "r$": "BRL", "zł": "PLN",
}  # fmt: skip
# Signs of several currencies: what to ask.
_SEVERAL = {
    **dict.fromkeys(("¥", "￥"), "¥ is CNY or JPY"),
    "kr": "kr is SEK, NOK, DKK or ISK",
    "pounds": "pounds are GBP, or another's",
    "pound": "a pound is GBP, or another's",
}
_SIGN = r"(?:[A-Za-z]{1,2})?[$€£₹₩¥￥]|元|円|zł|[A-Za-z]{2,7}"
_NUMBER = r"[0-9][0-9.,]*(?:e[+-]?\d+)?\s*[kMG]?"
_BEFORE = re.compile(rf"(?P<sign>{_SIGN})\s*(?P<number>{_NUMBER})(?P<rest>\W.*)?")
_BEHIND = re.compile(rf"(?P<number>{_NUMBER})\s*(?P<sign>{_SIGN})(?P<rest>\W.*)?")
_DEVICE_HOUR = re.compile(
    r"(?:gpu|tpu|device|chip|accelerator)(?:[-_ /·*]?| per )(?:hour|hr|h)"
    r"|(?:hour|hr|h)(?:[ /]| per )(?:gpu|tpu|device|chip)",
    re.IGNORECASE,
)


def spelt(text: str) -> str:
    """Money in our spelling; what is none is left as it is.

    >>> spelt("$2.49/h"), spelt("2 EUR/GPU-hour"), spelt("15 yuan"), spelt("usd 3")
    ('2.49 USD/h', '2 EUR/device_hour', '15 CNY', '3 USD')
    >>> spelt("2,49 €"), spelt("1.234,50 EUR"), spelt("$15,000")  # cents behind a comma
    ('2.49 EUR', '1234.50 EUR', '15,000 USD')
    """
    bare = text.strip()
    if (parts := _parts(bare)) is not None:
        number, sign, rest = parts
        known = sign.upper() if sign.upper() in ("USD", *CURRENCIES) else _SIGNS.get(sign.lower())
        if known is not None:
            bare = f"{_pointed(number)} {known}{rest}"
    return _DEVICE_HOUR.sub("device_hour", bare)


# Behind a comma stand cents where they are one or two digits, or the number begins with 0; points
# part its thousands then.  Three digits are thousands.
_CENTS = re.compile(r"(\d+|\d{1,3}(?:\.\d{3})+),(\d{1,2})|(0),(\d+)", re.ASCII)


def _pointed(number: str) -> str:
    bare = number.rstrip("kMG").rstrip()
    match = _CENTS.fullmatch(bare)
    if match is None:
        return number
    whole, part = match[1] or match[3], match[2] or match[4]
    return f"{whole.replace('.', '')}.{part}{number[len(bare) :]}"


def hint(text: str) -> str:
    """What to write in place of an amount that is none; empty if nothing is known.

    >>> hint("¥300"), hint("USD 2,4900")
    ('; ¥ is CNY or JPY: write which, as 300 CNY', '; a comma parts thousands: write 2.4900 USD')
    """
    parts = _parts(text.strip())
    if parts is None:
        return ", which has no currency" if re.fullmatch(r"\s*[0-9.,]+\s*", text) else ""
    number, sign, rest = parts
    if (several := _SEVERAL.get(sign.lower())) is not None:
        first = re.findall(r"\b[A-Z]{3}\b", several)[0]
        return f"; {several}: write which, as {number} {first}{rest}"
    return comma(spelt(text))


_LONGEST = 100  # letters: what is longer is no amount, and need not be searched for one


def _parts(bare: str) -> tuple[str, str, str] | None:
    if len(bare) > _LONGEST:
        return None
    match = _BEFORE.fullmatch(bare) or _BEHIND.fullmatch(bare)
    if match is None:
        return None
    return match["number"].strip(), match["sign"], match["rest"] or ""
