"""Made-up chips and what they are offered for."""

from __future__ import annotations

from costcalc import price
from costcalc.catalog.accelerator import Accelerator

HOUR = 3600.0
ROW = {
    "provider": "aws",
    "accelerator": "chip",
    "instance": None,
    "devices": 8.0,
    "plan": "on-demand",
    "regions": (),
    "value": 1.0,
    "low": 1.0,
    "high": 1.0,
    "count": None,
    "zones": None,
    "date": None,
    "at_the_latest": False,
    "host": "included",
    "source": "s",
    "note": "",
}


def offer(provider: str, region: str | None, value: float, **more) -> dict:
    return {
        "provider": provider,
        "region": region,
        "value": value,
        "unit": "USD/device_hour",
        "instance": "big",
        "devices": 8,
        "plan": "on-demand",
        "date": "2026-11-26",  # the day of the data
        "source": "list",
        "host": "included",
        **more,
    }


def chip(*prices: dict, **more) -> Accelerator:
    return Accelerator.model_validate(
        {
            "id": "test-chip",
            "name": "Test Chip",
            "vendor": "T",
            "kind": "gpu",
            "generation": "test",
            "released": 2024,
            "peak": {},
            "memory": {"value": 80, "unit": "GB", "source": "list"},
            "memory_bandwidth": {"value": 2, "unit": "TB/s", "source": "list"},
            "prices": list(prices),
            "sources": {"list": {"title": "A price list", "publisher": "P"}},
            **more,
        }
    )


THREE = chip(
    offer("aws", "us-east-1", 4.0),
    offer("aws", "eu-west-1", 5.0),
    offer("aws", "ap-south-1", 9.0),
    offer("gcp", "us-central1", 3.0),
    offer("lambda", None, 2.0),
    offer("aws", "us-east-1", 1.0, plan="spot"),
)


def hourly(made: price.Quote) -> tuple[float, float, float]:
    assert made.price is not None, made.why_not
    return tuple(
        round(value * HOUR, 9) for value in (made.price.low, made.price.value, made.price.high)
    )
