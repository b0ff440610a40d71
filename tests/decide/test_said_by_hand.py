"""What a comparison says beside its rows, how its frames look, and which dates read two ways."""

from __future__ import annotations

import http.client
import urllib.request
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.base.errors import InputError
from costcalc.decide import clock, cluster, feeds, frames, merging, preempted, series, unpriced
from costcalc.decide.preempted import Spot


def piece(**more: Any) -> Any:
    lacking = {"wall_clock": 0, "cost": 0, "carbon_total": 0, **more.pop("lacking", {})}
    known = {"feasible": 10, "unpriced": [], "best": None, "no_price": {}}
    return SimpleNamespace(**{**known, **more, "lacking": lacking})


def row(**figures: Any) -> Any:
    known = {"count": 8, "accelerator": "h100", "region": "FR", "plan": "spot",
             "wall_clock": 1.0, "cost": 1.0, "carbon_total": 1.0}  # fmt: skip
    return {**known, **figures}


# --- what no price is known of -------------------------------------------------------------------

AIMS = ("time", "cost", "carbon")


@pytest.mark.parametrize(
    ("minimize", "limits", "lacking", "aims"),
    [
        (None, {}, {}, AIMS),
        (None, {}, {"cost": 9}, AIMS),
        (None, {}, {"cost": 10}, ("time", "carbon")),  # of none of the ten
        (None, {}, {"carbon_total": 10}, ("time", "cost")),
        ("time", {}, {"cost": 1}, ("time", "carbon")),  # some would fall out for their price
        ("time", {}, {"cost": 0}, AIMS),
        ("cost", {}, {"cost": 1}, AIMS),
        ("time", {"cost": 5.0}, {"cost": 1}, AIMS),  # but where cost is a limit
        ("time", {"energy": 5.0}, {"cost": 1}, ("time", "carbon")),
    ],
)
def test_what_scenarios_are_ranked_by(
    minimize: str | None, limits: dict[str, float], lacking: dict[str, int], aims: tuple[str, ...]
) -> None:
    task: Any = SimpleNamespace(aims=AIMS, minimize=minimize, limits=limits)
    assert unpriced.ranked_by(task, piece(lacking=lacking)) == aims


def test_what_rows_are_listed_by() -> None:
    assert unpriced.sorted_by(AIMS, "time") == "cost"
    assert unpriced.sorted_by(("time", "carbon"), "carbon") == "carbon"
    assert unpriced.sorted_by(("time", "carbon"), "cost") == "time"
    assert unpriced.sorted_by(("time", "carbon"), None) == "time"
    assert sorted([3.0, None, 1.0], key=unpriced.amount) == [1.0, 3.0, None]


def test_what_the_front_is_not_of() -> None:
    hints = {"cost": " (ask)"}
    assert unpriced.beside(AIMS, piece(), hints) == []
    assert unpriced.beside(("time",), piece(lacking={"cost": 10, "carbon_total": 9}), hints) == [
        "no cost is known (ask): the front is of time",
        "of some no carbon is known: the front is of time",
    ]


def test_what_is_less_still_without_a_price() -> None:
    cheap, fast = row(wall_clock=4.0, carbon_total=9.0), row(wall_clock=2.0, carbon_total=None)
    found = piece(best=row(wall_clock=3.0, carbon_total=9.0), unpriced=[cheap, fast])
    assert unpriced.less_still(found, "time") == [
        "less time still, its price unknown: 8 × h100 in FR, spot, 2.00 hours"
    ]
    assert unpriced.less_still(found, "carbon") == []  # as much is no less
    assert unpriced.less_still(found, "cost") == []
    assert unpriced.less_still(found, None) == []
    assert unpriced.less_still(piece(unpriced=[fast]), "time") == []
    assert unpriced.less_still(piece(best=row(), unpriced=[]), "time") == []


@pytest.mark.parametrize(
    ("regions", "said"),
    [(["a"], "a"), (["a", "b", "c"], "a, b, c"), (["a", "b", "c", "d"], "a, b, c and 1 more")],
)
def test_regions_without_a_price_by_name(regions: list[str], said: str) -> None:
    told = "not ranked by cost, for no price is known: "
    assert unpriced.named({("h100", "spot"): regions}) == f"{told}h100 spot in {said}"
    six = {(f"x{n}", "spot"): ["a"] for n in range(6)}
    assert "more" not in unpriced.named(six)
    seven = unpriced.named({**six, ("y", "spot"): ["a"]})
    assert seven.endswith("x5 spot in a; and 1 more (--json)")


