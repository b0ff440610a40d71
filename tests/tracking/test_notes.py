"""Notes are told once a kind, and never fill a disk."""

from __future__ import annotations

from costcalc.tracking.notes import LENGTH, MOST, Notes, kind


def test_one_of_each_kind_in_order() -> None:
    notes = Notes()
    for number in range(10_000):
        notes.add(f"log failed: <Conn object at {hex(number * 4096)}> to 10.0.0.{number} is gone")
        notes.add(f"request 4f3a-{number:08x} timed out")
    assert list(notes) == [
        "log failed: <Conn object at 0x0> to 10.0.0.0 is gone",
        "request 4f3a-00000000 timed out",
    ]
    assert "request 4f3a-00000000 timed out" in notes
    assert "request" not in notes


def test_kinds_are_bounded_and_long_ones_are_cut() -> None:
    notes = Notes()
    words = ["".join(chr(ord("g") + int(digit)) for digit in f"{n:03d}") for n in range(200)]
    for word in words:
        notes.add(word + " " + "x" * 10_000)
    found = list(notes)
    assert len(found) == MOST + 1
    assert found[-1] == f"more than {MOST} kinds of notes: the others are not kept"
    assert all(len(text) <= LENGTH for text in found)
    assert found[0].endswith("…")


def test_words_tell_kinds_apart() -> None:
    assert kind("NVML failed") != kind("RAPL failed")
