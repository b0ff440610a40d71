"""Measured power: what is held out, what the range covers, and the label of unmeasured chips."""

from __future__ import annotations

import math

import pytest

from costcalc import energy
from costcalc.catalog import accelerator, host
from costcalc.validate import power
from costcalc.validate.measurements import folds, shipped
from costcalc.validate.score import Point, score


@pytest.fixture(scope="module")
def points() -> list[Point]:
    return power.points()


def test_each_source_has_constants_that_left_it_out(points) -> None:
    assert {p.source for p in points} == set(folds("power")) - {"zeus", "perseus"}
    constants = energy.constants()
    full = {
        f"full.{name}.{unit}": constants["full"][name][unit]
        for name in ("transformer", "convolution") for unit in ("tensor", "vector")
    }  # fmt: skip
    differ = [
        source
        for source, fold in folds("power").items()
        if any(not math.isclose(fold[key], value, rel_tol=1e-2) for key, value in full.items())
    ]
    assert len(differ) >= 3  # leaving a source out changes what is known


def test_a_row_by_hand(points) -> None:
    # ResNet-50 at batch 64 on an A40 (Zeus): utilization 0.1061 is beyond the full one, so that
    # the board draws idle + (limit - idle) x ceiling = 84 + (300 - 84) x ceiling
    (row,) = [p for p in points if p.id == "zeus-a40-resnet50-b64"]
    fold = folds("power")["zeus-a40"]
    assert fold["full.convolution.tensor"] < 0.1061
    by_hand = 84 + (300 - 84) * fold["ceiling.convolution"]
    assert row.predicted == pytest.approx(by_hand)
    low, high = fold["known"]["low"], fold["known"]["high"]
    assert row.low == pytest.approx(max(by_hand * low, 300 * 0.11))
    assert row.high == pytest.approx(min(by_hand * high, 300.0))


def test_the_targets_are_met(points) -> None:
    found = score(points)
    assert found.n >= 79
    assert found.median < 0.12
    assert found.p90 < 0.35
    assert 0.85 <= found.inside <= 0.96


def test_a_team_left_out_whole_is_predicted_worse_and_that_is_shown(points) -> None:
    # without all four devices of Zeus nothing tells how convolutions ramp: as transformers do
    fold = folds("power")["zeus"]
    for unit in ("tensor", "vector"):
        near = fold[f"full.transformer.{unit}"]
        assert fold[f"full.convolution.{unit}"] == pytest.approx(near, rel=0.2)
    strict, usual = score(power.points(teams=True)), score(points)
    assert strict.n == usual.n
    assert strict.p90 > usual.p90
    assert strict.median < 0.12
    others = [p for p in power.points(teams=True) if not p.source.startswith("zeus")]
    assert score(others).median < 0.12


def test_the_rating_is_a_worse_guess(points) -> None:
    assert score(power.rated(points)).median > 2 * score(points).median


def test_a_host_widens_the_range_of_a_system(points) -> None:
    rows = {row["id"]: row for row in shipped("power")}
    for point in points:
        if rows[point.id]["scope"] == "system" and rows[point.id]["accelerator"] != "titan-x":
            assert point.high > point.predicted, point.id
    (node,) = [p for p in points if p.id == "newkirk-h100-node"]
    assert node.low < 969 < node.high


def test_rows_of_unmeasured_kinds_are_not_scored(points) -> None:
    # recommendation has no class of its own: its rows fit nothing and prove nothing
    assert not [p for p in points if p.workload == "recommendation"]
    assert [row for row in shipped("power") if row["workload"] == "recommendation"]


@pytest.mark.parametrize(("chip", "measured"), [("b200-sxm-180", False), ("h100-sxm5-80", True),
                                                ("mi300x", False)])  # fmt: skip
def test_chips_without_measurements_say_so_and_have_a_wider_range(chip, measured) -> None:
    found = accelerator.find(chip)
    board = energy.power_assumptions(found, host.choose(found.id), "decoder", utilization=0.4).board
    known = energy.constants()["held_out"]["known"]
    assert ("not validated" in board.why) is not measured
    low = board.low / board.value
    if measured:
        assert low == pytest.approx(known["low"], rel=1e-6)
    else:
        assert low < known["low"] / 1.2


@pytest.mark.parametrize(("chip", "said"), [
    ("b200", "modelled, not validated: no measured draw of blackwell in training"),
    ("h100", "modelled; 81 % of the time busy, 19 % held up by others"),
])  # fmt: skip
def test_explain_says_which_power_is_not_validated(chip, said, tmp_path, capsys) -> None:
    from costcalc.cli import run

    path = tmp_path / "run.yaml"
    path.write_text(
        "model: {preset: llama-3-8b}\ntraining: {tokens: 15T}\n"
        f"hardware: {{accelerator: {chip}, count: 1024}}\nsite: {{region: FR}}\n"
    )
    assert run(["explain", str(path)]) == 0
    assert said in " ".join(capsys.readouterr().out.split())


def test_nodes_are_predicted_without_their_system() -> None:
    found = {point.id: point for point in power.nodes()}
    assert len(found) == len(shipped("power_nodes")) >= 11
    errors = sorted(abs(p.predicted / p.measured - 1.0) for p in found.values())
    assert errors[len(errors) // 2] < 0.08
    assert errors[-1] < 0.2  # runs of two minutes on 512 devices: half starting and evaluating
    assert all(p.low < p.measured < p.high for p in found.values())
    # the same batch on eight times the devices: they wait for each other, and draw less
    for one, many in (("smc-resnet-8", "smc-resnet-64"), ("smc-lora-8", "smc-lora-64")):
        assert found[many].predicted < 0.95 * found[one].predicted


def test_a_node_of_which_nothing_is_modelled_by_hand() -> None:
    # a busy board: 105 W idle of 700, and the catalogue's 2.2 kW of host a node of 8
    (row,) = [p for p in power.nodes() if p.id == "smc-dlrm-8"]
    fold = power.without("smc")
    idle = accelerator.find("h100-sxm5-80").idle_power.si
    board = idle + (700 - idle) * fold["ceiling"]["other"]
    assert row.predicted == pytest.approx(8 * (board + 2200 / 8))
    assert fold["waiting"]["value"] == 0.17
    assert power.without("olmo")["waiting"]["value"] == energy.constants()["waiting"]["value"]
