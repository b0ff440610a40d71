"""The processes that do the work: one that takes too long is ended, one that dies is replaced."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from costcalc.catalog.region import codes
from costcalc.web import bounds, family, workers
from costcalc.web.answer import Answer
from costcalc.web.workers import Pool, Worker

ASK = ("peak", b"H100", {"precision": "bf16"})


@pytest.fixture
def worker() -> Iterator[Worker]:
    made = Worker()
    yield made
    made.stop()


# some 100,000 scenarios: they take a while, however busy this process is meanwhile
SWEEP = json.dumps({
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1T"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
    "sweep": {
        "accelerators": "h100-sxm5-80,a100-sxm4-80,h200-sxm-141,b200-sxm-180,mi300x,tpu-v5p,l40s",
        "counts": "64..32768",
        "regions": list(codes())[:500],
        "plans": "on-demand,spot",
    },
}).encode()  # fmt: skip


def told(answer: Answer) -> object:
    return json.loads(answer.body)


def test_a_worker_answers(worker: Worker) -> None:
    made = worker.ask(*ASK)
    assert (made.status, told(made)["peak"]) == (200, {"bf16": 989.4e12})  # type: ignore[index]


def test_who_takes_too_long_is_ended(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    assert worker.ask(*ASK).status == 200
    first = worker._process
    with monkeypatch.context() as now:
        now.setattr(workers, "SECONDS", 0.0)
        late = worker.ask("compare", SWEEP, {})
    assert late.status == 503
    assert told(late) == {
        "problems": [
            {
                "key": "",
                "message": "took longer than 10 s, which is all that a server gives; use the "
                "command line",
            }
        ]
    }
    assert first is not None
    assert worker.ask(*ASK).status == 200  # another process; nothing of the late answer
    assert worker._process is not first


def test_a_worker_that_dies_is_replaced(worker: Worker) -> None:
    assert worker.ask(*ASK).status == 200
    process = worker._process
    assert process is not None
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    assert process.pipe.poll(30)  # its end
    assert worker.ask(*ASK).status == 200
    assert worker._process is not process


def test_the_others_are_forked_from_the_first_and_outlive_it() -> None:
    first, second = family.started(2)
    try:
        for process in (first, second):
            process.ready()
        assert first.pid is not None
        assert second.pid is not None
        status = Path(f"/proc/{second.pid}/status")
        if status.exists():  # Linux
            assert re.search(rf"^PPid:\t{first.pid}$", status.read_text(), re.MULTILINE)
        first.end()
        assert second.runs()
        second.pipe.send(ASK)
        assert told(second.pipe.recv())["peak"] == {"bf16": 989.4e12}  # type: ignore[index]
    finally:
        second.end()
    assert gone(second.pid)


def gone(pid: int) -> bool:
    """Whether a process has ended; who has inherited it may not have asked for it yet."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.1)
    return False


def test_one_that_is_not_ready_can_be_ended() -> None:
    first, second = family.started(2)
    second.end()  # with the first, which was to fork it
    with pytest.raises(EOFError):
        first.ready()
    assert not first.runs()
    first.end()


def test_one_that_does_not_get_ready_is_given_up(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(family, "LOADING", 0.0)
    assert told(worker.ask(*ASK)) == {"problems": [{"key": "", "message": "the work was cut off"}]}
    monkeypatch.undo()
    assert worker.ask(*ASK).status == 200


def test_more_than_can_wait_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "WAITING", 0)

    async def asked() -> Answer:
        pool = Pool(1)
        try:
            return await pool.ask(*ASK)
        finally:
            pool.stop()

    made = asyncio.run(asked())
    assert made.status == 503
    assert told(made) == {
        "problems": [
            {"key": "", "message": "too many requests are waiting; come again in a moment"}
        ]
    }


def test_serving_from_the_command_line() -> None:
    command = [sys.executable, "-m", "costcalc", "serve", "--port", "0", "--workers", "1"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as served:
        assert served.stderr is not None
        line = served.stderr.readline()
        found = re.fullmatch(
            r"costcalc serves (http://127\.0\.0\.1:\d+)  \(its API: \1/api/v1; Ctrl-C ends it\)\n",
            line,
        )
        assert found, line
        address = f"{found[1]}/api/v1/peak/H100?precision=bf16"
        with urllib.request.urlopen(address, timeout=30) as answer:
            assert json.load(answer)["peak"] == {"bf16": 989.4e12}
        again = subprocess.run(
            [*command[:5], found[1].rpartition(":")[2]], check=False, capture_output=True, text=True
        )
        assert (again.returncode, again.stdout) == (2, "")
        assert again.stderr == (
            f"--port: {found[1].removeprefix('http://')} cannot be listened on: "
            "Address already in use\n"
        )
        served.send_signal(signal.SIGINT)
        assert served.wait(30) == 0
        assert served.stderr.read() == ""  # no log of what was asked


def test_bounds_are_what_the_answers_say() -> None:
    assert workers._LATE.startswith(f"took longer than {bounds.SECONDS:g} s")
