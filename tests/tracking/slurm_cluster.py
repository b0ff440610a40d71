"""A Slurm of one node on this machine for tests; needs root and Debian's slurmctld, slurmd,
slurm-client and munge, and for accounting slurmdbd and the cores of MariaDB.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
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

ACCOUNTED = ("slurmdbd", "mariadbd", "mariadb", "mariadb-install-db", "sacct", "sacctmgr")
ACCOUNTING = """
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd}
AccountingStoragePass={folder}/munge.socket
AccountingStorageTRES=gres/gpu,gres/gpu:h200
JobAcctGatherType=jobacct_gather/linux
GresTypes=gpu
"""
DBD = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={dbd}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql}
StorageUser=slurm
StoragePass=slurm
StorageLoc=accounts
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
"""
GRANT = """
CREATE DATABASE accounts;
CREATE USER 'slurm'@'127.0.0.1' IDENTIFIED BY 'slurm';
CREATE USER 'slurm'@'localhost' IDENTIFIED BY 'slurm';
GRANT ALL ON accounts.* TO 'slurm'@'127.0.0.1';
GRANT ALL ON accounts.* TO 'slurm'@'localhost';
"""


def lacking(*, accounting: bool = False) -> str:
    """Why there can be no Slurm here; empty if there can."""
    needed = (*NEEDED, *ACCOUNTED) if accounting else NEEDED
    if os.geteuid() != 0:
        return "needs root to start Slurm's daemons"
    absent = [name for name in needed if shutil.which(name, path=_path()) is None]
    return f"Slurm is not installed: no {', '.join(absent)}" if absent else ""


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


@contextmanager
def cluster(folder: Path, *, accounting: bool = False) -> Iterator[dict[str, str]]:
    """Start it; yields the environment in which its commands work.

    ``accounting``: with a slurmdbd and a database of its own, and two devices that are files.
    """
    host = socket.gethostname().split(".")[0]
    env = {**os.environ, "PATH": _path(), "SLURM_CONF": str(folder / "slurm.conf")}
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
    text = CONF.format(
        host=host, folder=folder, cores=os.cpu_count(), port=_port(), port_node=_port()
    )
    dbd, sql = _port(), _port()
    if accounting:
        text = text.replace(" State=UNKNOWN", " Gres=gpu:h200:2 State=UNKNOWN")
        text += ACCOUNTING.format(folder=folder, dbd=dbd)
        for number in range(2):
            (folder / f"gpu{number}").touch()
        gres = f"NodeName={host} Name=gpu Type=h200 File={folder}/gpu[0-1]\n"
        (folder / "gres.conf").write_text(gres)
        (folder / "slurmdbd.conf").write_text(DBD.format(folder=folder, dbd=dbd, sql=sql))
        (folder / "slurmdbd.conf").chmod(0o600)
    (folder / "slurm.conf").write_text(text)
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
        if accounting:
            _database(folder, sql, env, start)
            start("slurmdbd", "-D")
            _wait(env, ("sacctmgr", "-n", "show", "cluster"))
            add = ("sacctmgr", "-i", "add", "cluster", "costcalc")
            subprocess.run(add, env=env, check=False, capture_output=True)
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


def _database(folder: Path, port: int, env: dict[str, str], start: Callable[..., None]) -> None:
    """A MariaDB in the folder, on loopback alone."""
    made = ("mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={folder}/sql",
            "--auth-root-authentication-method=normal", "--skip-test-db")  # fmt: skip
    subprocess.run(made, env=env, check=True, capture_output=True)
    start("mariadbd", "--no-defaults", "--user=root", f"--datadir={folder}/sql",
          f"--socket={folder}/sql.socket", "--bind-address=127.0.0.1", f"--port={port}",
          f"--pid-file={folder}/sql.pid", "--innodb-buffer-pool-size=128M",
          "--innodb-lock-wait-timeout=900")  # fmt: skip
    client = ("mariadb", "--no-defaults", "-S", f"{folder}/sql.socket", "-uroot")
    _wait(env, (*client, "-e", "SELECT 1"))
    subprocess.run(client, env=env, input=GRANT, text=True, check=True)


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
