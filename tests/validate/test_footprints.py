"""Published energy, CO2e and hardware shares, by hand and through the calculator."""

from __future__ import annotations

import pytest

from costcalc.calculator import calculate as calculator
from costcalc.calculator import formulas as pipeline
from costcalc.validate import footprints
from costcalc.validate import rounding as rounded
from costcalc.validate.measurements import shipped
from costcalc.validate.score import score


@pytest.fixture(scope="module")
def points():
    return footprints.points()


# name, figure, printed, what follows by hand from the printed inputs
BY_HAND = [
    # Strubell et al. 2019, table 3 and equations 1 and 2: 1.58 x 12 h x 1415.78 W; x 0.954 lb/kWh
    ("strubell-transformer-base", "energy", 27.0, 1.58 * 12 * 1415.78 / 1000),  # 26.84 kWh
    ("strubell-transformer-base", "CO2e", 26 * 0.45359237, 26.8432 * 0.954 * 0.45359237),
    ("strubell-bert-base", "energy", 1507.0, 1.58 * 79 * 12041.51 / 1000),  # 1,503 kWh
    ("strubell-nas", "energy", 656_347.0, 1.58 * 274_120 * 1515.43 / 1000),  # 656,347 kWh
    ("strubell-nas", "CO2e", 626_155 * 0.45359237, 656_347.3 * 0.954 * 0.45359237),  # 284 t
    # Patterson et al. 2021, table 4: chips x days x 24 x W x PUE; x kg/kWh
    ("patterson-t5", "energy", 85_700.0, 512 * 20 * 24 * 310 * 1.12 / 1000),  # 85,328 kWh
    ("patterson-t5", "CO2e", 46_700.0, 85_327.9 * 0.545),  # 46.5 t
    ("patterson-meena", "CO2e", 96_400.0, 1024 * 30 * 24 * 289 * 1.09 / 1000 * 0.415),  # 96.4 t
    ("patterson-switch", "CO2e", 72_200.0, 1024 * 27 * 24 * 245 * 1.10 / 1000 * 0.403),  # gross
    ("patterson-switch-net", "CO2e", 59_100.0, 1024 * 27 * 24 * 245 * 1.10 / 1000 * 0.330),
    ("patterson-gpt-3", "energy", 1_287_000.0, 10_000 * 14.8 * 24 * 330 * 1.10 / 1000),  # 1,289 MWh
    ("patterson-gpt-3", "CO2e", 552_100.0, 1_289_376.0 * 0.429),  # 553 t
    ("patterson-big-p100-us", "CO2e", 135.7, 8 * 84 * 296 * 1.59 / 1000 * 0.429),  # 135.7 kg
    # LLaMA, table 15: GPU-hours x 400 W x 1.1 x 0.385 kg/kWh
    ("llama-65b", "energy", 449_000.0, 1_022_362 * 0.4 * 1.1),  # 449.8 MWh
    ("llama-65b", "CO2e", 173_000.0, 449_839.3 * 0.385),  # 173.2 t
    ("llama-2-70b", "CO2e", 291_420.0, 1_720_320 * 0.4 * 1.1 * 0.385),  # 291.42 t
    # BLOOM: 1,082,990 h x 400 W = 433,196 kWh, x 57 g = 24.69 t; idle 256,646 kWh = 14.6 t
    ("bloom", "energy", 433_196.0, 1_082_990 * 0.4),
    ("bloom", "CO2e", 24_690.0, 433_196 * 0.057),
    ("bloom-idle", "CO2e", 14_600.0, 256_646 * 0.057),
    # (150 kg a GPU + 2,500 kg a server of 8) over 6 years of 8,760 h at 85 %: 10.35 g an hour
    ("bloom-embodied", "embodied CO2e", 11_200.0, 1_082_990 * 462.5 / (6 * 8760 * 0.85)),  # 11.2 t
    ("olmo-embodied", "embodied CO2e", 22_000.0, 1.65e6 * 463 / (4 * 8760)),  # 21.8 t
    # OLMo 2 7B: 131 MWh of GPUs x 1.2 x 0.332 = 52.2 t
    ("olmo-2-7b", "CO2e", 52_000.0, 131_000 * 1.2 * 0.332),
    # the card whose 7.0M hours and 12.9 t do not belong together: 7.0M x 700 W x 0.414 = 2,029 t
    ("llama-3.3-70b", "CO2e", 12_900.0, 7.0e6 * 0.7 * 0.4140),
]


@pytest.mark.parametrize(("name", "figure", "published", "by_hand"), BY_HAND)
def test_a_published_figure_by_hand(points, name, figure, published, by_hand) -> None:
    (found,) = [p for p in points if p.id == name and p.workload == figure]
    assert found.measured == pytest.approx(published, rel=1e-9)
    assert found.predicted == pytest.approx(by_hand, rel=1e-4)


