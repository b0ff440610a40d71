"""CodeCarbon asked in a process of its own: its models, its faults, and commands that hang."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.tracking import by_codecarbon, codecarbon_probe, host_model, metered
from costcalc.tracking.host_model import HostModel, Load, Loads, ProbeError, ask, asked, leave


class Tool:
    """A CodeCarbon of a test's, which the process that is asked finds before the real one."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder / "codecarbon"
        self._folder.mkdir()
        monkeypatch.syspath_prepend(str(folder))

    def says(self, code: str) -> None:
        (self._folder / "__init__.py").write_text(code)
        (self._folder / "core").mkdir(exist_ok=True)
        (self._folder / "core" / "__init__.py").write_text("class gpu: pass\n")


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    return Tool(tmp_path, monkeypatch)


def test_codecarbon_says_its_models_of_this_machine() -> None:
    """Its model of load has a tenth of the rating at rest, and all of it at full load."""
    said = ask()
    assert said["memory"] > 0
    if said.get("mode") == "cpu_load":
        assert len(said["cpu"]) == 101
        assert said["cpu"][0] == pytest.approx(0.1 * said["cpu"][100])
        assert said["cpu"] == sorted(said["cpu"])


def test_a_codecarbon_that_hangs_is_ended(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.says("import subprocess; subprocess.check_output(['sleep', '60'])")
    monkeypatch.setattr(host_model, "LIMIT", 1)
    before = time.monotonic()
    with pytest.raises(ProbeError, match=r"no answer within 1 s"):
        ask()
    assert time.monotonic() - before < 30  # and what it had begun holds nothing open


def test_what_codecarbon_raises_or_writes_is_its_own(
    tool: Tool, capfd: pytest.CaptureFixture[str]
) -> None:
    tool.says("import sys; print('out'); print('err', file=sys.stderr); raise KeyError('x')")
    with pytest.raises(ProbeError, match=r"KeyError: 'x'"):
        ask()
    assert capfd.readouterr() == ("", "")


def test_a_codecarbon_that_ends_its_process_is_told(tool: Tool) -> None:
    tool.says("import os; os._exit(3)")
    with pytest.raises(ProbeError, match="its process ended with 3 and no answer"):
        ask()


def test_no_process_can_be_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/none/python")
    with pytest.raises(ProbeError, match="no process can be begun for it: "):
        ask()


def test_it_is_asked_within_the_jobs_session_and_out_of_reach_of_ctrl_c(tool: Tool) -> None:
    """A session of its own would be given next to nothing of cores that the job takes."""
    tool.says("import os; raise KeyError(os.getsid(0), os.getpgid(0) == os.getpid())")
    with pytest.raises(ProbeError) as caught:
        ask()
    assert str(caught.value) == f"KeyError: ({os.getsid(0)}, True)"


def test_what_is_being_asked_ends_with_the_job(tool: Tool) -> None:
    tool.says("import time; time.sleep(60)")
    said: list[str] = []

    def waits() -> None:
        try:
            ask()
        except ProbeError as error:
            said.append(str(error))

    waiting = threading.Thread(target=waits)
    waiting.start()
    while not host_model._being_asked:
        time.sleep(0.01)
    leave()
    waiting.join(30.0)
    assert said == ["its process ended with -9 and no answer"]
    assert not host_model._being_asked


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="Linux says the processors' name")
def test_the_processors_name_is_said_and_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """To ask py-cpuinfo is a process more and a second of a core."""
    monkeypatch.delitem(sys.modules, "cpuinfo", raising=False)
    monkeypatch.setattr(codecarbon_probe, "model_name", lambda: "AMD EPYC 7763")
    codecarbon_probe._without_cpuinfo()
    assert sys.modules["cpuinfo"].get_cpu_info() == {"brand_raw": "AMD EPYC 7763"}
    monkeypatch.delitem(sys.modules, "cpuinfo")
    monkeypatch.setattr(codecarbon_probe, "model_name", str)
    codecarbon_probe._without_cpuinfo()
    assert "cpuinfo" not in sys.modules  # it is asked where Linux does not say it (ARM)


