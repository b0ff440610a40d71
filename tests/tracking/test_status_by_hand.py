"""Whether a followed job lives, by when it was last heard of; the power that it draws."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.tracking import showing
from costcalc.tracking.ledger import Written
from costcalc.tracking.records import Place, Sample, Start

NOW = 1_000_000.0


def writer(heard: float | None, *, began: float = 2000.0, status: Any = "running", rank: int = 0,
           interval: float = 10.0) -> Written:  # fmt: skip
    """One of two ranks that was last heard of, and that began, so many seconds ago."""
    start = Start(
        job="j",
        writer=f"{began}-{rank}-{heard}",
        time=NOW - began,
        place=Place(rank=rank, world=2),
        boot="b",
        host="h",
        interval=interval,
    )
    if heard is None:
        return Written(start=start)
    return Written(start=start, last=Sample(time=NOW - heard, elapsed=began - heard, status=status))


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing.time, "time", lambda: NOW)


def status(*written: Any) -> tuple[bool, str]:
    return showing._status(written)


def test_a_job_that_is_heard_of_runs() -> None:
    assert status(writer(4.0)) == (False, "running, heard of 4.00 s ago")
    assert status(writer(9.0), writer(2.0, rank=1)) == (False, "running, heard of 2.00 s ago")
    assert status(writer(-5.0))[1] == "running, heard of 0 s ago"  # another machine's clock
    assert status(writer(None), writer(2.0))[1] == "running, heard of 2.00 s ago"


@pytest.mark.parametrize(
    ("interval", "ago", "late"),
    [
        # so many intervals, of ten seconds at the least
        (10.0, 10.0 * showing._LATE, False), (10.0, 10.0 * showing._LATE + 0.1, True),
        (1.0, 10.0 * showing._LATE, False), (1.0, 10.0 * showing._LATE + 0.1, True),
        (60.0, 60.0 * showing._LATE, False), (60.0, 60.0 * showing._LATE + 0.1, True),
    ],
)  # fmt: skip
def test_a_job_that_is_silent_may_be_dead(interval: float, ago: float, late: bool) -> None:
    over, said = status(writer(ago, interval=interval))
    assert not over
    assert said.startswith("not heard of for") is late
    assert said.endswith("it may be dead, or its disk") is late


def test_of_an_attempt_before_nobody_is_waited_for() -> None:
    # killed after ten seconds, and begun again a second later: the first says nothing any more
    old, new = writer(89.0, began=99.0), writer(3.0, began=88.0, status="completed")
    assert status(old, new) == (True, "ended: completed")
    other = writer(50.0, began=87.5, rank=1)
    assert status(old, new, other)[0] is False  # it began with the newest
    first = writer(9.0, began=60.0, status="completed")
    second = writer(3.0, began=60.0, status="stopped", rank=1)
    assert status(second, first) == (True, "ended: completed")  # the first rank's word


def power(elapsed: float, watch: Any = None, **kwh: float | None) -> str | None:
    results = {name: {"value": kwh.get(name)} for name in ("energy", "energy_it")}
    watch = watch or SimpleNamespace(_last=None)
    whole: Any = SimpleNamespace(elapsed=elapsed)
    found = showing.Watch._power(watch, whole, {"results": results})
    return found.now if found else None


def test_power_is_that_of_the_energy_beside_it() -> None:
    assert power(3600.0, energy=0.002) == "2.00 W in the mean"
    assert power(3600.0, energy=0.002, energy_it=0.001) == "2.00 W in the mean"  # as it is shown
    assert power(3600.0, energy_it=0.001) == "1.00 W in the mean"
    assert power(3600.0) is None
    assert power(3600.0, energy=0.0) is None
    assert power(0.0, energy=0.002) is None


def test_power_since_the_last_look() -> None:
    watch: Any = SimpleNamespace(_last=None)

    def look(elapsed: float, joules: float | None) -> str | None:
        return power(elapsed, watch, energy=None if joules is None else joules / 3.6e6)

    assert look(10.0, 1000.0) == "100 W in the mean"  # there is nothing before it
    assert look(20.0, 4000.0) == "300 W, 200 W in the mean"  # 3,000 J in 10 s
    assert look(20.0, 5000.0) == "250 W in the mean"  # no time has passed
    assert look(30.0, 5000.0) == "167 W in the mean"  # no meter has been read
    assert look(34.0, 5400.0) == "100 W, 159 W in the mean"
    assert look(40.0, None) is None
    assert look(33.0, 9000.0) == "273 W in the mean"  # a clock that was set


def test_steps_and_amounts_in_words() -> None:
    def whole(**more: Any) -> Any:
        return SimpleNamespace(**{"attempts": [1], "steps": 12_000, "tokens": None, "samples": None,
                                  **more})  # fmt: skip

    assert showing._progress(whole()).now == "12,000"
    assert showing._progress(whole(attempts=[1, 2])).now == "12,000 in 2 attempts"

    def amounts(
        rates: dict[str, float], use: Any = None, basis: str = "measured", **more: Any
    ) -> Any:
        made = {"results": {"utilization": {"value": use, "basis": basis}}}
        rows = showing._amounts(whole(**more), made, rates)
        return [(row.label, row.now) for row in rows if row is not None]

    assert amounts({}) == []
    assert amounts({}, tokens=5e8) == [("tokens", showing.human(5e8, "token"))]
    rated = amounts({"costcalc/tokens_per_second": 2e5}, tokens=5e8, samples=7.0)
    speed = f"{showing.human(5e8, 'token')}, {showing.human(2e5, 'token/s')}"
    assert rated == [("tokens", speed), ("samples", showing.human(7.0, "sample"))]
    assert amounts({}, use=0.4) == [("MFU", "40 %")]
    assert amounts({}, use=0.4, basis="default") == []


def test_a_figure_with_its_ends_in_one_unit() -> None:
    assert showing._ranged(None, None, None, "kWh") == ""
    assert showing._ranged(2000.0, 2000.0, 2000.0, "kWh") == "2.00 MWh"
    assert showing._ranged(2000.0, 1000.0, 3000.0, "kWh") == "2.00 MWh [1.00 – 3.00]"


def test_rows_of_figures_have_what_is_known_of_them() -> None:
    known = {"value": 2.0, "low": 2.0, "high": 2.0, "unit": "kWh"}
    nothing = {"value": None, "low": None, "high": None, "unit": "kWh"}
    results = dict.fromkeys(showing.LABELS, nothing) | {"energy_it": known}
    predicted = {"figures": [{"of": "energy_it", "predicted": 3.0}]}
    made = {"results": results, "details": {"tracking": {"predicted": predicted}}}
    end = SimpleNamespace(value=8.0, low=8.0, high=8.0, unit="kWh")
    forecast: Any = SimpleNamespace(total={"energy_it": end})
    (row,) = showing.figure_rows(made, forecast)
    assert (row.label, row.now) == (showing.LABELS["energy_it"], "2.00 kWh")
    assert (row.end, row.before) == ("8.00 kWh", "3.00 kWh")
    (bare,) = showing.figure_rows({**made, "details": {"tracking": {}}})
    assert (bare.end, bare.before) == ("", "")
    results["energy"] = known  # what the facility drew stands in its place
    (row,) = showing.figure_rows(made)
    assert row.label == showing.LABELS["energy"]
