"""What a page writes of figures, and what an address holds, at its bounds."""

from __future__ import annotations

import base64
import json
import random
import zlib
from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.base.errors import InputError
from costcalc.web import address, shown, tables, workers
from costcalc.web.bounds import BODY


def test_in_how_many_draws_a_row_is_better_than_the_first() -> None:
    made: Any = SimpleNamespace(aims=("time", "cost"), wins={
        "time": [[0.0], [0.254], [0.9]], "cost": [[0.0], [0.756]]})  # fmt: skip
    assert tables._beats(made, 0) == ""  # the first itself
    assert tables._beats(made, 1) == "25 / 76"
    assert tables._beats(made, 2) == "90"  # of cost as many draws are not counted
    assert tables._beats(SimpleNamespace(aims=("time",), wins={}), 1) == ""  # type: ignore[arg-type]


def row(hours: float, **more: Any) -> Any:
    return {"count": 1024, "accelerator": "h100", "region": "FR", "plan": "spot", "cost": 5.0,
            "wall_clock": hours, "carbon_total": 3.0, **more}  # fmt: skip


def test_a_row_in_words() -> None:
    assert tables._words(row(2.0), "EUR") == (
        "1,024 × h100 in FR, spot: 2.00 hours, 5.00 EUR, 3.00 kgCO2e"
    )


def test_the_chart_of_a_comparison_is_in_the_unit_of_its_middle() -> None:
    made: Any = SimpleNamespace(
        aims=("time", "cost"), currency="USD", rest=[row(48.0)],
        front=[row(96.0, ranges={"wall_clock": (72.0, 120.0), "cost": (4.0, 6.0)}), row(72.0)],
    )  # fmt: skip
    found = tables._chart(made)
    assert found is not None
    assert (found.x_label, found.y_label) == ("time of one run, days", "cost, USD")
    assert [text for _, text in found.across] == ["2", "5"]  # 2 to 5 days
    assert sum(mark.front for mark in found.marks) == 2
    (ranged,) = (mark for mark in found.marks if mark.left != mark.right)
    assert float(ranged.left) < float(ranged.x) < float(ranged.right)
    made.aims = ("time", "carbon")
    assert tables._chart(made).y_label == "CO2e, kgCO2e"  # type: ignore[union-attr]
    made.rest, made.front = [], []
    assert tables._chart(made) is None


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({}, "the model, 1 × : 2e+21 FLOP"),
        ({"model": {"preset": "gpt2"}, "training": {"tokens": 2e9}, "site": {"region": "FR"},
          "hardware": {"count": 8, "accelerator": "h100"}},
         "gpt2 on 2.00 B tokens, 8 × h100 in FR: 2e+21 FLOP"),
        ({"model": {"parameters": "8B"}, "training": {"tokens": "2T"},
          "hardware": {"instance": "p5"}}, "8B on 2T tokens, 1 × p5: 2e+21 FLOP"),
    ],
)  # fmt: skip
def test_a_plan_in_a_line(run: dict[str, Any], said: str) -> None:
    assert tables._planned(run, 2e21) == said


def test_ends_in_brackets() -> None:
    assert tables._ends(1.0, 2.0) == " (1.000 – 2.000)"
    assert tables._ends(None, 2.0) == tables._ends(1.0, None) == ""


def test_bars_are_on_one_scale() -> None:
    assert shown._bar(None, 2.0) is None
    bar = shown._bar((0.5, 1.5), 2.0)
    assert bar is not None
    assert (bar.left, bar.width, bar.mark) == ("25.00", "50.00", "50.00")
    thin = shown._bar((1.0, 1.001), 2.0)
    assert thin is not None
    assert thin.width == "0.50"  # so that it is seen

    def ratio(value: float | None, low: float | None, high: float | None) -> Any:
        one = SimpleNamespace(value=value, low=low, high=high)
        made: Any = SimpleNamespace(results=dict.fromkeys(shown.HEADLINE, one))
        return set(shown._ratios(made).values())

    assert ratio(4.0, 2.0, 6.0) == {(0.5, 1.5)}
    for nothing in ((4.0, 4.0, 4.0), (None, None, None), (0.0, 0.0, 1.0), (4.0, None, 6.0)):
        assert ratio(*nothing) == set()


# --- addresses -----------------------------------------------------------------------------------


def test_a_long_run_is_packed_and_a_longer_one_has_no_address() -> None:
    room = address.ADDRESS - address._ROOM
    key = "name="
    just = {"name": "x" * (room - len(key))}
    assert address.query(just, {}) == key + "x" * (room - len(key))
    packed = address.query({"name": "x" * (room - len(key) + 1)}, {"minimize": "cost"})
    assert packed is not None
    assert packed.startswith(f"{address.PACKED}=")
    assert packed.endswith("&minimize=cost")
    assert address.read_query(packed) == (
        {"name": "x" * (room - len(key) + 1)},
        {"minimize": "cost"},
    )
    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=4000))
    assert address.query({"name": noise}, {}) is None


def packed(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("####", "the address was cut short or changed"),
        (packed(b"nothing that is packed"), "the address was cut short or changed"),
        (packed(zlib.compress(b"[1]")), "the address was cut short or changed"),
        (packed(zlib.compress(b" " * (BODY + 1))), f"expected {BODY:,} characters at most"),
    ],
)
def test_packed_addresses_that_are_none(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        address._unpacked(text)
    assert caught.value.problems[0].message == said


def test_what_is_said_beside_a_packed_run_is_laid_over_it() -> None:
    text = packed(zlib.compress(json.dumps({"name": "a", "hardware": {"count": 8}}).encode()))
    pairs = [("hardware.count", "4"), (address.PACKED, text), ("name", "b")]
    run, options = address.of_pairs(pairs)
    assert run == {"name": "b", "hardware": {"count": 4}}
    assert options == {}
    assert address.put({"a": 1}, "a.b", 2) == {"a": {"b": 2}}


def test_keys_that_cannot_stand_between_dots_are_a_mapping() -> None:
    run = {"a": {"b.c": 1}, "d": {"e": 1, "f": None}, "g": {}, "config": {"x": 1}, "h": {"": 2}}
    assert list(address._leaves(run)) == [
        ("a", '{"b.c":1}'), ("d.e", "1"), ("g", "{}"), ("config", '{"x":1}'), ("h", '{"":2}'),
    ]  # fmt: skip
    assert [address.text_of(said) for said in ("8", "[a]", '"q"', "word", None)] == [
        '"8"', '"[a]"', '"\\"q\\""', "word", "null",
    ]  # fmt: skip


def test_no_more_fields_than_so_many() -> None:
    fine = "&".join(f"a{n}=1" for n in range(address._FIELDS))
    assert len(address.pairs_of(fine)) == address._FIELDS
    with pytest.raises(InputError, match="fields of text at most"):
        address.pairs_of(f"{fine}&b=1")
    with pytest.raises(InputError, match="characters at most"):
        address.pairs_of("x" * (BODY + 1))
    assert address.pairs_of("x" * BODY) == []


def test_as_many_workers_as_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers.sys, "platform", "darwin")
    for counted, cores in ((6, 6), (None, 1)):
        monkeypatch.setattr(workers.os, "cpu_count", lambda counted=counted: counted)
        assert workers._cores() == cores
    monkeypatch.setattr(workers.sys, "platform", "linux")
    allowed = {0, 3, 5}
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda _: allowed, raising=False)
    assert workers._cores() == 3
