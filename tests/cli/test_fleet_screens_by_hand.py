"""What is printed of a fleet, a job that runs and a submission; who may see a ledger."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from costcalc.base.errors import InputError
from costcalc.cli import diff, fleet_screen, following, layout, run, sbatch, serve, wrapping
from costcalc.fleet.sums import Figure, Group


def printed(made: Any) -> list[str]:
    console = Console(file=io.StringIO(), width=160, color_system=None)
    console.print(made)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return [line.rstrip() for line in text.splitlines()]


def group(key: str, jobs: int) -> Group:
    figures = {name: Figure(2.0, 2.0, 2.0) for name in ("cost", "energy", "carbon_total")}
    return Group(key=(key,), jobs=jobs, device_hours=4.0, figures=figures)


def month(number: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in ("tables", "grids", "idles"):
        monkeypatch.setattr(fleet_screen, name, lambda _: [])
    for name in ("budgets", "unknowns"):
        monkeypatch.setattr(fleet_screen, name, lambda _: [])
    monkeypatch.setattr(fleet_screen, "wastes", lambda *_: [("failed", "1 job")])
    groups = [group(f"a{n}", n + 1) for n in range(number)]
    return SimpleNamespace(
        name="mine", over=SimpleNamespace(name="2026-10"), currency="USD",
        limits=["to the 5th"],
        sums=SimpleNamespace(groups=groups, by=("account",), total=group("", 6)),
    )  # fmt: skip


def test_a_period_on_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(fleet_screen.drawn(month(3, monkeypatch), 2))
    assert lines[:2] == ["mine, 2026-10", "to the 5th"]
    assert lines[2].split() == [
        "account", "jobs", "device-hours", "cost", "energy", "CO2e", "metered", "trained", "wasted",
    ]  # fmt: skip
    rows = [line.split() for line in lines[3:] if line]
    assert [row[0] for row in rows[:3]] == ["a0", "a1", "all"]
    assert (rows[0][1], rows[2][1]) == ("1", "6")
    assert "  and 1 more" in lines
    assert lines[-2:] == ["For nothing", "  failed  1 job"]
    whole = printed(fleet_screen.drawn(month(3, monkeypatch)))
    assert not any("more" in line for line in whole)
    assert not any("more" in line for line in printed(fleet_screen.drawn(month(3, monkeypatch), 3)))


def test_a_table_of_two_keys_says_all_below_the_first() -> None:
    made = fleet_screen._table(("account", "user"), ("jobs",), [(("a", "b"), ("1",))], ("2",))
    lines = [line.split() for line in printed(made) if line]
    assert lines == [["account", "user", "jobs"], ["a", "b", "1"], ["all", "2"]]


def seen(**more: Any) -> Any:
    rows = [SimpleNamespace(label="energy", now="1 kWh", end="", before=""),
            SimpleNamespace(label="cost", now="2 USD", end="", before="")]  # fmt: skip
    for name, value in more.items():
        setattr(rows[1], name, value)
    return SimpleNamespace(rows=rows, notes=["a note"], status="running, 1 h")


def test_columns_of_a_running_job_are_those_that_have_something() -> None:
    lines = printed(following.drawn(seen()))
    assert lines[0] == "running, 1 h"
    assert (lines[1].split(), lines[2].split()) == (["so", "far"], ["energy", "1", "kWh"])
    assert lines[-1] == "note: a note"
    assert printed(following.drawn(seen(end="4 USD")))[1].split() == [
        "so", "far", "at", "the", "end",
    ]  # fmt: skip
    both = printed(following.drawn(seen(end="4 USD", before="3 USD")))
    assert both[1].split() == ["so", "far", "at", "the", "end", "predicted", "so", "far"]
    assert both[3].split() == ["cost", "2", "USD", "4", "USD", "3", "USD"]


# --- words of commands ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("cost=10%", ("cost", 0.1)), ("time=0", ("time", 0.0)), ("carbon=2", ("carbon", 2.0)),
        ("energy=999999", ("energy", 999_999.0)),
    ],
)  # fmt: skip
def test_by_how_much_a_figure_may_grow(text: str, policy: tuple[str, float]) -> None:
    assert diff._policy(text) == policy


@pytest.mark.parametrize("text", ["water=1", "cost=-1", "cost=x", "cost=1000000", "cost=1/0"])
def test_shares_that_are_none(text: str) -> None:
    with pytest.raises(InputError) as caught:
        diff._policy(text)
    assert str(caught.value) == (
        f"--fail-over: expected one of cost, time, energy, carbon and a share, such as cost=10%; "
        f'got "{text}"'
    )


def test_a_limit_of_money_is_in_the_ledgers() -> None:
    dollars: Any = SimpleNamespace(currency="USD", rate=None)
    euros: Any = SimpleNamespace(currency="EUR", rate=SimpleNamespace(currency="EUR", usd=1.25))
    assert sbatch._money("10 USD", dollars) == 10.0
    assert sbatch._money("1500 EUR", euros) == 1500.0
    assert sbatch._money("10 USD", euros) == 8.0  # 10 USD over 1.25 USD/EUR
    with pytest.raises(InputError, match=r"expected USD, as fleet\.yaml has it; got EUR"):
        sbatch._money("10 EUR", dollars)
    with pytest.raises(InputError, match="--max-cost"):
        sbatch._money("ten", dollars)
    for name in (None, "-"):
        with pytest.raises(InputError, match="SCRIPT: expected a batch script in a file"):
            sbatch._script(name)


def test_processes_are_counted_in_words() -> None:
    assert [wrapping._processes(n) for n in (0, 1, 2)] == [
        "0 processes",
        "1 process",
        "2 processes",
    ]


def test_layouts_as_plain_data() -> None:
    one = run_layout()
    found: Any = SimpleNamespace(walked=9, fitting=4, fits=True, why="", best=[one])
    made = layout._plain(found)
    assert (made["walked"], made["fitting"], made["fits"]) == (9, 4, True)
    (told,) = made["layouts"]  # type: ignore[misc]
    assert (told["step_time"], told["memory_per_device"]) == (2.5, 3.0)  # GiB
    assert told["breakdown"] == {"compute": 2.5}
    assert "tensor" in told


def run_layout() -> Any:
    from costcalc.throughput.layout import Layout

    return SimpleNamespace(layout=Layout(), seconds=2.5, memory=3 * 2**30,
                           breakdown={"compute": 2.5})  # fmt: skip


# --- who may see a ledger ------------------------------------------------------------------------


def test_without_a_ledger_nobody_is_asked() -> None:
    assert serve._served(None, None, None, None, "127.0.0.1") == (None, None)
    for name, said in (("--token-file", {"token_file": "x"}), ("--user-header", {"header": "x"})):
        asked: Any = {"token_file": None, "header": None, **said}
        with pytest.raises(InputError) as caught:
            serve._served(None, None, asked["token_file"], asked["header"], "127.0.0.1")
        assert str(caught.value) == f"{name}: goes with --ledger: the calculator asks nobody"


@pytest.mark.parametrize(
    ("token", "header", "of_door", "how"),
    [
        ("abc", None, "abc", "password, of any user: abc"),
        (None, "X-User", None, "whom the proxy names in X-User"),
        (None, "X-User", "abc", "whom the proxy names in X-User and the token"),
        (None, None, "abc", "whoever has the token, as a password of any user"),
    ],
)
def test_what_is_said_of_who_may_see_it(
    token: str | None, header: str | None, of_door: str | None, how: str
) -> None:
    served: Any = SimpleNamespace(door=SimpleNamespace(header=header, token=of_door))
    assert serve._entry(served, token, "http://x") == f"the fleet: http://x/fleet  ({how})"


def test_a_dry_run_submits_nothing(
    tmp_path: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "job.sh"
    script.write_text(
        "#!/bin/bash\n#SBATCH --partition=gpu --time=2:00:00 --gres=gpu:h100:4 -N 1\ntrue\n"
    )
    config = tmp_path / "fleet.yaml"
    config.write_text(
        "site: {region: DE, pue: 1.2, grid: 350 gCO2e/kWh}\nprice: {device_hour: 2 USD}\n"
        "partitions: {gpu: {accelerator: h100-sxm5-80, per_node: 8, nodes: 2}}\n"
    )
    monkeypatch.setattr(sbatch.os, "execv", lambda *_: pytest.fail("it was submitted"))
    words = ["sbatch", "--fleet", str(config), "--dry-run"]
    assert run([*words, str(script)]) == 0
    told = capsys.readouterr().err
    # 4 devices for 2 h at 2 USD
    assert "costcalc: asks for 4 × h100-sxm5-80, 2.00 hours" in told
    assert "can cost at most: 16.0 USD" in told
    assert run([*words, "--max-cost", "16USD", str(script)]) == 0
    capsys.readouterr()
    assert run([*words, "--max-cost", "15USD", str(script)]) == 3
    assert "costcalc: not submitted: --max-cost: 16.0 USD at most are more than 15.0 USD" in (
        capsys.readouterr().err
    )