def test_all_but_those_that_cannot_follow_from_their_parts_do(points) -> None:
    assert {(p.id, p.workload) for p in points if not p.inside} == {
        ("llama-3.3-70b", "CO2e"),
        ("olmo-2-13b", "energy"),  # 257 MWh over the PUE rather than times it
        ("olmo-dev-13b", "CO2e"),
    }
    assert score(points).median < 0.005


def test_the_table_would_show_a_pipeline_that_is_wrong(monkeypatch) -> None:
    right = score(footprints.points())

    def energy(energy_it, pue):  # PUE counted twice
        return energy_it * pue * pue

    twice = [energy if figure is pipeline.energy else figure for figure in pipeline.FIGURES]
    monkeypatch.setattr(pipeline, "FIGURES", tuple(twice))
    assert calculator.estimate(footprints.run_of(shipped("footprints")[0]), ranges=False)
    found = footprints.points()
    wrong = score(found)
    assert right.inside > 0.95
    assert wrong.inside < 0.5
    assert wrong.median > 0.05
    # Strubell: 1.58 twice is 58 % too much
    (base,) = [p for p in found if p.id == "strubell-transformer-base" and p.workload == "energy"]
    assert base.error == pytest.approx(26.8432 * 1.58 / 27 - 1, rel=1e-4)
    assert not base.inside


def test_a_pound_taken_for_a_kilogram_would_show() -> None:
    row = dict(shipped("footprints")[0])
    assert row["grid_unit"] == "lb"
    made = calculator.estimate(footprints.run_of(row), ranges=False).results
    wrong = calculator.estimate(footprints.run_of({**row, "grid_unit": "kg"}), ranges=False).results
    ratio = wrong["carbon_operational"].value / made["carbon_operational"].value
    assert ratio == pytest.approx(1 / 0.45359237)


def test_rows_say_how_their_power_came_about(points) -> None:
    rows = shipped("footprints")
    assert {row["power"] for row in rows} == {"measured", "rated", "assumed"}
    for row in rows:
        # a rating is a round number of watts; nobody may count it as measured
        if row["power"] == "measured" and row["power_w"]:
            assert float(row["power_w"]) not in {250.0, 300.0, 400.0, 700.0}, row["id"]
        assert row["url"].startswith("https://")
        assert len(row["note"]) > 5 or row["note"] == "As above"
        assert row["grid_from"] in {"", "stated", "LLaMA's", "the card's total"}
    kinds = {p.kind for p in points}
    assert kinds == {*footprints.KINDS.values(), "embodied CO2e"}
    rated = {p.id for p in points if "rating" in p.kind}
    assert {"llama-65b", "bloom", "llama-3.1-405b"} <= rated
    assert not rated & {p.id for p in points if p.kind == footprints.KINDS["measured"]}


def test_identifiers_are_unique_and_most_rows_were_looked_up() -> None:
    for name in ("footprints", "embodied", "costs"):
        rows = shipped(name)
        assert len({row["id"] for row in rows}) == len(rows)
        assert sum(bool(row["checked"]) for row in rows) > 0.8 * len(rows)


def test_the_card_whose_factor_comes_from_its_own_total() -> None:
    # 11,390 t over 39.3M hours of 700 W; 240 t over 830k; 584 t over 2.02M; 1,999 t over 7.38M
    rows = {row["id"]: row for row in shipped("footprints")}
    for name, tonnes, hours in [
        ("llama-3.1-405b", 11_390, 39.3e6), ("llama-3.2-1b", 240, 830e3),
        ("llama-3.2-vision-90b", 584, 2.02e6), ("llama-4-scout", 1_999, 7.38e6),
    ]:  # fmt: skip
        assert float(rows[name]["grid"]) == pytest.approx(tonnes / hours / 0.7 * 1e3, rel=5e-4)


# --- printed numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value", "rounding"),
    [
        ("27", 27.0, 0.5 / 27),
        ("0.027", 0.027, 0.0005 / 0.027),
        ("3.1 d", 74.4, 0.05 / 3.1),
        ("7.0M", 7.0e6, 0.05 / 7.0),
        ("355 y", 355 * 8760.0, 0.5 / 355),
    ],
)
def test_printed_numbers(text: str, value: float, rounding: float) -> None:
    found = rounded.read(text)
    assert found.value == pytest.approx(value)
    assert found.rounding == pytest.approx(rounding)


def test_what_rounding_cannot_explain_is_two_per_cent_at_most() -> None:
    exact = rounded.Printed(value=1.0, rounding=0.0)
    assert rounded.tolerance(exact) == 0.02
    assert rounded.tolerance(exact, rounded.Printed(value=1.0, rounding=0.05), None) == 0.05
