"""`costcalc regions list|show`: what it prints, where, and with which exit code."""

import json

import pytest

from costcalc.catalog.region import codes
from costcalc.cli import run


def test_list_prints_one_line_a_region(capsys):
    assert run(["regions", "list", "aws"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == ["Region", "Where", "Grid", "gCO2e/kWh", "Basis", "Year", "PUE"]
    assert any(
        line.split() == ["aws:us-east-2", "Ohio", "US-OH", "523", "lifecycle", "2023", "1.12"]
        for line in lines
    )
    assert all(line.startswith("aws:") for line in lines[1:])
    assert err == ""


@pytest.mark.parametrize(
    ("which", "one", "of_it"),
    [
        ("zone", "US-AK", lambda code: "-" in code and ":" not in code),
        ("country", "world", lambda code: len(code) == 2 or code == "world"),
        ("gcp", "gcp:us-central1", lambda code: code.startswith("gcp:")),
    ],
)
def test_list_takes_a_kind_or_a_provider(capsys, which, one, of_it):
    assert run(["regions", "list", which, "--json"]) == 0
    listed = [row["region"] for row in json.loads(capsys.readouterr().out)]
    assert one in listed
    assert sorted(listed) == sorted(code for code in codes() if of_it(code))


def test_show_gives_each_figure_with_range_year_source_and_convention(capsys):
    assert run(["regions", "show", "US-VA"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("US-VA: Virginia\n")
    assert "lifecycle, production, average, location, taken" in out
    assert "grid, not the default" in out
    assert "direct, production, average, location, taken" in out
    assert "https://ember-energy.org/data/us-electricity-data/" in out
    assert "eGRID2023" in out


def test_show_as_json_is_whole(capsys):
    assert run(["regions", "show", "gcp:us-central1", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["grid_zone"] == "US-IA"
    assert shown["grid"]["value"] == pytest.approx(1.08 * 287.6)  # of Iowa: 243.43 are below
    assert shown["grid"]["low"] < shown["grid"]["value"] < shown["grid"]["high"]
    assert [other["value"] for other in shown["grid_other_conventions"]] == [287.6, 431.95]
    assert set(shown["data"]) == {"regions/gcp.yaml", "regions/us.yaml", "providers.yaml"}


def test_show_says_why_a_figure_is_not_there(capsys):
    assert run(["regions", "show", "CF"]) == 0
    out = capsys.readouterr().out
    assert "grid: unknown: the source says 0 g/kWh, which no lifecycle figure can be" in out
    assert "water of the grid: unknown: WRI's guidance gives no factor for the country" in out


def test_an_unknown_region_goes_to_stderr_with_exit_code_2(capsys):
    assert run(["regions", "show", "aws:us-esat-1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "region: no region aws:us-esat-1; nearest: aws:us-east-1, aws:us-west-1, aws:us-east-2\n"
    )


def test_a_pipe_gets_no_colours(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["regions", "show", "FR"]) == 0
    assert "\x1b" not in capsys.readouterr().out
