"""Records survive the way to a line of JSON and back, and lines of others are refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc.tracking.records import (
    Device,
    Energy,
    Place,
    Record,
    Sample,
    Start,
    from_line,
    to_line,
)

numbers = st.floats(0, 1e18)
words = st.text(max_size=20)
energies = st.builds(
    Energy,
    joules=numbers,
    meter=words,
    basis=st.sampled_from(["measured", "modelled", "assumed"]),
    component=st.sampled_from(["device", "cpu", "memory"]),
)
samples = st.builds(
    Sample,
    time=numbers,
    elapsed=numbers,
    steps=st.integers(0, 10**12),
    tokens=st.none() | numbers,
    energy=st.dictionaries(words, energies, max_size=3),
    status=st.sampled_from(["running", "completed", "exception"]),
    notes=st.lists(words, max_size=2).map(tuple),
)
places = st.builds(
    Place,
    rank=st.integers(0, 10**6),
    node=st.none() | st.integers(0, 99),
    job=words,
    notes=st.lists(words, max_size=2).map(tuple),
)
starts = st.builds(
    Start,
    job=words,
    writer=words,
    time=numbers,
    place=places,
    boot=words,
    host=words,
    devices=st.lists(st.builds(Device, uuid=words, name=words), max_size=3).map(tuple),
    meters=st.lists(words, max_size=3).map(tuple),
)


@given(samples | starts)
def test_a_record_comes_back_from_its_line(record: Record) -> None:
    assert from_line(json.loads(json.dumps(to_line(record)))) == record


def test_keys_of_a_later_version_are_passed_over() -> None:
    line = to_line(Sample(time=1.0, elapsed=2.0)) | {"moon": "full"}
    assert from_line(line) == Sample(time=1.0, elapsed=2.0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({}, "expected a line of kind start, sample or end; got None"),
        ({"kind": "start", "schema": "x/v9"}, "expected costcalc/ledger/v1; got 'x/v9'"),
        (
            {"kind": "sample", "time": 1.0, "elapsed": 1.0, "energy": 3},
            "a line of kind 'sample': energy: Input should be a valid dictionary",
        ),
    ],
)
def test_lines_of_others_are_refused(line: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011  (the text is held below)
        from_line(line)
    assert str(raised.value) == said


def test_what_a_record_does_not_say() -> None:
    """Lines of an earlier version lack keys: a process alone, whole devices, nothing counted."""
    alone = Place(rank=0, local_rank=0, world=1, local_world=None, node=None, nodes=None)
    assert Place() == alone
    assert Device(uuid="a", name="b") == Device(uuid="a", name="b", index=0, share=1.0)
    energy = Energy(joules=1.0, basis="measured", meter="m", component="cpu")
    assert energy.gap == 0.0
    start = Start(job="j", writer="w", time=1.0, place=alone, boot="b", host="h")
    assert (start.interval, start.pid, start.devices, start.run) == (0.0, 0, (), {})
    bare = Sample(time=1.0, elapsed=2.0)
    assert (bare.steps, bare.timed, bare.busy, bare.gaps) == (0, 0, 0.0, 0.0)
    assert (bare.tokens, bare.samples, bare.total_tokens) == (None, None, None)
    assert (bare.status, to_line(bare)["kind"]) == ("running", "sample")
