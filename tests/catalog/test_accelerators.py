"""How profiles are found, read, and refused: whole messages, at their lines."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc.base.errors import InputError, NotFoundError
from costcalc.catalog import accelerator as catalogue
from costcalc.catalog.accelerator import Accelerator, all_accelerators, find
from costcalc.catalog.check import check, check_names, unconfirmed
from costcalc.catalog.files import profiles_root
from costcalc.catalog.loading import KINDS, load
from costcalc.catalog.parts import slice_of
from costcalc.catalog.prices import known as known_prices
from costcalc.cli import run

PROFILE = """\
id: mine
name: Mine 80 GB
vendor: Me
kind: gpu
generation: hopper
released: 2024
aliases: [My Chip, "4711"]
peak:
  tf32: {value: 400, unit: TFLOP/s, source: sheet}
  bf16: {value: 800, unit: TFLOP/s, source: sheet, confirmed_by: other}
  fp8: {value: 1600, unit: TFLOP/s, source: sheet}
memory: {value: 80, unit: GiB, source: sheet}
memory_bandwidth: {value: 3, unit: TB/s, source: sheet, confirmed_by: [other]}
board_power: {value: 0.7, unit: kW, source: sheet}
idle_power: {value: 70, unit: W, source: other}
check: {units: 132, clock_mhz: 1480, flop_per_clock: 4096, precision: bf16, source: other}
prices:
  - {provider: aws, region: r, instance: i, devices: 8, plan: on-demand, value: 2, unit: USD/device_hour, date: 2025-01, source: sheet}
  - {provider: aws, region: r, instance: i, devices: 8, plan: spot, value: 1, unit: USD/device_hour, date: 2025-01, source: sheet}
  - {provider: aws, devices: 1, plan: on-demand, value: 3, unit: USD/device_hour, date: null, source: other}
sources:
  sheet: {title: Sheet, publisher: Me, date: 2024}
  other: {title: Other, publisher: You, checked: 2026-11-21}
"""  # noqa: E501


def written(folder: Path, text: str = PROFILE, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def changed(folder: Path, old: str, new: str) -> list[str]:
    """What is said of the profile with one change, without the folder's path."""
    assert PROFILE.count(old) == 1, "the change must hit one place"
    path = written(folder, PROFILE.replace(old, new))
    try:
        problems = check(load(path, Accelerator, "mine.yaml"))
    except InputError as error:
        problems = list(error.problems)
    return [str(problem) for problem in problems]


# --- reading -------------------------------------------------------------------------------------


