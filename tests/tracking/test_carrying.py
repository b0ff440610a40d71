"""A checkpoint carries the totals of every attempt, however many writers it had, in a few lines."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from test_merge import cpu, gpu, writer

from costcalc.tracking import carrying
from costcalc.tracking.merge import carried, totals
from costcalc.tracking.plan import Plan
from costcalc.tracking.records import of_checkpoint, to_line


def attempt(at: float, nodes: int, **sample: Any) -> list[Any]:
    """One writer a node, each with two devices of 1 kJ and a host of 0.5 kJ."""
    return [
        writer(
            node,
            node=node,
            nodes=nodes,
            world=nodes,
            at=at,
            devices="ab",
            energy={
                f"gpu:boot{node}/a": gpu(1e3),
                f"gpu:boot{node}/b": gpu(1e3),
                f"cpu:boot{node}": cpu(5e2),
            },
            **sample,
        )
        for node in range(nodes)
    ]


def moved(attempts: Any) -> Any:
    """Through a checkpoint, as JSON has it."""
    return tuple(
        of_checkpoint(item) for item in json.loads(json.dumps([asdict(a) for a in attempts]))
    )


def test_a_resume_elsewhere_has_all_of_564_nodes() -> None:
    """564 nodes of 2.5 kJ and 100 tokens; then one of 2.5 kJ and 7 tokens elsewhere."""
    first = totals(attempt(0.0, 564, tokens=100.0, steps=10))
    state = moved(map(carried, first.attempts))
    assert len(json.dumps([asdict(item) for item in state])) < 2_000
    (own,) = attempt(9_000.0, 1, tokens=7.0, steps=3)
    found = totals([replace(own, start=replace(own.start, earlier=state))])
    assert found.joules() == pytest.approx(564 * 2.5e3 + 2.5e3)
    assert found.joules("device") == pytest.approx(564 * 2e3 + 2e3)
    assert (found.tokens, found.steps) == (564 * 100.0 + 7.0, 13)
    assert [len(a.devices) for a in found.attempts] == [0, 2]
    assert [a.held for a in found.attempts] == [1128, 2]
    assert found.device_seconds(0.0) == 1128 * 100.0 + 2 * 100.0
    assert found.metered


def test_attempts_that_are_in_the_ledger_too_count_once() -> None:
    first = attempt(0.0, 2, tokens=100.0)
    state = moved(map(carried, totals(first).attempts))
    (own,) = attempt(9_000.0, 1, tokens=7.0)
    own = replace(own, start=replace(own.start, earlier=state))
    assert totals([*first, own]).tokens == 207.0
    assert totals([*first, own]).joules() == pytest.approx(3 * 2.5e3)


def test_the_state_goes_on_between_looks() -> None:
    """4 ranks seen at 100 s with 100 tokens each; ours has 150 by 120 s: 50 x 4 more."""
    seen = attempt(0.0, 4, tokens=100.0, steps=10)
    then = seen[0]
    assert then.last is not None
    now = replace(then, last=replace(then.last, elapsed=120.0, tokens=150.0, steps=15))
    (found,) = carrying.by_now((totals(seen), then), now, Plan())
    assert (found.elapsed, found.counts.steps, found.counts.tokens) == (120.0, 15, 600.0)
    joules = {key.split(",")[0]: item.joules for key, item in found.energy.items()}
    # of hosts at the mean power so far; of devices as seen, and 8 of them for 20 s unseen
    assert joules == {"device": pytest.approx(4 * 2e3), "cpu": pytest.approx(4 * 5e2 * 1.2)}
    assert found.unseen == 8 * 20.0
    state = moved([found])
    (own,) = attempt(9_000.0, 1)
    later = totals([replace(own, start=replace(own.start, earlier=state))])
    # 4 x 2.5 kJ at the mean power so far, and the 2.5 kJ of the attempt after
    assert later.unseen == 160.0
    assert later.device_watts == pytest.approx(10.0)
    assert later.joules_of_all() == pytest.approx(4 * 2.5e3 * 1.2 + 2.5e3)
    assert {item.gap for item in found.energy.values()} == {20.0}


def test_before_the_first_look_the_state_is_our_own() -> None:
    (own,) = attempt(0.0, 1, tokens=5.0)
    (found,) = carrying.by_now(None, own, Plan())
    assert (found.id, found.counts.tokens) == (own.start.writer, 5.0)


def test_states_of_an_earlier_version_are_read_and_what_is_none_is_refused() -> None:
    records = [[to_line(w.start), to_line(w.last)] for w in attempt(0.0, 3, tokens=2.0) if w.last]
    (found,) = carrying.of_state({"job": "j", "records": json.loads(json.dumps(records))})
    assert (found.counts.tokens, found.held) == (6.0, 6.0)
    assert carrying.of_state({"job": "j"}) == []
    assert carrying.of_state({"records": [[to_line(attempt(0.0, 1)[0].start)]]}) == []
    with pytest.raises(TypeError, match="expected a list of records; got int"):
        carrying.of_state({"records": 3})
    with pytest.raises(ValueError, match="expected an attempt; got"):
        carrying.of_state({"attempts": [{"id": "a"}]})
