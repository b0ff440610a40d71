"""Errors, places in files, draws and units at their edges, each with what it must come to."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from costcalc import InputError
from costcalc.base import numerals, reading, units
from costcalc.base.assumption import Assumption
from costcalc.base.blind import WITHHELD, blinded, nameless, subject
from costcalc.base.document import Document, Mark, dotted
from costcalc.base.errors import (
    MAX_LISTED,
    MissingExtraError,
    Problem,
    listing,
    nearest,
    not_found,
    shown,
)
from costcalc.base.faults import keys_at
from costcalc.base.ranges import DRAWS, _tails, draw, drivers, inverse_normal, normals, percentiles
from costcalc.base.reading import (
    MAX_DIGITS,
    MAX_KEY,
    MAX_NODES,
    MAX_SCALAR,
    read,
    read_file,
    scalar,
)
from costcalc.base.vocabulary import AXES, NARROW, PEAK_KEY, RECOMPUTES, SHARDINGS, WIDE
from costcalc.base.writing import save, to_json, to_yaml

# --- words ---------------------------------------------------------------------------------------


def test_words_that_several_rooms_share() -> None:
    # ZeRO's stages (arXiv:1910.02054): optimizer states, gradients, weights; HSDP in the domain
    assert SHARDINGS == {
        "none": (0, 0), "zero1": (1, 0), "zero2": (2, 0), "zero3": (3, 0), "hsdp": (3, 1),
    }  # fmt: skip
    assert RECOMPUTES == {"none": (0, 0), "selective": (0, 1), "full": (1, 0)}
    assert AXES == ("data", "tensor", "pipeline", "virtual_pipeline", "context", "expert")
    assert (WIDE, NARROW) == (("fp32", "tf32"), ("fp8", "mxfp8", "fp4", "nvfp4"))
    assert PEAK_KEY == {"mxfp8": "fp8", "nvfp4": "fp4"}


# --- errors --------------------------------------------------------------------------------------


def test_problems_are_counted_and_cut() -> None:
    def told(number: int, *files: str) -> list[str]:
        made = [
            Problem(key=f"k{n}", message="m", file=files[n % len(files)]) for n in range(number)
        ]
        return str(InputError(made)).splitlines()

    assert told(1, "f") == ["f: k0: m", "1 problem in f"]
    assert told(2, "f") == ["f: k0: m", "f: k1: m", "2 problems in f"]
    assert told(2, "f", "g") == ["f: k0: m", "g: k1: m"]
    assert len(told(MAX_LISTED, "f")) == MAX_LISTED + 1 == 101
    assert told(MAX_LISTED + 2, "f")[-2:] == ["… and 2 more", "102 problems in f"]
    placed = Problem(key="k", message="m").at("f", 3, None)
    assert str(placed) == "f:3: k: m"
    extra = MissingExtraError("a", "b", "c")
    assert str(extra) == 'a needs b: pip install "costcalc[c]"'


def test_the_nearest_names() -> None:
    known = ["alpha", "alphabet", "beta", "Gamma"]
    assert nearest("alpah", known) == ["alpha", "alphabet"]
    assert nearest("alpah", known, at_most=1) == ["alpha"]
    assert nearest("GAMA", known) == ["Gamma"]
    assert nearest("zzz", known) == []
    assert nearest("x", []) == []
    long = "a" * 200
    assert nearest(long, [long]) == [long]
    assert nearest(long + "a", [long + "a"]) == []
    # as alike: the one that begins in the same way
    assert nearest("us-esat-1", ["us-west-1", "us-east-1"]) == ["us-east-1", "us-west-1"]


def test_lists_of_names_and_what_was_found() -> None:
    assert listing(["a", "b"], at_most=2) == "a, b"
    assert listing(["a", "b", "c"], at_most=2) == "a, b, … (3 in all)"
    assert listing([str(n) for n in range(12)]).endswith("10, 11")
    assert listing([str(n) for n in range(13)]).endswith("11, … (13 in all)")
    assert str(not_found("k", "region", "FRR", ["FR"])) == "k: no region FRR; nearest: FR"
    assert str(not_found("k", "region", "x", ["FR", "DE"])) == "k: no region x; known: FR, DE"
    for value, text in (
        (None, "nothing"), (True, "true"), (False, "false"), ([], "a list"), ((1,), "a list"),
        ({}, "a mapping"), (3, "3"), (1.5, "1.5"), (1e300, "a number out of range"),
        (-1e300, "a number out of range"), (9.9e299, "9.9e+299"), ("x", '"x"'),
        ("x" * 41, f'"{"x" * 41}"'), ("x" * 42, f'"{"x" * 40}…"'),
    ):  # fmt: skip
        assert shown(value) == text


# --- places in files -----------------------------------------------------------------------------


def refused(text: str | bytes) -> Problem:
    with pytest.raises(InputError) as caught:
        read(text, "f")
    return caught.value.problems[0]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        (b"a: 1\nb: 2\nc: \xff", 3, 1, "expected UTF-8 text; got bytes that are none"),
        ("a: 1\n%TAG ! x", 2, 1, "expected plain YAML; got the directive %TAG"),
        ("a: 1\nb:\n\tc: 2", 3, 1, "no YAML: expected spaces to indent; got a tab"),
        ("a: 1\n---\nb: 2", 2, 1, "expected one document; got a second one"),
        ("a: 1\nb: *x", 2, 4, "*x refers to nothing that stands above"),
        ("a: 1\nbc: !!int 3", 2, 5, 'expected a plain value; got the tag "tag:yaml.org,2002:int"'),
        ("a:\n - !x [1]", 2, 4, 'expected a plain value; got the tag "!x"'),
        ("a: 1\n!!int b: 3", 2, 1, 'expected a plain key; got the tag "tag:yaml.org,2002:int"'),
        ("a: 1\n? [x]\n: y", 2, 3, "expected a word as key; got a list, mapping or alias"),
        (f"a: 1\n{'k' * (MAX_KEY + 1)}: 2", 2, 1, f"a key longer than {MAX_KEY} characters"),
        (f"a: 1\nbb: {'v' * (MAX_SCALAR + 1)}", 2, 5,
         f"a value longer than {MAX_SCALAR} characters"),
        ("a: 1\na: 2", 2, 1, "duplicate key; it stands on line 1 already"),
    ],
)  # fmt: skip
def test_faults_at_their_line(text: str | bytes, line: int, column: int, message: str) -> None:
    found = refused(text)
    assert (found.line, found.column, found.message) == (line, column, message)


def test_what_is_as_large_as_may_be_is_read() -> None:
    assert read(f"{'k' * MAX_KEY}: {'v' * MAX_SCALAR}", "f").data
    assert read("[" + ", ".join(["1"] * (MAX_NODES - 1)) + "]", "f").data
    assert refused("[" + ", ".join(["1"] * MAX_NODES) + "]").message.startswith("more than")
    assert isinstance(scalar("9" * MAX_DIGITS), int)
    assert scalar("9" * (MAX_DIGITS + 1)) == "9" * 401
    assert (MAX_DIGITS, MAX_KEY, MAX_NODES, MAX_SCALAR) == (400, 200, 50_000, 100_000)
    assert (reading.MAX_DEPTH, reading.MAX_BYTES) == (100, 4_000_000)
    deep = "[" * 101 + "]" * 101  # a hundred levels below the first
    assert read(deep, "f").data
    assert refused(f"[{deep}]").message.endswith("nested deeper than 100 levels")
    big = b"#" + b"x" * 3_999_999
    assert read(big, "f").data is None
    assert "larger than 4 MB" in refused(big + b"x").message


def test_aliases_count_as_what_they_stand_for() -> None:
    # an anchor of 1000 values and its list, 49 times: 50,000 and more with the keys
    values = ", ".join(["1"] * 999)
    few = "\n".join([f"a: &a [{values}]", *(f"b{n}: *a" for n in range(40))])
    assert len(read(few, "f").data["b39"]) == 999
    many = "\n".join([f"a: &a [{values}]", *(f"b{n}: *a" for n in range(50))])
    assert "aliases expanded" in refused(many).message
    # an alias reaches as deep as what it stands for: 59 levels below its own, which is 1 + k
    inner = "[" * 60 + "]" * 60
    assert read(f"a: &a {inner}\nb: {'[' * 40}*a{']' * 40}", "f").data
    assert "deeper" in refused(f"a: &a {inner}\nb: {'[' * 41}*a{']' * 41}").message


def test_where_a_key_stands() -> None:
    made = read("a:\n  b: 1\nc: [2]\n", "f")
    assert made.mark(("a", "b")) == Mark(2, 6)
    assert made.mark(("a", "b"), at_key=True) == Mark(2, 3)
    assert made.mark(("a", "x")) == Mark(1, 1)
    assert made.mark(("c", 0)) == Mark(3, 5)
    assert made.mark(("x",)) == Mark(1, 1)
    told = made.problem(("a", "b"), "m")
    assert (told.line, told.column, told.key, told.file) == (2, 6, "a.b", "f")
    assert made.problem(("a", "b"), "m", at_key=True).column == 3
    assert Document({}, "f").problem(("a",), "m").line is None
    assert Document({}, "f").mark(("x",)) is None
    assert made.place(("a", "b")) == "f:2:6"
    assert made.place(("a", "x")) is None
    changed = Document({}, "f", changed=(("a",),))
    assert changed.problem(("a", "b"), "m").file == "command line"
    assert changed.problem(("b",), "m").file == "f"
    assert dotted(("stages", 0, "a", "b")) == "stages[0].a.b"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="x: cannot be read: No such file"):
        read_file(tmp_path / "none", "x")
    file = tmp_path / "f.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")  # with a byte order mark
    assert read_file(file).data == {"a": 1}


class _Inner(BaseModel):
    size: int = 1


class _Record(BaseModel):
    inner: _Inner | None = None
    listed: tuple[_Inner, ...] = ()
    free: dict[str, int] = {}


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ((), ["inner", "listed", "free"]),
        (("inner",), ["size"]),
        (("listed", 3), ["size"]),  # of each in a list
        (("free",), []),  # any key is one
        (("inner", "size"), []),
        (("nothing",), []),
    ],
)
def test_keys_that_a_mapping_takes(path: tuple[str | int, ...], keys: list[str]) -> None:
    assert keys_at(_Record, path) == keys


# --- writing -------------------------------------------------------------------------------------


def test_text_as_every_reader_takes_it(tmp_path: Path) -> None:
    assert to_yaml({"é": 1}) == "é: 1\n"
    assert to_yaml({"é": 1}, escape=True) == '"\\xE9": 1\n'
    assert to_yaml({"a": 1}, first_line="# x") == "# x\na: 1\n"
    assert to_yaml({"b": 1, "a": 2}) == "b: 1\na: 2\n"
    assert to_yaml({"commit": "1234e5", "no": "NO"}) == "commit: '1234e5'\n'no': 'NO'\n"
    one = {"x": [1]}
    assert "&" not in to_yaml({"a": one, "b": one})
    assert to_json({"é": "\u2028"}) == '{\n  "é": "\\u2028"\n}'
    assert json.loads(to_json({"x": "\x85"})) == {"x": "\x85"}
    file = tmp_path / "new"
    before = os.umask(0o027)
    try:
        save("x", file)
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o666 & ~0o027
    link = tmp_path / "link"
    link.symlink_to(file)
    save("y", link, force=True)
    assert (file.read_text(), link.is_symlink()) == ("y", True)
    with pytest.raises(InputError, match="cannot be written: it is a folder"):
        save("x", tmp_path, force=True)
    save("x", Path(os.devnull))


# --- draws ---------------------------------------------------------------------------------------


def assumed(value: float, low: float, high: float, key: str = "a") -> Assumption:
    return Assumption(
        key=key, value=value, low=low, high=high, unit="1", basis="default", source="s"
    )


def test_draws_are_two_pieces_of_a_normal_in_logarithms() -> None:
    z = normals("a", 1000)
    made = np.asarray(draw(assumed(10.0, 5.0, 40.0), 1000))
    z95 = NormalDist().inv_cdf(0.95)
    by_hand = [10 * math.exp(x * (math.log(2) if x < 0 else math.log(4)) / z95) for x in z.tolist()]
    np.testing.assert_allclose(made, by_hand, rtol=1e-9)
    assert not made.flags.writeable
    assert not z.flags.writeable
    assert DRAWS == 10_000
    for item in (assumed(1.0, 0.0, 2.0), assumed(-1.0, -2.0, 1.0), assumed(3.0, 3.0, 3.0)):
        assert draw(item) == item.value


def test_a_stream_is_seeded_by_the_name_of_its_key() -> None:
    import hashlib

    seed = int.from_bytes(hashlib.sha256(b"a").digest()[:16], "big")
    raw = np.random.PCG64(seed).random_raw(3)
    # the upper 52 of 64 bits and a half: neither 0 nor 1
    shares = [((int(one) >> 12) + 0.5) / 2**52 for one in raw]
    by_hand = [NormalDist().inv_cdf(share) for share in shares]
    np.testing.assert_allclose(normals("a", 3), by_hand, rtol=1e-8)
    assert float(inverse_normal(np.array([0.5]))[0]) == 0.0


def test_no_draw_is_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ends:
        def __init__(self, seed: int) -> None:
            assert seed

        def random_raw(self, number: int) -> Any:
            return np.array([0, 2**64 - 1], dtype=np.uint64)[:number]

    monkeypatch.setattr(np.random, "PCG64", Ends)
    least, most = normals("a key of this test alone", 2).tolist()
    # half a step of 2⁻⁵² from either end
    assert least == pytest.approx(NormalDist().inv_cdf(2.0**-53))
    assert most == pytest.approx(-least)


@pytest.mark.parametrize("number", [3, 21, 1000, 1001, 1002, 4321])
def test_percentiles_are_those_of_the_sorted_draws(number: int) -> None:
    rng = np.random.default_rng(number)
    for values in (rng.normal(size=number), np.arange(number)[::-1] * 1.0, np.ones(number),
                   np.repeat([1.0, 2.0], [number - 1, 1])):  # fmt: skip
        ordered = sorted(values.tolist())
        at = [round(0.05 * (number - 1)), round(0.95 * (number - 1))]
        assert _tails(values) == (ordered[at[0]], ordered[at[1]])
    assert percentiles(np.array([2.0, 3.0, 4.0]), 9.0) == (2.0, 9.0)


def test_drivers_by_hand() -> None:
    one, two = assumed(1.0, 0.5, 2.0, "a"), assumed(1.0, 0.5, 2.0, "b")
    a, b = np.asarray(draw(one)), np.asarray(draw(two))
    found = drivers({"cost": a * a * b, "alone": a, "none": np.ones(DRAWS)}, [one, two, one])
    by_hand = []
    for name, logs in (("cost", np.log(a * a * b)), ("alone", np.log(a))):
        squares = {key: float(np.corrcoef(logs, normals(key))[0, 1]) ** 2 for key in ("a", "b")}
        by_hand += [
            {"of": name, "key": key, "share": round(share, 4)}
            for key, share in sorted(squares.items(), key=lambda pair: -pair[1])
            if share >= 0.01
        ]
    assert found == by_hand
    assert [item["key"] for item in found] == ["a", "b", "a"]
    many = drivers({"cost": a * b}, [one, two], least=0.9)
    assert many == []
    assert drivers({"cost": -a}, [one]) == []
    assert drivers({"cost": a}, [assumed(1.0, 0.0, 2.0)]) == []


# --- units ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.5k", 1500.0), ("2K", 2000.0), ("3M", 3e6), ("4B", 4e9), ("5T", 5e12), ("6 %", 0.06),
        ("1e3k", 1e6), ("3/4", 0.75), ("-1e-3", -0.001), ("1_0.5", 10.5),
        ("9" * 60, float("9" * 60)),
    ],
)  # fmt: skip
def test_numbers(text: str, value: float) -> None:
    assert numerals.number(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("text", ["9" * 61, "1e400", "2e400/1", "3 X", "1//2", "k", "1e308k"])
def test_no_numbers(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        numerals.number(text)


def test_quantities_at_their_edges() -> None:
    assert units.parse("3", "1") == 3.0
    assert units.parse("50 %", "1") == 0.5
    assert units.parse(f"{'1' * 78} s", "s") == pytest.approx(float("1" * 78))  # 80 characters
    with pytest.raises(InputError, match="expected a time"):
        units.parse(f"{'1' * 79} s", "s")
    with pytest.raises(InputError, match="which is no number in reach"):
        units.parse("1e308 year", "s")
    with pytest.raises(InputError, match="expected a quantity in Hz"):
        units.parse("x", "Hz")
    assert units.unit("W*h").dimension == units.unit("J").dimension
    assert units.unit("W·h").factor == 3600.0
    assert units.unit("B/s/device").dimension == (
        ("device", -1), ("information", 1), ("time", -1),
    )  # fmt: skip
    assert units.unit("J/s").dimension == units.unit("W").dimension
    assert units.name_of(units.unit("FLOP/B").dimension) == "computation*information^-1"
    assert units.unit("horsepower").factor == pytest.approx(745.69987158227022)
    assert units.unit("mile").factor == pytest.approx(1609.344)
    assert units.unit("gallon").factor == pytest.approx(3.785411784)
    with pytest.raises(InputError, match=r'unknown unit "xyz" in "GB/xyz"'):
        units.unit("GB/xyz")


# --- what names somebody -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("ada@example.edu ran it", f"{WITHHELD} ran it"),
        ("8B on node7.cluster.example.edu", f"8B on {WITHHELD}"),
        ("Llama 3 8B, 15T tokens/1024 H100", "Llama 3 8B, 15T tokens/1024 H100"),
    ],
)
def test_text_without_names(text: str, kept: str) -> None:
    assert nameless(text) == kept


def test_a_subject_that_tells_who_wrote_it() -> None:
    made = subject(
        {"paper": "https://arxiv.org/abs/1", "code": "git@example.org:ada/x", "commit": None,
         "models": ["a", "ada@example.edu", 3]}
    )  # fmt: skip
    assert made == {
        "paper": "https://arxiv.org/abs/1", "code": None, "commit": None,
        "models": ["a", WITHHELD, 3],
        "why": "code: tells who wrote it; --identify keeps it",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"model": {"config": "/home/ada/x/config.json"}}, "config.json"),
        ({"model": {"config": "../ada/config.json"}}, "config.json"),
        ({"model": {"config": "C:\\ada\\config.json"}}, "config.json"),
        ({"model": {"config": "config.json"}}, "config.json"),
    ],
)
def test_of_a_path_the_name_of_the_file_is_kept(given: dict[str, Any], kept: str) -> None:
    report = {
        "schema": "s", "name": "n", "run": given, "data": {},
        "warnings": [f"read {given['model']['config']} once"],
    }  # fmt: skip
    made = blinded(report)
    assert made["run"]["model"]["config"] == kept
    assert made["warnings"] == [f"read {kept} once"]
    assert list(made) == list(report)


def test_own_files_of_a_report_are_named_and_not_placed() -> None:
    report = {
        "schema": "s", "name": "ada@example.edu",
        "data": {"/home/ada/mine.yaml": "sha", "costcalc/x.yaml": "y"},
        "run": {"profiles": "/home/ada/profiles", "stages": [{"name": "b on h1.example.org"}]},
    }  # fmt: skip
    made = blinded(report)
    assert "/home/ada" not in json.dumps(made)
    assert made["data"] == {"mine.yaml": "sha", "costcalc/x.yaml": "y"}
    assert made["run"]["stages"] == [{"name": f"b on {WITHHELD}"}]