def test_a_profile_reads_into_si(tmp_path: Path) -> None:
    mine = load(written(tmp_path), Accelerator)
    assert mine.peak.rates() == {"tf32": 400e12, "bf16": 800e12, "fp8": 1600e12}
    assert mine.memory.si == 80 * 2**30
    assert mine.memory_bandwidth.si == 3e12
    assert mine.board_power is not None
    assert mine.board_power.si == 700.0
    assert mine.unit == "device"
    assert mine.scale_up is None
    assert mine.embodied is None
    assert mine.sources["sheet"].date == "2024"  # a bare year is a number to YAML
    assert check(mine) == []
    assert unconfirmed(mine) == []
    assert mine.digest.startswith("sha256:")
    assert mine.problem(("peak", "bf16"), "").line == 10


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "board_power:",
            "board_pwr:",
            ["mine.yaml:14:1: board_pwr: unknown key; did you mean board_power?"],
            id="unknown key",
        ),
        pytest.param(
            "source: sheet, confirmed_by: other}",
            "sorce: sheet, confirmed_by: other}",
            [
                "mine.yaml:10:3: peak.bf16.source: missing; it has no default",
                "mine.yaml:10:37: peak.bf16.sorce: unknown key; did you mean source?",
            ],
            id="unknown key of a figure",
        ),
        pytest.param(
            "vendor: Me\n", "", ["mine.yaml:1:1: vendor: missing; it has no default"], id="missing"
        ),
        pytest.param(
            "value: 80, unit: GiB",
            "value: 80, unit: W",
            [
                (
                    "mine.yaml:12:9: memory: expected an amount of memory (GB, GiB);"
                    " got W, which is a power"
                )
            ],
            id="another dimension",
        ),
        pytest.param(
            "value: 80, unit: GiB",
            "value: 80, unit: GB/s",
            [
                (
                    "mine.yaml:12:9: memory: expected an amount of memory (GB, GiB);"
                    " got GB/s, which is a bandwidth"
                )
            ],
            id="a bandwidth for an amount",
        ),
        pytest.param(
            "value: 80, unit: GiB",
            "value: -80, unit: GiB",
            ["mine.yaml:12:9: memory: expected more than 0; got -80 GiB"],
            id="negative",
        ),
        pytest.param(
            "value: 70, unit: W",
            "value: seventy, unit: W",
            ['mine.yaml:15:21: idle_power.value: expected a number; got "seventy"'],
            id="no number",
        ),
        pytest.param(
            "kind: gpu",
            "kind: fpga",
            ["mine.yaml:4:7: kind: expected 'gpu', 'tpu', 'asic' or 'cpu'; got \"fpga\""],
            id="no such kind",
        ),
        pytest.param(
            "value: 70, unit: W",
            "value: 70, low: 80, unit: W",
            ["mine.yaml:15:13: idle_power: low 80 is above the value 70"],
            id="low above value",
        ),
        pytest.param(
            "checked: 2026-11-21",
            "checked: today",
            [
                (
                    "mine.yaml:23:50: sources.other.checked: expected text of the form"
                    ' ^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$; got "today"'
                )
            ],
            id="no date",
        ),
    ],
)
def test_what_breaks_the_schema_is_told_at_its_line(
    tmp_path: Path, old: str, new: str, expected: list[str]
) -> None:
    assert changed(tmp_path, old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            "bf16: {value: 800",
            "bf16: {value: 1600",
            [
                (
                    "mine.yaml:10:3: peak.bf16: expected 2 x tf32 on hopper; got 4 x;"
                    " one of them looks like a rate with sparsity"
                ),
                (
                    "mine.yaml:11:3: peak.fp8: expected 2 x bf16 on hopper; got 1 x;"
                    " one of them looks like a rate with sparsity"
                ),
                (
                    "mine.yaml:10:3: peak.bf16: expected 800.2 TFLOP/s (132 units x 1480 MHz x 4096"
                    " FLOP); got 1600, which looks like the rate with sparsity"
                ),
            ],
            id="bf16 with sparsity",
        ),
        pytest.param(
            "fp8: {value: 1600",
            "fp8: {value: 3200",
            [
                (
                    "mine.yaml:11:3: peak.fp8: expected 2 x bf16 on hopper; got 4 x;"
                    " one of them looks like a rate with sparsity"
                )
            ],
            id="fp8 with sparsity",
        ),
        pytest.param(
            "unit: W, source: other",
            "unit: W, source: nobody",
            ["idle_power.source: expected a name from sources; got 'nobody'"],
            id="no such source",
        ),
        pytest.param(
            "confirmed_by: other}",
            "confirmed_by: sheet}",
            ["peak.bf16.confirmed_by: a source cannot confirm itself"],
            id="confirms itself",
        ),
        pytest.param(
            "  other: {title",
            "  third: {title: T, publisher: P}\n  other: {title",
            ["sources.third: no figure uses it"],
            id="unused source",
        ),
        pytest.param(
            "value: 70, unit: W",
            "value: 701, unit: W",
            ["idle_power: above the board power: 701 W > 700 W"],
            id="idle above board power",
        ),
        pytest.param(
            "value: 0.7, unit: kW",
            "value: 70, unit: kW",
            ["board_power: expected 5 W to 25 kW; got 70 kW"],
            id="implausible power",
        ),
        pytest.param(
            "value: 3, unit: TB/s",
            "value: 3, unit: GB/s",
            [
                (
                    "memory_bandwidth: expected the peak over it within 1 and 4000 FLOP a byte;"
                    " got 5.33e+05"
                )
            ],
            id="implausible bandwidth",
        ),
        pytest.param(
            "plan: spot, value: 1,",
            "plan: spot, value: 2.5,",
            ["prices[1].value: spot at 2.5, above on-demand at 2"],
            id="spot above on-demand",
        ),
        pytest.param(
            "plan: spot, value: 1,",
            "plan: spot, value: 700,",
            [
                "prices[1].value: expected 0.01 to 200 USD; got 700",
                "prices[1].value: spot at 700, above on-demand at 2",
            ],
            id="a sentinel for a price",
        ),
        pytest.param(
            "precision: bf16, source",
            "precision: int8, source",
            ["check.precision: peak has no int8"],
            id="second road to nothing",
        ),
    ],
)
def test_what_breaks_a_rule_is_told(
    tmp_path: Path, old: str, new: str, expected: list[str]
) -> None:
    found = changed(tmp_path, old, new)
    assert [text.partition(": ")[2] for text in found] == [
        text.partition(": ")[2] if text.startswith("mine.yaml:") else text for text in expected
    ]


