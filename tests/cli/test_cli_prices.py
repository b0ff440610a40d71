"""`costcalc prices`: what is listed, and a newer catalogue taken by name, by hand."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from costcalc import estimate
from costcalc.base.errors import InputError
from costcalc.catalog import price_update, prices
from costcalc.cli import OK, WRONG_USE, run

HEAD = (
    "provider,accelerator,instance,devices,plan,region,value,low,high,regions,zones,date,source\n"
)
# Lambda's 8 H100 from 3.99 to 3.19, two of Nebius that are new, and a device without a profile
NEWER = HEAD + (
    "lambda,h100-sxm5-80,gpu_8x_h100_sxm5,8,on-demand,,3.19,,,17,,2026-11-27,my list\n"
    "NEBIUS,h100-sxm5-80,gpu-h100-8,8,on-demand,eu-north1 eu-west1,2,1.5,2.5,,,2026-11-27,x\n"
    "nebius,h100-sxm5-80,gpu-h100-8,8,spot,eu-north1,1,,,,3,<=2026-11-27,x\n"
    "mine,chip-of-2027,,1,on-demand,,9,,,,,2026,x\n"
)
RUN = {
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
    "measured": {"wall_clock": "10 h"},
    "price": {"provider": "lambda"},
}


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the user's own prices are kept, for this test alone."""
    path = tmp_path / "config" / "prices.csv"
    monkeypatch.setenv("COSTCALC_PRICES", str(path))
    prices.forget()
    yield path
    monkeypatch.undo()
    prices.forget()


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    path = tmp_path / "newer.csv"
    path.write_text(NEWER, encoding="utf-8")
    return path


def cost() -> float:
    value = estimate(RUN, ranges=False).results["cost"].value
    assert value is not None
    return value


