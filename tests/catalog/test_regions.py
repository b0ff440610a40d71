"""Every place resolves, figures are what their sources say, and nothing is guessed."""

import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc.base.errors import InputError, NotFoundError
from costcalc.base.units import to_si
from costcalc.catalog import provider as providers
from costcalc.catalog import region as regions
from costcalc.catalog.grid import STAND_IN
from costcalc.catalog.region_table import table

CODES = tuple(regions.codes())
COUNTRIES = table("regions/countries.yaml").section("regions")
CLOUD = tuple(code for code in CODES if ":" in code)
KNOWN = {
    *CODES,
    *(row["alpha3"] for row in COUNTRIES.values() if "alpha3" in row),
    *regions._ALIASES,
}


def test_the_tables_hold_every_place_of_the_lists():
    # 249 countries of ISO 3166-1; 50 states and DC; 10 provinces and 3 territories; 31 provinces,
    # regions and municipalities of mainland China
    assert len(COUNTRIES) == 249 + 1  # and the world
    assert sum(code.startswith("US-") for code in CODES) == 51
    assert sum(code.startswith("CA-") for code in CODES) == 13
    assert sum(code.startswith("CN-") for code in CODES) == 31
    zones = {f"SE-SE{i}" for i in range(1, 5)} | {f"NO-NO{i}" for i in range(1, 6)}
    assert zones | {"DK-DK1", "DK-DK2", "FI", "world"} <= set(CODES)
    assert len(CODES) == len(set(CODES))


@pytest.mark.parametrize("code", CODES)
def test_every_region_resolves_with_sane_figures(code):
    region = regions.find(code)
    assert region.code == code
    assert region.grid is None or 5 <= region.grid.value <= 1310  # hydropower to Turkmenistan
    assert (region.grid is None) == bool(region.grid_why)
    assert (region.water is None) == bool(region.water_why)
    assert 1.0 < region.pue.low <= region.pue.value <= region.pue.high < 2.5
    assert 0 < region.wue.low <= region.wue.value <= region.wue.high < 20
    figures = [region.grid, *region.others, region.water]
    for figure in (figure for figure in figures if figure is not None):
        assert 0 < figure.low < figure.value < figure.high
        assert 2006 <= figure.year <= 2026
        assert len(figure.source) > 20
        assert figure.url.startswith("https://")
        assert len(figure.range_why) > 20 or "note" in table(next(iter(region.files))).row(
            region.grid_zone
        )


@pytest.mark.parametrize("code", CLOUD)
def test_every_cloud_region_has_a_grid(code):
    region = regions.find(code)
    assert region.grid is not None
    assert region.provider == code.partition(":")[0]
    assert region.grid_zone.startswith(region.country)


def test_the_default_is_lifecycle_average_location_except_where_only_direct_is_published():
    for code in CODES:
        grid = regions.find(code).grid
        if grid is None:
            continue
        assert (grid.signal, grid.accounting) == ("average", "location")
        if grid.place.startswith("CN-"):
            assert grid.basis == "direct"
            assert grid.why == STAND_IN
        else:
            assert grid.basis == "lifecycle"


# Ember's figures of 2024 as a second publisher restates them (EcoLogits 0.9.1, kgCO2e/kWh)
@pytest.mark.parametrize(
    ("code", "kg"),
    [
        ("US", 0.38355),
        ("FR", 0.04418),
        ("DE", 0.34414),
        ("CN", 0.55955),
        ("IN", 0.70832),
        ("SE", 0.03582),
        ("NO", 0.03075),
        ("GB", 0.21089),
        ("JP", 0.48232),
        ("IE", 0.2797),
        ("NL", 0.25331),
        ("FI", 0.07225),
        ("BR", 0.10321),
        ("KR", 0.41427),
        ("TW", 0.63565),
        ("world", 0.47301),
    ],
)
def test_countries_against_a_second_publisher(code, kg):
    assert regions.find(code).grid.value == pytest.approx(1000 * kg, rel=0.005)


