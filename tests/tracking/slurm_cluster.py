"""A Slurm of one node on this machine, without accounting, for tests; needs root and Debian's
slurmctld, slurmd, slurm-client and munge.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")

CONF = """
ClusterName=costcalc
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={port_node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
JobRequeue=1
MinJobAge=300
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SwitchType=switch/none
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def lacking() -> str:
    """Why there can be no Slurm here; empty if there can."""
    if os.geteuid() != 0:
        return "needs root to start Slurm's daemons"
    absent = [name for name in NEEDED if shutil.which(name, path=_path()) is None]
    return f"Slurm is not installed: no {', '.join(absent)}" if absent else ""


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start it; yields the environment in which its commands work."""
    host = socket.gethostname().split(".")[0]
    env = {**os.environ, "PATH": _path(), "SLURM_CONF": str(folder / "slurm.conf")}
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
    (folder / "slurm.conf").write_text(
        CONF.format(host=host, folder=folder, cores=os.cpu_count(), port=_port(), port_node=_port())
    )
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    socket_ = f"{folder}/munge.socket"  # its own: another's munged is left alone
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> None:
        started.append(
            subprocess.Popen(
                words,
                env=env,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )

    try:
        start(
            "munged",
            "--foreground",
            "--force",
            f"--socket={socket_}",
            f"--key-file={key}",
            *(f"--{name}-file={folder}/munge.{name}" for name in ("pid", "log", "seed")),
        )
        _wait(env, ("munge", "-n", f"--socket={socket_}"))
        start("slurmctld", "-D")
        start("slurmd", "-D", "-N", host)
        _wait(env, ("sinfo", "-h", "-o", "%t"), "idle")
        yield env
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(env: dict[str, str], words: tuple[str, ...], says: str = "") -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        if done.returncode == 0 and says in done.stdout:
            return
        time.sleep(0.3)
    raise AssertionError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
