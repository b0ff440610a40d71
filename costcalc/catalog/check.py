"""What a profile must hold to before it is believed: rules that catch the usual mistakes.

A rate with sparsity in the place of a dense one is the mistake that costs a factor of two.  Two
roads lead to it: the ratios between precisions that an architecture fixes, and units x clock x
FLOP a clock where a profile gives them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costcalc.base.errors import NotFoundError, Problem, nearest
from costcalc.catalog import provider
from costcalc.catalog.accelerator import Accelerator, Price, find
from costcalc.catalog.figure import Figure, source_faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from costcalc.catalog.host import Host

# (generations, precision, precision, ratio of the first to the second).  TPU v6e, Gaudi 3 and
# Trainium have fp8 no faster or other than twice; Blackwell Ultra gave up fp64 and int8.
_NVIDIA = ("ampere", "ada", "hopper", "blackwell", "blackwell-ultra", "blackwell-geforce")
_FP8_TWICE = (
    "ada",
    "hopper",
    "blackwell",
    "blackwell-ultra",
    "blackwell-geforce",
    "cdna3",
    "cdna4",
    "gaudi2",
    "tpu-v7",
)
RATIOS: tuple[tuple[tuple[str, ...], str, str, float], ...] = (
    ((*_NVIDIA, "cdna3", "ponte-vecchio"), "bf16", "tf32", 2.0),
    (
        (*_NVIDIA, "cdna2", "cdna3", "cdna4", "trainium1", "trainium2", "trainium3"),
        "bf16",
        "fp16",
        1.0,
    ),
    (("cdna1",), "fp16", "bf16", 2.0),
    (_FP8_TWICE, "fp8", "bf16", 2.0),
    (("hopper", "cdna3", "cdna4"), "int8", "fp8", 1.0),
    (("blackwell", "cdna4"), "fp4", "fp8", 2.0),
)
RATIO_TOLERANCE = 0.02

# (generation, precision, precision, each ratio of the first to the second that a board of the
# generation has): server and consumer chips differ, and boards for export are cut further (H20
# 44 and 3.4, H800 PCIe 64, RTX 5090 D 1.4).
_VARIED: dict[tuple[str, str], dict[str, tuple[float, ...]]] = {
    ("fp32", "fp64"): {
        "fermi": (8,),
        "kepler": (3, 24),
        "maxwell": (32,),
        "pascal": (2, 32),
        "volta": (2,),
        "turing": (32,),
        "ampere": (2, 64),
        "ada": (64,),
        "hopper": (2, 44, 64),
        "blackwell": (2,),
        "blackwell-ultra": (58,),
        "blackwell-geforce": (64,),
        "gcn4": (16,),
        "gcn5": (2, 4, 16),
        "rdna1": (16,),
        "rdna2": (16,),
        "rdna3": (32,),
        "rdna4": (32,),
        "cdna1": (2,),
        "cdna2": (1,),
        "cdna3": (2,),
        "cdna4": (2,),
        "ponte-vecchio": (1,),
    },
    ("fp16", "fp32"): {
        "maxwell": (2,),
        "pascal": (2,),
        "volta": (8,),
        "turing": (2, 4, 8),
        "ampere": (2, 4, 8, 16),
        "ada": (2, 4),
        "hopper": (3.4, 14.4),
        "blackwell": (31,),
        "blackwell-ultra": (31,),
        "blackwell-geforce": (1.4, 2, 4),
        "rubin": (31,),
        "gcn4": (1,),
        "gcn5": (2,),
        "rdna1": (2,),
        "rdna2": (2,),
        "rdna3": (2,),
        "rdna4": (4,),
        "cdna1": (8,),
        "cdna2": (8,),
        "cdna3": (8,),
        "cdna4": (16,),
        "cdna5": (16,),
        "alchemist": (8,),
        "battlemage": (8,),
        "ponte-vecchio": (16,),
        "apple": (1, 4),
    },
}
VARIED_TOLERANCE = 0.08  # clocks of tensor and vector units differ, tables round
# GeForce boards accumulate in fp32 at half rate: fp16 is at most so many times fp32.
_GEFORCE = {"turing": 4.0, "ampere": 2.0, "ada": 2.0, "blackwell-geforce": 2.0}
SECOND_ROAD_TOLERANCE = 0.03

# key path: (lowest, highest) that anything sold so far comes near, in SI, and how it is shown.
BOUNDS: dict[str, tuple[float, float, str]] = {
    "board_power": (5.0, 25_000.0, "5 W to 25 kW"),
    "idle_power": (0.5, 2_500.0, "0.5 W to 2.5 kW"),
    "memory": (1e8, 1e14, "0.1 GB to 100 TB"),
    "memory_bandwidth": (1e9, 1e17, "1 GB/s to 100 PB/s"),
    "embodied": (1e3, 1e7, "1 kgCO2e to 10 tCO2e"),
    "abiotic_depletion": (0.1, 1e3, "0.1 to 1000 gSbeq"),
    "purchase": (10.0, 5e6, "10 USD to 5 MUSD"),
}
RATES = {"fp64", "fp32", "tf32", "fp16", "bf16", "fp8", "fp4"}


def check(profile: Accelerator) -> list[Problem]:
    """Every rule that the profile breaks, at its line.

    >>> from costcalc.catalog.accelerator import find
    >>> check(find("h100"))
    []
    """
    faults = [
        *_sources(profile),
        *_ratios(profile),
        *_varied(profile),
        *_second_road(profile),
        *_order(profile),
        *_bounds(profile),
        *_ceilings(profile),
        *_prices(profile),
    ]
    return [profile.problem(_path(path), message) for path, message in faults]


def check_host(host: Host) -> list[Problem]:
    """Every rule that a host breaks: its sources, and that its accelerator has a profile."""
    faults: list[Fault] = list(source_faults(host, host.sources))
    if host.max_power is not None and host.host_power.si > host.max_power.si:
        faults.append(("host_power", "expected no more than max_power"))
    if host.provider is not None:
        faults += _provider("provider", host.provider)
    problems = [host.problem(_path(path), message) for path, message in faults]
    if host.accelerator is not None:
        try:
            find(host.accelerator)
        except NotFoundError as error:
            problems += [host.problem(("accelerator",), found.message) for found in error.problems]
    return problems


def check_names(
    profiles: Iterable[Accelerator], others: Mapping[str, str] | None = None
) -> list[Problem]:
    """Names that two profiles claim, or that one profile claims twice.

    ``others``: the names of profiles that are not checked themselves, in lower case, and their ids.
    """
    owner = dict(others or {})
    problems = []
    for profile in profiles:
        for index, name in enumerate((profile.id, *profile.aliases)):
            plain = " ".join(name.split()).lower()
            if plain in owner:
                path = ("aliases", index - 1) if index else ("id",)
                problems.append(profile.problem(path, f'"{name}" names {owner[plain]} already'))
            owner.setdefault(plain, profile.id)
    return problems


def unconfirmed(profile: Accelerator) -> list[str]:
    """The key figures that rest on one source and on no second road; shipped profiles have none.

    Key figures are the rate that trainings use and the memory bandwidth.  A stated range is an
    honest disagreement of sources, and counts.
    """
    second = {profile.check.precision} if profile.check else set()
    if profile.check and profile.check.precision in ("fp16", "bf16"):
        second |= {"fp16", "bf16"}  # one unit computes both
    key: dict[str, Figure | None] = {"memory_bandwidth": profile.memory_bandwidth}
    best = next(
        (name for name in ("bf16", "fp16", "fp32") if getattr(profile.peak, name) is not None), None
    )
    if best is not None and best not in second:
        key[f"peak.{best}"] = getattr(profile.peak, best)
    return [
        path
        for path, figure in key.items()
        if figure is not None and not (figure.confirmed_by or figure.low or figure.high)
    ]


Fault = tuple[str, str]


def _path(path: str) -> Sequence[str | int]:
    return [int(part) if part.isdigit() else part for part in path.split(".")]


def _sources(profile: Accelerator) -> Iterator[Fault]:
    also = [profile.check.source] if profile.check else []
    yield from source_faults(profile, profile.sources, also)
    if profile.check and profile.check.source not in profile.sources:
        yield "check.source", f'expected a name from sources; got "{profile.check.source}"'


def _ratios(profile: Accelerator) -> Iterator[Fault]:
    rates = profile.peak.rates()
    for generations, upper, lower, ratio in RATIOS:
        if profile.generation not in generations or upper not in rates or lower not in rates:
            continue
        found = rates[upper] / rates[lower]
        if abs(found / ratio - 1.0) > RATIO_TOLERANCE:
            sparse = _doubled(found / ratio)
            hint = "; one of them looks like a rate with sparsity" if sparse else ""
            expected = f"expected {ratio:g} x {lower} on {profile.generation}"
            yield f"peak.{upper}", f"{expected}; got {found:.3g} x{hint}"


def _varied(profile: Accelerator) -> Iterator[Fault]:
    rates = profile.peak.rates()
    for (upper, lower), by_generation in _VARIED.items():
        allowed = by_generation.get(profile.generation)
        if allowed is None or upper not in rates or lower not in rates:
            continue
        found = rates[upper] / rates[lower]
        if all(abs(found / ratio - 1.0) > VARIED_TOLERANCE for ratio in allowed):
            listed = " or ".join(f"{ratio:g}" for ratio in allowed)
            expected = f"expected {listed} x {lower} on {profile.generation}"
            yield f"peak.{upper}", f"{expected}; got {found:.3g} x"
    most = _GEFORCE.get(profile.generation)
    if most is None or "GeForce" not in profile.name or not {"fp16", "fp32"} <= rates.keys():
        return
    found = rates["fp16"] / rates["fp32"]
    if found > most * (1.0 + VARIED_TOLERANCE):
        why = "which accumulates in fp32 at half rate"
        expected = f"expected at most {most:g} x fp32 on a GeForce, {why}"
        yield "peak.fp16", f"{expected}; got {found:.3g} x"


def _doubled(factor: float) -> bool:
    return abs(factor / 2.0 - 1.0) < 0.05 or abs(factor * 2.0 - 1.0) < 0.05


def _second_road(profile: Accelerator) -> Iterator[Fault]:
    road = profile.check
    if road is None:
        return
    rates = profile.peak.rates()
    if road.precision not in rates:
        yield "check.precision", f"peak has no {road.precision}"
        return
    factor = rates[road.precision] / road.rate
    if abs(factor - 1.0) > SECOND_ROAD_TOLERANCE:
        hint = ", which looks like the rate with sparsity" if abs(factor / 2 - 1) < 0.05 else ""
        terms = f"{road.units} units x {road.clock_mhz:g} MHz x {road.flop_per_clock:g} FLOP"
        expected = f"expected {road.rate / 1e12:.4g} TFLOP/s ({terms})"
        got = f"got {factor * road.rate / 1e12:.4g}{hint}"
        yield f"peak.{road.precision}", f"{expected}; {got}"


def _order(profile: Accelerator) -> Iterator[Fault]:
    idle, board = profile.idle_power, profile.board_power
    if idle and board and idle.si > board.si:
        yield "idle_power", f"above the board power: {idle.si:g} W > {board.si:g} W"
    rates = profile.peak.rates()
    if profile.generation == "apple" and rates.get("fp16") == rates.get("fp32"):
        rates.pop("bf16", None)  # made of fp32 where the GPU has none, at a cost
    for lower, upper in (("fp64", "fp32"), ("fp32", "bf16"), ("bf16", "fp8"), ("fp8", "fp4")):
        if lower in rates and upper in rates and rates[lower] > rates[upper] * 1.001:
            yield f"peak.{lower}", f"above {upper}, which no chip has"


def _bounds(profile: Accelerator) -> Iterator[Fault]:
    for key, (lowest, highest, shown) in BOUNDS.items():
        figure: Figure | None = getattr(profile, key)
        if figure is not None and not lowest <= figure.si <= highest:
            yield key, f"expected {shown}; got {figure.value:g} {figure.unit}"
    rates = [rate for name, rate in profile.peak.rates().items() if name in RATES]
    if not rates:
        yield "peak", "expected at least one rate; got none"
        return
    intensity = max(rates) / profile.memory_bandwidth.si
    if not 1.0 <= intensity <= 4000.0:
        yield (
            "memory_bandwidth",
            f"expected the peak over it within 1 and 4000 FLOP a byte; got {intensity:.3g}",
        )


def _ceilings(profile: Accelerator) -> Iterator[Fault]:
    for name, share in profile.matmul_ceiling.items():
        if name not in profile.peak.rates():
            yield f"matmul_ceiling.{name}", f"peak has no {name}"
        if not 0.1 <= share.si <= 1.0:
            yield f"matmul_ceiling.{name}", f"expected a share of 0.1 to 1; got {share.value:g}"


def _prices(profile: Accelerator) -> Iterator[Fault]:
    listed: dict[tuple[object, ...], Price] = {}
    for price in profile.prices:
        if price.plan == "on-demand":
            listed.setdefault(_offer(price), price)
    for index, price in enumerate(profile.prices):
        yield from _provider(f"prices.{index}.provider", price.provider)
        if price.unit != "USD/device_hour":
            yield f"prices.{index}.unit", f"expected USD/device_hour; got {price.unit}"
        elif not 0.01 <= price.value <= 200.0:
            yield f"prices.{index}.value", f"expected 0.01 to 200 USD; got {price.value:g}"
        full = listed.get(_offer(price))
        if full is not None and price.value > full.value * 1.001 and price.plan != "on-demand":
            yield (
                f"prices.{index}.value",
                f"{price.plan} at {price.value:g}, above on-demand at {full.value:g}",
            )


def _provider(path: str, name: str) -> Iterator[Fault]:
    known = provider.names()
    if name not in known:
        near = nearest(name, known, at_most=1)
        hint = f"did you mean {near[0]}?" if near else "costcalc/data/providers.yaml lists them"
        yield path, f"no provider {name}; {hint}"


def _offer(price: Price) -> tuple[object, ...]:
    return price.provider, price.region, price.instance, price.devices, price.date, price.source
