"""Spellings of units: the currencies beside the dollar, and those that are refused."""

from __future__ import annotations

import re

# By ISO 4217. Each is a dimension of its own: dollars become euros by a rate that somebody gives.
CURRENCIES = (
    *("AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "ILS", "INR", "JPY"),
    *("KRW", "MXN", "NOK", "NZD", "PLN", "SEK", "SGD", "TRY", "TWD", "ZAR"),
)

_OF_POWER = re.compile(r"([kM]?g|k?t) ?(?:CO[2₂])?[ -]?(?:eq?)? ?/(?= ?[kMGT]?(?:Wh|J)\b)")


def intensity(text: str) -> str:
    """A carbon intensity in our spelling: what a mass over an energy is of, nobody needs to say.

    >>> intensity("0.39 kg/kWh"), intensity("390 gCO2/kWh"), intensity("390 g CO₂eq/kWh")
    ('0.39 kgCO2e/kWh', '390 gCO2e/kWh', '390 gCO2e/kWh')
    """
    return _OF_POWER.sub(r"\1CO2e/", text, count=1)


# Spellings that other tools read as something nobody means here.
REFUSED = {
    "Gb": "which reads as gilbert; write Gbit or GB",
    "Mb": "write Mbit or MB",
    "Kb": "write kbit or kB",
    "kb": "write kbit or kB",
    "Tb": "write Tbit or TB",
    "b": "which reads as barn; write bit or B",
    "ton": "which reads as the short ton; write tCO2e",
    "tons": "write tCO2e",
    "t": "write tCO2e",
    "kg": "write kgCO2e",
    "g": "write gCO2e",
    "kgCO2": "write kgCO2e",
    "gCO2": "write gCO2e",
    "tCO2": "write tCO2e",
    "FLOPS": "which may be a count or a rate; write FLOP or FLOP/s",
    "FLOPs": "which may be a count or a rate; write FLOP or FLOP/s",
    "month": "months differ in length; write days",
    "months": "months differ in length; write days",
    **dict.fromkeys(("a", "y", "yr", "yrs"), "write year"),
    **dict.fromkeys(("w", "wk", "wks"), "write week"),
    "mo": "months differ in length; write days",
    "T": "write 15T without a unit, or Ttoken, TFLOP, TB",
    "M": "write M without a space: 50M",
    "K": "write K without a space: 50K",
    "GPUh": "write device_hour",
    "GPU_hour": "write device_hour",
    **dict.fromkeys(
        ("GPU hours", "GPU hour", "GPU-hours", "GPU-hour", "gpu hours", "GPU h", "device-hours"),
        "of several devices together; write h, or device-hours under measured.device_hours",
    ),
    **dict.fromkeys(
        ("lb", "lbs"), "write gCO2e, of which a pound is 453.6: 860 lb/MWh are 390 gCO2e/kWh"
    ),
    **dict.fromkeys(
        ("PF-day", "PF-days", "pf-day", "pf-days", "PFLOP-day", "PFLOP-days", "petaflop-days"),
        "write EFLOP: a PFLOP/s for a day is 86.4 EFLOP",
    ),
    **dict.fromkeys(("s-day", "s-days"), "a PFLOP/s for a day is 86.4 EFLOP: write that"),
    **dict.fromkeys(("petaflop", "petaflops"), "write PFLOP; a PFLOP/s for a day is 86.4 EFLOP"),
    "€": "write EUR and give price.rate",
    "$": "write USD",
}
