"""Ranges, conventions and names of places by hand, on a table small enough to be worked out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.base.errors import NotFoundError
from costcalc.catalog import (
    accelerator,
    check,
    grid,
    host,
    preset,
    prices,
    provider,
    region,
    region_names,
    towns,
)
from costcalc.catalog.region_schema import AtLeast, Cell, End, Rule
from costcalc.catalog.region_table import Table, bounds, cell, note, reason, sourced

CONVENTION = {
    "flow": "production",
    "signal": "average",
    "accounting": "location",
    "how": "taken",
    "unit": "gCO2e/kWh",
    "source": "s",
}
DATA: dict[str, Any] = {
    "sources": {
        "s": {"title": "S", "publisher": "P", "date": "2024-05", "url": "u"},
        "f": {"title": "F", "publisher": "Q"},
    },
    "defaults": {
        "grid": {**CONVENTION, "basis": "lifecycle", "year": 2024},
        "direct": {**CONVENTION, "basis": "direct", "year": 2023},
        "water": {"unit": "L/kWh", "source": "s"},
    },
    "ranges": {
        "grid": {
            "low": {"factor": 0.8},
            "high": {"factor": 1.2},
            "why": "w",
            "no_less_than": {"column": "direct", "factor": 1.1},
        },
        "direct": {"low": {"factor": 0.9}, "high": {"factor": 1.1}, "why": "d"},
        "stand_in": {"low": {"factor": 1.0}, "high": {"factor": 1.5}, "why": "x"},
    },
    "fallback": {"water": {"value": 2.0}},
    "factors": {"coal": {"value": 820, "source": "f"}, "hydro": {"value": 24, "source": "f"}},
    "notes": {"n": "a note"},
    "reasons": {"grid": "no figure", "r": "its own reason"},
    "regions": {
        "A": {"name": "A", "grid": 100.0, "direct": 90.0},
        "B": {"name": "B", "grid": 100.0, "direct": 120.0, "year": 2020, "note": "n"},
        "C": {"name": "C", "direct": 200.0},
        "D": {"name": "D", "mix": {"coal": 25, "hydro": 75}, "low": 200.0, "note": "n"},
        "E": {"name": "E", "why": "r"},
        "F": {"name": "F", "grid": {"value": 100.0, "high": 101.0}, "direct": 50.0, "water": 1.0},
    },
}
TABLE = Table("t", "digest", DATA)


def row(code: str) -> Any:
    return TABLE.row(code)


# --- ranges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("year", "low", "high"),
    [
        (2024, 90 - 5, 110 + 5),
        (2030, 85, 115),  # newer than the rule's year is as good
        (2020, 100 * (0.9 - 4 * 0.02) - 5, 100 * (1.1 + 4 * 0.02) + 5),
    ],
)
def test_a_range_widens_with_age(year: int, low: float, high: float) -> None:
    rule = {"low": {"factor": 0.9, "plus": -5}, "high": {"factor": 1.1, "plus": 5}}
    assert bounds(100.0, {**rule, "since": 2024, "per_year": 0.02}, year) == (
        pytest.approx(low),
        pytest.approx(high),
    )


def test_a_range_holds_its_value_and_stays_above_nothing() -> None:
    beside = {"low": {"factor": 1.1}, "high": {"factor": 0.9}}
    assert bounds(100.0, beside, 2024) == (100.0, 100.0)
    deep = {"low": {"factor": 0.1, "plus": -50}, "high": {"factor": 1.0}}
    assert bounds(100.0, deep, None) == (20.0, 100.0)  # a fifth at least


def test_a_cell_of_a_row_has_its_columns_defaults() -> None:
    made = cell(TABLE, row("F"), "grid")
    assert made is not None
    assert (made["value"], made["high"], made["basis"]) == (100.0, 101.0, "lifecycle")
    assert cell(TABLE, row("A"), "water") == {"value": 2.0, "unit": "L/kWh", "source": "s"}
    assert cell(TABLE, row("F"), "water") == {"value": 1.0, "unit": "L/kWh", "source": "s"}
    assert cell(TABLE, row("E"), "grid") is None
    found = sourced(TABLE, {"value": 3.0, "unit": "1", "source": "f", "note": "n"}, "water")
    assert (found.low, found.high, found.source, found.url) == (3.0, 3.0, "F (Q)", None)
    assert (found.why, found.range_why) == ("a note", "")
    assert note(TABLE, "another text") == "another text"
    assert note(TABLE, None) == ""


def test_a_reason_is_the_rows_own_where_it_has_one() -> None:
    assert reason(TABLE, row("E"), "grid") == "its own reason"
    assert reason(TABLE, row("A"), "grid") == "no figure"
    assert reason(TABLE, row("E"), "water") == "unknown"  # a row's reason is about its grid


def test_a_figure_as_an_assumption_says_its_own_why_unless_another_is_given() -> None:
    found = sourced(TABLE, {"value": 3.0, "unit": "1", "source": "f", "note": "n"}, "water")
    assert found.assumption("k").why == "a note"
    assert found.assumption("k", why="").why == ""
    assert found.assumption("k", why="x").why == "x"
    assert found.assumption("k").basis == "default"


# --- grids ----------------------------------------------------------------------------------------


def test_a_lifecycle_figure_reaches_to_what_the_direct_one_implies() -> None:
    """100 g (80 to 120): 90 g are below; 120 g are not, and 1.1 × 120 = 132 takes the place."""
    within, raised = grid.grid(TABLE, "A"), grid.grid(TABLE, "B")
    assert within.default is not None
    assert raised.default is not None
    assert (within.default.low, within.default.high) == (80.0, 120.0)
    assert within.default.range_why == "w"
    (direct,) = raised.others
    assert raised.default.value == pytest.approx(132.0)
    assert raised.default.low == direct.low
    assert raised.default.high == pytest.approx(132.0 * 1.2)
    assert raised.default.range_why == f"w; down to {direct.low:.4g} g, the direct one"
    assert (raised.default.year, raised.default.how) == (2023, "computed")
    assert raised.default.why.startswith(
        "the lifecycle figure of B, 100 g, is below the direct one"
    )
    assert raised.default.why.endswith("1.1 times that is taken; a note")
    assert (direct.basis, direct.year, direct.why) == ("direct", 2023, "")
    assert direct.high == pytest.approx(1.1 * 120)


def test_a_direct_figure_alone_stands_in_with_a_wider_range() -> None:
    found = grid.grid(TABLE, "C").default
    assert found is not None
    assert (found.value, found.low, found.high) == (200.0, 200.0, 300.0)
    assert found.why == grid.STAND_IN
    assert found.basis == "direct"


def test_a_mix_is_weighed_by_its_shares() -> None:
    """A quarter of coal at 820 g and three of hydro at 24: 205 + 18 = 223 g (IPCC AR5)."""
    found = grid.grid(TABLE, "D").default
    assert found is not None
    assert found.value == pytest.approx(223.0)
    assert (found.low, found.high) == (200.0, pytest.approx(1.2 * 223))  # its own low
    assert found.source == "S (P, 2024-05); F (Q)"
    assert found.why == (
        "computed from the mix of generation with lifecycle medians: coal 25 %, hydro 75 %; a note"
    )
    # shares of a mix need not add up to 100
    assert grid.mix_intensity({"a": 1, "b": 3}, {"a": 820, "b": 24}) == pytest.approx(223.0)


def test_a_place_without_a_figure_says_why() -> None:
    found = grid.grid(TABLE, "E")
    assert (found.default, found.others, found.why) == (None, (), "its own reason")
    assert grid.grid(TABLE, "A").why == ""
    own = grid.grid(TABLE, "F").default
    assert own is not None
    assert own.high == 101.0  # the row's own end stands: 1.1 × 50 is below it
    with pytest.raises(KeyError):
        grid.grid(TABLE, "X")


# --- what the schema takes ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "value", "high", "fine"),
    [
        (1, 2, 3, True),
        (2, 2, 2, True),
        (None, 2, None, True),
        (2.1, 2, 3, False),
        (1, 2, 1.9, False),
        (-1, 2, 3, False),
        (0, 0, 0, True),
    ],
)
def test_a_cells_value_is_within_its_ends(
    low: float | None, value: float, high: float | None, fine: bool
) -> None:
    given = {"value": value, "low": low, "high": high}
    if fine:
        assert Cell.model_validate(given).value == value
        return
    with pytest.raises(ValueError, match=r"low <= value <= high|greater than or equal to 0"):
        Cell.model_validate(given)


@pytest.mark.parametrize(
    ("year", "fine"), [(1999, False), (2000, True), (2100, True), (2101, False)]
)
def test_years_of_figures(year: int, fine: bool) -> None:
    try:
        assert (Cell.model_validate({"value": 1, "year": year}).year == year) is fine
    except ValueError:
        assert not fine


def test_rules_of_ranges() -> None:
    why = "x" * 20
    assert End.model_validate({"factor": 0.1}).plus == 0
    assert Rule.model_validate({"why": why, "per_year": 0.2}).per_year == 0.2
    assert AtLeast.model_validate({"column": "direct", "factor": 1.01}).factor == 1.01
    for model, wrong in (
        (End, {"factor": 0}),
        (AtLeast, {"column": "direct", "factor": 1}),
        (Rule, {"why": "x" * 19}),
        (Rule, {"why": why, "per_year": 0.21}),
        (Rule, {"why": why, "per_year": -0.1}),
    ):
        with pytest.raises(ValueError, match="validation error"):
            model.model_validate(wrong)


# --- regions and providers ------------------------------------------------------------------------


def test_a_region_of_a_cloud_has_its_own_figures_before_the_providers() -> None:
    found = region.find("aws:us-east-1")
    assert (found.kind, found.provider, found.country) == ("cloud", "aws", "US")
    assert found.pue.why == "the region's own figure"
    plain = region.find("US-VA", provider="aws")
    assert (plain.kind, plain.provider) == ("zone", "aws")
    mean = provider.find("aws")
    assert mean is not None
    assert mean.pue is not None
    assert plain.pue.value == mean.pue.value
    assert plain.pue.why == f"the mean of the sites of {mean.name}"
    unknown = region.find("US-VA")
    assert unknown.pue.value == provider.survey("pue").value
    silent = region.find("US-VA", provider="lambda")
    assert silent.pue.value == unknown.pue.value
    assert "the provider publishes no mean PUE; the mean of the industry's survey" in silent.pue.why
    nobody = region.find("US-VA", provider="x")
    assert nobody.pue.why.startswith("x is not in the table of providers; ")


def test_kinds_of_places() -> None:
    kinds = {name: region.find(name).kind for name in ("world", "FR", "US-VA", "FRA")}
    assert kinds == {"world": "world", "FR": "country", "US-VA": "zone", "FRA": "country"}
    assert region.find("world").country is None
    assert region.find("US-VA").country == "US"


def test_the_figure_of_another_basis() -> None:
    found = region.find("US-VA")
    direct, lifecycle = found.grid_of("direct"), found.grid_of("lifecycle")
    assert direct is not None
    assert lifecycle is not None
    assert (direct.basis, lifecycle.basis) == ("direct", "lifecycle")
    assert found.grid is not None
    assert lifecycle.value == found.grid.value


# --- presets, prices ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("meta-llama/Llama-2-7b-chat-hf", "llama-2-7b"),
        ("LLAMA-3-8B", "llama-3-8b"),
        ("unsloth/llama-3-8b", "llama-3-8b"),
    ],
)
def test_who_uploaded_a_model_and_how_it_was_tuned_leave_it_as_it_is(name: str, found: str) -> None:
    assert preset.find(name).id == found


def test_prices_newest_first_and_undated_last() -> None:
    h100 = accelerator.find("h100")
    dates = [price.date or "" for price in prices.known(h100)]
    assert dates == sorted(dates, reverse=True)
    own = prices.known(h100, "aws", "us-east-1", "on-demand")
    assert {(p.provider, p.regions, p.plan) for p in own} == {("aws", ("us-east-1",), "on-demand")}
    assert len(prices.known(h100, "aws")) > len(own)


# --- ratios of rates, hosts of an open size, hints ------------------------------------------------


EVERY = accelerator.all_accelerators(cpus=False)


@pytest.mark.parametrize(
    ("upper", "lower", "generation", "ratio"),
    [
        (*pair, generation, ratio)
        for pair, by_generation in check._VARIED.items()
        for generation, ratios in by_generation.items()
        for ratio in ratios
    ],
)
def test_a_ratio_that_a_generation_may_have_is_one_that_a_board_of_it_has(
    upper: str, lower: str, generation: str, ratio: float
) -> None:
    rates = [one.peak.rates() for one in EVERY if one.generation == generation]
    found = [known[upper] / known[lower] for known in rates if {upper, lower} <= known.keys()]
    assert any(abs(each / ratio - 1) <= 0.08 for each in found)


def rated(generation: str, name: str, fp16: float) -> Any:
    peak = SimpleNamespace(rates=lambda: {"fp16": fp16, "fp32": 10.0})
    return SimpleNamespace(generation=generation, name=name, peak=peak)


@pytest.mark.parametrize(
    ("name", "generation", "fp16", "fine"),
    [
        # accumulating in fp32 at half rate: at most twice fp32 on Ada, four times on Turing
        ("GeForce RTX 4090", "ada", 20.0, True),
        ("GeForce RTX 4090", "ada", 20.0 * 1.079, True),
        ("GeForce RTX 4090", "ada", 20.0 * 1.081, False),
        ("GeForce RTX 2080", "turing", 40.0, True),
        ("GeForce RTX 2080", "turing", 40.0 * 1.081, False),
        ("RTX 6000 Ada", "ada", 40.0, True),  # no GeForce
        ("GeForce RTX 4090", "ada", 30.0, False),
    ],
)
def test_a_geforce_accumulates_at_half_rate(
    name: str, generation: str, fp16: float, fine: bool
) -> None:
    assert (list(check._varied(rated(generation, name, fp16))) == []) is fine


def test_a_host_of_an_open_size_shares_what_it_draws_itself() -> None:
    """400 W (300 to none) and 50 W each (40 to 60): over four 100 + 50; low 75 + 40; no high."""
    node = SimpleNamespace(si=400.0, si_low=300.0, si_high=None)
    each = SimpleNamespace(si=50.0, si_low=40.0, si_high=60.0)
    embodied = SimpleNamespace(si=800.0, si_low=None, si_high=None)
    open_: Any = SimpleNamespace(
        host_power=node, host_power_each=each, devices=8, embodied=embodied
    )
    found = host.HostChoice(host=open_, devices=4, why="")
    assert found.power_per_device() == 400 / 4 + 50
    assert found.power_per_device("low") == 300 / 4 + 40
    assert found.power_per_device("high") is None
    assert (found.embodied_per_device(), found.embodied_per_device("low")) == (200.0, None)
    each.si_low = None
    assert found.power_per_device("low") is None
    open_.host_power_each = None  # of a fixed size: its own eight share it, however many are used
    assert found.power_per_device() == 400 / 8
    assert found.power_per_device("high") is None
    assert found.embodied_per_device() == 800 / 8
    open_.embodied = None
    assert found.embodied_per_device() is None


def test_what_to_write_instead_of_a_name_that_is_none() -> None:
    assert region_names._within("FR") == []  # a country is no zone
    assert region_names._within("XX-A") == []
    found = region_names._within("us-xx")
    assert found[0] == "US"
    assert all(code.startswith("US-") for code in found[1:])
    assert region_names.hint("aws:us-esat-1").startswith("nearest: aws:us-east-1, ")
    assert region_names._closest("aws:us-esat-1")[0] == "aws:us-east-1"
    assert all(code.startswith("aws:") for code in region_names._closest("aws:us-esat-1"))
    assert list(region_names._closest("Frnce")) == ["FR"]  # 10 of 11 letters, francesouth 10 of 16
    assert region_names._plain(" The  Åland Islands ") == "aland-islands"


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("uk-south", "azure:uksouth"),
        ("azure:uk-south", "azure:uksouth"),
        ("West Europe", "azure:westeurope"),
        ("europe-west4-a", "gcp:europe-west4"),
        ("gcp:us-east1-b", "gcp:us-east1"),
        ("us-east-1a", "aws:us-east-1"),
        ("us-gov-west-1a", "aws:us-gov-west-1"),
        ("aws-us-east-1", "aws:us-east-1"),
        ("AWS:US-EAST-1", "aws:us-east-1"),
    ],
)
def test_a_region_of_a_cloud_as_people_write_it(written: str, code: str) -> None:
    assert region.find(written).code == code


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("useast1", "useast1 may be aws:us-east-1, gcp:us-east1: write which"),
        ("The Dalles", "no region The Dalles; nearest: US-OR, gcp:us-west1"),
        ("Council Bluffs", "no region Council Bluffs; nearest: US-IA, gcp:us-central1"),
        ("Dublin", "no region Dublin; nearest: IE, aws:eu-west-1, azure:northeurope"),
        ("TX", "no region TX; nearest: US-TX"),
        ("QC", "no region QC; nearest: CA-QC"),
        (
            "us-ashburn-1",
            "no region us-ashburn-1; it reads as Oracle's, which stands in US-VA: write US-VA here "
            "and price.provider: oracle",
        ),
        (
            "fr-par-2",
            "no region fr-par-2; it reads as Scaleway's, which stands in FR: write FR here",
        ),
        ("gra", "no region gra; it reads as OVHcloud's, which stands in FR: write FR here"),
        (
            "eu-zurich-1",
            "no region eu-zurich-1; it reads as Oracle's, of whose regions none is known here: "
            "give the place (US, US-VA, DE, …) here and price.provider: oracle",
        ),
        (
            "oci:us-ashburn-1",
            "no region oci:us-ashburn-1: costcalc knows no regions of oracle; give the place "
            "(US, US-CA, FI, …) here and price.provider: oracle",
        ),
        (
            "ap-southeast-9",
            "no region ap-southeast-9; nearest: aws:ap-southeast-1, aws:ap-southeast-2, "
            "aws:ap-southeast-3",
        ),
        ("us-esat-1", "no region us-esat-1; nearest: aws:us-east-1, aws:us-west-1, gcp:us-east1"),
    ],
)
def test_a_name_of_no_region_is_told_the_nearest(written: str, message: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        region.find(written)
    assert str(caught.value) == f"site.region: {message}"


def test_each_place_of_the_clouds_without_a_table_is_a_region() -> None:
    for whose, place, names in region_names.ELSEWHERE:
        assert region.find(place).code == place, whose
        for name in names.split():
            assert not region_names.meant(name), name


def test_govcloud_west_is_in_oregon_and_the_east_is_not_told():
    names = ("gov-west-1", "west-2", "gov-east-1")
    west, oregon, east = (region.find(f"aws:us-{name}") for name in names)
    assert (west.grid_zone, west.grid.value) == ("US-OR", oregon.grid.value)
    assert (east.grid_zone, east.label) == (
        "US", "GovCloud, US-East: a state that AWS does not tell"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("written", "code"),
    [("Kansai", "JP-KN"), ("Tokyo", "JP-TK"), ("NSW", "AU-NSW"), ("SE3", "SE-SE3")],
)
def test_a_zone_by_its_own_name(written: str, code: str) -> None:
    assert region.find(written).code == code


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            "Bavaria",
            "a place of that name is in DE: write that",
        ),  # Bulgaria, Latvia and Brazil were nearest
        ("Île-de-France", "a place of that name is in FR: write that"),
        ("Catalonia", "a place of that name is in ES: write that"),
        ("Lombardy", "a place of that name is in IT-NO: write that"),
        ("San Francisco", "a place of that name is in US-CA: write that"),  # San Marino was
        ("Munich", "a place of that name is in DE: write that"),
        ("Northern Ireland", "nearest: GB, IE"),  # one grid with the Republic's
        ("PJM", "nearest: US-VA, US-OH, US-PA"),
        ("Frankfurt", "nearest: DE, aws:eu-central-1, azure:germanywestcentral, gcp:europe-west3"),
        (
            "Zzyzx",
            "known: aws:…, azure:…, gcp:…, FR, FRA, US-CA, CA-QC, CN-SC, SE-SE3, NO-NO1, DK-DK1, "
            "world",
        ),
    ],
)
def test_a_place_without_a_grid_of_its_own_is_told_whose_it_has(written: str, said: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        region.find(written)
    assert str(caught.value) == f"site.region: no region {written}; {said}"


def test_every_town_is_on_a_grid_that_is_known() -> None:
    for codes_ in towns._by_name().values():
        for code in codes_:
            assert region.find(code).code == code
