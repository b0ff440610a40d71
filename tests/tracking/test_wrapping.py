"""costcalc track -- COMMAND: measured, and otherwise as if costcalc were not there."""

from __future__ import annotations

import io
import os
import pty
import select
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from costcalc.base.reading import read_file
from costcalc.cli import run
from costcalc.cli.tree import _processes

ROOT = Path(__file__).parents[2]


def track(tmp_path: Path, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "costcalc", "track", *words],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), **more},
    )


def merge(tmp_path: Path, *words: str) -> tuple[int, str, str]:
    """``costcalc track merge`` in this process: the code, what it prints, what it says."""
    out, said = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(said), chdir(tmp_path):
        code = run(["track", "merge", *words])
    return code, out.getvalue(), said.getvalue()


def python(code: str) -> tuple[str, ...]:
    return ("--", sys.executable, "-c", textwrap.dedent(code))


def report(tmp_path: Path, name: str = "costs.yaml") -> Any:
    return read_file(tmp_path / name, name).data


def test_the_commands_output_and_code_are_its_own(tmp_path: Path) -> None:
    done = track(
        tmp_path,
        "-o",
        "mine.yaml",
        *python("""
        import sys; print("out"); print("err", file=sys.stderr); sys.exit(7)"""),
    )
    assert (done.returncode, done.stdout) == (7, "out\n")
    assert done.stderr.startswith("err\n")
    assert "costcalc: report: " in done.stderr
    assert report(tmp_path, "mine.yaml")["results"]["wall_clock"]["basis"] == "measured"