@pytest.mark.parametrize(
    ("code", "lifecycle", "direct_lb_per_mwh"),
    # Ember, US Electricity Data, 2024; EPA eGRID2023, STC2ERTA
    [
        ("US-VA", 322.4, 539.599),
        ("US-CA", 199.57, 394.769),
        ("US-TX", 356.02, 771.179),
        # Ember's 737.76 are below EPA's 893.1: 1.08 x 893.1 are taken
        ("US-WV", pytest.approx(964.55, abs=0.01), 1968.869),
        ("US-VT", 60.59, 52.239),
    ],
)
def test_states_stand_in_two_conventions(code, lifecycle, direct_lb_per_mwh):
    region = regions.find(code)
    assert region.grid.value == lifecycle
    (direct,) = region.others
    assert direct.basis == "direct"
    # 1 lb = 453.59237 g
    assert direct.value == pytest.approx(direct_lb_per_mwh * 453.59237 / 1000, abs=0.05)
    assert region.grid_of("direct") == direct
    assert region.grid_of("lifecycle") == region.grid
    assert region.grid.high >= 1.08 * direct.value  # AR5, coal: 820 lifecycle to 760 direct


def test_a_province_is_computed_from_its_mix():
    # CER, Quebec 2023: hydro 92.1, wind 6.7, biomass 0.7, oil 0.3, gas 0.2, solar 0.01 %;
    # AR5 annex III: 24, 11, 230, 490 and 48 g; POSTnote 268: oil 650 g
    shares = 92.1 + 6.7 + 0.7 + 0.3 + 0.2 + 0.01
    grams = 92.1 * 24 + 6.7 * 11 + 0.7 * 230 + 0.3 * 650 + 0.2 * 490 + 0.01 * 48
    quebec = regions.find("CA-QC").grid
    assert quebec.value == pytest.approx(grams / shares)
    assert quebec.value == pytest.approx(27.38, abs=0.01)
    assert quebec.how == "computed"
    assert "hydro 92.1 %" in quebec.why
    assert "AR5" in quebec.source
    assert "POSTnote" in quebec.source
    # Alberta burns gas: 73.5 x 490 + 8 x 820 is 99 % of its emissions
    alberta = regions.find("CA-AB").grid
    assert alberta.value == pytest.approx(0.735 * 490 + 0.08 * 820, rel=0.04)


@pytest.mark.parametrize(
    ("code", "grams"), [("CN-SC", 156.4), ("CN-YN", 133.3), ("CN-NM", 647.9), ("CN-BJ", 555.4)]
)
def test_a_chinese_province_is_direct_and_wide(code, grams):
    # MEE announcement 2025 No. 47, table 3: 0.1564, 0.1333, 0.6479, 0.5554 kgCO2/kWh
    region = regions.find(code)
    assert region.grid.value == grams
    assert region.grid.basis == "direct"
    assert region.grid.flow == "consumption"
    assert region.grid.high == pytest.approx(1.2 * grams + 24)
    assert region.grid_of("direct").high == pytest.approx(1.05 * grams)


def test_a_zone_is_not_its_country():
    # CodeCarbon 3.3.2, nordic_emissions.json: ENTSO-E's generation of 2025 by its own factors
    assert regions.find("SE-SE3").grid.value == 27.0  # 63 % nuclear power at 29 g
    assert regions.find("NO-NO4").grid.value == 51.7  # 3.6 % gas at 743 g
    # Electricity Maps, 2025: 112 g in the west, 144 g in the east
    assert regions.find("DK-DK1").grid.value < regions.find("DK-DK2").grid.value
    # NGA Factors 2025: 0.64 + 0.03 and 0.78 + 0.09 kg
    assert regions.find("AU-NSW").grid.value == 670
    assert regions.find("AU-VIC").grid.value == 870
    assert regions.find("JP-KN").grid.value < regions.find("JP").grid.value < 535
    assert regions.find("IN-SO").grid.value < regions.find("IN-WE").grid.value
    assert regions.find("IT-SAR").grid.value > regions.find("IT").grid.high


def test_a_clouds_region_has_the_grid_of_its_zone():
    for code in CODES:
        region = regions.find(code)
        zone = regions.find(region.grid_zone)
        assert (region.grid is None) == (zone.grid is None), code
        if region.grid is not None:
            assert region.grid.value == zone.grid.value, code
    assert regions.find("aws:ap-northeast-1").grid_zone == "JP-TK"
    assert regions.find("gcp:europe-north2").grid.value == regions.find("SE-SE3").grid.value


def test_no_lifecycle_figure_is_below_a_direct_one_of_its_place():
    for code in CODES:
        region = regions.find(code)
        for other in region.others:
            if other.place != code or ":" not in code:  # an operator's is of another convention
                assert region.grid.value >= other.value, code


def test_an_operators_own_figure_lies_in_the_range():
    for code in CODES:
        region = regions.find(code)
        own = [other for other in region.others if other.place == code]
        if code.startswith("gcp:"):
            assert own, code
            assert region.grid.low <= own[0].value <= region.grid.high, code


