"""Starts and pauses against hand-made series; the three APIs on local servers, faults included."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import costcalc
from costcalc.base.errors import InputError
from costcalc.decide import feeds, series, series_files, waiting

RUN = {
    "measured": {"wall_clock": "2 h", "energy": "10 kWh"},
    "hardware": {"accelerator": "a100-sxm4-80", "count": 1},
}


def hourly(values, signal="average"):
    return series.Series(
        start=series.instant("2026-06-01T00:00Z"),
        step=3600.0,
        values=tuple(map(float, values)),
        signal=signal,
        source="test",
    )


def test_best_start_by_hand():
    # two hours: 400+300, 300+100, 100+200, 200+500 -> the third start, mean 150
    found = costcalc.when(RUN, hourly([400, 300, 100, 200, 500]))
    assert found.now.emissions == pytest.approx(10 * 350 / 1000)
    assert found.best.start.hour == 2
    assert found.best.emissions == pytest.approx(1.5)
    assert found.saving == pytest.approx(1 - 150 / 350)
    assert found.worth
    assert found.sentence == (
        "Worth waiting: a start at 2026-06-01 02:00 UTC, 2.00 hours later, "
        "saves 57 % (2.00 kgCO2e)."
    )


def test_window_and_start_bound_it():
    values = [400, 300, 100, 200, 50, 50]
    assert costcalc.when(RUN, hourly(values), window=7200).best.start.hour == 2
    assert costcalc.when(RUN, hourly(values), start="2026-06-01T03:00Z").now.start.hour == 3
    assert costcalc.when(RUN, hourly(values), window=0).sentence.startswith("Start at once")


def test_pausing_by_hand():
    # at or below 200: hours 2 and 4; runs 100 and 150, done at the end of hour 4
    found = costcalc.when(RUN, hourly([400, 300, 100, 900, 150, 50]), threshold=200)
    assert found.paused.mean_intensity == pytest.approx(125)
    assert found.paused.elapsed_hours == 5
    none = costcalc.when(RUN, hourly([400, 300, 350]), threshold=200)
    assert none.paused is None
    assert "pausing above 200 gCO2e/kWh: the run does not end in the series" in none.notes


def test_the_cleanest_hours_by_hand():
    # two hours of the cheapest in four: 100 and 200 of 400, 100, 900, 200 -> 150, done after 4 h
    found = costcalc.when(RUN, hourly([400, 100, 900, 200, 50, 50]), stretch=2)
    assert found.cleanest.mean_intensity == pytest.approx(150)
    assert found.cleanest.start.hour == 1
    assert (found.cleanest.elapsed_hours, found.cleanest.pauses) == (4, 1)
    assert found.to_dict()["cleanest"]["saving"] == pytest.approx(1 - 150 / 250)
    # 90 minutes of three hours: 100 whole, half of 300
    run = {**RUN, "measured": {"wall_clock": "90 min", "energy": "3 kWh"}}
    half = costcalc.when(run, hourly([400, 300, 100, 50]), stretch=2).cleanest
    assert half.mean_intensity == pytest.approx((100 + 0.5 * 300) / 1.5)


def test_a_stretch_beyond_the_series_or_over_gaps_says_so():
    short = costcalc.when(RUN, hourly([100, 200, 50]), stretch=4)
    said = "4 times the duration is more than the series holds: what it holds is used"
    assert said in short.notes
    assert short.cleanest.mean_intensity == 75
    gap = costcalc.when(RUN, hourly([100, 200, float("nan"), 50, 60]), stretch=2)
    assert gap.cleanest.mean_intensity == 75  # 100 and 50; the gap is never run in
    with pytest.raises(InputError, match=r"--pause-within: expected 1 or more times the duration"):
        costcalc.when(RUN, hourly([100, 200]), stretch=0.5)


@given(
    st.lists(st.floats(0, 1000), min_size=2, max_size=40),
    st.floats(0.2, 20),
    st.floats(1, 3),
    st.floats(1, 3),
)
def test_the_cleanest_hours_beat_every_start_and_more_room_never_hurts(values, steps, one, other):
    from costcalc.decide import pausing

    array = np.array(values)
    less, more = sorted((one, other))
    if steps > len(values):
        assert pausing.cleanest(array, steps, more) is None
        return
    tight, loose = (pausing.cleanest(array, steps, times) for times in (less, more))
    assert loose.mean <= tight.mean + 1e-9
    assert loose.end - loose.first >= steps - 1e-6
    means = waiting.starts(array, steps)
    room = int(steps * (more - 1) + 1e-9)  # starts that end within the window
    ends = [mean for at, mean in enumerate(means) if at <= room]
    assert all(loose.mean <= mean + 1e-9 * (1 + mean) for mean in ends)


def test_a_fraction_of_an_hour_counts():
    run = {**RUN, "measured": {"wall_clock": "90 min", "energy": "3 kWh"}}
    found = costcalc.when(run, hourly([100, 400, 400]))
    assert found.now.mean_intensity == pytest.approx((100 + 0.5 * 400) / 1.5)


def test_long_runs_gain_little():
    values = [300 + 100 * np.sin(2 * np.pi * hour / 24) for hour in range(24 * 12)]
    long = {**RUN, "measured": {"wall_clock": "245 h", "energy": "100 kWh"}}
    found = costcalc.when(long, hourly(values))
    assert not found.worth
    assert found.sentence.startswith("Waiting is not worth it: ")
    assert "long runs gain little" in found.sentence
    short = {**RUN, "measured": {"wall_clock": "5 h", "energy": "2 kWh"}}
    assert costcalc.when(short, hourly(values)).saving > 0.3


def test_marginal_and_average_are_told_apart():
    for signal, words in (
        ("marginal", "what one kWh more causes"),
        ("average", "emissions of all generation"),
        ("unknown", "does not say whether"),
    ):
        assert words in costcalc.when(RUN, hourly([1, 2, 3], signal)).notes[0]


def test_too_short_or_with_gaps():
    with pytest.raises(InputError, match=r"the run takes 2.00 hours, the series holds 1 h"):
        costcalc.when(RUN, hourly([1]))
    with pytest.raises(InputError, match="a gap within a run from 2026-06-01T00:00"):
        costcalc.when(RUN, hourly([1, float("nan"), 3, 4]))
    found = costcalc.when(RUN, hourly([9, 9, float("nan"), 1, 1]))
    assert found.best.start.hour == 3
    assert "2 starts are left out for gaps in the series" in found.notes


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=40), st.floats(0.1, 20))
def test_no_start_is_better_than_the_best(values, steps):
    means = waiting.starts(np.array(values), steps)
    for at, mean in enumerate(means):
        left, total = steps, 0.0
        for value in values[at:]:
            part = min(left, 1.0)
            total += part * value
            left -= part
        assert mean == pytest.approx(total / steps, abs=1e-6)


def test_csv_and_json_files(tmp_path):
    path = tmp_path / "grid.csv"
    path.write_text(
        "# signal: marginal\ntime,intensity\n2026-01-01T01:00Z,200\n"
        "2026-01-01T00:00Z,100\n2026-01-01T03:00Z,300\n"
    )
    found = series_files.read(path)
    assert found.signal == "marginal"
    assert found.values[:2] == (100.0, 200.0)
    assert np.isnan(found.values[2])
    other = tmp_path / "grid.json"
    other.write_text(
        json.dumps(
            {
                "signal": "average",
                "unit": "gCO2e/kWh",
                "data": [
                    {"time": "2026-01-01T00:00Z", "value": 1},
                    {"time": "2026-01-01T00:30Z", "value": 2},
                ],
            }
        )
    )
    assert (series_files.read(other).signal, series_files.read(other).step) == ("average", 1800.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,intensity\n2026-01-01T00:00Z,1\n", "expected two points in time or more; got 1"),
        ("hour,intensity\n0,1\n", "expected a column of times"),
        ("time,intensity\nnoon,1\nnight,2\n", 'expected a time as 2026-01-01T00:00Z; got "n'),
        (
            "time,intensity\n2026-01-01T00:00Z,-1\n2026-01-01T01:00Z,1\n",
            "expected an intensity of 0",
        ),
        ("time,intensity\n2026-01-01T00:00Z,1\n2026-01-01T00:00Z,2\n", "two values for 2026-01-01"),
        (
            "time,intensity\n2026-01-01T00:00Z,1\n2026-01-01T01:00Z,2\n2026-01-01T02:20Z,2\n",
            "is not a whole step",
        ),
        ("# signal: both\ntime,intensity\n2026-01-01T00:00Z,1\n", "expected signal: average or"),
        ("", "expected a column of times"),
    ],
)
def test_bad_series(tmp_path, text, message):
    path = tmp_path / "grid.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        series_files.read(path)


# --- the APIs, each on a local server that speaks its documented shape -------------------------

HOURS = [f"2026-06-01T{hour:02d}:00:00Z" for hour in range(4)]


class Fake(BaseHTTPRequestHandler):
    reply = (200, b"{}")

    def do_GET(self):
        self.seen.append((self.path, dict(self.headers)))
        code, body, *headers = self.routes.get(self.path.split("?")[0], self.reply)
        if body == "slow":
            time.sleep(1.0)
            body = b"{}"
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        length = len(body) + (100 if code == 299 else 0)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def server(routes=None, reply=(404, b'{"message": "no such page"}')):
    handler = type("Handler", (Fake,), {"routes": routes or {}, "reply": reply, "seen": []})
    made = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_port}", handler.seen
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


def body(data):
    return json.dumps(data).encode()


EM = {
    "zone": "DE",
    "forecast": [{"carbonIntensity": 300 + i, "datetime": time_} for i, time_ in enumerate(HOURS)],
}
TOKEN = {"ELECTRICITY_MAPS_TOKEN": "secret-em"}
WATT = {"WATTTIME_USER": "me", "WATTTIME_PASSWORD": "secret-wt"}


def test_electricity_maps():
    with server({"/v3/carbon-intensity/forecast": (200, body(EM))}) as (base, seen):
        found = feeds.fetch("electricity-maps", zone="DE", base=base, environment=TOKEN)
    path, headers = seen[0]
    assert path == "/v3/carbon-intensity/forecast?zone=DE"
    assert headers["Auth-Token"] == "secret-em"
    assert (found.signal, found.values) == ("average", (300.0, 301.0, 302.0, 303.0))


def test_watttime_is_marginal_in_pounds():
    data = {
        "data": [{"point_time": time_, "value": 1000} for time_ in HOURS],
        "meta": {"units": "lbs_co2_per_mwh", "region": "CAISO_NORTH"},
    }
    routes = {"/login": (200, body({"token": "abc"})), "/v3/forecast": (200, body(data))}
    with server(routes) as (base, seen):
        found = feeds.fetch("watttime", zone="CAISO_NORTH", base=base, environment=WATT)
    assert seen[0][1]["Authorization"] == "Basic bWU6c2VjcmV0LXd0"  # me:secret-wt
    assert seen[1][1]["Authorization"] == "Bearer abc"
    assert "signal_type=co2_moer" in seen[1][0]
    assert found.signal == "marginal"
    # 1000 lb/MWh × 453.59237 g/lb / 1000 kWh/MWh
    assert found.values[0] == pytest.approx(453.59237)


def test_uk_national_grid_needs_no_token():
    data = {
        "data": [
            {
                "from": "2026-06-01T00:00Z",
                "to": "2026-06-01T00:30Z",
                "intensity": {"forecast": 266, "actual": 263, "index": "moderate"},
            },
            {
                "from": "2026-06-01T00:30Z",
                "to": "2026-06-01T01:00Z",
                "intensity": {"forecast": 250, "actual": None, "index": "moderate"},
            },
        ]
    }
    path = "/intensity/2026-06-01T00:00Z/2026-06-03T00:00Z"
    with server({path: (200, body(data))}) as (base, _):
        found = feeds.fetch(
            "uk-national-grid", base=base, environment={}, now=series.instant("2026-06-01T00:00Z")
        )
    assert (found.signal, found.step, found.values) == ("average", 1800.0, (263.0, 250.0))


FAULTS = [
    ((401, body({"error": "bad token"})), "HTTP 401: bad token; is the token yours and alive"),
    ((403, body({"message": "upgrade"})), "HTTP 403: upgrade; your plan does not cover this"),
    ((429, b"slow down"), "HTTP 429; too many requests"),
    ((429, b"", ("Retry-After", "30")), "HTTP 429; too many requests, wait and try again (30 s"),
    ((500, b"<html>"), "HTTP 500"),
    ((503, body({"error": {"message": "down"}})), "HTTP 503: down"),
    ((302, b"", ("Location", "http://127.0.0.1:9/steal")), "HTTP 302"),
    ((200, b"<html>"), "the reply is not JSON"),
    ((200, b"[1]"), "the reply is not a mapping"),
    ((200, body({"zone": "DE"})), "expected a list of points"),
    ((200, body({"forecast": []})), "expected two points in time or more; got 0"),
    ((200, body({"forecast": [{"carbonIntensity": 1}]})), "a point without a time"),
    (
        (200, body({"forecast": [{"carbonIntensity": "x", "datetime": t} for t in HOURS]})),
        "expected an intensity of 0 gCO2e/kWh or more",
    ),
    ((299, b'{"forecast": ['), "the reply broke off"),
    ((200, "slow"), "no reply within 0.2 s"),
]


@pytest.mark.parametrize(("reply", "message"), FAULTS)
def test_faults_are_one_line_without_the_token(reply, message):
    with server(reply=reply) as (base, seen), pytest.raises(InputError) as caught:
        feeds.fetch("electricity-maps", zone="DE", base=base, environment=TOKEN, timeout=0.2)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(seen) == 1  # nothing is sent on to where a redirect points


def test_a_login_that_fails_is_told_as_one():
    routes = {"/login": (401, body({"error": "no such user"}))}
    with server(routes) as (base, seen), pytest.raises(InputError) as caught:
        feeds.fetch("watttime", zone="CAISO_NORTH", base=base, environment=WATT)
    assert "/login: HTTP 401: no such user" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(seen) == 1
    with server({"/login": (200, b"{}")}) as (base, _), pytest.raises(InputError) as caught:
        feeds.fetch("watttime", zone="CAISO_NORTH", base=base, environment=WATT)
    assert "the login's reply has no token" in str(caught.value)


def test_gaps_in_a_reply_are_gaps_in_the_series():
    data = {
        "zone": "DE",
        "forecast": [
            {"carbonIntensity": 300, "datetime": "2026-06-01T00:00:00.000Z"},
            {"carbonIntensity": None, "datetime": "2026-06-01T01:00:00.000Z"},
            {"carbonIntensity": 200, "datetime": "2026-06-01T02:00:00.000Z"},
            {"carbonIntensity": 100, "datetime": "2026-06-01T04:00:00.000Z"},
        ],
    }
    with server({"/v3/carbon-intensity/forecast": (200, body(data))}) as (base, _):
        found = feeds.fetch("electricity-maps", zone="DE", base=base, environment=TOKEN)
    assert len(found.values) == 5
    assert np.isnan(found.values).tolist() == [False, True, False, True, False]
    assert found.values[4] == 100


def test_the_hour_that_clocks_repeat_or_leave_out():
    # Berlin, 2026-10-25: 02:00 comes twice, told apart by the offset; 2026-03-29: it never comes.
    autumn = [
        ("2026-10-25T01:00+02:00", 1),
        ("2026-10-25T02:00+02:00", 2),
        ("2026-10-25T02:00+01:00", 3),
        ("2026-10-25T03:00+01:00", 4),
    ]
    found = series.of_points(autumn, signal="average", source="x")
    assert (found.step, found.values) == (3600.0, (1.0, 2.0, 3.0, 4.0))
    spring = [
        ("2026-03-29T01:00+01:00", 1),
        ("2026-03-29T03:00+02:00", 2),
        ("2026-03-29T04:00+02:00", 3),
    ]
    found = series.of_points(spring, signal="average", source="x")
    assert (found.step, found.values) == (3600.0, (1.0, 2.0, 3.0))
    with pytest.raises(InputError, match="two values for 2026-10-25T02:00"):  # without offsets
        series.of_points(
            [(time[:16], value) for time, value in autumn], signal="average", source="x"
        )


def test_nothing_listens():
    with pytest.raises(InputError, match="no reply: ConnectionRefusedError"):
        feeds.fetch("electricity-maps", zone="DE", base="http://127.0.0.1:1", environment=TOKEN)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("electricity-maps", {"environment": {}}, "set ELECTRICITY_MAPS_TOKEN in the environment"),
        ("watttime", {"environment": {"WATTTIME_USER": "me"}}, "set WATTTIME_PASSWORD in the"),
        ("electricity-maps", {"environment": TOKEN}, "give --zone"),
        (
            "electricity-maps",
            {"environment": TOKEN, "zone": "DE", "base": "http://example.org"},
            "expected an https address; got http://example.org",
        ),
        ("electricitymaps", {}, "no source electricitymaps; nearest: electricity-maps"),
    ],
)
def test_asked_wrongly(name, options, message):
    with pytest.raises(InputError, match=message):
        feeds.fetch(name, **options)


def test_watttime_must_say_its_units():
    routes = {"/login": (200, body({"token": "abc"})), "/v3/forecast": (200, body({"data": []}))}
    with server(routes) as (base, _), pytest.raises(InputError, match="does not say its units"):
        feeds.fetch("watttime", zone="X", base=base, environment=WATT)