def test_it_is_asked_without_what_would_run_a_schedulers_command(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("SLURM_JOB_ID", "SLURM_JOBID", "CODECARBON_PUE", "SLURM_PROCID")
    for name in names:
        monkeypatch.setenv(name, "7")
    tool.says(f"import os; raise KeyError(sorted(set(os.environ) & set({names!r})), os.getcwd())")
    with pytest.raises(ProbeError) as caught:
        ask()
    assert str(caught.value) == f"KeyError: (['SLURM_PROCID'], {os.sep!r})"


def test_it_is_asked_once_in_a_process_and_again_where_it_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A second training in one script begins a second tracker."""
    answers = [ProbeError("busy"), {"memory": 3.0}, {"memory": 4.0}]

    def next_answer() -> dict[str, float]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    asked.cache_clear()
    monkeypatch.setattr(host_model, "ask", next_answer)
    with pytest.raises(ProbeError, match="busy"):
        asked()
    assert [asked(), asked()] == [{"memory": 3.0}] * 2
    asked.cache_clear()


# --- the load, and what it comes to ---------------------------------------------------------------

Times = namedtuple("Times", ["user", "system", "idle", "iowait", "guest", "guest_nice"])


@pytest.mark.parametrize(
    ("now", "load"),
    [
        (Times(30.0, 10.0, 60.0, 0.0, 0.0, 0.0), 40.0),
        (Times(30.0, 10.0, 20.0, 40.0, 0.0, 0.0), 40.0),  # waiting for disks is idle
        (Times(40.0, 0.0, 60.0, 0.0, 30.0, 0.0), 40.0),  # guests are within user
        (Times(0.0, 0.0, 0.0, 0.0, 0.0, 0.0), 0.0),  # a clock that stands
    ],
)
def test_the_load_is_what_was_not_idle(
    monkeypatch: pytest.MonkeyPatch, now: Times, load: float
) -> None:
    import psutil

    said = iter([Times(0.0, 0.0, 0.0, 0.0, 0.0, 0.0), now])
    monkeypatch.setattr(psutil, "cpu_times", lambda: next(said))
    assert Load().since() == pytest.approx(load)


@pytest.mark.parametrize(
    ("load", "watts"), [(0.0, 0.0), (50.0, 25.0), (50.5, 25.505), (100.0, 100.0)]
)
def test_watts_between_two_loads(load: float, watts: float) -> None:
    """The square of the load: 25 W at 50 %, 26.01 at 51: half-way is 25.505; two seconds of it."""
    table, loads = [(n / 10) ** 2 for n in range(101)], Loads()
    loads.add(2.0, load)
    assert loads.joules(table) == pytest.approx(2 * watts)


def test_a_month_before_the_answer_takes_no_more_than_an_hour() -> None:
    """A second at rest and one at 100 W by turns: their mean would be 25 W, and they are 50."""
    table, loads = [(n / 10) ** 2 for n in range(101)], Loads()
    for _ in range(100_000):
        loads.add(1.0, 0.0)
        loads.add(1.0, 100.0)
    assert (len(loads.seconds), sum(loads.seconds)) == (101, 200_000.0)
    assert loads.joules(table) == 100_000 * 100.0


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock and a load that a test moves."""
    made = SimpleNamespace(now=0.0, load=0.0)
    monkeypatch.setattr(metered, "perf_counter", lambda: made.now)
    monkeypatch.setattr(host_model, "Load", lambda: SimpleNamespace(since=lambda: made.load))
    said = {"cpu": [float(n) for n in range(101)], "memory": 20.0, "mode": "cpu_load"}
    monkeypatch.setattr(host_model, "asked", lambda: dict(said))
    return made


def test_the_seconds_before_codecarbon_answers_are_modelled_too(hand: SimpleNamespace) -> None:
    """2 s at 80 W before it answers, 1 s at 40 after, and 20 W of memory; 5 s after the end.

    The first look is half a second after the beginning.
    """
    hand.now = 0.5
    model = HostModel("b", lambda: (1.0, 0.0), 0.0)
    model.mark()
    hand.now, hand.load = 2.0, 80.0
    model.mark()
    parts = model.open(0.0)
    hand.now, hand.load = 3.0, 40.0
    model.mark()
    hand.now = 8.0
    for part in parts:
        part.advance()
    cpu, memory = (part.energy(3.0) for part in parts)
    assert (cpu.joules, cpu.gap, cpu.component, cpu.basis) == (200.0, 0.0, "cpu", "modelled")
    assert (memory.joules, memory.gap, memory.component) == (60.0, 0.0, "memory")
    assert cpu.meter == "model of the CPU's load (cpu_load) (CodeCarbon)"


def test_a_model_reads_each_stretch_once(hand: SimpleNamespace) -> None:
    model = HostModel("b", lambda: (1.0, 0.0), 0.0)
    model.mark()
    cpu, _ = model.open(0.0)
    for hand.now in (1.0, 2.0, 3.0):
        hand.load = 50.0
        model.mark()
        cpu.advance()
    assert cpu.energy(hand.now).joules == 150.0


def test_the_load_is_looked_at_between_readings(
    hand: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Watts are the square of the load: a second at 100 % and one at 0 are 100 J, not 2 × 25."""
    model = HostModel("b", lambda: (1.0, 0.0), 0.0)
    assert model.every is None
    model.mark()
    table = [(n / 10) ** 2 for n in range(101)]
    monkeypatch.setattr(host_model, "asked", lambda: {"cpu": table, "mode": "cpu_load"})
    (cpu,) = model.open(0.0)
    assert model.every == 1.0
    for hand.now, hand.load in ((1.0, 100.0), (2.0, 0.0)):
        model.sample()
    cpu.advance()
    assert cpu.energy(hand.now).joules == 100.0


# --- what CodeCarbon has a meter for --------------------------------------------------------------


class Hardware:
    """A piece of hardware of CodeCarbon's that does as a test says."""

    def __init__(self, *joules: Any, mode: str = "windows_emi") -> None:
        self.joules, self._mode = list(joules), mode

    def start(self) -> None:
        """As CodeCarbon's."""

    def measure_power_and_energy(self, _: float) -> tuple[None, Any]:
        value = self.joules.pop(0)
        if isinstance(value, Exception):
            raise value
        return None, SimpleNamespace(kWh=value / 3.6e6)


class CPU(Hardware):
    """Named as CodeCarbon's."""


class GPU(Hardware):
    """Named as CodeCarbon's."""


class AppleSiliconChip(Hardware):
    """Named as CodeCarbon's."""

    def __init__(self, *joules: Any, chip_part: str) -> None:
        super().__init__(*joules, mode="")
        self.chip_part = chip_part


@pytest.mark.parametrize(
    ("mode", "basis", "meter"),
    [
        ("windows_emi", "measured", "Windows EMI (CodeCarbon)"),
        ("cpu_load", "modelled", "model of the CPU's load (cpu_load) (CodeCarbon)"),
        ("", "modelled", "model of the CPU's load (no mode) (CodeCarbon)"),
    ],
)
def test_a_counter_measures_and_a_load_is_a_model(
    monkeypatch: pytest.MonkeyPatch, hand: SimpleNamespace, mode: str, basis: str, meter: str
) -> None:
    monkeypatch.setattr(by_codecarbon, "hardware", lambda: [CPU(5.0, mode=mode), GPU(9.0)])
    (part,) = by_codecarbon.parts("b", lambda: (1.0, 0.0), 0.0)
    hand.now = 1.0
    part.advance()
    energy = part.energy(hand.now)
    assert (energy.basis, energy.meter, energy.component) == (basis, meter, "cpu")
    assert (energy.joules, energy.gap) == (5.0, 0.0)


def test_apples_chip_is_processor_and_device(
    monkeypatch: pytest.MonkeyPatch, hand: SimpleNamespace
) -> None:
    chips = [AppleSiliconChip(5.0, chip_part=part) for part in ("CPU", "GPU")]
    monkeypatch.setattr(by_codecarbon, "hardware", lambda: chips)
    monkeypatch.setattr(host_model, "asked", lambda: {"reads": True})
    parts = HostModel("b", lambda: (1.0, 0.0), 0.0).open(0.0)
    assert [(p.key, p.component, p.meter, p.basis) for p in parts] == [
        ("cpu:b", "cpu", "AppleSiliconChip (CodeCarbon)", "measured"),
        ("gpu:b", "device", "AppleSiliconChip (CodeCarbon)", "measured"),
    ]


def test_a_reading_that_fails_is_a_gap(
    monkeypatch: pytest.MonkeyPatch, hand: SimpleNamespace
) -> None:
    monkeypatch.setattr(by_codecarbon, "hardware", lambda: [CPU(RuntimeError("lost"), 5.0)])
    (part,) = by_codecarbon.parts("b", lambda: (1.0, 0.0), 0.0)
    hand.now = 3.0
    with pytest.raises(RuntimeError, match="lost"):
        part.advance()
    hand.now = 4.0
    part.advance()
    assert (part.energy(hand.now).joules, part.energy(hand.now).gap) == (5.0, 3.0)


def test_what_has_a_meter_is_said_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    emi, chip = CPU(), AppleSiliconChip(chip_part="CPU")
    rapl = CPU(mode="intel_rapl")
    assert codecarbon_probe.described([GPU(), rapl]) == {"reads": False}
    assert codecarbon_probe.described([emi])["reads"]
    assert codecarbon_probe.described([chip])["reads"]


def test_codecarbons_log_is_silent_meanwhile_and_then_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import logging

    logger, handler = logging.getLogger("codecarbon"), logging.NullHandler()
    before = (logger.disabled, logger.level, list(logger.handlers))
    monkeypatch.setitem(sys.modules, "codecarbon", sys)  # loaded before, by the user
    try:
        logger.setLevel(17)
        logger.addHandler(handler)
        with by_codecarbon._silent():
            assert logger.disabled
            logger.setLevel(99)
            logger.handlers.clear()
        assert (logger.disabled, logger.level) == (False, 17)
        assert logger.handlers == [*before[2], handler]
    finally:
        logger.disabled, logger.handlers[:] = before[0], before[2]
        logger.setLevel(before[1])