def test_a_state_below_its_direct_figure_takes_that_times_the_least_ratio():
    # Iowa: Ember 243.43 g of 2024, EPA's stacks 287.6 g of 2023; 1.08 x 287.6 = 310.608
    iowa = regions.find("US-IA").grid
    assert iowa.value == pytest.approx(310.608)
    assert iowa.low == pytest.approx(0.95 * 287.6)  # no less than the stacks alone
    assert (iowa.how, iowa.year, iowa.basis) == ("computed", 2023, "lifecycle")
    assert "243.4 g, is below the direct one, 287.6 g" in iowa.why


def test_googles_own_figure_stands_apart_and_lies_in_the_range():
    iowa = regions.find("gcp:us-central1")
    own = iowa.grid_of("direct")
    assert own.value == 431.95
    assert (own.flow, own.year) == ("consumption", 2025)
    # what the site consumes is the Midwest's, not the state's: up to 1.08 x 431.95
    assert iowa.grid.value == regions.find("US-IA").grid.value
    assert iowa.grid.high == pytest.approx(1.08 * 431.95)
    assert "raised to 1.08 x 431.95 g, the operator's own direct figure" in iowa.grid.range_why
    # below the 204.66 g of the state: the range reaches down to it
    oregon = regions.find("gcp:us-west1").grid
    assert (oregon.value, oregon.low) == (204.66, 97.85)
    assert "down to 97.85 g, the operator's own direct figure" in oregon.range_why


@pytest.mark.parametrize(
    ("code", "pue", "wue", "why"),
    [
        ("aws:us-east-1", 1.15, 0.06, "the region's own figure"),
        ("aws:eu-central-2", 1.11, 0.05, "the provider's figure of its geography, europe"),
        ("aws:ap-east-1", 1.14, 0.12, "the mean of the sites of Amazon Web Services"),
        ("azure:southeastasia", 1.28, 0.25, "the provider's figure of its geography, apac"),
        ("gcp:us-east5", 1.06, 0.38, "the region's own figure"),
        ("gcp:europe-west9", 1.09, 0.38, "the mean of the sites of Google Cloud"),
        ("FR", 1.54, 0.38, "nothing is published of the site: the mean of the industry's survey"),
    ],
)
def test_pue_is_the_regions_then_the_providers_then_the_surveys(code, pue, wue, why):
    region = regions.find(code)
    assert region.pue.value == pue
    assert region.wue.value == wue
    assert region.pue.why == why


def test_pue_of_a_provider_in_a_country():
    assert regions.find("US", provider="azure").pue.value == 1.17
    unknown = regions.find("US", provider="lambda").pue
    assert unknown.value == 1.54
    assert unknown.why.startswith("Lambda: the provider publishes no mean PUE; ")
    nobody = regions.find("US", provider="acme").pue
    assert nobody.value == 1.54
    assert nobody.why.startswith("acme is not in the table of providers; ")


def test_figures_become_assumptions_in_si():
    grid = regions.find("aws:us-east-1").grid.assumption("site.grid")
    assert grid.value == pytest.approx(322.4 / 3.6e6)  # gCO2e/J
    assert grid.unit == "gCO2e/kWh"
    assert grid.low < grid.value < grid.high
    assert grid.year == 2024
    water = regions.find("FR").water.assumption("site.grid_water")
    assert water.value == pytest.approx(to_si(3.67, "L/kWh"))


