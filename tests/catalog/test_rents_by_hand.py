"""Catalogues of prices by hand: read, merged, compared, kept and aged; the working beside."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.base.errors import InputError
from costcalc.catalog import price_update, prices
from costcalc.catalog.accelerator import find
from costcalc.catalog.prices import HEAD, Catalogue, Offer


def row(**given: object) -> str:
    cells = {"provider": "aws", "accelerator": "h100", "devices": 8, "plan": "on-demand"}
    cells |= {"value": 2, "date": "2026-09-14", "source": "s"} | given  # type: ignore[assignment]
    return ",".join(str(cells.get(name, "")) for name in HEAD)


def text(*rows: str) -> str:
    return "\n".join([",".join(HEAD), *rows])


def offer(**given: Any) -> Offer:
    (made,) = prices.read(text(row(**given)), "x")
    return made


# --- reading --------------------------------------------------------------------------------------


def test_a_row_in_full() -> None:
    found = offer(
        instance="p5", region="eu us", low=1.5, high=3, zones=4, host="excluded", note="n"
    )
    assert (found.provider, found.accelerator, found.instance) == ("aws", "h100", "p5")
    assert (found.devices, found.plan, found.regions) == (8.0, "on-demand", ("eu", "us"))
    assert (found.low, found.value, found.high) == (1.5, 2.0, 3.0)
    assert (found.count, found.zones, found.host, found.note) == (2, 4, "excluded", "n")
    assert found.si == pytest.approx(2 / 3600)
    assert (found.date, found.day, found.at_the_latest) == ("2026-09-14", date(2026, 9, 14), False)


def test_what_a_row_does_not_say() -> None:
    bare = offer(devices="", date="", source="elsewhere")
    assert (bare.devices, bare.instance, bare.count, bare.zones) == (1.0, None, None, None)
    assert (bare.low, bare.high, bare.host) == (2.0, 2.0, "included")
    assert (bare.date, bare.day, bare.source) == (None, None, "elsewhere")
    assert offer(region="eu us", regions=30).count == 30  # of more regions than are named
    latest = offer(date="<=2026-05")
    assert (latest.date, latest.day, latest.at_the_latest) == ("2026-05", date(2026, 5, 1), True)
    assert offer(date="2026").day == date(2026, 1, 1)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"provider": ""}, "provider"),
        ({"accelerator": ""}, "accelerator"),
        ({"plan": "hourly"}, "plan"),
        ({"devices": 0}, "devices"),
        ({"devices": "x"}, "devices"),
        ({"zones": -1}, "zones"),
        ({"regions": "inf"}, "regions"),
        ({"value": 0}, "value"),
        ({"value": ""}, "value"),
        ({"value": 200.1}, "value"),
        ({"low": 2.1}, "low"),
        ({"high": 1.9}, "high"),
        ({"date": "14.9.2026"}, "date"),
    ],
)
def test_what_cannot_be_is_told_at_its_line(given: dict[str, object], key: str) -> None:
    with pytest.raises(InputError) as caught:
        prices.read(text(row(), row(**given)), "x.csv")
    (problem,) = caught.value.problems
    assert (problem.key, problem.file, problem.line) == (key, "x.csv", 3)


def test_edges_of_what_can_be() -> None:
    assert offer(value=200).value == 200.0  # nothing costs more
    assert offer(low=2, high=2).low == 2.0
    assert len(prices.read("\ufeff" + text(row(), row(plan="spot")), "x")) == 2
    with pytest.raises(InputError, match="expected the columns provider, accelerator"):
        prices.read("a,b\n1,2\n", "x")
    columns = ",".join(HEAD[:7])  # the others may be missing
    assert prices.read(f"{columns}\naws,h100,,8,spot,,2\n", "x")[0].value == 2.0


# --- merging and choosing -------------------------------------------------------------------------


def catalogue(*found: Offer, file: str = "f") -> Catalogue:
    return Catalogue(prices._by_accelerator(found), {file: "d"})


def test_newer_prices_take_the_place_of_their_providers_and_devices() -> None:
    old = catalogue(offer(), offer(provider="gcp"), offer(accelerator="b200"))
    new = catalogue(offer(value=3), offer(accelerator="l4"), file="g")
    made = prices.merged(old, new)
    found = sorted((o.accelerator, o.provider, o.value) for o in made.every())
    assert found == [
        ("b200", "aws", 2.0),
        ("h100", "aws", 3.0),
        ("h100", "gcp", 2.0),
        ("l4", "aws", 2.0),
    ]
    assert made.files == {"f": "d", "g": "d"}
    assert prices.merged(old, None) is old


def test_a_profiles_own_prices_come_before_the_catalogues_of_the_same_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = catalogue(offer(accelerator="a"), offer(accelerator="a", provider="gcp"))
    monkeypatch.setattr(prices, "catalogue", lambda: listed)
    own: Any = SimpleNamespace(
        provider="aws", instance=None, devices=1.0, plan="spot", region="eu", value=5.0, low=None,
        high=6.0, date="2026", host="included", source="s", note=None,
    )  # fmt: skip
    profile: Any = SimpleNamespace(id="a", prices=(own,), sources={"s": SimpleNamespace(title="T")})
    mine, other = prices.offers(profile)
    assert (mine.provider, mine.low, mine.value, mine.high) == ("aws", 5.0, 5.0, 6.0)
    assert (mine.regions, mine.count, mine.source, mine.note) == (("eu",), 1, "T", "")
    assert other.provider == "gcp"
    profile.prices = ()
    assert len(prices.offers(profile)) == 2
    own.region = None
    profile.prices = (own,)
    assert (prices.offers(profile)[0].regions, prices.offers(profile)[0].count) == ((), None)


def test_prices_that_meet_all_that_is_given_newest_first() -> None:
    h100 = find("h100")
    found = prices.known(h100)
    assert len(found) == len(prices.offers(h100))
    days = [one.date or "" for one in found]
    assert days == sorted(days, reverse=True)
    for some in (
        prices.known(h100, "aws"),
        prices.known(h100, "aws", "us-east-1"),
        prices.known(h100, plan="spot"),
    ):
        assert 0 < len(some) < len(found)
    assert {one.provider for one in prices.known(h100, "aws")} == {"aws"}
    assert {one.plan for one in prices.known(h100, plan="spot")} == {"spot"}
    assert all("us-east-1" in one.regions for one in prices.known(h100, region="us-east-1"))


# --- age ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "old", "rank", "said"),
    [
        (0, False, 2, ""),
        (365, False, 2, ""),
        (366, True, 0, "more than a year old"),
        (-5, False, 2, ""),
    ],
)
def test_a_price_is_old_after_a_year(
    days: int, old: bool, rank: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = date(2026, 6, 30)
    monkeypatch.setattr(prices, "as_of", lambda: today)
    found = offer(date=(today - timedelta(days=days)).isoformat())
    assert prices.is_old(found) is old
    assert prices.freshness(found) == (rank, found.date)
    assert prices.years(found) == pytest.approx(max(days, 0) / 365.25)
    assert prices.dated(found).endswith(said)
    assert bool(prices.dated(found)) is bool(said)


def test_a_price_without_a_day_is_taken_as_old() -> None:
    found = offer(date="")
    assert prices.is_old(found)
    assert prices.freshness(found) == (1, "")  # between the dated within the year and before
    assert prices.years(found) == float(prices.constants()["drift"]["undated"])
    assert prices.dated(found) == ", undated and so taken as old"


def test_a_day_that_is_only_bounded_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "as_of", lambda: date(2026, 6, 30))
    assert prices.dated(offer(date="<=2026-05")) == ", of at the latest 2026-05"
    said = prices.dated(offer(date="<=2024-05"))
    assert said == ", of at the latest 2024-05: more than a year old"


# --- where the user's own are kept ----------------------------------------------------------------


def test_where_ones_own_prices_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COSTCALC_PRICES", str(tmp_path / "p.csv"))
    assert prices.own_file() == tmp_path / "p.csv"
    assert prices.mine() is None
    (tmp_path / "p.csv").write_text("")
    assert prices.mine() is None
    (tmp_path / "p.csv").write_text(text(row()))
    found = prices.mine()
    assert found is not None
    assert [one.value for one in found.every()] == [2.0]
    monkeypatch.setenv("COSTCALC_PRICES", "")
    assert prices.own_file() is None
    monkeypatch.delenv("COSTCALC_PRICES")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert prices.own_file() == tmp_path / "costcalc" / "prices.csv"


def test_the_day_of_the_data_is_the_latest_of_both(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = date.fromisoformat(prices.constants()["as_of"])
    later = (shipped + timedelta(days=1)).isoformat()
    prices.as_of.cache_clear()
    monkeypatch.setattr(prices, "catalogue", lambda: catalogue(offer(date=later), offer(date="")))
    assert prices.as_of() == shipped + timedelta(days=1)
    prices.as_of.cache_clear()
    monkeypatch.setattr(prices, "catalogue", lambda: catalogue(offer(date="2020")))
    assert prices.as_of() == shipped
    prices.as_of.cache_clear()


# --- updates --------------------------------------------------------------------------------------


def test_what_an_update_changes() -> None:
    """1 to 1.5 is half more, 2 to 2.1 a twentieth: the larger change first."""
    before = catalogue(
        offer(instance="a", value=2),
        offer(instance="b", value=1),
        offer(instance="c", value=9),
        offer(instance="d", value=4),
        offer(provider="gcp"),  # another's: nothing is said of it
        offer(accelerator="l4"),
    )
    found = [
        offer(instance="a", value=2.1, date="2026-10-01"),
        offer(instance="b", value=1.5),
        offer(instance="d", value=4),
        offer(instance="e", value=7, date=""),
    ]
    made = price_update.compared(found, before)
    assert [(old.value, new.value) for old, new in made.changed] == [(1.0, 1.5), (2.0, 2.1)]
    assert [one.instance for one in made.new] == ["e"]
    assert [one.instance for one in made.gone] == ["c"]
    assert (made.same, made.newest) == (1, "2026-10-01")
    shown = made.to_dict()
    assert (shown["prices"], shown["providers"], shown["new"], shown["gone"]) == (4, ["aws"], 1, 1)
    assert shown["changed"][0]["before"] == 1.0  # type: ignore[index]
    assert shown["changed"][0]["after"] == 1.5  # type: ignore[index]
    assert price_update.compared([], before).newest is None


def test_what_is_kept_comes_back_as_it_was() -> None:
    found = [
        offer(instance="p5", region="eu us", low=1.5, high=3, zones=4, host="excluded", note="n"),
        offer(date="<=2026-05", low=1),
        offer(date="", regions=7),
    ]
    assert prices.read(price_update.written(found), "x") == found
    assert price_update.written([offer()]).splitlines()[1] == (
        "aws,h100,,8,on-demand,,2,,,,,2026-09-14,,s,"
    )


def test_prices_are_kept_beside_those_kept_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "own" / "prices.csv"
    monkeypatch.setenv("COSTCALC_PRICES", str(path))
    price_update.keep([offer(), offer(provider="gcp")], path)
    price_update.keep([offer(value=3)], path)
    found = prices.mine()
    assert found is not None
    assert sorted((o.provider, o.value) for o in found.every()) == [("aws", 3.0), ("gcp", 2.0)]
    assert [each.name for each in path.parent.iterdir()] == ["prices.csv"]
    prices.forget()


@pytest.mark.parametrize(("size", "fine"), [(10, True), (11, False)])
def test_a_catalogue_of_more_than_its_bound_is_refused(
    size: int, fine: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(price_update, "LARGEST", 10)
    path = tmp_path / "p.csv"
    path.write_text("x" * size)
    if fine:
        assert price_update.fetched(str(path)) == ("x" * 10, str(path))
        return
    with pytest.raises(InputError, match="larger than 10 bytes"):
        price_update.fetched(str(path))


@pytest.mark.parametrize("address", ["http://example.org/p.csv", "ftp://x/y"])
def test_only_an_address_that_is_safe_is_asked(address: str) -> None:
    with pytest.raises(InputError, match="expected an https address"):
        price_update.fetched(address)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        price_update.fetched("no-such.csv")
