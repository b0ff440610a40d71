"""Jobs of several processes and several hosts: one report, everything once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from costcalc.base.reading import read_file
from costcalc.tracking.follow import read

ROOT = Path(__file__).parents[2]
ENV = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
STEPS, ROWS, LENGTH = 30, 2, 16

LOOP = f"""
    import sys, time, json, costcalc, torch, torch.distributed as dist
    dist.init_process_group("gloo")
    run = json.loads(sys.argv[2])
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Sequential(
        torch.nn.Embedding(64, 32),
        torch.nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), torch.nn.Linear(32, 64)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with costcalc.track(run, output=sys.argv[1], interval=0.5, progress=False,
                        on_limit="stop") as tracker:
        for step in range(int(sys.argv[3])):
            batch = torch.randint(64, ({ROWS}, {LENGTH}))
            scores = model(batch).flatten(0, 1)
            torch.nn.functional.cross_entropy(scores, batch.flatten()).backward()
            optimizer.step(); optimizer.zero_grad()
            tracker.step(tokens=batch.numel())
            if tracker.should_stop: break
    print("steps", step + 1)
    dist.destroy_process_group()
"""
RUN: dict[str, Any] = {
    "model": {"architecture": {"layers": 1, "hidden": 32, "heads": 4, "ffn": 64, "vocabulary": 64}},
    "training": {"tokens": STEPS * 4 * ROWS * LENGTH, "sequence_length": LENGTH},
    "site": {"grid": "100 gCO2e/kWh", "pue": 1.2},
}

pytestmark = [pytest.mark.frameworks]


def torchrun(
    folder: Path,
    run: dict[str, Any],
    *,
    processes: int = 4,
    steps: int = STEPS,
    extra: tuple[str, ...] = (),
) -> str:
    import json

    script = folder / "train.py"
    script.write_text(textwrap.dedent(LOOP), encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc-per-node",
            str(processes),
            *extra,
            str(script),
            str(folder / "costs.yaml"),
            json.dumps(run),
            str(steps),
        ],
        cwd=folder,
        env=ENV,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def _torch() -> None:
    pytest.importorskip("torch", reason="torch is not installed")


def test_four_ranks_make_one_report_with_energy_once(tmp_path: Path) -> None:
    torchrun(tmp_path, RUN)
    assert [path.name for path in tmp_path.glob("*.yaml")] == ["costs.yaml"]
    data = read_file(tmp_path / "costs.yaml", "costs.yaml").data
    (attempt,) = data["details"]["tracking"]["attempts"]
    assert (attempt["processes"], attempt["ranks"], attempt["nodes"]) == (4, 4, 1)
    assert data["details"]["work"]["data"] == STEPS * 4 * ROWS * LENGTH  # tokens of all ranks
    written = read(tmp_path / "costs.ledger")
    metering = [w for w in written if w.last and w.last.energy]
    assert [w.start.place.local_rank for w in metering] == [0]
    metered = sum(e.joules for w in metering if w.last for e in w.last.energy.values())
    seen = sum(item["energy"] for item in data["measurement"]["components"])
    assert seen == pytest.approx(metered / 3.6e6)
    assert len({w.start.job for w in written}) == 1


def test_with_tensor_parallelism_of_two_half_the_tokens_are_counted(tmp_path: Path) -> None:
    torchrun(tmp_path, {**RUN, "hardware": {"layout": {"tensor": 2}}})
    data = read_file(tmp_path / "costs.yaml", "costs.yaml").data
    assert data["details"]["work"]["data"] == STEPS * 2 * ROWS * LENGTH


def test_a_limit_stops_all_ranks_after_the_same_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENV, "COSTCALC_STOP_AHEAD", "2")
    said = torchrun(tmp_path, {**RUN, "limits": {"time": "3 s"}}, processes=2, steps=100_000)
    steps = [int(line.split()[1]) for line in said.splitlines() if line.startswith("steps")]
    assert len(steps) == 2
    assert steps[0] == steps[1] < 100_000


# --- two hosts ------------------------------------------------------------------------------------


def quiet(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.fixture
def hosts() -> Iterator[tuple[str, str]]:
    """Two network namespaces with a cable between them: 10.77.0.1 and 10.77.0.2."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and iproute2 to make network namespaces")
    tag = uuid.uuid4().hex[:6]
    names = (f"cc{tag}a", f"cc{tag}b")
    if quiet("ip", "netns", "add", names[0]).returncode:
        pytest.skip("network namespaces cannot be made here")
    try:
        quiet("ip", "netns", "add", names[1])
        quiet(
            "ip",
            "link",
            "add",
            f"v{tag}a",
            "netns",
            names[0],
            "type",
            "veth",
            "peer",
            "name",
            f"v{tag}b",
            "netns",
            names[1],
        )
        for name, end, number in ((names[0], "a", 1), (names[1], "b", 2)):
            quiet("ip", "-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", f"v{tag}{end}")
            quiet("ip", "-n", name, "link", "set", f"v{tag}{end}", "up")
            quiet("ip", "-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            quiet("ip", "netns", "del", name)


def test_two_hosts_that_share_a_folder_make_one_report(
    tmp_path: Path, hosts: tuple[str, str]
) -> None:
    import json

    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(LOOP), encoding="utf-8")
    run = {**RUN, "training": {**RUN["training"], "tokens": STEPS * 2 * ROWS * LENGTH}}
    started = []
    for node, name in enumerate(hosts):
        env = {
            **ENV,
            "COSTCALC_BOOT_ID": name,  # the namespaces are of one kernel
            "GLOO_SOCKET_IFNAME": quiet(
                "ip", "netns", "exec", name, "sh", "-c", "ls /sys/class/net | grep ^v"
            ).stdout.strip(),
        }
        started.append(
            subprocess.Popen(
                [
                    "ip",
                    "netns",
                    "exec",
                    name,
                    sys.executable,
                    "-m",
                    "torch.distributed.run",
                    "--nnodes",
                    "2",
                    "--node-rank",
                    str(node),
                    "--nproc-per-node",
                    "1",
                    "--master-addr",
                    "10.77.0.1",
                    "--master-port",
                    "29517",
                    str(script),
                    str(tmp_path / "costs.yaml"),
                    json.dumps(run),
                    str(STEPS),
                ],
                cwd=tmp_path,
                env=env,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    said = [process.communicate(timeout=240)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert [path.name for path in tmp_path.glob("*.yaml")] == ["costs.yaml"]
    data = read_file(tmp_path / "costs.yaml", "costs.yaml").data
    (attempt,) = data["details"]["tracking"]["attempts"]
    assert (attempt["nodes"], attempt["ranks"]) == (2, 2)
    assert data["details"]["work"]["data"] == STEPS * 2 * ROWS * LENGTH
    assert {
        key.partition(":")[2]
        for w in read(tmp_path / "costs.ledger")
        if w.last
        for key in w.last.energy
    } == set(hosts)  # each host by its own meters