def test_every_problem_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    text = PROFILE.replace("kind: gpu", "kind: fpga").replace("vendor: Me\n", "")
    with pytest.raises(InputError) as caught:
        load(written(tmp_path, text), Accelerator, "mine.yaml")
    assert str(caught.value).splitlines()[-1] == "2 problems in mine.yaml"


def test_a_wrong_second_road_is_no_agreement(tmp_path: Path) -> None:
    assert changed(tmp_path, "clock_mhz: 1480", "clock_mhz: 1600") != []
    assert changed(tmp_path, "clock_mhz: 1480", "clock_mhz: 1500") == []  # within 3 %


def test_a_figure_on_one_source_alone_is_unconfirmed(tmp_path: Path) -> None:
    text = PROFILE.replace(", confirmed_by: [other]", "")
    assert unconfirmed(load(written(tmp_path, text), Accelerator)) == ["memory_bandwidth"]


def test_two_profiles_cannot_share_a_name(tmp_path: Path) -> None:
    mine = load(written(tmp_path), Accelerator, "mine.yaml")
    text = PROFILE.replace("id: mine", "id: yours").replace("My Chip", "MY  chip")
    yours = load(written(tmp_path, text, "yours.yaml"), Accelerator, "yours.yaml")
    assert [str(problem) for problem in check_names([mine, yours])] == [
        'yours.yaml:7:11: aliases[0]: "MY  chip" names mine already',
        'yours.yaml:7:21: aliases[1]: "4711" names mine already',
    ]


# --- finding -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["h100-sxm5-80", "H100", " nvidia  H100 80GB hbm3 "])
def test_names_are_exact_but_for_case_and_spaces(name: str) -> None:
    assert find(name).id == "h100-sxm5-80"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("RTX A1001", id="holds A100"),
        pytest.param("NVIDIA A1", id="begins A100"),
        pytest.param("H100 80GB HBM3 (rev 2)", id="holds a name"),
        pytest.param("RTX 3090 Laptop", id="another chip"),
        pytest.param("../accelerators/h100-sxm5-80", id="a path"),
        pytest.param("h100-sxm5-80.yaml", id="a file"),
        pytest.param("", id="nothing"),
    ],
)
def test_nothing_is_matched_by_a_part_of_its_name(name: str) -> None:
    with pytest.raises(NotFoundError):
        find(name)


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(NotFoundError) as caught:
        find("h100-sxm5-8")
    assert str(caught.value) == (
        "hardware.accelerator: no accelerator h100-sxm5-8; nearest: h100-sxm5-80,"
        " h100-sxm5-64, h100-sxm5-94, h100-sxm5-96; costcalc hardware list has them"
        " all; profiles: takes a folder with one of your own"
    )