# --- rows ----------------------------------------------------------------------------------------


def test_the_front_of_fronts_and_what_it_beats() -> None:
    rows = [row(wall_clock=1.0, cost=3.0), row(wall_clock=2.0, cost=2.0),
            row(wall_clock=2.0, cost=3.0)]  # fmt: skip
    kept, beaten = merging._front_of(rows, ("time", "cost"))
    assert (kept, beaten) == (rows[:2], rows[2:])
    assert merging._front_of([], ("time",)) == ([], [])


def test_a_comparison_as_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, Any] = {}
    monkeypatch.setattr(frames, "frame", lambda columns, units: kept.update(c=columns, u=units))
    drawn = row(ranges={"cost": (0.5, 2.0)})
    frames.frame_of([drawn], [row(cost=3.0)], {"cost": "USD", "energy": "kWh"})
    columns = kept["c"]
    assert columns["front"] == [True, False]
    assert columns["cost"] == [1.0, 3.0]
    assert (columns["cost_low"], columns["cost_high"]) == ([0.5, None], [2.0, None])
    assert columns["precision"] == [None, None]
    assert "energy_low" not in columns
    assert kept["u"] == {"cost": "USD", "energy": "kWh", "cost_low": "USD", "cost_high": "USD"}
    frames.frame_of([row()], [row(cost=3.0)], {"cost": "USD"})
    assert "cost_low" not in kept["c"]
    frames.frame_of([row()], [drawn], {"cost": "USD"})  # of the rest alone
    assert kept["c"]["cost_low"] == [None, 0.5]


def test_workers_are_processes_of_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    made = SimpleNamespace(Client=lambda *args, **said: (args, said))
    monkeypatch.setattr(cluster, "_distributed", lambda: made)
    assert cluster.local(3) == ((), {
        "n_workers": 3, "threads_per_worker": 1, "processes": True, "dashboard_address": None,
    })  # fmt: skip
    assert cluster.connect("tcp://x") == (("tcp://x",), {})


# --- interruptions and series --------------------------------------------------------------------


def test_what_is_said_of_spot() -> None:
    given = preempted.note(Spot(rate=2 / 86_400))
    assert given == (
        "spot: interruptions are counted, 2 a day of the job, as given; --no-interruptions leaves "
        "them out"
    )
    usual = preempted.usual()
    often = f"{usual.value * 86_400:.3g} a day and instance ({usual.low * 86_400:.2g} – "
    assert often in preempted.note(Spot())
    assert all(" http" in each for each in preempted.sources())
    assert len(preempted.sources()) == 2


@pytest.mark.parametrize(
    ("meta", "points", "signal", "factor"),
    [
        ({}, [], "unknown", 1.0),
        ({"signal": "average"}, [], "average", 1.0),
        ({"signal_type": "co2_aoer", "units": "lbs_co2_per_mwh"}, [], "average", 453.59237 / 1000),
        ({"signal_type": "co2_moer", "unit": "gCO2e/kWh"}, [], "marginal", 1.0),
        ({"signal": "marginal"}, [{"intensity": 1}], "marginal", 1.0),
        ({}, [{"carbonIntensity": 1}], "average", 1.0),
        ({}, [{"intensity": {}}], "average", 1.0),
        (
            {"unit": "g/kWh"},
            [{"value": 1}, {"intensity": 1}],
            "unknown",
            1.0,
        ),  # the first one says it
        ({"signal": "other"}, [], "unknown", 1.0),
    ],
)
def test_what_a_series_is_of(
    meta: dict[str, str], points: list[dict[str, int]], signal: str, factor: float
) -> None:
    found, found_factor = series._convention(meta, points, "x")
    assert (found, found_factor) == (signal, pytest.approx(factor))


def test_a_unit_that_is_none_of_intensity() -> None:
    with pytest.raises(InputError) as caught:
        series._convention({"unit": "m" * 50}, [], "x")
    assert caught.value.problems[0].message == (
        f"expected a unit such as gCO2e/kWh or lbs_co2_per_mwh; got {'m' * 40}"
    )


