"""Energy of jobs from a real Prometheus, its history made by promtool; and servers that fail."""

from __future__ import annotations

import http.server
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from fleet_byhand import FLEET, cluster, imported, line, memory, rows

from costcalc.base.errors import InputError
from costcalc.fleet.checking import check
from costcalc.fleet.facts import Refused
from costcalc.fleet.importing.prometheus import KNOWN, Job, Server, readings
from costcalc.fleet.metering import Reading
from costcalc.fleet.sources import Asked, import_from

START = 1791194400.0  # 2026-10-05T10:00 UTC
HOURS = 2


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def history() -> str:
    """Two hours of four boards, a sample each 30 s; what is wrong of some is said at each."""
    times = [START - 60 + 30 * n for n in range(HOURS * 120 + 5)]
    lines = ["# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION counter"]
    for gpu in range(2):  # job 1: 500 W a board, as a counter of mJ
        labels = f'gpu="{gpu}",UUID="a{gpu}",Hostname="gpu01",hpc_job="1"'
        for n, at in enumerate(times):
            value = 7e9 + 500_000 * 30 * n
            lines.append(f"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{{labels}}} {value} {at}")
    lines.append("# TYPE DCGM_FI_DEV_POWER_USAGE gauge")
    for gpu in range(8):  # node gpu02, which job 2 has to itself: no label of a job
        labels = f'gpu="{gpu}",UUID="b{gpu}",Hostname="gpu02",hpc_job=""'
        lines += [f"DCGM_FI_DEV_POWER_USAGE{{{labels}}} {300 + gpu} {at}" for at in times]
    for gpu in range(2):  # job 3: of its two boards one was scraped for half of the time
        labels = f'gpu="{gpu}",UUID="c{gpu}",Hostname="gpu03",hpc_job="3"'
        some = times if gpu == 0 else times[: len(times) // 2]
        lines += [f"DCGM_FI_DEV_POWER_USAGE{{{labels}}} 400 {at}" for at in some]
    labels = 'gpu="0",UUID="d0",Hostname="gpu04",hpc_job="4"'  # job 4: of two boards one is seen
    lines += [f"DCGM_FI_DEV_POWER_USAGE{{{labels}}} 400 {at}" for at in times]
    labels = 'gpu="0",UUID="e0",Hostname="gpu05",hpc_job="5"'  # job 5: a sensor that says 0
    lines += [f"DCGM_FI_DEV_POWER_USAGE{{{labels}}} 0 {at}" for at in times]
    lines.append("# TYPE ipmi_dcmi_power_consumption_watts gauge")
    lines += [
        f'ipmi_dcmi_power_consumption_watts{{instance="gpu06:9290"}} 6000 {at}' for at in times
    ]
    return "\n".join([*lines, "# EOF"]) + "\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not shutil.which("prometheus") or not shutil.which("promtool"):
        pytest.skip("no prometheus here")
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "om.txt").write_text(history())
    (folder / "p.yml").write_text("global: {scrape_interval: 30s}\n")
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", "om.txt", "data"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        ["prometheus", f"--config.file={folder}/p.yml", f"--storage.tsdb.path={folder}/data",
         f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(200):
            try:
                with urllib.request.urlopen(f"{url}/-/ready", timeout=1):
                    break
            except OSError:
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def job(number: str, devices: float, node: str, *, whole: bool = False) -> Job:
    return Job(
        cluster="c", job=number, raw=number, attempt=f"{START:.0f}", start=START,
        end=START + HOURS * 3600, devices=devices, nodes=(node,), whole=whole,
    )  # fmt: skip


@pytest.mark.frameworks
def test_each_job_has_the_best_series_that_covers_it(server: str) -> None:
    asked = [
        job("1", 2, "gpu01"),
        job("2", 8, "gpu02", whole=True),
        job("3", 2, "gpu03"),
        job("4", 2, "gpu04"),
        job("5", 1, "gpu05"),
        job("6", 8, "gpu06", whole=True),
        job("7", 8, "gpu02"),  # shares its node, and no series names it
    ]
    found = list(readings(Server(server), asked))
    one, two, three, four, five, six, seven = found
    assert isinstance(one, Reading)
    assert one.joules == pytest.approx(2 * 500 * 7200, rel=1e-6)
    assert (one.scope, one.meter) == (
        "boards", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION (Prometheus, by job)",
    )  # fmt: skip
    assert isinstance(two, Reading)
    assert two.joules == pytest.approx((8 * 300 + 28) * 7200, rel=1e-6)
    assert two.meter == "DCGM_FI_DEV_POWER_USAGE (Prometheus, by node)"
    assert isinstance(six, Reading)
    assert (six.scope, six.joules) == ("node", pytest.approx(6000 * 7200))
    whys = [one.why for one in (three, four, five, seven) if isinstance(one, Refused)]
    assert whys[0].startswith("DCGM_FI_DEV_POWER_USAGE by job: covers 5")
    assert whys[1:] == [
        "DCGM_FI_DEV_POWER_USAGE by job: 1 of 2 meters",
        "DCGM_FI_DEV_POWER_USAGE by job: says 0 J, which no board draws",
        "no series of it, by job or by node",
    ]


