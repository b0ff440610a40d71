"""The data of decide: credited, sourced, and in the shape that their schemas say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import costcalc
from costcalc.catalog.region_table import table
from costcalc.decide.history import earlier, landmarks, points

DATA = Path(costcalc.__file__).parent / "data"
FILES = ("trends.yaml", "purses.yaml", "scaling_laws.yaml")


@pytest.mark.parametrize("name", FILES)
def test_files_keep_to_their_schemas(name):
    jsonschema = pytest.importorskip("jsonschema")
    first = (DATA / name).read_text(encoding="utf-8").splitlines()[0]
    stem = name.removesuffix(".yaml")
    assert first == f"# yaml-language-server: $schema=schemas/{stem}.schema.json"
    schema = json.loads((DATA / "schemas" / f"{stem}.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(dict(table(name).data), schema)


def test_laws_name_their_sources():
    data = table("scaling_laws.yaml").data
    used = {row["source"] for row in (*data["laws"], data["centre"])}
    assert used == set(data["sources"])


def test_epoch_is_credited():
    head = (DATA / "landmarks.csv").read_text(encoding="utf-8")[:600]
    for word in ("Epoch AI", "CC BY 4.0", "https://epoch.ai/data", "Changes:"):
        assert word in head


def test_every_landmark_has_a_source_and_a_kind():
    known = landmarks()
    assert len(known) == 494  # 469, less 5 withdrawn, and 30 new
    assert len(earlier()) == 469
    zero = {one.name: one.flop for one in earlier()}["AlphaGo Zero"]
    now = {one.name: one.flop for one in known}["AlphaGo Zero"]
    assert (zero, now) == (3.41e23, 6.4944e20)  # with self-play, and without
    assert {one.kind for one in known} == {
        "academia",
        "industry",
        "academia+industry",
        "government",
        "other",
    }
    for one in known:
        assert one.url.startswith("http")
        assert one.flop > 0


def test_every_point_says_what_it_counts_and_where_it_stands():
    for point in points():
        assert point.quantity in ("network_operations_flop", "hardware_burden_peak_flop")
        assert point.url.startswith("https://github.com/")
        assert 0 < point.error < 1
        assert point.flop > 0


def test_burden_is_peak_times_time():
    # Krizhevsky et al. 2012: two GTX 580 of 1.58 TFLOP/s for 5.5 days
    burden = 2 * 1.58e12 * 5.5 * 86_400
    found = [
        p.flop
        for p in points()
        if p.model == "AlexNet"
        and p.benchmark == "ImageNet"
        and p.quantity == "hardware_burden_peak_flop"
    ]
    assert any(flop == pytest.approx(burden, rel=0.1) for flop in found)