def test_stdin_reaches_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "costcalc", "track", "--", "cat"],
        input="hello",
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout == "hello"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--", "no-such-command"), 127, "costcalc: no-such-command: command not found\n"),
        (("--", "./notes"), 126, "costcalc: ./notes: Permission denied\n"),
    ],
)
def test_a_command_that_cannot_be_run(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "notes").write_text("no program")
    done = track(tmp_path, *words)
    assert (done.returncode, done.stderr) == (code, said)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_a_bad_run_file_runs_nothing(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("site: {region: Atlantis}\n")
    done = track(tmp_path, "--run", "run.yaml", "--", "touch", "ran")
    assert done.returncode == 2
    assert done.stderr.startswith("run.yaml:1:16: site.region: no region Atlantis")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("command", "code", "status"),
    [
        ("kill -9 $$", 137, "exception"),
        ("kill -INT $$", 130, "interrupted"),  # as Python ends at Ctrl-C
        ("exit 130", 130, "interrupted"),  # as a shell whose command ended so
    ],
)
def test_killed_by_a_signal_is_128_and_the_signal(
    tmp_path: Path, command: str, code: int, status: str
) -> None:
    done = track(tmp_path, "--", "sh", "-c", command)
    assert done.returncode == code
    found = report(tmp_path)["details"]["tracking"]["attempts"][0]
    assert found["status"] == status


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP"])
def test_signals_are_passed_on(tmp_path: Path, name: str) -> None:
    code = f"""
        import signal, sys, time
        signal.signal(signal.{name}, lambda *_: (print("got it"), sys.exit(5)))
        print("ready", flush=True); time.sleep(60)"""
    with subprocess.Popen(
        [sys.executable, "-m", "costcalc", "track", *python(code)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)
        process.send_signal(getattr(signal, name))
        said, _ = process.communicate(timeout=60)
    assert (said, process.returncode) == ("got it\n", 5)
    assert (tmp_path / "costs.yaml").exists()


def test_signals_between_two_waits_reach_the_command_too(tmp_path: Path) -> None:
    """Threads from before block none of them: one that reached NumPy's ended the tracker."""
    code = """
        import signal, time
        got = []
        signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
        print("ready", flush=True)
        until = time.monotonic() + 3
        while time.monotonic() < until: time.sleep(0.05)
        print("some" if got else "none")"""
    with subprocess.Popen(
        [sys.executable, "-m", "costcalc", "track", *python(code)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        for _ in range(200):
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.004)
        said, _ = process.communicate(timeout=60)
    assert (said, process.returncode) == ("some\n", 0)


def test_a_limit_stops_the_command_with_3(tmp_path: Path) -> None:
    done = track(
        tmp_path,
        "--limit",
        "time=1s",
        "--on-limit",
        "stop",
        "--interval",
        "0.3",
        *python("import time; time.sleep(100)"),
    )
    assert done.returncode == 3
    assert "limit time 1.00 s is PASSED" in done.stderr


def test_a_limit_stops_the_whole_tree(tmp_path: Path) -> None:
    """A script with two children, one of them in a session of its own."""
    code = "import os, sys, time; {}open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(100)"
    lines = [
        f'{sys.executable} -c "{code.format("os.setsid(); ")}" one.pid &',
        f'{sys.executable} -c "{code.format("")}" two.pid',
        "echo over",
    ]
    (tmp_path / "train.sh").write_text("\n".join(lines))
    began = time.monotonic()
    done = track(
        tmp_path,
        *("--limit", "time=1s", "--on-limit", "stop", "--interval", "0.3"),
        *("--", "bash", "train.sh"),
    )
    assert done.returncode == 3
    assert time.monotonic() - began < 60
    pids = [int(path.read_text()) for path in tmp_path.glob("*.pid")]
    assert len(pids) == 2
    assert not set(pids) & set(_processes())


def test_what_outlived_its_parents_is_stopped_too(tmp_path: Path) -> None:
    """A process whose parent has gone before the limit was passed is found by its session."""
    code = "import os, sys, time; open('one.pid', 'w').write(str(os.getpid())); time.sleep(100)"
    (tmp_path / "orphan.py").write_text(code)
    (tmp_path / "train.sh").write_text(f"( {sys.executable} orphan.py & )\nsleep 100\n")
    done = track(
        tmp_path,
        *("--limit", "time=2s", "--on-limit", "stop", "--interval", "0.3"),
        *("--", "bash", "train.sh"),
    )
    assert done.returncode == 3
    assert (
        "costcalc: a limit is passed: SIGTERM to the command and 2 processes of it, "
        "SIGKILL in 30 s\n" in done.stderr
    )
    assert int((tmp_path / "one.pid").read_text()) not in _processes()


def test_what_does_not_end_is_killed_and_that_is_told(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(100)"
    (tmp_path / "deaf.py").write_text(deaf)
    words = ["track", "--limit", "time=2s", "--on-limit", "stop", "--interval", "0.3", "--"]
    code = f"""
        import sys
        from costcalc.cli import main, wrapping
        wrapping._GRACE = 1.0
        sys.argv = ["costcalc", *{words!r}, sys.executable, "deaf.py"]
        sys.exit(main())"""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 3
    assert (
        "costcalc: not ended in 1 s: SIGKILL to the command and 0 processes of it\n"
    ) in done.stderr


def without_waiting(tmp_path: Path, *words: str) -> subprocess.Popen[str]:
    """``costcalc track`` as it runs on macOS, which cannot wait for a signal, nor has /proc."""
    code = f"""
        import signal, sys
        from pathlib import Path
        del signal.sigtimedwait
        from costcalc.cli import main, tree
        tree._PROC = Path("nowhere")
        sys.argv = ["costcalc", "track", *{words!r}]
        sys.exit(main())"""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_where_no_signal_can_be_waited_for_the_command_is_wrapped_all_the_same(
    tmp_path: Path,
) -> None:
    listens = """
        import signal, sys, time
        def heard(*_): print("heard", flush=True); sys.exit(5)
        signal.signal(signal.SIGTERM, heard)
        print("ready", flush=True)
        time.sleep(100)"""
    process = without_waiting(tmp_path, *python(listens))
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    said, errors = process.communicate(timeout=120)
    assert (said, process.returncode) == ("heard\n", 5), errors
    assert report(tmp_path)["results"]["wall_clock"]["basis"] == "measured"


def test_where_processes_cannot_be_listed_a_limit_ends_the_commands_group(tmp_path: Path) -> None:
    code = "import os, time; open('one.pid', 'w').write(str(os.getpid())); time.sleep(100)"
    (tmp_path / "one.py").write_text(code)
    (tmp_path / "train.sh").write_text(f"{sys.executable} one.py & sleep 100\n")
    process = without_waiting(
        tmp_path,
        *("--limit", "time=2s", "--on-limit", "stop", "--interval", "0.3"),
        *("--", "bash", "train.sh"),
    )
    process.communicate(timeout=120)
    assert process.returncode == 3
    assert int((tmp_path / "one.pid").read_text()) not in _processes()


COUNTS = """
import signal, sys, time
got = []
signal.signal(signal.SIGINT, lambda *_: got.append(1))
print("ready", flush=True)
until = time.monotonic() + 60
while not got and time.monotonic() < until: time.sleep(0.02)
time.sleep(0.5)
print(sys.argv[1], "got", len(got), flush=True)
"""


def test_one_ctrl_c_at_a_terminal_reaches_each_process_once(tmp_path: Path) -> None:
    (tmp_path / "counts.py").write_text(COUNTS)
    (tmp_path / "train.sh").write_text(
        f"trap 'true' INT\n{sys.executable} counts.py one & {sys.executable} counts.py two\n"
        "wait; wait; exit 7\n"
    )
    told, code = at_a_terminal(
        tmp_path, [sys.executable, "-m", "costcalc", "track", "--", "bash", "train.sh"], b"\x03"
    )
    assert "two got 1" in told
    assert "one got 1" in told
    assert "got 2" not in told
    assert code == 7


def at_a_terminal(folder: Path, words: list[str], typed: bytes) -> tuple[str, int]:
    """Run a command at a terminal of its own, and type once two processes are ready."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.environ["PYTHONPATH"] = str(ROOT)
        os.execv(words[0], words)
    told = b""
    try:
        until = time.monotonic() + 100
        while time.monotonic() < until:
            if not select.select([terminal], [], [], 1.0)[0]:
                continue
            try:
                piece = os.read(terminal, 4096)
            except OSError:  # the other side is closed
                break
            told += piece
            if typed and told.count(b"ready") == 2:
                time.sleep(0.3)
                os.write(terminal, typed)
                typed = b""
    finally:
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    return told.decode(), os.waitstatus_to_exitcode(status)


def test_a_report_that_cannot_be_written_is_told_with_its_figures(tmp_path: Path) -> None:
    done = track(tmp_path, "-o", "/proc/none/costs.yaml", *python("import time; time.sleep(0.1)"))
    assert done.returncode == 0
    assert "the report could not be written to /proc/none/costs.yaml" in done.stderr
    assert "time " in done.stderr


def test_a_command_that_tracks_itself_counts_once(tmp_path: Path) -> None:
    done = track(
        tmp_path,
        "--interval",
        "0.3",
        *python("""
        import time, costcalc
        with costcalc.track(progress=False, interval=0.3) as tracker:
            for _ in range(100): time.sleep(0.02); tracker.step(tokens=10)"""),
    )
    assert done.returncode == 0, done.stderr
    data = report(tmp_path)
    (attempt,) = data["details"]["tracking"]["attempts"]
    assert attempt["processes"] == 2
    assert data["details"]["tracking"]["steps"] == 100
    seconds = data["results"]["wall_clock"]["value"] * 3600
    assert 1.5 < seconds < 30
    joules = data["results"]["energy_it"]["value"] * 3.6e6
    assert joules / seconds < 300  # twice would not show on every machine, but ten times would


TRAIN = """
import sys, time, costcalc
run = {"model": {"preset": "gpt2"}, "training": {"sequence_length": 1024, "global_batch": 8},
       "hardware": {"accelerator": "a100-sxm4-80", "count": 1},
       "site": {"grid": "100 gCO2e/kWh", "pue": 1.2}, "price": {"device_hour": "2 USD"}}
with costcalc.track(run, output=OUTPUT, progress=False, interval=0.3) as tracker:
    for _ in range(STEPS): time.sleep(0.02); tracker.step(tokens=8192)
"""


def script(tmp_path: Path, name: str, output: str | None, steps: int) -> None:
    text = TRAIN.replace("OUTPUT", repr(output)).replace("STEPS", str(steps))
    (tmp_path / name).write_text(text)


@pytest.mark.parametrize("output", [None, "costs.yaml", "mine.yaml"])
def test_a_script_that_tracks_itself_is_one_job_with_the_wrapper(
    tmp_path: Path, output: str | None
) -> None:
    """One report, with the script's run file: in its own file too, where it asked for one."""
    script(tmp_path, "train.py", output, 30)
    done = track(tmp_path, "--interval", "0.3", "--", sys.executable, "train.py")
    assert done.returncode == 0, done.stderr
    data = report(tmp_path)
    found = data["details"]["tracking"]
    assert (found["steps"], data["run"]["training"]["tokens"]) == (30, 30 * 8192)
    assert len(found["attempts"]) == 1
    assert "trainings" not in found
    hours = data["results"]["wall_clock"]["value"]
    assert hours * 3600 > 30 * 0.02
    assert data["results"]["cost"]["value"] == pytest.approx(hours * 2)
    assert data["results"]["carbon_operational"]["value"] > 0
    names = sorted(path.name for path in tmp_path.glob("*.yaml"))
    assert names == sorted({"costs.yaml", output or "costs.yaml"}), done.stderr
    assert len({report(tmp_path, name)["digest"] for name in names}) == 1
    assert [path.name for path in tmp_path.glob("*.ledger")] == ["costs.ledger"]


def test_two_trainings_with_outputs_of_their_own_stay_two_and_a_total(tmp_path: Path) -> None:
    script(tmp_path, "one.py", "one.yaml", 20)
    script(tmp_path, "two.py", "two.yaml", 40)
    (tmp_path / "both.sh").write_text(f"{sys.executable} one.py && {sys.executable} two.py\n")
    done = track(tmp_path, "--interval", "0.3", "--", "bash", "both.sh")
    assert done.returncode == 0, done.stderr
    one, two, total = (report(tmp_path, f"{name}.yaml") for name in ("one", "two", "costs"))
    steps = [data["details"]["tracking"]["steps"] for data in (one, two, total)]
    assert steps == [20, 40, 60]
    assert total["run"]["training"]["tokens"] == 60 * 8192
    listed = total["details"]["tracking"]["trainings"]
    assert [each["run"] for each in listed] == [one["runs"][0]["id"], two["runs"][0]["id"]]
    assert [each["steps"] for each in listed] == [20, 40]
    hours = [data["results"]["wall_clock"]["value"] for data in (one, two, total)]
    assert hours[0] + hours[1] < hours[2]
    assert total["results"]["cost"]["value"] == pytest.approx(hours[2] * 2)
    assert len({data["runs"][0]["id"] for data in (one, two, total)}) == 3


def hanging(tmp_path: Path, name: str, output: str, steps: int, what: str) -> None:
    """A script whose tracker's thread comes to nothing beyond that: its disk, an import."""
    script(tmp_path, name, output, steps)
    hangs = "import time\nfrom costcalc.tracking import background, tracker\n"
    hangs += f"tracker.PATIENCE, background.Background.{what} = 3.0, lambda self: time.sleep(60)\n"
    (tmp_path / name).write_text(hangs + (tmp_path / name).read_text())


@pytest.mark.parametrize("what", ["_prepare", "_conclude"])
def test_a_report_that_a_script_did_not_come_to_is_made_by_its_wrapper(
    tmp_path: Path, what: str
) -> None:
    hanging(tmp_path, "train.py", "mine.yaml", 30, what)
    done = track(tmp_path, "--interval", "0.3", "--", sys.executable, "train.py")
    assert done.returncode == 0, done.stderr
    mine, whole = report(tmp_path, "mine.yaml"), report(tmp_path)
    assert mine["details"]["tracking"]["steps"] == 30
    assert mine["digest"] == whole["digest"]
    told = "its script ended before it was written; made of its records\n"
    assert f"costcalc: {tmp_path / 'mine.yaml'}: {told}" in done.stderr


def test_of_two_trainings_each_report_that_is_owed_is_made(tmp_path: Path) -> None:
    """The first has its own, and moved it; another's file stands where the second wanted one."""
    script(tmp_path, "one.py", "one.yaml", 20)
    hanging(tmp_path, "two.py", "two.yaml", 40, "_conclude")
    (tmp_path / "two.yaml").write_text("mine: true\n")
    run = f"{sys.executable} one.py && mv one.yaml kept.yaml && {sys.executable} two.py\n"
    (tmp_path / "both.sh").write_text(run)
    done = track(tmp_path, "--interval", "0.3", "--", "bash", "both.sh")
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in tmp_path.glob("*.yaml"))
    assert names == ["costs.yaml", "kept.yaml", "two.2.yaml", "two.yaml"]
    assert (tmp_path / "two.yaml").read_text() == "mine: true\n"
    made, whole = report(tmp_path, "two.2.yaml"), report(tmp_path)
    assert made["details"]["tracking"]["steps"] == 40
    assert made["run"]["training"]["tokens"] == 40 * 8192
    listed = [each["run"] for each in whole["details"]["tracking"]["trainings"]]
    assert listed == [report(tmp_path, "kept.yaml")["runs"][0]["id"], made["runs"][0]["id"]]


def test_a_training_that_is_tried_again_under_a_wrapper_is_counted_once(tmp_path: Path) -> None:
    """The first try fails after 10 steps, the second does 20; the time is the wrapper's."""
    script(tmp_path, "train.py", "mine.yaml", 20)
    failing = (tmp_path / "train.py").read_text().replace("range(20)", "range(10)") + "sys.exit(1)"
    (tmp_path / "first.py").write_text(failing)
    (tmp_path / "again.sh").write_text(f"{sys.executable} first.py || {sys.executable} train.py\n")
    done = track(tmp_path, "--interval", "0.3", "--", "bash", "again.sh")
    assert done.returncode == 0, done.stderr
    data = report(tmp_path)
    found = data["details"]["tracking"]
    assert found["steps"] == 30
    (attempt,) = found["attempts"]
    assert attempt["hours"] == pytest.approx(data["results"]["wall_clock"]["value"])
    assert report(tmp_path, "mine.yaml")["digest"] == data["digest"]


def test_the_records_alone_make_the_report_again(tmp_path: Path) -> None:
    track(tmp_path, "--", "sleep", "1.5")
    first = report(tmp_path)
    (tmp_path / "costs.yaml").unlink()
    code, _, said = merge(tmp_path, "costs.ledger", "-o", "again.yaml")
    assert code == 0, said
    again = report(tmp_path, "again.yaml")
    assert again["results"] == first["results"]
    assert again["runs"][0]["id"] == first["runs"][0]["id"]
    code, _, said = merge(tmp_path, "costs.ledger", "-o", "again.yaml")
    assert code == 2
    assert said == (
        "again.yaml: exists already; give --force (force=True) to overwrite "
        "it\n1 problem in again.yaml\n"
    )


def test_several_jobs_in_one_folder_are_picked_from(tmp_path: Path) -> None:
    for job in ("a", "b"):
        track(tmp_path, "--job", job, "--ledger", "records", "-o", f"{job}.yaml", "--", "true")
    code, _, said = merge(tmp_path, "records")
    assert code == 2
    assert "holds the records of 2 jobs; pick one with --job: b (began 2" in said
    assert " UTC, 0 steps in " in said
    assert ", completed); a (began 2" in said  # the newest first
    code, out, _ = merge(tmp_path, "records", "--job", "a")
    assert code == 0
    assert out.startswith("schema: costcalc/report/v1\n")


@pytest.mark.parametrize(
    ("ledger", "said"),
    [
        ("nowhere", "nowhere: cannot be read: No such file or directory"),
        (".", ".: expected the records of a job (*.jsonl); none of any job is there"),
    ],
)
def test_merging_what_is_not_there(tmp_path: Path, ledger: str, said: str) -> None:
    code, _, told = merge(tmp_path, ledger)
    assert code == 2
    assert told.startswith(said)


def test_help_tells_both_uses(tmp_path: Path) -> None:
    done = track(tmp_path, "--help")
    assert done.returncode == 0
    assert "merge" in done.stdout
    assert "run" in done.stdout
