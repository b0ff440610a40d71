"""Series as people have them: columns, dates, zones, decimal commas."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from costcalc.base import reading
from costcalc.base.errors import InputError
from costcalc.decide.clock import instants, zone
from costcalc.decide.series import in_grams_a_kwh
from costcalc.decide.series_files import Zone, read


def written(tmp_path: Path, text: str, name: str = "series.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


MAPS = (
    "Datetime (UTC),Country,Zone id,Carbon intensity gCO₂eq/kWh (direct),"
    "Carbon intensity gCO₂eq/kWh ({}),Data source\n"
    "2024-01-01 00:00:00,Germany,DE,145.86,195.86,x\n"
    "2024-01-01 01:00:00,Germany,DE,172.92,222.92,x\n"
)


@pytest.mark.parametrize("word", ["Life cycle", "LCA", "life cycle"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_electricity_maps_life_cycle_column_average(
    tmp_path: Path, word: str, encoding: str
) -> None:
    found = read(written(tmp_path, MAPS.format(word), encoding=encoding))
    assert found.values == (195.86, 222.92)
    assert (found.signal, found.step) == ("average", 3600)
    assert found.start == datetime(2024, 1, 1, tzinfo=UTC)
    column = f"Carbon intensity gCO₂eq/kWh ({word})"
    assert found.notes == (f'taken from the column "{column}": life cycle',)


def test_great_britain_takes_what_came_before_what_was_forecast(tmp_path: Path) -> None:
    text = (
        "Datetime (UTC),Actual Carbon Intensity (gCO2/kWh),Forecast Carbon Intensity (gCO2/kWh),"
        "Index\n2024-01-01T00:00:00Z,195.86,100,low\n2024-01-01T00:30:00Z,222.92,100,low\n"
    )
    found = read(written(tmp_path, text))
    assert (found.values, found.signal, found.step) == ((195.86, 222.92), "average", 1800)
    assert "direct" in found.notes[0]


def test_entsoe_intervals_begin_in_the_zone_of_their_head(tmp_path: Path) -> None:
    text = (
        "MTU (CET/CEST),intensity\n01.01.2024 00:00 - 01.01.2024 01:00,195.86\n"
        "01.01.2024 01:00 - 01.01.2024 02:00,222.92\n"
    )
    found = read(written(tmp_path, text))
    # midnight in Brussels in winter is 23:00 UTC
    assert found.start == datetime(2023, 12, 31, 23, tzinfo=UTC)
    assert found.notes == ("its times are in Europe/Brussels, and shown in UTC",)


def test_semicolons_with_decimal_commas_in_latin_1(tmp_path: Path) -> None:
    text = "Zeit;Intensität\n".replace("Zeit", "Time").replace("Intensität", "Intensity £")
    text += "2024-01-01 00:00;1.234,5\n2024-01-01 01:00;200,25\n"
    assert read(written(tmp_path, text, encoding="latin-1")).values == (1234.5, 200.25)


def test_times_without_a_zone_are_utc_and_said_or_what_the_user_says(tmp_path: Path) -> None:
    path = written(tmp_path, "time,intensity\n2024-07-01 00:00,1\n2024-07-01 01:00,2\n")
    plain = read(path)
    assert plain.start == datetime(2024, 7, 1, tzinfo=UTC)
    assert plain.notes == (
        "its times name no zone: taken as UTC; --timezone Europe/Berlin says another",
    )
    berlin = read(path, timezone=Zone(zone("Europe/Berlin")))  # summer time: two hours ahead
    assert berlin.start == datetime(2024, 6, 30, 22, tzinfo=UTC)


def test_the_hour_that_stands_twice_where_clocks_go_back(tmp_path: Path) -> None:
    hours = ["00:00", "01:00", "02:00", "02:00", "03:00"]
    text = "MTU (CET/CEST),intensity\n" + "".join(
        f"27.10.2024 {h},{i}\n" for i, h in enumerate(hours)
    )
    found = read(written(tmp_path, text))
    assert found.values == (0, 1, 2, 3, 4)
    assert found.step == 3600


AUTUMN = ["01:00", "02:00", "02:00", "03:00"]  # of 2026-10-25 in Berlin


def day(date: str, hours: list[str]) -> list[str]:
    return [f"{date}T{hour}" for hour in hours]


def test_the_hour_that_stands_twice_in_a_file_whose_newest_is_first(tmp_path: Path) -> None:
    # 02:00 of summer is 00:00 UTC, and comes before 02:00 of winter, 01:00 UTC
    rows = [f"{t},{i}\n" for i, t in enumerate(day("2026-10-25", AUTUMN))]
    path = written(tmp_path, "time,intensity\n" + "".join(reversed(rows)))
    found = read(path, timezone=Zone(zone("Europe/Berlin")))
    assert (found.start, found.values) == (datetime(2026, 10, 24, 23, tzinfo=UTC), (0, 1, 2, 3))


def series_of(tmp_path: Path, times: list[str], *, json_: bool) -> Path:
    if json_:
        points = [{"time": t, "carbonIntensity": i} for i, t in enumerate(times)]
        return written(tmp_path, json.dumps(points), "grid.json")
    return written(
        tmp_path, "time,intensity\n" + "".join(f"{t},{i}\n" for i, t in enumerate(times))
    )


@pytest.mark.parametrize("json_", [False, True])
def test_a_clock_that_changes_is_no_utc(tmp_path: Path, *, json_: bool) -> None:
    """An hour that stands twice, or that the likely zone skips, tells a wall clock."""
    path = series_of(tmp_path, day("2026-10-25", AUTUMN), json_=json_)
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value).splitlines()[0] == (
        f"{path}: --timezone: 2026-10-25T02:00 stands twice, and its times name no zone: they are "
        "those of a clock that changes, not of UTC; say whose, as --timezone Europe/Berlin"
    )
    assert read(path, timezone=Zone(zone("Europe/Berlin"))).values == (0, 1, 2, 3)

    path = series_of(tmp_path, day("2026-03-29", ["00:00", "01:00", "03:00", "04:00"]), json_=json_)
    assert len(read(path).values) == 5  # a gap, which it may be
    with pytest.raises(InputError) as caught:
        read(path, timezone=Zone(None, "grid.timezone", zone("Europe/Paris")))
    assert str(caught.value).splitlines()[0] == (
        f"{path}: grid.timezone: 2026-03-29T02:00 is missing, which clocks in Europe/Paris skip, "
        "and its times name no zone: they are those of a clock that changes, not of UTC; say "
        "whose, as grid.timezone Europe/Paris"
    )
    berlin = read(path, timezone=Zone(zone("Europe/Berlin")))
    assert (berlin.start, berlin.values) == (datetime(2026, 3, 28, 23, tzinfo=UTC), (0, 1, 2, 3))


@pytest.mark.parametrize("json_", [False, True])
def test_a_time_that_clocks_skip_is_of_another_zone(tmp_path: Path, *, json_: bool) -> None:
    path = series_of(tmp_path, day("2026-03-29", ["01:00", "02:00", "03:00"]), json_=json_)
    assert len(read(path, timezone=Zone(likely=zone("Europe/Berlin"))).values) == 3
    with pytest.raises(InputError) as caught:
        read(path, timezone=Zone(zone("Europe/Berlin")))
    assert str(caught.value).splitlines()[0] == (
        f"{path}: --timezone: 2026-03-29T02:00 is a time that clocks in Europe/Berlin skip: are "
        "its times in UTC, or in another zone?"
    )


def test_times_of_json_without_an_offset_are_in_the_zone_that_is_said(tmp_path: Path) -> None:
    path = series_of(tmp_path, ["2026-07-01T00:00", "2026-07-01T01:00"], json_=True)
    assert read(path).notes == (
        "its times name no zone: taken as UTC; --timezone Europe/Berlin says another",
    )
    berlin = read(path, timezone=Zone(zone("Europe/Berlin")))  # it was read as UTC
    assert berlin.start == datetime(2026, 6, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("texts", "first"),
    [
        (["13/01/2024 00:00", "14/01/2024 00:00"], (1, 13)),
        (["01/13/2024 12:00 AM", "01/14/2024 1:00 PM"], (1, 13)),
        (["13-01-2024", "14-01-2024"], (1, 13)),
        (["02.01.2024 00:00", "03.01.2024 00:00"], (1, 2)),
    ],
)
def test_dates_that_read_one_way(texts: list[str], first: tuple[int, int]) -> None:
    made = instants(texts, "x", UTC)
    assert (made[0].month, made[0].day) == first


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ["01/02/2024 00:00", "02/02/2024 00:00"],
            'x: series: "01/02/2024 00:00" reads two ways, day or month first, and no date of the '
            "file tells which; write 2026-01-31",
        ),
        (["soon"], 'x: series: expected a time as 2026-01-01T00:00Z; got "soon"'),
        (["32.01.2024"], 'x: series: expected a date; got "32.01.2024"'),
    ],
)
def test_dates_that_do_not(texts: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        instants(texts, "x", UTC)
    assert str(caught.value).splitlines()[0] == message


def test_a_bare_list_of_json(tmp_path: Path) -> None:
    points = [{"datetime": f"2024-01-01T0{i}:00:00Z", "carbonIntensity": 100 + i} for i in range(3)]
    found = read(written(tmp_path, json.dumps(points), "points.json"))
    assert (found.values, found.signal) == ((100, 101, 102), "average")


def test_a_daily_series(tmp_path: Path) -> None:
    text = "date,value (gCO2e/kWh)\n2024-01-01,1\n2024-01-02,2\n2024-01-04,4\n"
    assert read(written(tmp_path, text)).step == 86400


def test_what_has_no_such_columns_is_told_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a column of intensities .* got load"):
        read(written(tmp_path, "time,load\n2024-01-01,1\n"))
    with pytest.raises(InputError, match=r"expected a column of times .* got zone, intensity"):
        read(written(tmp_path, "zone,intensity\nDE,1\n"))
    with pytest.raises(InputError, match=r'expected a time zone, such as .*; got "Mars"'):
        zone("Mars")


def test_a_file_is_there_and_of_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # eight devices, a row of 75 bytes each second, for half a day: 26 MB
    assert 8 * 43_200 * 75 < reading.MAX_TEXT == 32_000_000
    path = written(tmp_path, MAPS.format("LCA"))
    monkeypatch.setattr(reading, "MAX_TEXT", 20)
    with pytest.raises(InputError, match=r"series\.csv: series: larger than 0 MB"):
        read(path)
    with pytest.raises(InputError, match=r"nowhere\.csv: series: cannot be read: No such file"):
        read(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("head", "grams"),
    [
        ("carbon_intensity", 250.0),  # no unit: gCO2e/kWh
        ("Carbon intensity gCO₂eq/kWh (direct)", 250.0),
        ("intensity (kgCO2/MWh)", 250.0),  # 250 kg over 1000 kWh are 250 g a kWh
        ("intensity [kgCO2e/kWh]", 250_000.0),
        ("marginal_intensity_lbs_per_mwh", 250 * 453.59237 / 1000),
        ("intensity (t CO2/MWh)", 250_000.0),
    ],
)
def test_the_unit_that_a_head_names_is_heeded(tmp_path, head, grams):
    file = tmp_path / "grid.csv"
    file.write_text(f"datetime,{head}\n2026-01-01T00:00Z,250\n2026-01-01T01:00Z,250\n")
    assert read(file).values == pytest.approx((grams, grams))


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("gCO2/MJ", 3.6), ("kgCO2e/GJ", 3.6), ("tCO2/GWh", 1.0), ("gCO2e/kWh", 1.0), ("kg/kWh", 1e3)],
)
def test_units_of_intensity(unit, factor):
    # a kilowatt-hour is 3.6 MJ: 100 g a MJ are 360 g a kWh
    assert in_grams_a_kwh(unit) == pytest.approx(factor)


HOURS = ("2026-01-01T00:00Z", "2026-01-01T01:00Z")
DO = 'name it "intensity (gCO2e/kWh)", or say "# unit: gCO2e/kWh" at the head of the file'


@pytest.mark.parametrize(
    ("head", "figure", "message"),
    [
        ("value", 250, f'expected the unit of column "value"; {DO}'),
        ("carbon_intensity_kg", 250, f'expected the unit of column "carbon_intensity_kg"; {DO}'),
        ("intensity (kWh)", 250, f'expected the unit of column "intensity (kWh)"; {DO}'),
        (
            "intensity",
            0.25,
            'expected gCO2e/kWh in column "intensity"; its largest is 0.25, as of kgCO2e/kWh; '
            f"{DO}, whichever it is",
        ),
    ],
)
def test_a_figure_without_a_unit_is_no_gram(
    tmp_path: Path, head: str, figure: float, message: str
) -> None:
    path = written(tmp_path, f"time,{head}\n" + "".join(f"{at},{figure}\n" for at in HOURS))
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.problems[0].message == message


def test_a_unit_beside_a_column_is_heeded(tmp_path: Path) -> None:
    """0.25 kg a kWh are 250 g, said above the table or in a column of it."""
    rows = "".join(f"{at},0.25\n" for at in HOURS)
    above = written(tmp_path, f"# unit: kgCO2e/kWh\ntime,value\n{rows}")
    assert read(above).values == (250.0, 250.0)
    beside = "".join(f"{at},0.25,kg/kWh\n" for at in HOURS)
    assert read(written(tmp_path, f"time,value,unit\n{beside}")).values == (250.0, 250.0)
    for head, message in (
        ("# unit: kg", "expected one unit such as gCO2e/kWh; got kg"),
        ("# unit: g/kWh\n# unit: kg/kWh", "expected one unit such as gCO2e/kWh; got g/kWh; kg/kWh"),
    ):
        with pytest.raises(InputError) as caught:
            read(written(tmp_path, f"{head}\ntime,value\n{rows}"))
        assert caught.value.problems[0].message == message
    two = f"# unit: g/kWh\ntime,intensity (kgCO2/kWh)\n{rows}"
    with pytest.raises(InputError, match=r"is of another unit than g/kWh"):
        read(written(tmp_path, two))


def test_json_whose_values_have_no_unit_is_refused(tmp_path: Path) -> None:
    points = [{"time": at, "value": 0.25} for at in HOURS]
    with pytest.raises(InputError, match=r'expected the unit of its values, as "unit": "gCO2e/kW'):
        read(written(tmp_path, json.dumps(points), "s.json"))
    units = [{**point, "unit": "kgCO2e/kWh"} for point in points]
    assert read(written(tmp_path, json.dumps(units), "s.json")).values == (250.0, 250.0)
