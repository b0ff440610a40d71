"""The exporter: names, units, bounded labels; scraped by a real Prometheus, its dashboard and rules
asked of it."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("prometheus_client")
from fleet_byhand import FLEET, cluster, dump, imported, line, memory, read_dump
from prometheus_client import start_http_server
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import event

from costcalc.cli import OK, WRONG_USE, run
from costcalc.fleet.counting import MOST_ACCOUNTS
from costcalc.fleet.exporting import registry
from costcalc.fleet.ledger import Ledger, LedgerError
from costcalc.fleet.shipped import text
from costcalc.fleet.taking import take

BUDGETED = (
    FLEET + "budgets: [{account: chemistry, cost: 10 USD}, {period: year, carbon: 1 tCO2e}]\n"
)


def samples(ledger: Ledger, of: str = BUDGETED) -> dict[str, dict[tuple[str, ...], float]]:
    from prometheus_client import generate_latest

    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(
        generate_latest(registry(ledger, cluster(of))).decode()
    ):
        for one in family.samples:
            found.setdefault(one.name, {})[tuple(v for _, v in sorted(one.labels.items()))] = (
                one.value
            )
    return found


def test_values_by_hand() -> None:
    with memory() as ledger:
        imported(
            ledger,
            cluster(),
            line(JobID="1", ConsumedEnergyRaw="18000000"),
            line(JobID="2", State="FAILED", AllocTRES="cpu=4,node=1"),
        )
        found = samples(ledger)
    assert found["costcalc_ledger_up"][()] == 1.0
    assert found["costcalc_job_cost_usd_total"]["chemistry", "gpu"] == pytest.approx(16.0)
    # 5 kWh x 1.2
    assert found["costcalc_job_energy_joules_total"]["chemistry", "gpu"] == pytest.approx(6 * 3.6e6)
    assert found["costcalc_ledger_energy_joules"]["chemistry", "measured", "gpu"] == pytest.approx(
        6 * 3.6e6
    )
    assert found["costcalc_job_device_seconds_total"]["chemistry", "gpu"] == 28_800.0
    assert found["costcalc_ledger_device_seconds"]["chemistry", "gpu", "completed"] == 28_800.0
    assert found["costcalc_jobs_total"]["chemistry", "gpu"] == 2.0
    assert found["costcalc_ledger_jobs"]["chemistry", "gpu", "failed"] == 1.0
    assert found["costcalc_ledger_jobs_unpriced"]["chemistry", "gpu"] == 1.0
    assert found["costcalc_budget_used_ratio"]["chemistry", "month", "cost"] == pytest.approx(1.6)
    carbon = found["costcalc_job_carbon_gco2e_total"]["chemistry", "gpu"]
    assert found["costcalc_budget_used_ratio"]["(all)", "year", "carbon"] == pytest.approx(
        carbon / 1e6
    )
    # to noon UTC of October 5: 14:00 in Berlin, 4 days 14 h of 31 days and an hour
    assert found["costcalc_budget_elapsed_ratio"]["chemistry", "month", "cost"] == pytest.approx(
        (4 * 24 + 14) / (31 * 24 + 1)
    )


def test_budgets_are_those_of_the_month_that_was_asked_for() -> None:
    """The last job ended in October; one that was asked on November 4 knows of none since."""
    until = datetime(2026, 11, 3, 23, tzinfo=UTC).timestamp()  # midnight in Berlin: three days
    with memory() as ledger:
        take(ledger, cluster(), read_dump(line()), source="slurm", name="x", until=until)
        found = samples(ledger)
    of = ("chemistry", "month", "cost")
    assert found["costcalc_budget_used_ratio"][of] == 0.0
    assert found["costcalc_budget_elapsed_ratio"][of] == pytest.approx(3 / 30)


def test_what_meters_of_boards_saw_is_measured_alone() -> None:
    boards = FLEET.replace("plugin: exclusive}", "plugin: boards}", 1)
    with memory() as ledger:
        # 4 boards of 500 W for 2 h: 4 kWh of 6.2 with the host's part, 7.44 with the PUE of 1.2
        imported(ledger, cluster(boards), line(ConsumedEnergyRaw=str(4 * 500 * 7200)))
        energy = samples(ledger)["costcalc_ledger_energy_joules"]
    assert energy["chemistry", "measured", "gpu"] == pytest.approx(7.44 * 3.6e6 * 4.0 / 6.2)
    assert energy["chemistry", "modelled", "gpu"] == pytest.approx(7.44 * 3.6e6 * 2.2 / 6.2)


def test_a_budget_of_which_nothing_is_known_yet_has_no_forecast() -> None:
    until = datetime(2026, 10, 31, 23, tzinfo=UTC).timestamp()  # midnight in Berlin
    with memory() as ledger:
        take(ledger, cluster(), read_dump(line()), source="slurm", name="x", until=until)
        found = samples(ledger)
    of = ("chemistry", "month", "cost")
    assert found["costcalc_budget_elapsed_ratio"][of] == 0.0
    assert of not in found["costcalc_budget_forecast_ratio"]


def test_names_end_in_base_units() -> None:
    with memory() as ledger:
        imported(ledger, cluster(), line())
        names = set(samples(ledger))
    allowed = ("_total", "_ratio", "_seconds", "_info", "_up")
    gauges = {n.removeprefix("costcalc_ledger_") for n in names if not n.endswith(allowed)}
    assert gauges == {
        "jobs", "jobs_unpriced", "energy_joules", "cost_usd", "carbon_gco2e", "water_liters",
    }  # fmt: skip
    assert all(name.startswith("costcalc_") for name in names)
    assert not any(word in name for name in names for word in ("kwh", "hours", "kg", "percent"))


def test_labels_are_bounded() -> None:
    with memory() as ledger:
        lines = [
            line(JobID=str(n), Account=f"a{n}", User=f"u{n}", ElapsedRaw=str(3600 + n))
            for n in range(MOST_ACCOUNTS + 50)
        ]
        imported(ledger, cluster(), *lines)
        found = samples(ledger, FLEET)
    accounts = {labels[0] for labels in found["costcalc_job_cost_usd_total"]}
    assert len(accounts) == MOST_ACCOUNTS + 1
    assert "(other)" in accounts
    assert "a0" not in accounts  # it used least
    whole = sum(2 * 4 * (3600 + n) / 3600 for n in range(MOST_ACCOUNTS + 50))
    assert sum(found["costcalc_job_cost_usd_total"].values()) == pytest.approx(whole)


def test_a_database_that_went_away_is_said(tmp_path: Path) -> None:
    with Ledger.open(str(tmp_path / "a.db"), create=True) as ledger:
        imported(ledger, cluster(), line())
        held = registry(ledger, cluster())
        for path in tmp_path.iterdir():
            path.unlink()
        ledger.close()
        from prometheus_client import generate_latest

        said = generate_latest(held).decode()
    assert "costcalc_ledger_up 0.0" in said
    assert "costcalc_jobs_total" not in said


def test_why_a_database_does_not_answer_is_logged_once(tmp_path: Path) -> None:
    from prometheus_client import generate_latest

    path, away, said = tmp_path / "a.db", tmp_path / "away.db", list[str]()
    with Ledger.open(str(path), create=True) as ledger:
        held = registry(ledger, cluster(), said.append)
        steps = (lambda: None, lambda: path.rename(away), lambda: path.write_text(""), path.unlink)
        for change in (*steps, lambda: away.rename(path)):
            change()
            for _ in range(3):  # scrapes
                generate_latest(held)
    down, gone = "costcalc_ledger_up is 0: ", "the ledger's file is gone: was it moved away?"
    no_ledger = "another file was put in its place, which is no ledger of this version"
    shown = f"sqlite:///{path}: ledger: "
    assert said == [
        f"{down}{shown}{gone}",
        f"{down}{shown}{no_ledger}",
        "costcalc_ledger_up is 1: the ledger answers again",
    ]


def test_a_ledger_put_in_the_place_of_another_is_the_one_that_is_read(tmp_path: Path) -> None:
    """16 USD of one job; then a ledger of two; then none; then a file that is no ledger."""
    from prometheus_client import generate_latest

    path = tmp_path / "a.db"

    def cost() -> str:
        lines = generate_latest(held).decode().splitlines()
        wanted = "costcalc_ledger_up ", "costcalc_ledger_cost_usd{"
        return " ".join(one.rpartition(" ")[2] for one in lines if one.startswith(wanted))

    with Ledger.open(str(path), create=True) as ledger:
        imported(ledger, cluster(), line())
        held = registry(ledger, cluster())
        assert cost() == "1.0 16.0"
        with Ledger.open(str(tmp_path / "b.db"), create=True) as other:
            imported(other, cluster(), line(), line(JobID="2"))
        (tmp_path / "b.db").replace(path)
        assert [cost(), cost()] == ["1.0 32.0", "1.0 32.0"]
        path.rename(tmp_path / "away.db")
        assert cost() == "0.0"
        assert not path.exists()  # and no empty one is made there
        path.write_text("")
        with pytest.raises(LedgerError, match="no ledger of this version"), ledger.reading():
            pass
        assert cost() == "0.0"
        path.unlink()
        (tmp_path / "away.db").rename(path)
        assert cost() == "1.0 32.0"


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("fleet.yaml").write_text(BUDGETED)
    Path("s.txt").write_text("\n".join(dump(line())))
    assert run(["fleet", "init"]) == OK
    assert run(["fleet", "import", "slurm", "s.txt"]) == OK
    assert run(["fleet", "export", "--once"]) == OK
    assert (
        'costcalc_job_cost_usd_total{account="chemistry",partition="gpu"} 16.0'
        in capsys.readouterr().out
    )
    assert run(["fleet", "export", "--file", "grafana.json"]) == OK
    assert json.loads(capsys.readouterr().out)["title"]
    assert run(["fleet", "export", "--file", "grafna.json"]) == WRONG_USE
    assert "did you mean grafana.json?" in capsys.readouterr().err
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        assert run(["fleet", "export", "--port", str(port)]) == WRONG_USE
    assert f"--port: cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err
    assert run(["fleet", "top", "--rows", "1"]) == OK
    assert "chemistry" in capsys.readouterr().out


# --- a real Prometheus ---------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@contextmanager
def scraping(ledger: Ledger, folder: Path) -> Iterator[str]:
    """The URL of a Prometheus that scrapes a ledger each second."""
    if not shutil.which("prometheus"):
        pytest.skip("no prometheus here")
    (folder / "alerts.yml").write_text(text("alerts.yml").replace("for: 10m", "for: 0s"))
    own, port = free_port(), free_port()
    server, thread = start_http_server(
        own, addr="127.0.0.1", registry=registry(ledger, cluster(BUDGETED))
    )
    (folder / "p.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        "rule_files: [alerts.yml]\n"
        "scrape_configs:\n"
        f"  - {{job_name: fleet, static_configs: [{{targets: ['127.0.0.1:{own}']}}]}}\n"
    )
    process = subprocess.Popen(
        ["prometheus", f"--config.file={folder}/p.yml", f"--storage.tsdb.path={folder}/data",
         f"--web.listen-address=127.0.0.1:{port}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        seen(url, "count_over_time(costcalc_ledger_up[5m]) >= 4")
        yield url
    finally:
        process.terminate()
        process.wait()
        server.shutdown()
        thread.join()
        server.server_close()


def seen(url: str, query: str) -> None:
    """Wait until a query has an answer."""
    for _ in range(300):
        try:
            if ask(url, query):
                return
        except OSError:
            pass
        time.sleep(0.1)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("scraped")
    with Ledger.open(str(folder / "fleet.db"), create=True) as ledger:
        imported(
            ledger,
            cluster(),
            line(JobID="1", ConsumedEnergyRaw="18000000"),
            line(JobID="2", Account="physics", State="FAILED"),
        )
        with scraping(ledger, folder) as url:
            yield url


def ask(url: str, query: str, path: str = "query") -> list[dict[str, Any]]:
    words = urllib.parse.urlencode({"query": query})
    with urllib.request.urlopen(f"{url}/api/v1/{path}?{words}", timeout=10) as answer:
        data = json.load(answer)
    assert data["status"] == "success"
    return list(data["data"]["result"])


def filled(expression: str) -> str:
    """A query as Grafana sends it."""
    for name, value in (("$account", ".*"), ("$__range", "30d"), ("$__rate_interval", "1m")):
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


QUERIES = [
    (panel["title"], target["expr"])
    for panel in json.loads(text("grafana.json"))["panels"]
    for target in panel["targets"]
]


@pytest.mark.frameworks
@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[f"{t}" for t, _ in QUERIES])
def test_each_query_of_the_dashboard_answers(scraped: str, title: str, query: str) -> None:
    assert ask(scraped, filled(query)), title


@pytest.mark.frameworks
def test_what_the_panels_show_is_what_the_ledger_says(scraped: str) -> None:
    by_title = dict(QUERIES)
    (energy,) = ask(scraped, filled(by_title["Energy in the range"]))
    (metered,) = ask(scraped, filled(by_title["Share of the energy that was metered"]))
    (money,) = ask(scraped, filled(by_title["Money in the range"]))
    assert float(money["value"][1]) == pytest.approx(16.0 + 8.0)
    assert float(energy["value"][1]) > 6 * 3.6e6
    assert 0 < float(metered["value"][1]) < 1


@pytest.mark.frameworks
def test_rules_are_valid_and_the_budget_fires(scraped: str, tmp_path: Path) -> None:
    path = tmp_path / "alerts.yml"
    path.write_text(text("alerts.yml"))
    said = subprocess.run(
        ["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    for _ in range(100):
        found = ask(scraped, 'ALERTS{alertname="BudgetUsed",alertstate="firing"}')
        if found:
            break
        time.sleep(0.1)
    assert [one["metric"]["account"] for one in found] == ["chemistry"]


@pytest.mark.frameworks
def test_the_metrics_keep_to_the_conventions(scraped: str) -> None:
    with memory() as ledger:
        imported(ledger, cluster(), line())
        from prometheus_client import generate_latest

        said = subprocess.run(
            ["promtool", "check", "metrics"],
            input=generate_latest(registry(ledger, cluster(BUDGETED))),
            capture_output=True,
            check=False,
        )
    assert (said.returncode, said.stderr.decode()) == (0, "")


def test_what_is_known_of_no_job_has_no_series() -> None:
    from prometheus_client import generate_latest

    with memory() as ledger:
        imported(ledger, cluster(), line(Partition="new", AllocTRES="gres/gpu=2,node=1"))
        text = generate_latest(registry(ledger, cluster())).decode()
    told = [one for one in text.splitlines() if 'partition="new"' in one]
    assert [one.partition("{")[0] for one in told] == [
        "costcalc_jobs_total", "costcalc_job_device_seconds_total", "costcalc_ledger_jobs",
        "costcalc_ledger_device_seconds", "costcalc_ledger_jobs_unpriced",
    ]  # fmt: skip


# --- what a correction takes back ----------------------------------------------------------------

COUNTERS = (
    "costcalc_jobs_total", "costcalc_job_device_seconds_total", "costcalc_job_energy_joules_total",
    "costcalc_job_cost_usd_total", "costcalc_job_carbon_gco2e_total",
    "costcalc_job_water_liters_total", "costcalc_import_refused_rows_total",
)  # fmt: skip


def test_a_counter_waits_until_a_correction_is_made_up_for() -> None:
    """8 device-hours at 2 USD are 16; corrected to 4 h they are 8, and 12 h more make 32."""
    with memory() as ledger:
        shown = []
        for lines in (
            [line(JobID="1")],
            [line(JobID="1", ElapsedRaw="3600")],
            [line(JobID="2", ElapsedRaw="3600")],
            [line(JobID="3", ElapsedRaw="7200")],
        ):
            imported(ledger, cluster(), *lines)
            found = samples(ledger)
            shown.append(
                tuple(
                    found[name]["chemistry", "gpu"]
                    for name in ("costcalc_ledger_cost_usd", "costcalc_job_cost_usd_total")
                )
            )
    assert shown == [(16.0, 16.0), (8.0, 16.0), (16.0, 16.0), (32.0, 32.0)]


def test_who_may_only_read_sees_the_counters(tmp_path: Path) -> None:
    """An import has raised them: a scrape writes nothing, also after a correction."""
    file = tmp_path / "fleet.db"
    with Ledger.open(str(file), create=True) as ledger:
        imported(ledger, cluster(), line())
        imported(ledger, cluster(), line(ElapsedRaw="3600"))
    with Ledger.open(str(file)) as ledger:

        @event.listens_for(ledger.engine, "before_cursor_execute")
        def _(*told: Any) -> None:
            assert told[2].split()[0] in ("SELECT", "PRAGMA"), told[2]

        assert samples(ledger)["costcalc_job_cost_usd_total"] == {("chemistry", "gpu"): 16.0}


def test_no_counter_falls_whatever_is_corrected() -> None:
    """Other accounts, states, meters, months and hours of forty jobs, in an order made by hand."""
    corrections = [
        {"State": "FAILED"}, {"Account": "physics"}, {"ConsumedEnergyRaw": "9000000"},
        {"ElapsedRaw": "600"}, {"Partition": "old"}, {"Account": ""},
        {"Submit": "2026-11-05T09:00:00", "Start": "2026-11-05T10:00:00"}, {"AllocTRES": "cpu=1"},
    ]  # fmt: skip
    before: dict[str, dict[tuple[str, ...], float]] = {}
    with memory() as ledger:
        for number in range(40):
            for cells in ({}, corrections[number % 8], corrections[(3 * number + 1) % 8]):
                imported(ledger, cluster(), line(JobID=str(number % 5), **cells))
                found = samples(ledger)
                for name in COUNTERS:
                    for labels, value in before.get(name, {}).items():
                        assert found[name][labels] >= value, (number, cells, name, labels)
                before = found


def test_an_account_that_grows_stays_among_the_others() -> None:
    with memory() as ledger:
        imported(ledger, cluster(), *[
            line(JobID=str(n), Account=f"a{n:03}") for n in range(MOST_ACCOUNTS + 1)
        ])  # fmt: skip
        first = samples(ledger)["costcalc_job_cost_usd_total"]
        assert first["(other)", "gpu"] == 16.0  # of a100, the last by name
        imported(ledger, cluster(), *[line(JobID=f"500{n}", Account="a100") for n in range(9)])
        found = samples(ledger)
    assert found["costcalc_job_cost_usd_total"]["(other)", "gpu"] == 160.0
    assert found["costcalc_ledger_cost_usd"]["a100", "gpu"] == 160.0
    assert found["costcalc_ledger_cost_usd"]["(other)", "gpu"] == 16.0


def test_a_month_whose_last_row_moved_away_is_not_counted_twice() -> None:
    with memory() as ledger:
        imported(ledger, cluster(), line())
        assert samples(ledger)["costcalc_ledger_jobs"] == {("chemistry", "gpu", "completed"): 1.0}
        imported(ledger, cluster(), line(End="2026-11-01T12:00:00"))
        assert samples(ledger)["costcalc_ledger_jobs"] == {("chemistry", "gpu", "completed"): 1.0}


def test_no_query_takes_what_may_fall_for_a_counter() -> None:
    """increase(), rate(), irate() and resets() are of counters; an exporter has these alone."""
    rules = text("alerts.yml")
    for query in (*(query for _, query in QUERIES), *rules.splitlines()):
        for found in re.finditer(r"\b(?:increase|rate|irate|resets)\(([^{[(]*)", query):
            assert found[1] in COUNTERS, query


@pytest.mark.frameworks
def test_a_real_prometheus_sees_no_energy_that_nobody_used(tmp_path: Path) -> None:
    """5 kWh x 1.2 corrected to 4 x 1.2: as a counter that fell it was 4.8 kWh more."""
    file = str(tmp_path / "fleet.db")
    with Ledger.open(file, create=True) as ledger:
        imported(ledger, cluster(), line(ConsumedEnergyRaw="18000000"))
        with scraping(ledger, tmp_path) as url:
            imported(ledger, cluster(), line(ConsumedEnergyRaw="14400000"))
            seen(url, f"costcalc_ledger_energy_joules < {5 * 3.6e6}")
            (now,) = ask(url, "costcalc_ledger_energy_joules")
            assert float(now["value"][1]) == pytest.approx(4.8 * 3.6e6)
            (more,) = ask(url, "increase(costcalc_job_energy_joules_total[1m])")
            assert float(more["value"][1]) == 0.0
            (again,) = ask(url, "resets(costcalc_job_energy_joules_total[1m])")
            assert float(again["value"][1]) == 0.0
