"""Commands run on files made here: what they print, write and exit with."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

import costcalc
from costcalc.base.reading import read_file
from costcalc.catalog.files import data_root
from costcalc.cli import run, when, wrapping
from costcalc.decide.series import Series
from costcalc.decide.waiting import Begun
from costcalc.tracking.ledger import Writer
from costcalc.tracking.records import Energy, Place, Sample, Start

RUN = {
    "name": "small",
    "measured": {"wall_clock": "2 h", "energy": "10 kWh"},
    "hardware": {"accelerator": "a100-sxm4-80", "count": 4},
    "site": {"grid": "100 gCO2e/kWh"},
    "price": {"device_hour": "2 USD"},
}


@pytest.fixture
def saved(tmp_path):
    """A report: 8 device-hours at 2 USD, 10 kWh at 100 g."""
    path = tmp_path / "r.yaml"
    costcalc.estimate(RUN).save(path)
    return path


def called(capsys, *words):
    code = run([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


# --- reports --------------------------------------------------------------------------------------


def test_a_report_that_holds_is_0_and_one_that_does_not_is_3(saved, capsys):
    code, out, _ = called(capsys, "report", "verify", saved)
    assert (code, out.splitlines()[-2]) == (0, "What could be checked holds.")
    saved.write_text(saved.read_text().replace("value: 16.0", "value: 17.0", 1))
    code, out, _ = called(capsys, "report", "verify", saved)
    assert code == 3
    assert "discrepanc" in out


def test_a_report_is_shown_and_compared(saved, capsys, tmp_path):
    code, out, _ = called(capsys, "report", "show", saved)
    assert code == 0
    assert out.startswith("small (")
    assert "16.0 USD" in out
    other = tmp_path / "s.yaml"
    costcalc.estimate({**RUN, "price": {"device_hour": "4 USD"}}).save(other)
    code, out, _ = called(capsys, "report", "compare", saved, other)
    assert code == 0
    assert "×2.00" in out  # twice the price
    assert "price.device_hour" in out


def test_the_same_run_is_merged_only_where_it_is_said_to_be_another(saved, capsys, tmp_path):
    words = ["report", "merge", saved, saved, "--name", "p"]
    code, out, err = called(capsys, *words)
    assert (code, out) == (2, "")
    assert "stands in" in err
    to = tmp_path / "m.yaml"
    code, out, err = called(capsys, *words, "--distinct", "-o", to)
    assert (code, out, err) == (0, "", f"wrote {to}\n")
    made = read_file(to, "m").data
    assert made["results"]["cost"]["value"] == 32.0  # 16 twice
    code, _, err = called(capsys, *words, "--distinct", "-o", to)
    assert code == 2
    code, _, _ = called(capsys, *words, "--distinct", "-o", to, "--force")
    assert code == 0


def test_a_report_is_rendered_to_the_screen_a_file_or_a_card(saved, capsys, tmp_path):
    code, out, err = called(capsys, "report", "render", saved, "-f", "csv")
    assert (code, err) == (0, "")
    assert out.startswith("scope,figure,value")
    to = tmp_path / "r.csv"
    code, out, err = called(capsys, "report", "render", saved, "-f", "csv", "-o", to)
    assert (code, out, err) == (0, "", f"wrote {to}\n")
    assert called(capsys, "report", "render", saved, "-f", "csv", "-o", to)[0] == 2
    card = tmp_path / "README.md"
    card.write_text("text\n")
    code, _, err = called(capsys, "report", "render", saved, "-f", "model-card", "--into", card)
    assert (code, err) == (0, f"wrote {card}\n")  # its own card it may write over
    assert "co2_eq_emissions" in card.read_text()
    other = tmp_path / "OTHER.md"
    words = ["report", "render", saved, "-f", "model-card", "--into", card, "-o", other]
    assert called(capsys, *words)[0] == 0
    assert called(capsys, *words)[0] == 2  # another's it may not
    assert called(capsys, *words, "--force")[0] == 0
    code, _, err = called(capsys, "report", "render", saved, "-f", "csv", "--into", card)
    assert code == 2
    assert "goes with --format model-card" in err


def test_what_another_tool_measured_is_imported(capsys, tmp_path):
    table = tmp_path / "e.csv"
    head = "project_name,run_id,duration,emissions,energy_consumed,gpu_count\n"
    table.write_text(f"{head}secret,a,7200,1,2,4\n")
    code, out, _ = called(capsys, "report", "import", "codecarbon", table)
    assert code == 0
    assert "device_hour" in out
    assert "secret" not in out
    _, out, _ = called(capsys, "report", "import", "codecarbon", table, "--identify")
    assert "secret" in out
    assert called(capsys, "report", "import", "nothing", table)[0] == 2


# --- estimates ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "code"), [("cost=16USD", 0), ("cost=15.9USD", 3)])
def test_an_estimate_above_a_limit_is_3(limit, code, capsys):
    words = ["estimate", "--accelerator", "a100-sxm4-80", "--count", "4", "--hours", "2"]
    assert called(capsys, *words, "--set", "price.device_hour=2USD", "--limit", limit)[0] == code


def test_a_report_of_an_estimate_says_what_it_withholds(capsys, tmp_path):
    words = ["estimate", "--accelerator", "a100-sxm4-80", "--count", "4", "--hours", "2"]
    words += ["--set", "name=/home/me/run"]
    to = tmp_path / "r.yaml"
    code, out, err = called(capsys, *words, "-o", to)
    assert code == 0
    assert f"wrote {to}" in err
    assert "withheld, since it tells who wrote it: name; --identify keeps it" in err
    assert out  # the table is shown beside
    _, out, err = called(capsys, *words, "-o", to, "--force", "--identify", "-f", "yaml")
    assert "withheld" not in err
    assert out == ""  # the file is the YAML
    assert called(capsys, *words, "-o", to)[0] == 2
    assert called(capsys, *words, "-f", "xml")[0] == 2


# --- when -----------------------------------------------------------------------------------------


def begun(hour, emissions, hours=2.0, pauses=0):
    start = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(hours=hour)
    return Begun(
        start=start,
        elapsed_hours=hours,
        emissions=emissions,
        mean_intensity=10 * emissions,
        pauses=pauses,
    )


def test_starts_side_by_side(capsys, monkeypatch):
    """10 kg at once: 6 three hours later save 40 %, 12 are 20 % more; as much is 0."""
    monkeypatch.setenv("COLUMNS", "160")
    series = Series(
        start=datetime(2026, 6, 1, tzinfo=UTC),
        step=1800.0,
        values=(100.0, float("nan"), 60.0),
        signal="average",
        source="s",
    )
    made = SimpleNamespace(
        name="n",
        hours=2.0,
        energy=100.0,
        sentence="S.",
        now=begun(0, 10.0),
        best=begun(3, 6.0),
        worst=begun(1, 12.0),
        paused=begun(1, 5.0, hours=4.0, pauses=2),
        cleanest=begun(2, 4.0, hours=6.0, pauses=1),
        threshold=300.0,
        window_hours=0.5,
        stretch=3.0,
        series=series,
        notes=("a note",),
        sources=["a source"],
    )
    plots = []
    monkeypatch.setattr("costcalc.decide.plotting.text", lambda plot, height: plots.append(plot))
    when._show(made)
    # the gap is not drawn; two half hours are an hour
    drawn, window, run_ = ((list(one.x), list(one.y), one.label) for one in plots[0].series)
    assert drawn == ([0.0, 1.0], [100.0, 60.0], "average")
    assert window == ([0.0], [100.0], "may start")  # half an hour from the start of the series
    assert run_ == ([], [], "best run")  # from three hours on: after the series
    assert plots[0].x_text(1.4) == "1"
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    at_once, best, worst, paused, cleanest = (
        next(row for row in rows if row[:1] == [word])
        for word in ("at", "best", "worst", "paused", "cleanest")
    )
    assert at_once[-5:] == ["100", "10.0", "kgCO2e", "0.0", "%"]
    assert " ".join(best).startswith("best Jun 01 03:00 5.00 hours 60.0")  # 3 h of waiting, 2 h
    assert best[-2:] == ["40", "%"]
    assert " ".join(worst).startswith("worst Jun 01 01:00 3.00 hours 120")
    assert worst[-2:] == ["-20", "%"]
    # a paused run's time counts its waiting already
    assert " ".join(paused).startswith("paused above 300 Jun 01 01:00 4.00 hours 2 50.0")
    assert " ".join(cleanest).startswith("cleanest of 3 × Jun 01 02:00 6.00 hours 1 40.0")
    assert ["note:", "a", "note"] in rows


def test_waiting_that_is_needed_and_not_worth_it_is_3(capsys, tmp_path):
    series = tmp_path / "s.csv"
    series.write_text("time,intensity\n2026-06-01T00:00Z,100\n2026-06-01T01:00Z,99\n")
    words = ["when", "--series", series, "--set", "hardware.accelerator=a100-sxm4-80"]
    words += ["--set", "hardware.count=1", "--set", "measured.wall_clock=1 h"]
    words += ["--set", "measured.energy=1 kWh"]
    assert called(capsys, *words)[0] == 0
    assert called(capsys, *words, "--need")[0] == 3
    series.write_text("time,intensity\n2026-06-01T00:00Z,100\n2026-06-01T01:00Z,50\n")
    assert called(capsys, *words, "--need")[0] == 0


# --- place, hardware ------------------------------------------------------------------------------


def test_marks_above_and_below(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    _, out, _ = called(capsys, "place", "--flops", "2e24")
    lines = out.splitlines()
    assert any(line.startswith("above 10^23 FLOP (20.0 × it)") for line in lines)
    assert any(line.startswith("below 10^25 FLOP (0.200 × it)") for line in lines)


def test_notes_of_figures_are_told(capsys):
    _, out, _ = called(capsys, "hardware", "show", "h100-sxm5-80")
    notes = [line for line in out.splitlines() if line.startswith("peak.bf16: ")]
    assert notes == ["peak.bf16: the 1979 that NVIDIA headlines is with sparsity"]
    assert not any(line.startswith("peak.fp8: ") for line in out.splitlines())


# --- records --------------------------------------------------------------------------------------


def test_records_become_a_report(capsys, tmp_path):
    """Two hours of 100 W are 0.2 kWh."""
    start = Start(job="j", writer="w", time=0.0, boot="b", host="h", place=Place(job="j"))
    energy = Energy(joules=100.0 * 7200, basis="measured", meter="RAPL", component="cpu")
    writer = Writer(tmp_path / "records", start)
    writer.append(Sample(time=7200.0, elapsed=7200.0, energy={"cpu:b": energy}, status="completed"))
    code, out, err = called(capsys, "track", "merge", tmp_path / "records")
    assert code == 0
    assert "costcalc/report/v1" in out
    assert "1 attempt" in err
    to = tmp_path / "r.yaml"
    code, out, err = called(capsys, "track", "merge", tmp_path / "records", "-o", to)
    assert (code, out) == (0, "")
    made = read_file(to, "r").data
    assert made["results"]["energy_it"]["value"] == pytest.approx(0.2)
    assert f"report: {to}" in err
    code, _, err = called(capsys, "track", "merge", tmp_path / "records", "-o", to)
    assert code == 2
    assert "exists already" in err
    assert called(capsys, "track", "merge", tmp_path / "records", "-o", to, "--force")[0] == 0


class Tracked:
    """A tracker that is told what happens."""

    def __init__(self, *, stops=False):
        self.should_stop = stops
        self.ended = None

    def check(self):
        pass

    def start(self):
        pass

    def stop(self, status, patience):
        self.ended = status


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (["true"], 0, "completed"),
        (["sh", "-c", "exit 5"], 5, "exception"),
        (["sh", "-c", "kill -9 $$"], 128 + 9, "exception"),
        (["no-such-command"], 127, None),
        (["/"], 126, None),
    ],
)
def test_a_command_exits_as_it_does(words, code, status, capsys):
    tracker = Tracked()
    before = signal.getsignal(signal.SIGUSR1)
    assert wrapping.wrap(words, tracker, job=None, ledger="x") == code
    assert tracker.ended == status
    assert signal.getsignal(signal.SIGUSR1) is before
    assert signal.SIGCHLD not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert bool(capsys.readouterr().err) is (status is None)


@pytest.mark.parametrize(("job", "said"), [("mine", "mine"), (None, "none")])
def test_a_command_knows_its_job_and_its_records(job, said, tmp_path, monkeypatch):
    monkeypatch.delenv("COSTCALC_JOB", raising=False)
    to = tmp_path / "said"
    words = ["sh", "-c", f"echo $COSTCALC_LEDGER ${{COSTCALC_JOB:-none}} > {to}"]
    assert wrapping.wrap(words, Tracked(), job=job, ledger="records") == 0
    assert to.read_text().split() == ["records", said]


@pytest.mark.parametrize("deaf", [False, True])
def test_a_limit_asks_a_command_to_end_and_then_ends_it(deaf, monkeypatch, tmp_path):
    # asked at once; one that does not listen is ended after the grace, here a quarter of a second
    monkeypatch.setattr(wrapping, "_LOOK", 0.05)
    monkeypatch.setattr(wrapping, "_GRACE", 0.25)
    trap = "trap '' TERM; " if deaf else ""
    end = tmp_path / "end"
    script = f"{trap}for i in $(seq 600); do sleep 0.05; done; touch {end}"
    assert wrapping.wrap(["sh", "-c", script], Tracked(stops=True), job=None, ledger="x") == 3
    assert not end.exists()


# --- lines of a terminal --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terminal", "columns", "width"), [(True, "60", 60), (True, "20", 40), (False, "60", 80)]
)
def test_a_report_fits_the_terminal_and_a_pipe_80_columns(
    terminal, columns, width, capsys, monkeypatch
):
    import sys

    from costcalc.cli import report

    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    report._print(["x " * 200])
    lines = capsys.readouterr().out.splitlines()
    assert width - 2 <= max(len(line) for line in lines) <= width


def test_a_model_with_what_is_known_of_it_and_no_more(capsys):
    _, out, _ = called(capsys, "models", "convnext_tiny")
    lines = [line.strip() for line in out.splitlines()]
    assert sum(line.startswith("sample: ") for line in lines) == 1
    assert not any(line.startswith("config: ") for line in lines)
    _, out, _ = called(capsys, "models", "llama-3-8b")
    lines = [line.strip() for line in out.splitlines()]
    assert not any(line.startswith("sample: ") for line in lines)
    (config,) = [line for line in lines if line.startswith("config: ")]
    assert "hidden_size=4096" in config  # Meta's config.json
    (also,) = [line for line in lines if line.startswith("also: ")]
    assert "meta-llama" in also


def test_a_model_as_json_has_the_keys_of_its_file(capsys):
    _, out, _ = called(capsys, "models", "gpt2", "--json")
    made = json.loads(out)
    (path,) = (data_root() / "presets").rglob("gpt2.yaml")
    assert set(made) == set(read_file(path, "gpt2").data)


@pytest.mark.parametrize(
    ("workers", "address", "called_"), [(2, None, "local 2"), (0, "tcp://x", "connect tcp://x")]
)
def test_a_cluster_of_ones_own_or_one_that_is_there(workers, address, called_, monkeypatch):
    from contextlib import ExitStack, nullcontext

    from costcalc.cli import compare
    from costcalc.decide import cluster

    monkeypatch.setattr(cluster, "local", lambda number: nullcontext(f"local {number}"))
    monkeypatch.setattr(cluster, "connect", lambda where: nullcontext(f"connect {where}"))
    with ExitStack() as stack:
        assert compare._client(stack, workers, address) == called_
        assert compare._client(stack, 0, None) is None
        assert compare._writer(stack, None, force=False) is None


@pytest.mark.parametrize(
    ("hardware", "said"),
    [
        (["--set", "hardware.instance=p5.48xlarge"], " × p5.48xlarge in aws:us-east-1: "),
        (["--accelerator", "h100-sxm5-80", "--count", "8"], "8 × h100-sxm5-80 in aws:us-east-1: "),
    ],
)
def test_a_plan_in_its_first_lines(hardware, said, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    words = ["plan", "--model", "gpt2", "--region", "aws:us-east-1", "--limit", "cost=50USD"]
    code, out, _ = called(capsys, *words, *hardware)
    assert code == 0
    first = out.splitlines()[0]
    assert first.startswith("gpt2 on ")
    assert said in first
    (limit,) = [line for line in out.splitlines() if line.startswith("cost (binding)")]
    assert limit.split()[2:4] == ["50.0", "USD"]


def test_a_plan_of_a_fixed_model_shows_its_ways(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    words = ["plan", "--model", "gpt2", "--tokens", "1e9", "--region", "aws:us-east-1"]
    words += ["--accelerator", "h100-sxm5-80", "--count", "8", "--limit", "cost=500USD"]
    _, out, _ = called(capsys, *words)
    assert "cost (closest)" in out
    assert "Ways within the limits" in out
    assert "What the compute should train" not in out  # no law is asked of a model that is given
    for way in ("cheapest", "fastest", "cleanest"):
        assert any(line.startswith(f"{way} ") for line in out.splitlines())


def test_laws_of_benchmarks_by_quantity(capsys, monkeypatch):
    from costcalc.cli import place
    from costcalc.cli.screen import screen
    from costcalc.decide.benchmarks import OPERATIONS, laws

    monkeypatch.setenv("COLUMNS", "160")
    screen().print(place._laws())
    _, *rows = capsys.readouterr().out.splitlines()
    assert len(rows) == len(laws())
    for row, law in zip(rows, laws(), strict=True):
        assert (" operations " in row) is (law.quantity == OPERATIONS)
        assert (" burden " in row) is (law.quantity != OPERATIONS)
        assert ("slope may be 0" in row) is (law.exponent is None)
        if law.exponent is not None:  # half the error takes 2 to that power, told to two digits
            told = float(row.partition(" × compute")[0].split()[-1].replace(",", ""))
            assert told == pytest.approx(2 ** law.exponent[0], rel=0.05)