@pytest.mark.parametrize(
    ("written", "code"),
    [("FRA", "FR"), ("NO", "NO"), ("NOR", "NO"), ("CN-HK", "HK"), ("US-PR", "PR"), ("NAM", "NA")],
)
def test_other_spellings_of_the_same_place(written, code):
    assert regions.find(written).code == code


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "aws:us-esat-1",
            "no region aws:us-esat-1; nearest: aws:us-east-1, aws:us-west-1, aws:us-east-2",
        ),
        ("FRR", "no region FRR; nearest: FR, FO"),
        ("DE-BE", "no region DE-BE; nearest: DE"),
        ("SE-AB", "no region SE-AB; nearest: SE, SE-SE1, SE-SE2, SE-SE3, SE-SE4"),
        ("EU", "no region EU; no such grid; nearest is a country: DE, FR, …"),
        ("Georgia", "Georgia may be GE, US-GA: write which"),
        (
            "Frankfurt",
            "no region Frankfurt; nearest: DE, aws:eu-central-1, azure:germanywestcentral,"
            " gcp:europe-west3",
        ),
        (
            "gcp:us-east-9",
            "no region gcp:us-east-9; nearest: gcp:us-east1, gcp:us-east4, gcp:us-east5",
        ),
        (
            "awz:us-east-1",
            "no region awz:us-east-1; nearest: aws:us-east-1, aws:us-east-2, aws:us-west-1",
        ),
        ("foo:bar", "no region foo:bar; known providers: aws, azure, gcp"),
        (
            "lambda:us-east-1",
            (
                "no region lambda:us-east-1: costcalc knows no regions of lambda; give the place"
                " (US, US-CA, FI, …) here and price.provider: lambda"
            ),
        ),
        (
            "",
            (
                'no region ""; known: aws:…, azure:…, gcp:…, FR, FRA, US-CA, CA-QC, CN-SC, SE-SE3,'
                " NO-NO1, DK-DK1, world"
            ),
        ),
    ],
)
def test_an_unknown_region_is_an_error_with_the_nearest_names(written, message):
    with pytest.raises(NotFoundError) as caught:
        regions.find(written)
    (problem,) = caught.value.problems
    assert problem.key == "site.region"
    assert problem.message == message


def test_the_error_names_the_key_that_was_asked_for():
    with pytest.raises(InputError, match=r"^region: no region QQ; "):
        regions.find("QQ", key="region")


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("Spain", "ES"),
        ("spain", "ES"),
        ("United States", "US"),
        ("The Netherlands", "NL"),
        ("UK", "GB"),
        ("South Korea", "KR"),
        ("Turkiye", "TR"),
        ("Ontario", "CA-ON"),
        ("North Carolina", "US-NC"),
        ("us-east-1", "aws:us-east-1"),
        ("europe-west4", "gcp:europe-west4"),
        ("eastus", "azure:eastus"),
        ("us ca", "US-CA"),
    ],
)
def test_english_names_and_regions_without_their_cloud(written, code):
    assert regions.find(written).code == code


def test_no_english_name_hides_a_code_of_another_place():
    for code in CODES:
        assert regions.find(code).code == code
        assert regions.find(code.lower()).code == code


def _bare(text: str) -> str:
    parted = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in parted if letter.isalnum())


NAMES = {
    _bare(name).removeprefix("the")
    for file in ("countries", "us", "ca", "cn", "nordic", "au", "in", "it", "jp")
    for known in [table(f"regions/{file}.yaml")]
    for code, row in known.section("regions").items()
    for name in (row["name"], row.get("alpha3", ""), *known.section("also").get(code, ()))
}


@given(st.data())
def test_a_typo_is_never_resolved(data):
    code = data.draw(st.sampled_from(CODES))
    at = data.draw(st.integers(0, len(code) - 1))
    letter = data.draw(st.sampled_from(string.ascii_letters + string.digits + "-: "))
    typo = data.draw(
        st.sampled_from(
            [
                code[:at] + code[at + 1 :],
                code[:at] + letter + code[at:],
                code[:at] + letter + code[at + 1 :],
                code[:at] + code[at + 1 : at + 2] + code[at : at + 1] + code[at + 2 :],
                code.swapcase(),
                f"{code} ",
            ]
        )
    )
    try:
        found = regions.find(typo)
    except NotFoundError:
        assert typo not in KNOWN
    else:
        assert _bare(found.code).endswith(_bare(typo)) or _bare(typo) in NAMES


@given(st.text(max_size=200))
def test_any_text_resolves_exactly_or_not_at_all(text):
    try:
        assert _bare(regions.find(text).code).endswith(_bare(text)) or _bare(text) in NAMES
    except NotFoundError as error:
        assert text not in KNOWN
        assert len(str(error)) < 300


def test_one_region_reads_two_or_three_small_files():
    region = regions.find("aws:us-east-1")
    assert set(region.files) == {"regions/aws.yaml", "regions/us.yaml", "providers.yaml"}
    assert set(regions.find("FR").files) == {"regions/countries.yaml", "providers.yaml"}
    assert all(digest.startswith("sha256:") for digest in region.files.values())


def test_every_provider_has_a_figure_or_a_reason():
    assert {"aws", "azure", "gcp", "lambda", "oracle", "coreweave"} <= set(providers.names())
    for name in providers.names():
        found = providers.find(name)
        assert (found.pue is None) == bool(found.pue_why)
        assert (found.wue is None) == bool(found.wue_why)
    assert (providers.find("oracle").pue.low, providers.find("oracle").pue.high) == (1.24, 1.71)
    assert providers.find("acme") is None
