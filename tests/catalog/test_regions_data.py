"""The files under data/regions, providers.yaml and equivalences.yaml: schema, sources, notes."""

import json

import pytest

from costcalc.base.units import unit
from costcalc.catalog.equivalence import equivalences
from costcalc.catalog.files import data_root
from costcalc.catalog.region import CLOUDS, COUNTRIES, ZONES
from costcalc.catalog.region_schema import FILES, named_sources, schema
from costcalc.catalog.region_table import bounds, table

SCHEMA_OF = {
    **{
        f"regions/{path.name}": "cloud_regions" if path.stem in CLOUDS else "regions"
        for path in sorted((data_root() / "regions").iterdir())
    },
    "providers.yaml": "providers",
    "equivalences.yaml": "equivalences",
}


def text_of(file):
    return data_root().joinpath(*file.split("/")).read_text(encoding="utf-8")


def test_no_region_file_is_left_out():
    """A file that region.py does not name would hold places that nobody finds."""
    named = {f"regions/{cloud}.yaml" for cloud in CLOUDS} | {COUNTRIES, *ZONES.values()}
    assert named == {file for file in SCHEMA_OF if file.startswith("regions/")}


@pytest.mark.parametrize("file", SCHEMA_OF)
def test_a_file_keeps_its_schema_and_names_it(file):
    FILES[SCHEMA_OF[file]].model_validate(table(file).data)
    up = "../" * file.count("/")
    first = text_of(file).splitlines()[0]
    assert first == f"# yaml-language-server: $schema={up}schemas/{SCHEMA_OF[file]}.schema.json"


@pytest.mark.parametrize("file", SCHEMA_OF)
def test_every_source_is_listed_and_used(file):
    data = table(file).data
    assert set(named_sources(data)) == set(data["sources"])


@pytest.mark.parametrize("file", SCHEMA_OF)
def test_every_unit_is_known(file):
    def units(data):
        if isinstance(data, dict):
            for key, value in data.items():
                if key == "unit":
                    yield value
                else:
                    yield from units(value)

    for found in units(table(file).data):
        assert unit(found).factor > 0


@pytest.mark.parametrize("file", SCHEMA_OF)
def test_short_names_of_notes_and_reasons_are_explained(file):
    data = table(file).data
    rows = {**data.get("regions", {}), **data.get("providers", {})}.values()
    assert {row["why"] for row in rows if "why" in row} <= set(data.get("reasons", {}))
    named = {row["note"] for row in rows if "note" in row}
    assert named <= set(data.get("notes", {}))
    assert set(data.get("notes", {})) <= named


@pytest.mark.parametrize("name", FILES)
def test_the_shipped_schema_is_the_generated_one(name):
    shipped = json.loads(text_of(f"schemas/{name}.schema.json"))
    assert shipped == schema(name)


def test_shares_of_a_mix_add_up():
    for code, row in table("regions/ca.yaml").section("regions").items():
        assert sum(row["mix"].values()) == pytest.approx(100, abs=0.4), code


def test_alpha3_codes_are_unique():
    rows = table("regions/countries.yaml").section("regions")
    codes = [row["alpha3"] for row in rows.values() if "alpha3" in row]
    assert len(codes) == len(set(codes)) == 249


def test_every_grid_that_a_cloud_region_names_exists():
    from costcalc.catalog.region import find

    for file, kind in SCHEMA_OF.items():
        if kind == "cloud_regions":
            for code, row in table(file).section("regions").items():
                assert find(row["grid"]).code == row["grid"], code


@pytest.mark.parametrize(
    ("value", "rule", "year", "expected"),
    [
        # a PUE of 1.15: overhead 0.15 x 0.6 and x 1.6
        (
            1.15,
            {"low": {"factor": 0.6, "plus": 0.4}, "high": {"factor": 1.6, "plus": -0.6}},
            2025,
            (1.09, 1.24),
        ),
        # 100 g, two years older than 2024: 8 % and 2 x 2 %, less 5 and plus 10
        (
            100.0,
            {
                "low": {"factor": 0.92, "plus": -5},
                "high": {"factor": 1.08, "plus": 10},
                "since": 2024,
                "per_year": 0.02,
            },
            2022,
            (83.0, 122.0),
        ),
        # never below a fifth of the value
        (6.0, {"low": {"factor": 0.92, "plus": -5}, "high": {"factor": 1.0}}, 2024, (1.2, 6.0)),
    ],
)
def test_ranges_by_rule(value, rule, year, expected):
    assert bounds(value, rule, year) == pytest.approx(expected)


def test_comparisons_by_hand():
    things = {thing.id: thing for thing in equivalences()}
    # EPA: 400 g a mile; 1 t is 2,500 miles or 4,023 km
    assert things["car_km"].count(1e6) == pytest.approx(2500 * 1.609344, rel=1e-3)
    # DESNZ: 5,555 km x 0.150 kg
    assert things["flight"].count(1e6) == pytest.approx(1000 / (5555 * 0.150), rel=1e-3)
    # EIA: 10,715 kWh; Odyssee: 3.6 MWh
    megawatt_hour = 3.6e9
    assert things["household_us"].count(10.715 * megawatt_hour) == pytest.approx(1)
    assert things["household_eu"].count(36 * megawatt_hour) == pytest.approx(10)


def test_comparisons_in_words():
    things = {thing.id: thing for thing in equivalences()}
    assert things["household_eu"].phrase(3.6e9 * 3.6) == "1 year of electricity of an EU home"
    assert things["flight"].phrase(833e3 * 137.4) == (
        "140 seats on a flight from London to New York"
    )
    assert [thing.id for thing in equivalences("carbon")] == ["car_km", "flight"]
