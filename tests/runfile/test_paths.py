"""What a run file names on the disk, and what of it lies outside of a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from costcalc.base.reading import read
from costcalc.runfile.paths import named, outside


def test_every_key_that_names_a_file() -> None:
    run = {
        "model": {"config": "a"}, "profiles": "b", "defaults": "c",
        "hardware": {"calibration": "d"}, "training": {"teacher": {"config": "e"}},
        "stages": [{"model": {"config": "f"}}, "no stage"],
    }  # fmt: skip
    assert sorted(path for _, path in named(run)) == ["a", "b", "c", "d", "e", "f"]
    # a config that stands in the run file itself names nothing
    assert list(named({"model": {"config": {"model_type": "llama"}}, "stages": None})) == []
    assert list(named([])) == []


@pytest.mark.parametrize(
    ("path", "bad"),
    [("lab.yaml", False), ("../lab.yaml", False), ("../../lab.yaml", True), ("/etc/passwd", True),
     ("link.yaml", True), ("a\0b", True), ("x" * 300, False)],
)  # fmt: skip
def test_outside_of_a_folder(path: str, bad: bool, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "runs").mkdir(parents=True)
    (tmp_path / "secret.yaml").write_text("price: {}\n")
    (root / "runs" / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    document = read("defaults: x\n", "run.yaml")
    document.data["defaults"] = path
    found = outside(document, root / "runs", root)
    assert [p.key for p in found] == ["defaults"] * bad
    if path == "../../lab.yaml":
        assert str(found[0]) == (
            "run.yaml:1:11: defaults: expected a path within the folder of the run files; "
            'got "../../lab.yaml"'
        )


def test_what_the_defaults_name(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("profiles: /etc\n")
    document = read("defaults: lab.yaml\n", "run.yaml")
    assert [p.file for p in outside(document, tmp_path, tmp_path)] == [str(tmp_path / "lab.yaml")]
    (tmp_path / "lab.yaml").write_text("price: [\n")
    assert outside(document, tmp_path, tmp_path) == []  # told where it is loaded
