"""A host by its processors' name: which row of a table it is, and what its sockets come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from costcalc.tracking import named_host
from costcalc.tracking.named_host import by_name, memory, model_name, rated

TABLE = [
    ("AMD EPYC 7763", 280.0),
    ("AMD EPYC 776", 99.0),
    ("Intel Xeon E5-2680 v4", 120.0),
    ("Intel Xeon E5-2680", 130.0),
    ("Intel Core i7-8700", 65.0),
    ("Intel Core i7-8700K", 95.0),
    ("Twice 9", 10.0),
    ("9 twice", 20.0),
    ("Xeon", 5.0),
]


@pytest.mark.parametrize(
    ("name", "watts"),
    [
        ("AMD EPYC 7763 64-Core Processor", 280.0),
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", 120.0),
        ("Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz", 65.0),
        ("Twice 9", None),  # two rows, which disagree
        ("Intel(R) Xeon(R) Processor", None),  # a virtual machine names no model
        ("", None),
    ],
)
def test_the_row_of_a_name(name: str, watts: float | None) -> None:
    assert rated(name, TABLE) == watts


def test_watts_are_those_of_all_sockets_and_go_with_the_cube_of_the_load(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """2 × 280 W: at rest a tenth, 56 W; at half load 56 + 504 / 8 = 119 W."""
    said = tmp_path / "cpuinfo"
    said.write_text(
        "".join(f"model name\t: AMD EPYC 7763\nphysical id\t: {n % 2}\n" for n in range(4))
    )
    monkeypatch.setattr(named_host, "_CPUINFO", said)
    monkeypatch.setattr(named_host, "_listed", lambda: iter(TABLE))
    found = by_name(model_name())
    assert [found.cpu[load] for load in (0, 50, 100)] == pytest.approx([56.0, 119.0, 560.0])
    assert found.why == "2 × 280 W by CodeCarbon's table"


def test_a_name_that_no_row_has_is_taken_by_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_host, "_listed", lambda: iter(()))
    monkeypatch.setattr("os.cpu_count", lambda: 96)
    found = by_name("Intel(R) Xeon(R) Processor")
    assert found.cpu[100] == 384.0
    assert found.why == "96 threads of 4 W: its table does not list it"


def test_a_table_that_is_not_there_leaves_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_host.importlib.util, "find_spec", lambda _: None)
    assert by_name("AMD EPYC 7763").why.endswith("its table does not list it")


def test_codecarbons_table_is_read_without_it() -> None:
    assert dict(named_host._listed())["AMD EPYC 7763"] == 280.0


@pytest.mark.parametrize(
    ("size", "watts"),
    [
        (1.0, 10.0),  # two modules of 5 W at the least
        (8.0, 10.0),
        (16.0, 10.0),
        (17.0, 20.0),
        (64.0, 20.0),
        (65.0, 38.0),  # 8: 4 × 5 + 4 × 4.5
        (128.0, 38.0),
        (192.0, 54.0),  # 12 of 16: 38 + 4 × 4
        (256.0, 38.0),  # 8 of 32
        (503.0, 70.0),  # 16 of 32: 38 + 8 × 4
        (512.0, 38.0),  # 8 of 64
        (1007.0, 70.0),  # 16 of 64
        (3072.0, 98.0),  # 24 of 128: 70 + 8 × 3.5
        (9000.0, 126.0),  # 32 at the most: 70 + 16 × 3.5
    ],
)
def test_memory_by_its_size(monkeypatch: pytest.MonkeyPatch, size: float, watts: float) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert memory(size) == pytest.approx(watts)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert memory(size) == pytest.approx(watts * 1.5 / 5)