def test_a_users_profile_wins(tmp_path: Path) -> None:
    text = PROFILE.replace("id: mine", "id: h100-sxm5-80")
    written(tmp_path, text, "h100-sxm5-80.yaml")
    assert find("h100-sxm5-80", [tmp_path]).name == "Mine 80 GB"
    assert find("my chip", [tmp_path]).name == "Mine 80 GB"
    assert find("4711", [tmp_path]).name == "Mine 80 GB"
    assert find("h100-sxm5-80").name == "NVIDIA H100 SXM5 80 GB"
    assert find("4090", [tmp_path]).id == "rtx-4090"
    everything = {profile.id: profile for profile in all_accelerators([tmp_path])}
    assert everything["h100-sxm5-80"].name == "Mine 80 GB"
    assert len(everything) == len(all_accelerators())


def test_of_two_folders_the_earlier_wins(tmp_path: Path) -> None:
    for number in (1, 2):
        folder = tmp_path / str(number) / "accelerators"  # laid out as ours
        folder.mkdir(parents=True)
        written(folder, PROFILE.replace("Mine 80 GB", f"Mine {number}"))
    assert find("mine", [tmp_path / "2", tmp_path / "1"]).name == "Mine 2"


def test_an_unknown_name_counts_the_users_own_among_the_nearest(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(NotFoundError, match="nearest: mine"):
        find("my chips", [tmp_path])


def test_a_broken_profile_beside_is_told_at_its_line(tmp_path: Path) -> None:
    written(tmp_path, PROFILE.replace("name: Mine 80 GB", "name: [Mine"), "broken.yaml")
    with pytest.raises(InputError) as caught:
        find("something", [tmp_path])
    assert caught.value.problems[0].line is not None
    assert "broken.yaml" in str(caught.value)


def test_names_are_read_wherever_they_stand_in_a_file(tmp_path: Path) -> None:
    lines = PROFILE.splitlines(keepends=True)
    alias = next(line for line in lines if line.startswith("aliases"))
    lines.remove(alias)
    text = "".join(lines) + "# the names\naliases:\n# first\n- My Chip\n\n- '4711'\n"
    written(tmp_path, text)
    assert find("My Chip", [tmp_path]).aliases == ("My Chip", "4711")


def test_a_zipped_package_finds_its_profiles(tmp_path: Path) -> None:
    package = Path(catalogue.__file__).resolve().parents[1]
    archive = tmp_path / "costcalc.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        for path in package.rglob("*"):
            if path.suffix in (".py", ".yaml", ".json"):
                bundle.write(path, Path("costcalc") / path.relative_to(package))
        for kind in KINDS:
            for path in (profiles_root() / kind).iterdir():
                bundle.writestr(f"costcalc/hardware_profiles/{kind}/{path.name}", path.read_bytes())
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from costcalc.catalog.accelerator import find, __file__ as here;"
        "assert sys.argv[1] in here, here;"
        "print(find('h100-sxm5-80').id, find('4090').id)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(archive)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.stdout.split() == ["h100-sxm5-80", "rtx-4090"], done.stderr


# --- TPU slices ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Google Cloud TPU docs: names of v2, v3, v4, v5p count TensorCores, two a chip
        ("v2-8", ("tpu-v2", 4)),
        ("v3-32", ("tpu-v3", 16)),
        ("v4-128", ("tpu-v4", 64)),
        ("v5p-128", ("tpu-v5p", 64)),
        ("TPU v4-8", ("tpu-v4", 4)),
        # and of v5e and v6e count chips
        ("v5litepod-16", ("tpu-v5e", 16)),
        ("v5e-16", ("tpu-v5e", 16)),
        ("v6e-16", ("tpu-v6e", 16)),
        ("tpu-v6e-256", ("tpu-v6e", 256)),
        # no slices
        ("v4", None),
        ("v4-7", None),
        ("v4-0", None),
        ("v1-8", None),
        ("v4-8-extra", None),
        ("h100", None),
        ("tpu-v4", None),
        ("v4-1000000000", None),
        ("v4-٨", None),
        ("", None),
    ],
)
def test_slices(name: str, expected: tuple[str, int] | None) -> None:
    assert slice_of(name) == expected


