"""The form of what meters and tools said: kinds of values at their bounds, rules on a few rows."""

from __future__ import annotations

from typing import Any

import pytest

from costcalc.report import witnessed
from costcalc.report.witnessed import AMOUNT, FACTOR, ID, KWH, SIGNED, WHOLE, WORDS, OrNull


@pytest.mark.parametrize(
    ("kind", "taken", "refused"),
    [
        (WORDS, ["a"], ["", "  ", 1, None]),
        (AMOUNT, [0, 0.0, 2.5], [-0.1, "1", None, True]),
        (SIGNED, [-3.0, 0], ["1", None, True]),
        (FACTOR, [1, 1.0, 1.5], [0.99, None]),
        (WHOLE, [0, 7], [-1, 1.0, True, None]),
        (ID, ["run-0123456789ab", "run-0123456789ab-2", "run-0123456789ab-2-3"],
         ["run-0123456789a", "run-0123456789AB", "run-0123456789ab-", "0123456789ab", None]),
        (KWH, ["kWh"], ["MWh", None]),
    ],
)  # fmt: skip
def test_kinds_of_values(kind: Any, taken: list[Any], refused: list[Any]) -> None:
    _, is_so = kind
    assert [value for value in taken if not is_so(value)] == []
    assert [value for value in refused if is_so(value)] == []


def unlike(value: object, shape: object) -> list[str]:
    return list(witnessed._unlike(value, shape, "k"))


def test_shapes_that_values_have_not() -> None:
    shape = {"a": WORDS, "b?": AMOUNT, "c": OrNull([WHOLE])}
    assert unlike({"a": "x", "c": None}, shape) == []
    assert unlike({"a": "x", "b": 1.0, "c": [1, 2]}, shape) == []
    assert unlike({"a": "x", "c": [1, -2]}, shape) == [
        "k.c[1]: expected a whole number, 0 or more; got -2"
    ]
    assert unlike({"a": "x", "c": 3}, shape) == ["k.c: expected a list; got 3"]
    assert unlike([1], shape) == ["k: expected keys and values; got [1]"]
    assert unlike({}, {}) == []
    assert unlike({"any": "thing"}, {}) == []
    told = unlike({"b": -1.0, "c": None, "d": 1}, shape)
    assert "k.b: expected a number, 0 or more; got -1" in told
    assert len(told) == 3  # a is missing, d is unknown
    # of a mapping in a value's place each value
    assert unlike({"x": 1.0, "y": -1.0}, AMOUNT) == ["k: expected a number, 0 or more; got -1"]


def row(low: float, predicted: float, high: float, of: str = "cost") -> dict[str, object]:
    return {"of": of, "unit": "USD", "predicted": predicted, "low": low, "high": high, "came": 1.0,
            "basis": "modelled"}  # fmt: skip


def predicted(*rows: dict[str, object]) -> list[str]:
    return list(witnessed._predicted({"share_of_plan": 1.0, "figures": list(rows)}))


def test_a_predictions_range_holds_it() -> None:
    assert predicted(row(1.0, 2.0, 3.0)) == []
    assert predicted(row(2.0, 2.0, 2.0)) == []
    # rounding to a part in a billion is none
    assert predicted(row(2.0 + 1e-9, 2.0, 3.0)) == predicted(row(1.0, 2.0, 2.0 - 1e-9)) == []
    wrong = ["details.tracking.predicted.figures[0]: its range does not contain what was predicted"]
    assert predicted(row(2.0 + 1e-8, 2.0, 3.0)) == predicted(row(1.0, 2.0, 2.0 - 1e-8)) == wrong
    order = "details.tracking.predicted.figures: in another order, or one twice"
    time = row(1.0, 2.0, 3.0, "wall_clock")
    assert predicted(time, row(1.0, 2.0, 3.0)) == []
    assert predicted(row(1.0, 2.0, 3.0), time) == [order]
    assert predicted(time, time) == [order]
    assert list(witnessed._predicted({"why": "no estimate"})) == []
    assert list(witnessed._predicted({"why": ""})) == [
        "details.tracking.predicted.why: expected text; got "
    ]


@pytest.mark.parametrize(
    ("gaps", "lower_bound", "warned", "problems"),
    [
        (0.25, True, True, []),
        (0.0, False, False, []),
        (0.25, True, False, [
            "warnings: lack that the energy is a lower bound; 0.25 was not sampled",
            "measurement.lower_bound: true; warnings say False"]),
        (0.25, False, True, ["measurement.lower_bound: false; warnings say True"]),
        (0.0, True, True, []),
    ],
)  # fmt: skip
def test_a_lower_bound_is_said_to_be_one(
    gaps: float, lower_bound: bool, warned: bool, problems: list[str]
) -> None:
    report: Any = {"measurement": {"gaps": gaps, "lower_bound": lower_bound}}
    notes = [f"energy: {witnessed.LOWER_BOUND}"] if warned else ["another"]
    assert list(witnessed._bounded(report, notes)) == problems


def test_runs_that_stand_together_are_as_many_as_they_say() -> None:
    one, two = "0123456789ab", "0123456789abba9876543210"
    runs: list[dict[str, object]] = [
        {"id": "run-0", "number": 1.0}, {"id": "run-0"}, {"id": "run-0", "number": 2.0},
        {"id": f"{witnessed.id_of(two)}-2", "number": 2, "members": two},
        {"id": witnessed.id_of(one), "number": 2, "members": two},
    ]  # fmt: skip
    assert (
        list(witnessed._members({"runs": runs}))
        == [  # type: ignore[typeddict-item]
            "runs[2].number: 2.0; it holds 1",
            f"runs[4].members: are not those of {witnessed.id_of(one)[:20]}",
        ]
    )


def test_where_no_driver_answered() -> None:
    def silent(*whats: str) -> bool:
        listed = [{"what": what} for what in whats]
        return witnessed._without_drivers({"measurement": {"unmetered": listed}})

    assert silent("cpu", "accelerators")
    assert not silent("cpu")
    assert not silent()
    assert not witnessed._without_drivers({"measurement": {"unmetered": "accelerators"}})


def test_what_a_tools_run_and_the_authors_words_have_to_be() -> None:
    assert list(witnessed._run_of_a_tool({"name": "a", "measured": {"cost": 1}})) == []
    assert list(witnessed._run_of_a_tool({})) == [
        "run.name: missing; a tool's run has one",
        "run.measured: missing; a tool's run says what it recorded",
    ]
    subject = {"paper": "p", "code": "c", "commit": None, "models": ["m"]}
    told: Any = {"name": None, "subject": subject}
    assert list(witnessed.free(told)) == ["subject.why: missing; null are commit"]
    subject["why"] = "not public yet"
    assert list(witnessed.free(told)) == []
    assert list(witnessed.free({"subject": {**subject, "commit": "x"}})) == [  # type: ignore[typeddict-item]
        "name: missing, or no text"
    ]
