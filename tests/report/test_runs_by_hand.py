"""Runs that metered one machine, steps that cover a job, rows that are costed: at their bounds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.base.errors import InputError
from costcalc.report import ranks
from costcalc.report.importing import costed, mlflow, steps, zeus
from costcalc.report.importing.build import Recorded
from costcalc.report.importing.steps import Covered, Span, covered
from costcalc.report.said import unsampled


def metered(began: str, hours: float | None, it: float | None = 10.0, **more: Any) -> Any:
    run = {"id": began, "machine": "m", "began": began, "hours": hours, "energy_it": it}
    return {**run, **more}


NOON = metered("2026-10-05T12:00:00+00:00", 10.0)
LOG = {"measured_by": "nvidia-smi"}


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        (metered("2026-10-05T12:00:00+00:00", 10.0), True),
        (metered("2026-10-05T12:00:00", 10.0), True),  # a time without a zone is of UTC
        (metered("2026-10-05T14:00:00+02:00", 10.0), True),
        # half an hour of ten apart: 9.5 of them are 95 %
        (metered("2026-10-05T12:30:00+00:00", 10.0), True),
        # less, and as much power: a part of the time is metered twice, down to six tenths of it
        (metered("2026-10-05T12:31:00+00:00", 10.0), False),
        (metered("2026-10-05T16:00:00+00:00", 10.0), False),
        (metered("2026-10-05T16:01:00+00:00", 10.0), None),
        (metered("2026-10-05T12:00:00+00:00", 9.5), True),
        (metered("2026-10-05T12:00:00+00:00", 9.4), False),
        # powers to a tenth of the larger
        (metered("2026-10-05T12:00:00+00:00", 10.0, 9.0), True),
        (metered("2026-10-05T12:00:00+00:00", 10.0, 8.9), None),
        (metered("2026-10-05T12:00:00+00:00", 10.0, None), None),
        (metered("2026-10-05T12:00:00+00:00", 10.0, None, energy=10.0), True),
        (metered("2026-10-05T12:00:00+00:00", 10.0, 99.0, energy=10.0), True),
        (metered("2026-10-05T12:00:00+00:00", 10.0, machine="n"), None),
        (metered("2026-10-05T12:00:00+00:00", None), None),
        (metered("yesterday", 10.0), None),
        (metered("2026-10-05T12:00:00+00:00", 0.0), None),
    ],
)
def test_runs_of_one_machine_at_once(other: Any, shared: bool | None) -> None:
    assert ranks._shared(NOON, other) is shared
    assert ranks._shared(other, NOON) is shared


@pytest.mark.parametrize(
    ("began", "hours", "energy", "shared"),
    [
        # of logs of boards a part of the time is shared energy: more than 5 % of the shorter
        ("2026-10-05T17:00:00+00:00", 10.0, 10.0, False),
        ("2026-10-05T21:30:00+00:00", 10.0, 10.0, None),  # half an hour of ten
        ("2026-10-05T21:29:00+00:00", 10.0, 10.0, False),
        ("2026-10-05T21:30:00+00:00", 5.0, 10.0, False),  # of five
        ("2026-10-05T12:00:00+00:00", 10.0, 5.0, False),  # all of it, of less energy
        ("2026-10-05T12:00:00+00:00", 10.0, 10.0, True),
        ("2026-10-05T23:00:00+00:00", 10.0, 10.0, None),
    ],
)
def test_logs_of_one_machine_in_part(
    began: str, hours: float, energy: float, shared: bool | None
) -> None:
    other = metered(began, hours, energy, **LOG)
    assert ranks._shared({**NOON, **LOG}, other) is shared
    assert ranks._shared(NOON, other) is (True if shared else None)  # not both are logs


def test_a_twin_is_another_run_of_the_same_machine() -> None:
    twin = metered("2026-10-05T12:00:00+00:00", 10.0, id="b")
    kept = ranks._Metered()
    kept.add("a.yaml", [twin])
    kept.add("c.yaml", [])
    found = kept.twin(NOON)
    assert found is not None
    assert (found.file, found.run, found.whole) == ("a.yaml", "b", True)
    assert kept.twin({**NOON, "id": "b"}) is None  # itself
    assert kept.twin({**NOON, "machine": None}) is None


# --- steps of a job ------------------------------------------------------------------------------

ONE = Span(0.0, 60.0, "a", 1.0)


@pytest.mark.parametrize(
    ("spans", "seconds", "nodes", "once", "twice"),
    [
        ([ONE], 120.0, 1.0, 0.5, 0.0),
        ([ONE, ONE], 120.0, 1.0, 0.5, 0.5),  # the same nodes, twice
        ([ONE, Span(60.0, 60.0, "a", 1.0)], 120.0, 1.0, 1.0, 0.0),
        ([ONE, Span(30.0, 60.0, "b", 1.0)], 120.0, 2.0, 120 / 240, 0.0),
        # other nodes, but of one node that there is: 30 s of two at once
        ([ONE, Span(30.0, 60.0, "b", 1.0)], 120.0, 1.0, 90 / 120, 30 / 120),
        ([Span(0.0, 120.0, "ab", 2.0), ONE], 120.0, 2.0, 1.0, 60 / 240),
        ([Span(0.0, 500.0, "a", 1.0)], 120.0, 1.0, 1.0, 0.0),  # no more than all
        ([ONE, ONE, ONE], 60.0, 1.0, 1.0, 1.0),
        # without a begin one follows the other: 60 + 90 of 120 s
        ([Span(None, 60.0, "a", 1.0), Span(30.0, 30.0, "a", 1.0)], 120.0, 1.0, 0.75, 0.0),
        ([Span(None, 60.0, "a", 1.0), Span(None, 90.0, "a", 1.0)], 120.0, 1.0, 1.0, 0.25),
        ([Span(None, 60.0, "ab", 4.0)], 120.0, 2.0, 0.5, 0.0),  # no more nodes than the job has
        ([], 120.0, 1.0, 0.0, 0.0),
        ([ONE], 0.0, 1.0, 0.0, 0.0),
        ([ONE], 120.0, 0.0, 0.0, 0.0),
    ],
)  # fmt: skip
def test_what_steps_cover(
    spans: list[Span], seconds: float, nodes: float, once: float, twice: float
) -> None:
    found = covered(spans, seconds, nodes)
    assert (found.once, found.twice) == pytest.approx((once, twice))
    assert isinstance(found, Covered)


def test_a_steps_row_is_a_span() -> None:
    row: Any = {"Start": "2026-10-05T12:00:00", "NodeList": "n[1-2]", "NNodes": "2"}
    later: Any = {"Start": "2026-10-05T12:01:00"}
    made, then = steps.span_of(row, 60.0, 4.0), steps.span_of(later, 5.0, 4.0)
    assert made is not None
    assert then is not None
    assert (made.seconds, made.where, made.nodes) == (60.0, "n[1-2]", 2.0)
    assert (then.where, then.nodes) == ("", 4.0)  # as many as the job has
    assert made.start is not None
    assert then.start == made.start + 60
    assert steps.span_of(row, None, 4.0) is None
    unknown: Any = [{"Start": text} for text in ("", "Unknown", "0")]
    assert [steps.span_of(one, 1.0, 1.0).start for one in unknown] == [None] * 3  # type: ignore[union-attr]
    assert steps.moment(" 17 ") == 17.0
    assert steps.moment("1970-01-01T00:00:09") == 9.0
    assert steps.moment("1970-01-01T02:00:00+02:00") == 0.0


# --- rows of tools -------------------------------------------------------------------------------


def recorded(**more: Any) -> Recorded:
    return Recorded(**{"key": "k", "name": "r", "hours": 1.0, "devices": 8.0, **more})


def costing(**changes: Any) -> Any:
    return SimpleNamespace(
        changes={key.replace("_", ".", 1): value for key, value in changes.items()},
        devices={"NVIDIA H100 80GB HBM3": "h100-sxm5-80"},
    )


@pytest.mark.parametrize(
    ("devices", "hardware"),
    [
        (8.0, {"count": 8}), (1.0, {"count": 1}),
        (0.5, {"count": 1, "share": 0.5}),
        (2.5, {"count": 3, "share": 2.5 / 3}),
        (7.9999999999, {"count": 8, "share": 7.9999999999 / 8}),
        (8.0000000001, {"count": 8}),  # slices that add up
    ],
)  # fmt: skip
def test_devices_of_a_row(devices: float, hardware: dict[str, Any]) -> None:
    run = recorded(devices=devices, hardware=" NVIDIA H100 80GB HBM3 ")
    assert costed._hardware(run, costing()) == {**hardware, "accelerator": "h100-sxm5-80"}
    said = costing(hardware_accelerator="a100-sxm4-80")
    assert costed._hardware(run, said) == hardware


def test_which_device_a_row_names() -> None:
    assert costed._device(recorded(hardware="mine"), costing()) == "mine"
    assert costed._device(recorded(), costing(hardware_instance="p5.48xlarge")) is None
    for run in (recorded(), recorded(hardware="  "), recorded(hardware="x", devices=None)):
        with pytest.raises(InputError) as caught:
            costed._device(run, costing())
        assert str(caught.value) == (
            "hardware.accelerator: no device is recorded, so that its price and power are not "
            "known; give --set hardware.accelerator=NAME"
        )


def test_a_row_without_devices() -> None:
    assert costed.bare(recorded(devices=0), costing())
    assert costed.bare(recorded(devices=None), costing())
    assert not costed.bare(recorded(devices=None, device_hours=3.0), costing())
    assert not costed.bare(recorded(devices=None), costing(hardware_count=4))
    assert not costed.bare(recorded(devices=None), costing(hardware_instance="x"))
    assert costed.bare(recorded(devices=0), costing(hardware_count=4))
    assert not costed.bare(recorded(), costing())
    said = costing(hardware_count=4, price_device="1", embodied_host="1", site_pue=1.5)
    assert costed._changes(recorded(devices=0), said) == {"site.pue": 1.5}
    assert costed._changes(recorded(), said) == said.changes


def row(name: str, start: float, elapsed: float, **energy: float) -> Any:
    class Row(dict):  # type: ignore[type-arg]
        line = int(start) + 2

    cells = {"window_name": name, "start_time": str(start), "elapsed_time": str(elapsed)}
    return Row({**cells, **{key: str(value) for key, value in energy.items()}})


def test_windows_within_others_are_in_their_energy() -> None:
    epoch, step, after = row("epoch", 0, 10), row("step", 2, 3), row("eval", 10, 5)
    assert zeus._outermost([step, epoch, after], "z.csv") == [epoch, after]
    twice = row("again", 0, 10)
    assert zeus._outermost([epoch, twice], "z.csv") == [epoch]
    with pytest.raises(InputError) as caught:
        zeus._outermost([epoch, row("late", 9, 5)], "z.csv")
    assert caught.value.problems[0].message == (
        'window "late" overlaps "epoch" of line 2 in part: the energy of both counts twice; keep '
        "one of them"
    )


def test_a_window_is_a_run() -> None:
    # two boards of 3.6 MJ and one of nothing, for 1,800 s
    one = row("secret", 5, 1800, gpu0_energy=3.6e6, gpu1_energy=3.6e6, gpu2_energy=0.0)
    made = zeus._run(one, ["gpu0_energy", "gpu1_energy", "gpu2_energy"], 3, identify=False)
    assert (made.name, made.hours, made.devices, made.energy_it) == ("window 3", 0.5, 3.0, 2.0)
    assert zeus._run(one, ["gpu0_energy"], 3, identify=True).name == "secret"
    assert zeus._span(row("zero", 0, 0)) == (0.0, 0.0)


def test_samples_of_mlflow(tmp_path: Any) -> None:
    file = tmp_path / "gpu_0_power_usage_watts"
    file.write_text("1000 300.5 0\n2500 200 1\n3500 0 2\n")
    made = mlflow._samples(file)
    assert (made.seconds, made.watts) == ([1.0, 2.5], [300.5, 200.0])
    assert (made.zeros, made.silent) == (1, [3.5])
    for text in ("1000\n", "x 1 2\n", "1000 300 0\n1000 watts\n"):
        file.write_text(text)
        with pytest.raises(InputError) as caught:
            mlflow._samples(file)
        problem = caught.value.problems[0]
        assert problem.line == text.count("\n")
        bad = text.splitlines()[-1]
        assert problem.message == f'expected "milliseconds watts step"; got "{bad}"'


# --- what is said of what was not sampled --------------------------------------------------------


@pytest.mark.parametrize(
    ("measurement", "imported", "said"),
    [
        ({"gaps": 0.25}, True, "a lower bound: 25 % of the time was not sampled"),
        ({"gaps": 0.25}, False, "a lower bound"),
        ({"gaps": 0.0}, True, "a lower bound"),
        ({"unsampled": {"device_hours": 3.0, "of": 12.0}}, False,
         "a lower bound: 3.00 of the 12.0 device-hours of logs were not sampled"),
        ({"unsampled": {"device_hours": 0.0, "of": 12.0}}, False, "a lower bound"),
        (None, False, "a lower bound"),
    ],
)  # fmt: skip
def test_a_lower_bound_says_of_how_much(measurement: Any, imported: bool, said: str) -> None:
    report = {"measurement": measurement, "results": {"energy": {"bound": "lower"}}}
    seen: Any = SimpleNamespace(report=report, details={"imported": {}} if imported else {})
    assert unsampled(seen, "energy") == said
    report["results"] = {"energy": {}}
    assert unsampled(seen, "energy") == ""
