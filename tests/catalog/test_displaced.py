"""A profile of one's own in the place of one that ships: what it says otherwise is told."""

from __future__ import annotations

from pathlib import Path

import pytest

import costcalc
from costcalc.catalog.displaced import displaced
from costcalc.report import verify

SHIPPED = Path(__file__).parents[2] / "hardware_profiles" / "accelerators" / "h100-sxm5-80.yaml"
TEXT = SHIPPED.read_text(encoding="utf-8")
HALF = TEXT.replace("board_power: {value: 700,", "board_power: {value: 350,")
TOLD = (
    "profiles: h100-sxm5-80 is one of your own, in the place of costcalc's h100-sxm5-80; other "
    "there: board_power"
)


def run(folder: Path, text: str, name: str = "h100-sxm5-80") -> costcalc.Estimate:
    own = folder / "own" / "accelerators"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(text, encoding="utf-8")
    path = folder / "run.yaml"
    path.write_text(
        "model: {preset: gpt2}\ntraining: {tokens: 1B}\nprofiles: ./own\n"
        f"hardware: {{accelerator: {name}, count: 8}}\n",
        encoding="utf-8",
    )
    return costcalc.estimate(path)


def told(made: costcalc.Estimate) -> list[str]:
    return [note for note in made.to_dict()["warnings"] if note.startswith("profiles: ")]


def test_another_power_under_the_same_name_is_told_and_cannot_be_taken_out(tmp_path: Path) -> None:
    assert HALF != TEXT
    made = run(tmp_path, HALF)
    assert told(made) == [TOLD]
    report = made.save(tmp_path / "report.yaml")
    assert verify(report).holds
    from costcalc.base.document import Document
    from costcalc.base.writing import digest
    from costcalc.report.check import verified

    forged = made.to_dict()
    forged["warnings"] = [note for note in forged["warnings"] if note != TOLD]
    forged["digest"] = digest(forged)
    assert not verified(Document(forged, "r")).holds


@pytest.mark.parametrize(
    "text",
    [
        TEXT,  # a copy
        TEXT.replace("source: datasheet", "source: nvidia-smi"),  # who says it
    ],
)
def test_a_copy_is_not(text: str, tmp_path: Path) -> None:
    assert told(run(tmp_path, text)) == []


def test_a_device_of_another_name_is_not(tmp_path: Path) -> None:
    other = HALF.replace("id: h100-sxm5-80", "id: my-card", 1)
    other = other.replace(next(x for x in HALF.splitlines() if x.startswith("name:")), "name: Mine")
    other = "\n".join(x for x in other.splitlines() if not x.startswith("aliases:")) + "\n"
    assert told(run(tmp_path, other, "my-card")) == []


def test_the_name_alone_is_enough(tmp_path: Path) -> None:
    other = HALF.replace("id: h100-sxm5-80", "id: my-card", 1)
    (line,) = told(run(tmp_path, other, "my-card"))
    assert line.startswith("profiles: my-card is one of your own, in the place of costcalc's h100-")


def test_what_ships_is_never() -> None:
    from costcalc.catalog import accelerator, host

    assert list(displaced(accelerator.find("h100"), host.choose("h100-sxm5-80").host)) == []
