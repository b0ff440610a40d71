"""The plugin for Slurm's controller with the prices, sizes and currency of fleet.yaml in it.

It reads no file where it runs, so that what it knows is written into it when it is printed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from time import time

from costcalc.fleet.bounding import device_hour, of_processors
from costcalc.fleet.cluster import Cluster, Fleet
from costcalc.fleet.pricing import Pricing


def filled(script: str, cluster: Cluster) -> str:
    """The script with its tables as ``cluster`` has them; what has no price there stays out.

    A job in a partition that no table names is of unknown cost, and told so.
    """
    pricing, now = Pricing(cluster), time()
    fleet = cluster.fleet
    of_devices = [n for n, one in fleet.partitions.items() if not of_processors(one)]
    found = {name: device_hour(pricing, name, None, now) for name in of_devices}
    prices = {name: price for name, price in found.items() if isinstance(price, float)}
    tables = {
        "PRICES": table({name: _number(price) for name, price in prices.items()}),
        "ACCOUNTS": table(_accounts(pricing, fleet, tuple(prices), now)),
        "CURRENCY": f'"{fleet.currency}"',
        "PER_NODE": table({
            name: _number(size * pricing.holdings.dies(name))
            for name in of_devices
            if (size := fleet.partitions[name].per_node)
        }),
        "WHOLE": table({
            name: "true" for name, one in fleet.partitions.items() if one.plugin == "exclusive"
        }),
    }  # fmt: skip
    for name, value in tables.items():
        before, after = re.split(rf"(?m)^local {name} = .*$", script, maxsplit=1)
        script = f"{before}local {name} = {value}{after}"
    lacking = {name: why for name, why in found.items() if isinstance(why, str)}
    return script.replace("-- @FROM@\n", "".join(f"-- {line}\n" for line in _head(fleet, lacking)))


def _accounts(
    pricing: Pricing, fleet: Fleet, partitions: tuple[str, ...], now: float
) -> Mapping[str, str]:
    """By account with a price of its own the dearest of the partitions."""
    made = {}
    for name, account in fleet.accounts.items():
        each = [device_hour(pricing, one, name, now) for one in partitions if account.price]
        known = [price for price in each if isinstance(price, float)]
        if known:
            made[name] = _number(max(known))
    return made


def _head(fleet: Fleet, lacking: Mapping[str, str]) -> list[str]:
    """Where the tables are from, and what they lack."""
    if not fleet.partitions:
        return ["No fleet.yaml with partitions was there: its tables are empty, and what a job can",
                "cost is not known.  Print it again with --fleet FILE."]  # fmt: skip
    told = [
        "Its tables are those of fleet.yaml when it was printed: print it anew when that changes."
    ]
    return told + [f"No price of {_plain(name)}: {_plain(why)}" for name, why in lacking.items()]


def _plain(text: str) -> str:
    """A text as one line of a comment."""
    return " ".join(text.split())


def _number(value: float) -> str:
    return f"{round(value, 9):.10g}"


def table(fields: Mapping[str, str]) -> str:
    """A table of Lua, on one line.

    >>> table({"gpu": "1.9", "gpu-a": "2"}), table({})
    ('{ ["gpu"] = 1.9, ["gpu-a"] = 2 }', '{}')
    """
    if not fields:
        return "{}"
    # what JSON escapes of a text Lua does alike, but for \u of what is no text
    named = (
        f"[{json.dumps(name, ensure_ascii=False)}] = {value}" for name, value in fields.items()
    )
    return f"{{ {', '.join(named)} }}"