@pytest.mark.parametrize(
    ("texts", "month_first"),
    [
        (["2026-01-02"], None), (["", "2026-01-02"], None),
        (["31.01.2026 00:00"], False), (["01.02.2026 00:00"], False),  # points: days first
        (["13/01/2026 00:00"], False), (["12/01/2026 00:00", "13/01/2026 00:00"], False),
        (["01/13/2026 00:00"], True), (["01/12/2026 00:00", "01/13/2026 00:00"], True),
    ],
)  # fmt: skip
def test_what_comes_first_in_a_date(texts: list[str], month_first: bool | None) -> None:
    assert clock._order(texts, "x") is month_first


def test_a_long_date_is_cut_in_what_is_said() -> None:
    with pytest.raises(InputError) as caught:
        clock._order(["12/12/2026, 00:00:00 am"], "x")
    assert caught.value.problems[0].message.startswith('"12/12/2026, 00:00:00" reads two ways')


def test_dates_that_read_two_ways() -> None:
    for texts in (["12/12/2026 00:00"], ["13/01/2026 00:00", "01/13/2026 00:00"]):
        with pytest.raises(InputError) as caught:
            clock._order(texts, "x")
        assert caught.value.problems[0].message == (
            f'"{texts[0]}" reads two ways, day or month first, and no date of the file tells '
            "which; write 2026-01-31"
        )


def test_replies_that_break_off(monkeypatch: pytest.MonkeyPatch) -> None:
    def opener(error: Exception) -> Any:
        def fails(*_: Any, **__: Any) -> Any:
            raise error

        return lambda *_: SimpleNamespace(open=fails)

    monkeypatch.setattr(urllib.request, "build_opener", opener(http.client.IncompleteRead(b"")))
    with pytest.raises(InputError) as caught:
        feeds._get("uk-national-grid", "https://x.org/a?b=secret", {}, 1.0)
    assert caught.value.problems[0].message == "/a: the reply broke off (IncompleteRead)"
    monkeypatch.setattr(urllib.request, "build_opener", opener(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):  # a fault of ours
        feeds._get("uk-national-grid", "https://x.org/a", {}, 1.0)
    for error, said in ((TimeoutError(), "no reply within 1.5 s"),
                        (urllib.error.URLError(TimeoutError()), "no reply within 1.5 s"),
                        (urllib.error.URLError(OSError()), "no reply: OSError"),
                        (ConnectionResetError(), "no reply: ConnectionResetError")):  # fmt: skip
        monkeypatch.setattr(urllib.request, "build_opener", opener(error))
        with pytest.raises(InputError) as caught:
            feeds._get("uk-national-grid", "https://x.org/a", {}, 1.5)
        assert caught.value.problems[0].message == f"/a: {said}"


@pytest.mark.parametrize(
    ("body", "lacking", "said"),
    [
        (b"{}", None, None), (b"{}", 0, None), (b"{}", 5, "the reply broke off"),
        (b"[1]", None, "the reply is not a mapping"), (b"x", None, "the reply is not JSON"),
        (b" " * feeds.MAX_BYTES + b"{}", None, f"a reply of more than {feeds.MAX_BYTES:,} bytes"),
        (b" " * (feeds.MAX_BYTES - 2) + b"{}", None, None),
    ],
)  # fmt: skip
def test_what_a_reply_has_to_be(body: bytes, lacking: int | None, said: str | None) -> None:
    if said is None:
        assert feeds._parsed("x", "/a", body, lacking) == {}
        return
    with pytest.raises(InputError) as caught:
        feeds._parsed("x", "/a", body, lacking)
    assert caught.value.problems[0].message == f"/a: {said}"


@pytest.mark.parametrize(
    ("hours", "asked"), [(0.2, 1), (1.4, 1), (24.0, 24), (72.0, 72), (99.0, 72)]
)
def test_how_far_a_forecast_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, hours: float, asked: int
) -> None:
    urls: list[str] = []

    def get(name: str, url: str, headers: Any, timeout: float) -> dict[str, object]:
        urls.append(url)
        if url.endswith("/login"):
            return {"token": "t"}
        at = datetime(2026, 10, 5, tzinfo=UTC).isoformat()
        data = [
            {"point_time": at, "value": 1},
            {"point_time": at.replace("T00", "T01"), "value": 1},
        ]
        return {"meta": {"units": "lbs_co2_per_mwh"}, "data": data}

    monkeypatch.setattr(feeds, "_get", get)
    environment = dict.fromkeys(feeds.TOKENS["watttime"], "x")
    made = feeds.fetch("watttime", zone="Z", hours=hours, environment=environment)
    assert urls[-1].endswith(f"region=Z&signal_type=co2_moer&horizon_hours={asked}")
    assert made.signal == "marginal"