@given(st.integers(min_value=1, max_value=100_000))
def test_a_slice_of_cores_has_half_as_many_chips(chips: int) -> None:
    for version in ("2", "3", "4", "5p"):
        assert slice_of(f"v{version}-{2 * chips}") == (f"tpu-v{version}", chips)
    for version in ("5e", "6e"):
        assert slice_of(f"v{version}-{chips}") == (f"tpu-v{version}", chips)


@given(st.text(max_size=30))
def test_no_text_breaks_the_search(text: str) -> None:
    try:
        profile = find(text)
    except NotFoundError:
        return
    letters = {*filter(str.isalnum, f"{profile.id}{profile.name}{profile.aliases}nvidia".lower())}
    assert {*filter(str.isalnum, text.lower())} <= letters or slice_of(text) is not None


def test_a_slice_finds_its_chip() -> None:
    assert find("v5litepod-16").id == "tpu-v5e"


# --- prices --------------------------------------------------------------------------------------


def test_prices_are_chosen_by_all_that_is_given(tmp_path: Path) -> None:
    mine = load(written(tmp_path), Accelerator)
    assert [price.value for price in known_prices(mine)] == [2, 1, 3]  # dated first
    assert [price.value for price in known_prices(mine, plan="on-demand")] == [2, 3]
    assert [price.value for price in known_prices(mine, "aws", "r", "spot")] == [1]
    assert known_prices(mine, "aws", "elsewhere") == []
    assert known_prices(mine, "nobody") == []


# --- the command line ----------------------------------------------------------------------------


def test_hardware_list_names_every_profile(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hardware", "list"]) == 0
    out = capsys.readouterr().out
    for profile in all_accelerators():
        assert profile.id in out


def test_hardware_show_tells_unit_figures_and_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hardware", "show", "AMD Instinct MI250X"]) == 0
    out = capsys.readouterr().out
    assert "count is in: module of 2 GCD; software sees 2 GCD in each" in out
    assert "https://www.amd.com/en/products/accelerators/instinct/mi200/mi250x.html" in out
    row = next(line for line in out.splitlines() if line.startswith("peak.bf16"))
    assert row.split()[1:3] == ["383", "TFLOP/s"]


def test_hardware_show_as_json_is_the_profile(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    assert run(["hardware", "show", "t4", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["id"] == "t4"
    assert data["board_power"]["value"] == 70
    assert data["file"] == "hardware_profiles/accelerators/t4.yaml"


def test_hardware_list_as_json_is_in_si(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    assert run(["hardware", "list", "--json"]) == 0
    found = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert found["a100-sxm4-80"]["peak_flop_per_s"]["bf16"] == 312e12
    assert found["a100-sxm4-80"]["memory_bytes"] == 80 * 2**30


def test_hardware_check_passes_a_good_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["hardware", "check", str(written(tmp_path))]) == 0
    assert capsys.readouterr().out == "1 profile checked: no problems\n"


def test_hardware_check_refuses_with_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, PROFILE.replace("fp8: {value: 1600", "fp8: {value: 3200"), "x.yaml")
    assert run(["hardware", "check", str(path)]) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.splitlines() == [
        f"{path}:1:5: id: expected the file to be named mine.yaml, as its id says; got x.yaml",
        (
            f"{path}:11:8: peak.fp8: expected 2 x bf16 on hopper; got 4 x;"
            " one of them looks like a rate with sparsity"
        ),
        f"2 problems in {path}",
    ]


def test_hardware_check_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hardware", "check", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"no profile (*.yaml) in {tmp_path}\n"
    assert run(["hardware", "check", str(tmp_path / "none.yaml")]) == 2
    assert "cannot be read: No such file or directory" in capsys.readouterr().err


def test_hardware_show_of_an_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["hardware", "show", "h10000"]) == 2
    assert "no accelerator h10000; nearest: h100" in capsys.readouterr().err
