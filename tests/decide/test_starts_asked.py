"""The start that is asked for: in whose zone it is, and one between the steps of a series."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

import costcalc
from costcalc.base.errors import InputError
from costcalc.decide import series, series_files
from costcalc.decide.clock import zone

RUN = {
    "measured": {"wall_clock": "2 h", "energy": "10 kWh"},
    "hardware": {"accelerator": "a100-sxm4-80", "count": 1},
}
LOS_ANGELES = ZoneInfo("America/Los_Angeles")


def hourly(values, place=None):
    return series.Series(
        start=datetime(2026, 11, 28, 12, tzinfo=UTC),
        step=3600.0,
        values=tuple(map(float, values)),
        signal="average",
        source="test",
        zone=place,
    )


def test_a_start_without_an_offset_is_in_the_zone_of_the_series():
    # 07:00 in Los Angeles in winter is 15:00 UTC: three hours after the first of the series
    values = [10, 20, 30, 40, 50, 60]
    found = costcalc.when(RUN, hourly(values, LOS_ANGELES), start="2026-11-28T07:00")
    assert found.now.start == datetime(2026, 11, 28, 15, tzinfo=UTC)
    assert found.now.mean_intensity == 45
    told = "--start 2026-11-28T07:00 is taken in America/Los_Angeles: 2026-11-28 15:00 UTC"
    assert told in found.notes
    naive = costcalc.when(RUN, hourly(values, LOS_ANGELES), start=datetime(2026, 11, 28, 7))
    assert naive.now.start == found.now.start
    other = costcalc.when(RUN, hourly(values, LOS_ANGELES), start="2026-11-28T15:00Z")
    assert other.now.start == found.now.start
    assert not any("--start" in note for note in other.notes)


def test_where_nothing_names_a_zone_it_is_utc_and_told():
    found = costcalc.when(RUN, hourly([10, 20, 30, 40]), start="2026-11-28T13:00")
    assert found.now.start == datetime(2026, 11, 28, 13, tzinfo=UTC)
    told = (
        "--start 2026-11-28T13:00 names no zone: taken as UTC; write 2026-11-28T13:00Z, or its "
        "offset, or --timezone Europe/Berlin"
    )
    assert told in found.notes


def test_a_start_that_clocks_skip_or_repeat():
    long = [100.0] * 24 * 365
    year = series.Series(
        start=datetime(2026, 1, 1, tzinfo=UTC),
        step=3600.0,
        values=tuple(long),
        signal="average",
        source="test",
        zone=zone("Europe/Berlin"),
    )
    with pytest.raises(InputError) as raised:
        costcalc.when(RUN, year, start="2026-03-29T02:30")
    assert str(raised.value).splitlines()[0] == (
        "--start: 2026-03-29T02:30 is a time that clocks in Europe/Berlin skip; write it with its "
        "offset, as 2026-03-29T02:30+01:00"
    )
    found = costcalc.when(RUN, year, start="2026-10-25T02:30")  # the first: summer time
    assert found.now.start == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert any("stands twice" in note for note in found.notes)


def test_a_start_at_half_past_is_taken_as_it_is():
    # two hours from 12:30: half of 100, 200, half of 400; then the whole hours 13, 14, 15
    found = costcalc.when(RUN, hourly([100, 200, 400, 50, 50]), start="2026-11-28T12:30Z")
    assert found.now.start == datetime(2026, 11, 28, 12, 30, tzinfo=UTC)
    assert found.now.mean_intensity == pytest.approx((50 + 200 + 200) / 2)
    assert found.best.start == datetime(2026, 11, 28, 15, tzinfo=UTC)
    assert found.best.mean_intensity == 50
    assert "2.50 hours later" in found.sentence
    # a window of half an hour holds the next whole hour, one of twenty minutes does not
    assert (
        costcalc.when(
            RUN, hourly([400, 200, 100, 50]), start="2026-11-28T12:30Z", window=1800
        ).best.start.hour
        == 13
    )
    short = costcalc.when(RUN, hourly([400, 200, 100, 50]), start="2026-11-28T12:30Z", window=1200)
    assert short.sentence.startswith("Start at once")
    assert short.window_hours == pytest.approx(0)


def test_pauses_from_half_past():
    # from 12:30 at or below 200: half of hour 12, hour 14, half of hour 16: done at 16:30
    values = [100, 400, 200, 900, 50, 60]
    found = costcalc.when(RUN, hourly(values), start="2026-11-28T12:30Z", threshold=200)
    assert found.paused.start == datetime(2026, 11, 28, 12, 30, tzinfo=UTC)
    assert found.paused.mean_intensity == pytest.approx((0.5 * 100 + 200 + 0.5 * 50) / 2)
    assert found.paused.elapsed_hours == pytest.approx(4)
    assert found.paused.pauses == 2
    # the cleanest two hours of the four from 12:30 to 16:30: half of 50, half of 100, 200
    clean = costcalc.when(RUN, hourly(values), start="2026-11-28T12:30Z", stretch=2)
    assert clean.cleanest.mean_intensity == pytest.approx((0.5 * 50 + 0.5 * 100 + 200) / 2)
    assert clean.cleanest.elapsed_hours == pytest.approx(4)


def test_a_run_within_the_first_hour_is_done_when_it_is():
    run = {**RUN, "measured": {"wall_clock": "15 min", "energy": "1 kWh"}}
    found = costcalc.when(run, hourly([100, 400]), start="2026-11-28T12:30Z", threshold=200)
    assert found.now.mean_intensity == 100
    assert found.paused.elapsed_hours == pytest.approx(0.25)


def test_a_start_past_the_last_that_fits_is_told():
    with pytest.raises(InputError, match="a longer series is needed"):
        costcalc.when(RUN, hourly([1, 2, 3]), start="2026-11-28T13:30Z")
    with pytest.raises(InputError, match=r"--start: .* is not in the series"):
        costcalc.when(RUN, hourly([1, 2, 3]), start="2026-11-28T11:30Z")


def test_files_say_their_zone(tmp_path):
    path = tmp_path / "grid.csv"
    path.write_text("time,intensity\n2026-11-28T04:00,100\n2026-11-28T05:00,200\n")
    given = series_files.read(path, timezone=series_files.Zone(LOS_ANGELES))
    assert given.zone is LOS_ANGELES
    assert given.start == datetime(2026, 11, 28, 12, tzinfo=UTC)
    assert series_files.read(path).zone is None
    path.write_text("Datetime (UTC),intensity\n2026-11-28T04:00,100\n2026-11-28T05:00,200\n")
    assert series_files.read(path).zone is UTC
    path = tmp_path / "grid.json"
    path.write_text(
        '{"unit": "gCO2e/kWh", "data": [{"time": "2026-11-28T04:00Z", "value": 1},'
        ' {"time": "2026-11-28T05:00Z", "value": 2}]}'
    )
    other = series_files.read(path, timezone=series_files.Zone(LOS_ANGELES))
    assert other.zone is LOS_ANGELES  # of a start; its own times say that they are in UTC
    assert (other.start.hour, other.notes) == (4, ())
    assert series_files.read(path).start + timedelta(hours=1) == datetime(
        2026, 11, 28, 5, tzinfo=UTC
    )


def test_the_command_takes_a_start_in_its_zone(tmp_path, capsys):
    from costcalc.cli import run

    path = tmp_path / "grid.csv"
    rows = [f"2026-11-28T{hour:02d}:00Z,{100 + hour}" for hour in range(24)]
    path.write_text("\n".join(["time,intensity", *rows]) + "\n")
    asked = tmp_path / "run.yaml"
    asked.write_text(
        "measured: {wall_clock: 2 h, energy: 10 kWh}\n"
        "hardware: {accelerator: a100-sxm4-80, count: 1}\n"
    )
    words = ["when", str(asked), "--series", str(path), "--start", "2026-11-28T07:00"]
    assert run([*words, "--timezone", "America/Los_Angeles"]) == 0
    assert "at once Nov 28 15:00" in capsys.readouterr().out
    assert run(["when", str(asked), "--source", "watttime", "--timezone", "Europe/Berlin"]) == 2
    assert "goes with --series FILE or --start" in capsys.readouterr().err


def test_a_column_that_says_utc_is_in_utc_whatever_zone_the_start_is_in(tmp_path):
    path = tmp_path / "grid.csv"
    path.write_text(
        "Datetime (UTC),Carbon intensity gCO2eq/kWh (Life cycle)\n"
        "2026-11-28 12:00:00,100\n2026-11-28 15:00:00,200\n2026-11-28 18:00:00,300\n"
    )
    found = series_files.read(path, timezone=series_files.Zone(LOS_ANGELES))
    assert found.start == datetime(2026, 11, 28, 12, tzinfo=UTC)  # it was moved to 20:00
    assert found.zone is LOS_ANGELES
    assert found.notes[1] == "its times are in UTC, as the name of their column says"
    made = costcalc.when(RUN, found, start="2026-11-28T07:00")
    assert made.now.start == datetime(2026, 11, 28, 15, tzinfo=UTC)
    assert made.now.mean_intensity == pytest.approx(200)
    alone = series_files.read(path)
    assert not any("its times" in note for note in alone.notes)


def test_a_window_is_not_negative():
    with pytest.raises(InputError, match=r"--window: expected 0 or more; got -1 h"):
        costcalc.when(RUN, hourly([1, 2, 3]), window=-3600.0)