@pytest.mark.frameworks
def test_jobs_of_a_ledger_are_metered_by_it_and_stay_so(server: str) -> None:
    with memory() as ledger:
        held = line(JobID="1", AllocTRES="gres/gpu=2,node=1")
        imported(ledger, cluster(), held, line(JobID="9"))
        before = rows(ledger)[0]
        assert before.meter is None
        asked = Asked(source="prometheus", where=server)
        taken = import_from(ledger, cluster(), asked)
        assert (taken.counted.corrected, taken.refused) == (1, 1)
        assert taken.shown[0].row == "9"
        row = next(one for one in rows(ledger) if one.job == "1")
        # 2 boards at 500 W for 2 h are 2 kWh, and their hosts' 275 W a device
        assert row.metered == pytest.approx(2.0)
        assert row.energy_it == pytest.approx(2.0 + 4 * 0.275)
        assert row.mean_power == pytest.approx(500.0)
        # the scheduler's row without a meter does not take it away again
        again = imported(ledger, cluster(), held)
        assert (again.counted.corrected, again.counted.known) == (0, 1)


def test_a_server_that_is_not_there() -> None:
    port = free_port()
    with pytest.raises(InputError) as error:
        list(readings(Server(f"http://127.0.0.1:{port}"), []))
    assert f"http://127.0.0.1:{port}: prometheus: does not answer" in str(error.value)
    with pytest.raises(InputError, match="expected a URL such as http://localhost:9090"):
        Server("localhost:9090")


def test_a_password_in_the_url_is_not_shown() -> None:
    with pytest.raises(InputError) as error:
        Server(f"http://me:hunter2@127.0.0.1:{free_port()}").names()
    assert "hunter2" not in str(error.value)


class _Other(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "success", "data": ["up"]}')

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_without_any_of_the_series() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Other) as made:
        thread = threading.Thread(target=made.handle_request)
        thread.start()
        with pytest.raises(InputError, match="it has none of the series that are known: DCGM_FI"):
            list(readings(Server(f"http://127.0.0.1:{made.server_port}"), []))
        thread.join()


def test_every_series_says_what_it_covers() -> None:
    assert {one.scope for one in KNOWN} == {"boards", "node"}
    assert all(one.job or one.node for one in KNOWN)


@pytest.mark.frameworks
def test_a_nodes_meter_is_shared_by_a_real_server(server: str) -> None:
    """The node of 6 kW with two jobs: of 4 of its 8 devices for two hours, of 2 for one."""
    text = FLEET.replace(", plugin: exclusive", "")
    with memory() as ledger:
        imported(
            ledger,
            cluster(text),
            line(JobID="21", NodeList="gpu06", Start="2026-10-05T10:00:00",
                 End="2026-10-05T12:00:00"),
            line(JobID="22", NodeList="gpu06", Start="2026-10-05T10:00:00",
                 End="2026-10-05T11:00:00", ElapsedRaw="3600",
                 AllocTRES="gres/gpu=2,node=1"),
        )  # fmt: skip
        assert {row.start for row in rows(ledger)} == {START}
        asked = Asked(source="prometheus", where=server)
        taken = import_from(ledger, cluster(text), asked)
        assert (taken.counted.corrected, taken.refused) == (2, 0)
        one, two = sorted(rows(ledger), key=lambda row: row.job)
        assert one.metered == pytest.approx(6.0, rel=0.02)  # 6 kW x 2 h x 4/8
        assert two.metered == pytest.approx(1.5, rel=0.02)  # 6 kW x 1 h x 2/8
        seen = check(ledger).nodes
        assert seen.startswith("meters of 1 node: 12.")
        again = import_from(ledger, cluster(text), asked)
        assert (again.counted.corrected, again.counted.added) == (0, 0)
