"""Any report that the schema allows is saved, loaded, verified, merged and rendered."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from costcalc.base import writing
from costcalc.base.errors import InputError
from costcalc.base.reading import read
from costcalc.calculator.result import MODEL_VERSION, UNITS
from costcalc.report.check import verify
from costcalc.report.compare import lines, show
from costcalc.report.files import load, schema_problems, text
from costcalc.report.project import merge
from costcalc.report.renderings import FORMATS, render
from costcalc.report.renderings.model_card import into

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
SOME = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=30)
SIZE = st.one_of(
    st.just(0.0), st.floats(1e-12, 1e28, allow_nan=False), st.integers(0, 10**18), st.just(1e-290)
)
MAYBE = st.one_of(st.none(), SIZE)
WORD = st.one_of(st.none(), TEXT)
BASIS = st.sampled_from(["given", "measured", "profile", "modelled", "default"])


@st.composite
def figures(draw: st.DrawFn, unit: str, known: float | None = None) -> dict[str, Any]:
    """A figure: null with a why, or a value inside its range."""
    made: dict[str, Any] = {"value": None, "low": None, "high": None, "unit": unit}
    made["basis"] = draw(BASIS)
    if known is None and draw(st.booleans()):
        made["why"] = draw(SOME)
    else:
        three = sorted([draw(SIZE), draw(SIZE), draw(SIZE)])
        made |= dict(zip(("low", "value", "high"), three, strict=True))
        if draw(st.booleans()):
            made["low"] = made["high"] = None
    if draw(st.booleans()):
        made["convention"] = draw(TEXT)
    return made


@st.composite
def all_results(draw: st.DrawFn) -> dict[str, Any]:
    made = {name: draw(figures(unit)) for name, unit in UNITS.items()}
    made["throughput"]["unit"] = draw(st.sampled_from(["token/s", "sample/s"]))
    if draw(st.booleans()):
        made["carbon_operational_market"] = draw(figures("kgCO2e"))
    return made


KEYS = [
    "hardware.count",
    "site.pue",
    "site.grid",
    "hardware.board_power",
    "hardware.mean_power",
    "training.runs",
    "hardware.goodput",
    "price.device_hour",
    "embodied.lifetime",
    "x.y",
]
UNIT = st.sampled_from(["1", "W", "gCO2e/kWh", "device", "USD/device_hour", "year", "h", "parsec"])


@st.composite
def assumptions(draw: st.DrawFn) -> dict[str, Any]:
    made: dict[str, Any] = {"key": draw(st.one_of(st.sampled_from(KEYS), TEXT))}
    made["value"] = draw(st.one_of(SIZE, TEXT, st.booleans(), st.none(), st.just(["a", 1])))
    if draw(st.booleans()):
        made |= {"low": draw(MAYBE), "high": draw(MAYBE), "unit": draw(st.one_of(st.none(), UNIT))}
    made |= {"basis": draw(BASIS), "source": draw(TEXT)}
    if draw(st.booleans()):
        made |= {"year": draw(st.integers(1990, 2100)), "why": draw(WORD)}
    return made


DETAILS = st.fixed_dictionaries(
    {},
    optional={
        "hardware": st.fixed_dictionaries({"name": TEXT, "count": MAYBE, "unit": TEXT}),
        "place": TEXT,
        "region": TEXT,
        "precision": TEXT,
        "work": st.fixed_dictionaries({"data": MAYBE, "datum": TEXT}),
        "notes": st.lists(TEXT, max_size=2),
    },
)
PARTS = st.dictionaries(TEXT, SIZE, max_size=3)
BREAKDOWN = st.fixed_dictionaries(
    {}, optional={"cost": PARTS, "energy": PARTS, "carbon": PARTS, "step": PARTS}
)
COMPONENT = st.fixed_dictionaries(
    {"name": TEXT, "counted": st.one_of(st.none(), st.booleans())}, optional={"why": WORD}
)
QUANTITY = st.fixed_dictionaries({"value": MAYBE, "unit": TEXT}, optional={"why": WORD})
RUN = st.fixed_dictionaries(
    {
        "id": SOME,
        "role": st.sampled_from(["final", "sweep", "ablation", "preliminary", "failed", "unknown"]),
    },
    optional={
        "name": WORD,
        "number": SIZE,
        "hours": MAYBE,
        "devices": MAYBE,
        "device_hours": MAYBE,
        "energy": MAYBE,
        "measured_by": WORD,
        "why": WORD,
    },
)
SECTIONS: dict[str, Any] = {
    "name": WORD,
    "kind": st.sampled_from(["estimated", "measured", "mixed"]),
    "figures": st.sampled_from(["exact", "rounded"]),
    "costcalc_version": WORD,
    "warnings": st.lists(TEXT, max_size=2),
    "breakdown": BREAKDOWN,
    "details": DETAILS,
    "limits": st.lists(
        st.fixed_dictionaries(
            {"key": TEXT, "value": MAYBE, "limit": MAYBE, "passed": st.booleans()}
        ),
        max_size=2,
    ),
    "subject": st.fixed_dictionaries(
        {},
        optional={
            "paper": WORD,
            "code": WORD,
            "commit": WORD,
            "models": st.lists(TEXT, max_size=2),
            "why": WORD,
        },
    ),
    "boundary": st.fixed_dictionaries(
        {
            "stages": st.lists(COMPONENT, max_size=2),
            "components": st.lists(COMPONENT, max_size=2),
            "functional_unit": st.fixed_dictionaries({"name": TEXT}, optional={"amount": SIZE}),
        }
    ),
    "runs": st.lists(RUN, max_size=3, unique_by=lambda run: run["id"]),
    "work": st.fixed_dictionaries({"E": QUANTITY, "D": QUANTITY, "H": QUANTITY}),
    "project": st.fixed_dictionaries(
        {
            "reported_device_hours": MAYBE,
            "total_device_hours": MAYBE,
            "ratio": MAYBE,
            "includes": TEXT,
        },
        optional={"why": WORD},
    ),
    "measurement": st.fixed_dictionaries(
        {
            "meters": st.lists(
                st.fixed_dictionaries({"name": TEXT}, optional={"version": WORD, "what": WORD}),
                max_size=2,
            )
        },
        optional={"gaps": MAYBE, "nodes": MAYBE, "why": WORD},
    ),
    "software": st.lists(st.fixed_dictionaries({"name": TEXT, "version": WORD}), max_size=2),
    "a_key_of_the_future": st.one_of(st.none(), TEXT, st.lists(SIZE, max_size=2)),
}
TRAINING = st.sampled_from(
    [{}, {"training": {"method": "lora"}}, {"training": {"tokens": 5.0, "method": "pretrain"}}]
)
STAGE = st.fixed_dictionaries(
    {
        "name": TEXT,
        "results": all_results(),
        "assumptions": st.lists(assumptions(), max_size=3),
        "warnings": st.lists(TEXT, max_size=1),
        "breakdown": BREAKDOWN,
        "details": DETAILS,
    }
)


@st.composite
def reports(draw: st.DrawFn) -> dict[str, Any]:
    """Any report: estimated, measured or mixed; with or without stages, runs and every section."""
    made: dict[str, Any] = {"schema": "costcalc/report/v1", "results": draw(all_results())}
    made["assumptions"] = draw(st.lists(assumptions(), max_size=4))
    made["drivers"] = draw(
        st.lists(
            st.fixed_dictionaries({"of": TEXT, "key": TEXT, "share": st.floats(0, 1)}), max_size=2
        )
    )
    made["run"], made["data"] = draw(TRAINING), draw(st.dictionaries(TEXT, TEXT, max_size=2))
    made["model_version"] = draw(st.one_of(st.just(MODEL_VERSION), TEXT))
    made["stages"] = draw(st.lists(STAGE, max_size=2))
    for key, strategy in SECTIONS.items():
        if draw(st.booleans()):
            made[key] = draw(strategy)
    made["digest"] = writing.digest(made)
    return made


PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
SLOW = settings(
    max_examples=25,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)


@SLOW
@given(report=reports(), other=reports())
def test_any_report_comes_back_and_every_command_takes_it(
    report: dict[str, Any], other: dict[str, Any], tmp_path: Path
) -> None:
    yaml, as_json = tmp_path / "r.yaml", tmp_path / "r.json"
    yaml.write_text(text(report), encoding="utf-8", newline="")
    as_json.write_text(text(report, as_json), encoding="utf-8", newline="")
    assert load(yaml) == load(as_json) == report
    assert writing.digest(load(yaml)) == report["digest"]
    verdict = verify(yaml)
    assert verdict.steps[0].discrepancies == ()
    assert [str(line) for line in verdict.discrepancies] == [*verify(as_json).discrepancies]
    assert "\n".join(show(report))
    assert isinstance("\n".join(lines(report, other)), str)
    for shape in FORMATS:
        shown = render(report, shape)
        assert shown.endswith("\n")
        if shape in ("cyclonedx", "spdx"):
            json.loads(shown)
    assert into(into("# card\n", report), report) == into("# card\n", report)
    whole = merge([("a", report), ("b", other)], name="p", distinct=True)
    assert schema_problems(read(text(whole), "m.yaml")) == []
    (tmp_path / "m.yaml").write_text(text(whole), encoding="utf-8", newline="")
    assert verify(tmp_path / "m.yaml").steps[0].discrepancies == ()


@SLOW
@given(report=reports(), data=st.data())
def test_a_file_with_bits_turned_is_read_or_refused(
    report: dict[str, Any], data: st.DataObject, tmp_path: Path
) -> None:
    raw = bytearray(text(report).encode())
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "r.yaml"
    path.write_bytes(bytes(raw))
    with contextlib.suppress(InputError):
        verify(path)


def bombs() -> Mapping[str, bytes]:
    """Files that are small and would be large or deep, or that make a careless reader hang."""
    aliases = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{i}: &a{i} [" + ",".join([f"*a{i - 1}"] * 9) + "]\n" for i in range(1, 12)
    )
    return {
        "billion laughs": aliases.encode(),
        "a merge of itself": b"a: &a\n  <<: *a\n",
        "deep in blocks": "\n".join("  " * i + "a:" for i in range(3000)).encode(),
        "deep in flow": b'{"a":' * 30_000,
        "deep in sequences": b"- " * 100_000,
        "a long number": b"schema: " + b"9" * 2_000_000,
        "a long exponent": b"schema: 1e" + b"9" * 100_000,
        "a long line": b"schema: '" + b"a" * 3_000_000 + b"'",
        "many keys": "\n".join(f"k{i}: {i}" for i in range(100_000)).encode(),
        "spaces": b" " * 5_000_000,
        "quotes": b'"' * 300_000,
        "not utf-8": b"\xff\xfe\x00a" * 1000,
        "zeros": b"\x00" * 1_000_000,
        "tags": b"a: !!python/object/apply:os.system ['touch owned']",
        "too large": b"#" * 60_000_000,
    }


@pytest.mark.parametrize("name", list(bombs()))
def test_bombs_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_bytes(bombs()[name])
    try:
        assert not verify(path).holds
    except InputError as error:
        assert len(str(error)) < 5000
    assert not (tmp_path / "owned").exists()