def test_the_list_says_whose_where_and_when(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prices", "list", "h100", "--provider", "Nebius", "--plan", "on-demand"]) == OK
    out = capsys.readouterr().out
    assert "h100-sxm5-80  nebius" in out
    assert "eu-north1" in out
    assert "≤2026-03-14" in out
    assert out.splitlines()[-1].startswith("2 prices of 1 accelerator from 1 provider, seen from")


def test_the_list_is_170_columns_wide_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    # which holds all but the longest lists of regions; the last line is a sentence
    assert run(["prices", "list"]) == OK
    *rows, _ = capsys.readouterr().out.splitlines()
    assert {len(row) for row in rows} == {170}


def test_the_list_as_json_and_searched(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prices", "list", "--search", "p5.48xlarge", "--plan", "spot", "--json"]) == OK
    (one,) = json.loads(capsys.readouterr().out)
    # 29 zones of AWS: median 19.8326 / 8, lowest 10.2397 / 8, highest 75.9552 / 8
    assert (one["value"], one["zones"], one["count"]) == (2.47907, 29, 11)
    assert (one["low"], one["high"]) == (1.27996, 9.4944)
    assert one["unit"] == "USD/device_hour"
    assert run(["prices", "list", "--search", "no such thing", "--json"]) == OK
    assert json.loads(capsys.readouterr().out) == []


def test_one_accelerator_by_provider(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prices", "show", "gb300", "--count", "4", "--json"]) == OK
    made = json.loads(capsys.readouterr().out)
    # Oracle alone rents it out: 72 USD an hour for 4, and so is the median of any
    assert [(row["provider"], row["value"]) for row in made["prices"]] == [
        ("oracle", pytest.approx(18.0)),
        ("any", pytest.approx(18.0)),
    ]
    assert run(["prices", "show", "h100", "--count", "8"]) == OK
    out = capsys.readouterr().out
    assert "price.provider: any: median over" in out
    assert "with a price of the last twelve months" in out
    assert run(["prices", "show", "gtx-580"]) == OK
    assert "no on-demand price of gtx-580 is known" in capsys.readouterr().out


def test_an_unknown_accelerator_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prices", "list", "h100000"]) == WRONG_USE
    assert "h100000" in capsys.readouterr().err


def test_an_update_says_what_it_changes_and_is_used(
    kept: Path, newer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # 8 devices, 10 h: at 3.99 USD 319.20, at 3.19 USD 255.20
    assert cost() == pytest.approx(319.2)
    assert run(["prices", "update", str(newer)]) == OK
    out = capsys.readouterr().out
    listed = prices.shipped().rows["h100-sxm5-80"]
    before = {price_update._key(o) for o in listed if o.provider in ("lambda", "nebius")}
    said = f"4 prices of 3 providers: 3 new, 1 changed, 0 the same, {len(before) - 1} gone;"
    assert out.startswith(said)
    assert "h100-sxm5-80 at lambda, gpu_8x_h100_sxm5, on-demand: 3.99 -> 3.19" in out
    assert "(-20%)" in out
    assert kept.is_file()
    assert cost() == pytest.approx(255.2)
    assert prices.as_of().isoformat() == "2026-11-27"  # the newest of them: ages count from there
    both = prices.catalogue()
    assert {o.provider for o in both.rows["h100-sxm5-80"]} >= {"aws", "nebius", "lambda"}
    assert [o.value for o in both.rows["h100-sxm5-80"] if o.provider == "nebius"] == [2.0, 1.0]
    assert run(["prices", "update", "--forget"]) == OK
    assert not kept.exists()
    assert cost() == pytest.approx(319.2)


def test_a_report_names_the_prices_that_it_rests_on(kept: Path, newer: Path) -> None:
    before = estimate(RUN).to_dict()["data"]
    assert before[prices.FILE] == prices.shipped().files[prices.FILE]
    assert "prices.csv" not in before
    price_update.keep(price_update.read(NEWER, "newer.csv"), kept)
    after = estimate(RUN).to_dict()["data"]
    assert after["prices.csv"] == prices.digest(kept.read_bytes())
    own = estimate({**RUN, "price": {"device_hour": "2 USD"}}).to_dict()["data"]
    assert prices.FILE not in own


def test_what_was_kept_of_others_stays(kept: Path) -> None:
    price_update.keep(price_update.read(NEWER, "a"), kept)
    line = "aws,l4,g6,1,on-demand,us-east-1,0.5,,,,,2026-11-27,x\n"
    price_update.keep(price_update.read(HEAD + line, "b"), kept)
    mine = prices.mine()
    assert mine is not None
    assert set(mine.rows) == {"h100-sxm5-80", "chip-of-2027", "l4"}
    again = prices.read(kept.read_text(encoding="utf-8"), "again")
    assert price_update.written(again) == kept.read_text(encoding="utf-8")


def test_a_dry_run_keeps_nothing(
    kept: Path, newer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["prices", "update", str(newer), "--dry-run", "--json"]) == OK
    made = json.loads(capsys.readouterr().out)
    assert (made["new"], made["same"], made["newest"]) == (3, 0, "2026-11-27")
    assert [one["after"] for one in made["changed"]] == [3.19]
    assert not kept.exists()


def test_every_fault_of_a_catalogue_at_its_line(kept: Path, tmp_path: Path) -> None:
    wrong = HEAD + (
        "aws,,x,8,on-demand,,1,,,,,2026,s\n"
        "aws,l4,x,8,weekly,,1,,,,,2026,s\n"
        "aws,l4,x,-8,spot,,1,,,,,2026,s\n"
        "aws,l4,x,8,spot,,700,,,,,2026,s\n"
        "aws,l4,x,8,spot,,1,2,,,,2026,s\n"
        "aws,l4,x,8,spot,,1,,0.5,,,2026,s\n"
        "aws,l4,x,8,spot,,1,,,,,yesterday,s\n"
    )
    with pytest.raises(InputError) as raised:
        prices.read(wrong, "wrong.csv")
    said = [str(problem) for problem in raised.value.problems]
    assert said == [
        "wrong.csv:2: accelerator: missing; it has no default",
        "wrong.csv:3: plan: expected on-demand, spot, reserved-1y, reserved-3y; got 'weekly'",
        "wrong.csv:4: devices: expected a number above 0; got '-8'",
        "wrong.csv:5: value: expected up to 200 USD a device-hour; got '700'",
        "wrong.csv:6: low: above the value, 1",
        "wrong.csv:7: high: below the value, 1",
        "wrong.csv:8: date: expected a day as 2026-09-14, or <=2026-09-14; got 'yesterday'",
    ]
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert run(["prices", "update", str(tmp_path / "other.csv")]) == WRONG_USE
    assert run(["prices", "update", str(tmp_path / "absent.csv")]) == WRONG_USE
    assert run(["prices", "update"]) == WRONG_USE
    assert not kept.exists()


def test_only_an_address_that_is_given_is_fetched(kept: Path, newer: Path) -> None:
    class Answer(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def translate_path(self, path: str) -> str:
            return str(newer)

    server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/newer.csv"
        assert price_update.fetched(address) == (NEWER, address)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    with pytest.raises(InputError, match="expected an https address"):
        price_update.fetched("http://example.com/prices.csv")
    with pytest.raises(InputError, match="expected an https address"):
        price_update.fetched("file:///etc/hostname")


def test_where_prices_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert prices.own_file() is None  # as conftest says
    monkeypatch.delenv("COSTCALC_PRICES")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert prices.own_file() == tmp_path / "costcalc" / "prices.csv"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    assert prices.own_file() == Path.home() / ".config" / "costcalc" / "prices.csv"


def test_a_catalogue_with_the_columns_of_other_lists_is_read() -> None:
    # bounds there are of the instance, values of a device: 2.846 x 8 = 22.768
    text = (
        "provider,instance,accelerator,accelerators_per_instance,region,plan,usd_per_hour_instance,"
        "usd_per_device_hour,date,source,low,high,n_regions,n_zones,notes\n"
        "lambda,gpu_8x,H100-SXM,8,all (17),on-demand,22.77,2.846,on or before 2026-09-14,x@1,"
        "22.77,31.92,17,17,\n"
        "gcp,a2 accelerator,A100,1,us-central1; us-east1,spot,1.4261,1.426,2026-06-14,y@2,,,,,"
        "accelerator only: the host machine is billed on top\n"
        "seeweb,one,RTX6000,1,unstated,on-demand,1,1,,z@3,,,,,\n"
    )
    first, second, third = price_update.read(text, "other.csv")
    assert (first.accelerator, first.devices, first.value) == ("h100-sxm5-80", 8, 2.846)
    assert first.low == 2.846  # 22.77 / 8 is 2.84625: the list rounds
    assert first.high == pytest.approx(31.92 / 8)
    assert (first.date, first.at_the_latest, first.regions, first.count) == (
        "2026-09-14",
        True,
        (),
        17,
    )
    assert (second.accelerator, second.host) == ("a100-sxm4-40", "excluded")  # no A100-80GB
    assert second.regions == ("us-central1", "us-east1")
    assert third.accelerator == "RTX6000"  # of three boards: none of ours is put in its place


def test_a_fault_in_the_columns_of_other_lists_is_told_at_its_line() -> None:
    text = (
        "provider,accelerator,accelerators_per_instance,plan,usd_per_device_hour\n"
        "lambda,H100,8,on-demand,many\n"
    )
    with pytest.raises(InputError) as caught:
        price_update.read(text, "other.csv")
    assert str(caught.value).splitlines()[0] == (
        "other.csv:2: value: expected a number above 0; got 'many'"
    )


@pytest.mark.parametrize(("value", "far"), [
    ("0.79", True), ("0.8", False), ("19.9", False), ("20", True),  # of 3.99: 0.798 and 19.95
])  # fmt: skip
def test_a_price_of_five_times_the_one_before_is_taken_and_said(kept, tmp_path, capsys, value, far):
    path = tmp_path / "far.csv"
    row = f"lambda,h100-sxm5-80,gpu_8x_h100_sxm5,8,on-demand,,{value},,,17,,2026-11-01,my list\n"
    path.write_text(HEAD + row, encoding="utf-8")
    assert run(["prices", "update", str(path)]) == OK
    said = (
        "  1 price more than 5 times, or less than a fifth of, the one before: taken; is it of one "
        "device, in USD an hour?"
    )
    assert (said in capsys.readouterr().out) is far
    assert kept.exists()
    run(["prices", "update", "--forget"])
    capsys.readouterr()
    assert run(["prices", "update", str(path), "--json"]) == OK
    (changed,) = json.loads(capsys.readouterr().out)["changed"]
    assert changed.get("far", False) is far
