"""YAML read strictly, with lines; hostile files refused quickly and by name."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc import InputError
from costcalc.base.document import Document, Mark
from costcalc.base.reading import MAX_DEPTH, read


def refused(text: str | bytes) -> str:
    start = time.perf_counter()
    with pytest.raises(InputError) as caught:
        read(text, "f.yaml")
    assert time.perf_counter() - start < 1.0
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("on", "on"),
        ("yes", "yes"),
        ("3e23", 3e23),
        ("1e-3", 1e-3),
        ("300e9", 3e11),
        ("12:30", "12:30"),
        ("010", "010"),
        ("0x1F", "0x1F"),
        ("null", None),
        ("~", None),
        ("", None),
        ("true", True),
        ("False", False),
        ("15T", "15T"),
        ("2024-01-01", "2024-01-01"),
        ('"3"', "3"),
        ("-7", -7),
        ("+.5", 0.5),
        (".inf", ".inf"),
        ("nan", "nan"),
        ("1_000", "1_000"),
    ],
)
def test_scalars_by_the_core_rules_of_yaml_1_2(text: str, value: object) -> None:
    found = read(f"key: {text}", "f.yaml").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_everything_knows_its_place() -> None:
    found = read("a:\n  b: 1\n  c: [x, {d: 2}]\n", "f.yaml")
    assert found.data == {"a": {"b": 1, "c": ["x", {"d": 2}]}}
    assert found.marks["a", "b"] == Mark(2, 6)
    assert found.marks["a", "c", 1, "d"] == Mark(3, 14)
    assert found.key_marks["a", "c"] == Mark(3, 3)
    assert found.place(("a", "b")) == "f.yaml:2:6"
    assert found.mark(("a", "nothing")) == found.key_marks["a",]


def test_duplicate_keys_are_errors_each_at_its_line() -> None:
    message = ""
    try:
        document: Document | None = read("a: 1\nb:\n  c: 1\n  c: 4\na: 2\n", "f.yaml")
        assert document is not None
        message = "\n".join(str(problem) for problem in document.duplicates)
    except InputError as error:
        message = str(error)
    assert "f.yaml:4:3: b.c: duplicate key; it stands on line 3 already" in message
    assert "f.yaml:5:1: a: duplicate key; it stands on line 1 already" in message


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- "])
def test_depth_is_refused_before_composing(bracket: str) -> None:
    assert f"nested deeper than {MAX_DEPTH} levels" in refused(bracket * 100_000)


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 15):
        name, below = chr(97 + i), chr(96 + i)
        lines.append(f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]")
    assert "alias" in refused("\n".join(lines))


def test_megabytes_of_digits_are_refused() -> None:
    refused("x: " + "9" * 3_000_000)


def test_a_huge_file_is_refused() -> None:
    assert "larger than 4 MB" in refused(b"# " + b"x" * 5_000_000)


def test_bytes_that_are_no_text() -> None:
    assert "f.yaml:2:1: expected UTF-8 text" in refused(b"a: 1\nb: \xff\xfe\n")


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system [true]",
        "a: *nothing",
        "? [x]\n: y",
        "a: [",
        "a: b: c",
        "a: 1\n---\nb: 2",
        "\x00",
        "a: 'x",
    ],
)
def test_what_is_no_plain_yaml_is_refused(text: str) -> None:
    assert "f.yaml" in refused(text)


@given(st.binary(max_size=400))
def test_random_bytes_never_escape(raw: bytes) -> None:
    try:
        read(raw, "f.yaml")
    except InputError:
        return


@given(st.text(alphabet="{}[]:,-&*!|>'\"%@`#?ab1 \n\t", max_size=200))
def test_random_punctuation_never_escapes(text: str) -> None:
    try:
        read(text, "f.yaml")
    except InputError:
        return
