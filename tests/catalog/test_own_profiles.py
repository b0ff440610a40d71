"""A user's own profiles: read as strictly as ours, and found however YAML may be written."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_accelerators import PROFILE

from costcalc.base.errors import InputError
from costcalc.catalog import accelerator, host
from costcalc.catalog.check import check, check_host
from costcalc.catalog.loading import load
from costcalc.cli import run

HOST = """\
id: mine
name: My server
accelerator: h100-sxm5-80
devices: 8  # in one box
default_for:
  - h100-sxm5-80  # and no other
host_power: {value: 300, low: 200, high: 400, unit: W, source: meter}
scale_up_domain: 8
sources:
  meter: {title: A meter at the wall, publisher: me}
"""
RUN = """\
model: {preset: llama-3-8b}
training: {tokens: 1B}
hardware: {accelerator: h100, count: 8}
profiles: own
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "own"
    (folder / "hosts").mkdir(parents=True)
    (tmp_path / "run.yaml").write_text(RUN)
    return folder


def test_a_host_with_comments_is_checked_and_estimated_with(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own / "hosts" / "mine.yaml").write_text(HOST)
    assert run(["hardware", "check", "own/hosts"]) == 0
    assert run(["estimate", "run.yaml"]) == 0
    assert host.choose("h100-sxm5-80", folders=[own]).host.name == "My server"
    assert capsys.readouterr().err == ""


def test_a_faulty_host_ends_an_estimate_with_its_place(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own / "hosts" / "mine.yaml").write_text(HOST.replace("devices: 8", "devices: eight"))
    assert run(["hardware", "check", "own/hosts"]) == 2
    checked = capsys.readouterr().err
    assert run(["estimate", "run.yaml"]) == 2
    estimated = capsys.readouterr().err
    fault = 'own/hosts/mine.yaml:4:10: devices: expected a whole number; got "eight"'
    assert fault in checked
    assert fault in estimated


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("id: mine\n", "id: mine  # ours\n"),
        ("id: mine\n", '"id": "mine"\n'),
        ("id: mine\n", "id:\n  mine\n"),
        ('aliases: [My Chip, "4711"]\n', "aliases:\n- My Chip  # as the driver says\n- '4711'\n"),
        ('aliases: [My Chip, "4711"]\n', 'aliases: [My Chip,\n"4711"]\n'),
    ],
)
def test_an_accelerator_is_found_however_its_names_are_written(
    tmp_path: Path, old: str, new: str
) -> None:
    assert PROFILE.count(old) == 1
    (tmp_path / "other-name.yaml").write_text(PROFILE.replace(old, new))
    for name in ("mine", "my chip", "4711"):
        assert accelerator.find(name, [tmp_path]).name == "Mine 80 GB"


@pytest.mark.parametrize("aliases", ["[Box One]", "[Box One]  # ours", "\n- Box One\n- Other"])
def test_a_host_is_found_however_its_aliases_are_written(own: Path, aliases: str) -> None:
    (own / "hosts" / "mine.yaml").write_text(f"{HOST}aliases: {aliases}\n")
    assert host.find("box one", [own]).id == "mine"


def test_a_host_beside_the_accelerators_is_a_host(own: Path) -> None:
    (own / "mine.yaml").write_text(HOST)
    (own / "card.yaml").write_text(PROFILE.replace("id: mine", "id: card"))
    assert host.find("mine", [own]).devices == 8
    assert accelerator.find("card", [own]).id == "card"


def test_names_of_the_wrong_kind_are_told_and_not_passed_over(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        PROFILE.replace('aliases: [My Chip, "4711"]', "aliases: My Chip")
    )
    with pytest.raises(InputError) as caught:
        accelerator.find("my chip", [tmp_path])
    assert [str(problem) for problem in caught.value.problems] == [
        f'{tmp_path}/mine.yaml:7:10: aliases: expected a list; got "My Chip"'
    ]


@pytest.mark.parametrize("text", ["", "- a list\n", "some words\n"])
def test_a_file_that_is_no_profile_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=r"mine\.yaml(:1:1)?: expected a mapping") as caught:
        accelerator.find("anything", [tmp_path])
    with pytest.raises(InputError) as checked:
        load(tmp_path / "mine.yaml", accelerator.Accelerator)
    assert caught.value.problems == checked.value.problems


def test_faults_of_all_files_are_told_together(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(PROFILE.replace("released: 2024", "released: soon"))
    with pytest.raises(InputError) as caught:
        accelerator.find("h100", [tmp_path])
    assert [str(problem) for problem in caught.value.problems] == [
        f'{tmp_path}/{name}.yaml:6:11: released: expected a whole number; got "soon"'
        for name in ("a", "b")
    ]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(PROFILE)
    assert accelerator.find("mine", [tmp_path]).name == "Mine 80 GB"
    path.write_text(PROFILE.replace("Mine 80 GB", "Mine 96 GiB"))
    assert accelerator.find("mine", [tmp_path]).name == "Mine 96 GiB"


def test_a_price_is_of_a_provider_that_exists(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = PROFILE.replace("provider: aws, devices: 1", "provider: lamda, devices: 1")
    path.write_text(text)
    assert [
        str(problem) for problem in check(load(path, accelerator.Accelerator, "mine.yaml"))
    ] == ["mine.yaml:20:16: prices[2].provider: no provider lamda; did you mean lambda?"]


def test_a_host_is_rented_by_a_provider_that_exists(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{HOST}provider: xyz\n")
    assert [str(problem) for problem in check_host(load(path, host.Host, "mine.yaml"))] == [
        "mine.yaml:11:11: provider: no provider xyz; costcalc/data/providers.yaml lists them"
    ]


def test_a_file_of_the_catalogue_may_not_take_a_name_of_another_and_one_of_ones_own_may(
    own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PROFILE.replace("aliases: [", "aliases: [NVIDIA L40S, ")
    assert text != PROFILE
    (own / "accelerators").mkdir(exist_ok=True)
    path = own / "accelerators" / "mine.yaml"
    path.write_text(text)
    assert run(["hardware", "check", str(path)]) == 0
    monkeypatch.setattr("costcalc.cli.hardware.profiles_root", lambda: own)
    assert run(["hardware", "check", str(path)]) == 2
    line = next(n for n, row in enumerate(text.splitlines(), 1) if row.startswith("aliases"))
    place = f"{path}:{line}:11: aliases[0]"
    assert f'{place}: "NVIDIA L40S" names l40s already' in capsys.readouterr().err
