"""The example of a cluster is imported and reported as its page says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fleet_byhand import rows, total

from costcalc.cli import OK, run
from costcalc.fleet.cluster import load
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.month import of_period

EXAMPLE = Path(__file__).parents[2] / "examples" / "fleet"
PAGE = Path(__file__).parents[2] / "docs" / "fleet.md"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for path in EXAMPLE.iterdir():
        shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_month_of_the_example(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fleet", "init"]) == OK
    assert run(["fleet", "import", "slurm", "sacct-2026-10.txt", "--strict"]) == OK
    assert run(["fleet", "report", "--month", "2026-10", "--by", "account,model"]) == OK
    assert "OVER BUDGET" in capsys.readouterr().out
    made_of = load(here / "fleet.yaml")
    with Ledger.open(str(here / "fleet.db")) as ledger:
        made = of_period(ledger, made_of, "2026-10")
        found = rows(ledger)
        figures = made.sums.total.figures
        assert figures["cost"].value == pytest.approx(total(found, "cost"), rel=1e-9)
        assert all(figure.unknown == 0 for figure in figures.values())
        # Jobs and what idled are what the nodes hold, but for the parts of jobs outside the month
        held = sum(one.held for one in made.idle)
        idle = sum(one.device_hours for one in made.idle)
        assert held == pytest.approx((4 * 8 + 2 * 4) * 31 * 24, rel=0.02)
        assert made.sums.total.device_hours == pytest.approx(held - idle, rel=1e-6)
        # A device-hour of the H100 that were bought: 33,000 EUR x 1.08 / 1.08 over 5 years x 0.7
        owned = [row for row in found if row.partition == "h100" and row.account != "guests"]
        hours, energy = total(owned, "device_hours"), total(owned, "energy")
        price = 33_000 / (5 * 8766 * 0.7)
        assert total(owned, "cost") == pytest.approx(hours * price + energy * 0.21, rel=1e-4)


def test_the_page_speaks_of_what_there_is() -> None:
    from typer.main import get_command

    from costcalc.cli.fleet import app
    from costcalc.fleet.cluster import Fleet
    from costcalc.fleet.sources import SOURCES
    from costcalc.fleet.summary import BY

    page = PAGE.read_text(encoding="utf-8")
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for word in commands:
        assert f"fleet {word}" in page, word
    for key in set(Fleet.model_fields) - {"name", "timezone", "ledger", "profiles"}:
        assert f"`{key}`" in page, key
    for source in SOURCES:
        assert f"import {source}" in page, source
    for name in BY:
        assert name in page, name
