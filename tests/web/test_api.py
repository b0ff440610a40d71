"""The REST API: the same answers as in Python, the same problems, and nothing of the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

import costcalc
from costcalc.report.renderings import FORMATS
from costcalc.web import api, bounds, work
from costcalc.web.app import app
from costcalc.web.workers import Inside

ROOT = Path(__file__).parent.parent.parent
RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1T"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
    "site": {"region": "aws:us-east-1"},
}
REPORT = ROOT / "examples" / "reports" / "alpaca-7b.yaml"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(app(Inside()), base_url="http://127.0.0.1:8000") as made:
        yield made


def problems(answer: Any, status: int = 400) -> list[dict[str, Any]]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    return list(answer.json()["problems"])


def test_an_estimate_is_that_of_python(client: TestClient) -> None:
    assert client.post("/api/v1/estimate", json=RUN).json() == costcalc.estimate(RUN).to_dict()


def test_options_of_an_estimate(client: TestClient) -> None:
    made = client.post("/api/v1/estimate?ranges=false", json=RUN).json()["results"]["cost"]
    assert made["low"] == made["value"] == made["high"]
    assert problems(client.post("/api/v1/estimate?range=false", json=RUN)) == [
        {"key": "range", "message": "unknown option; did you mean ranges?"}
    ]


def test_yaml_is_taken_and_its_problems_have_their_lines(client: TestClient) -> None:
    text = yaml.safe_dump(RUN)
    assert client.post("/api/v1/estimate", content=text).json() == costcalc.estimate(RUN).to_dict()
    bad = "model: {preset: gpt2}\ntraining: {tokens: 1}\nhardware:\n  count: eight\n  acelerator: x"
    assert problems(client.post("/api/v1/estimate", content=bad)) == [
        {
            "key": "hardware.count",
            "message": 'expected a whole number of devices, 1 or more; got "eight"',
            "line": 4,
            "column": 10,
        },
        {
            "key": "hardware.acelerator",
            "message": "unknown key; did you mean accelerator?",
            "line": 5,
            "column": 3,
        },
    ]


def test_a_report_is_estimated_again(client: TestClient) -> None:
    report = costcalc.estimate(RUN).to_dict()
    again = client.post("/api/v1/estimate", json=report).json()
    assert again["results"] == report["results"]


NO_FILE = "names a file, and a server opens none; "
PATHS = {
    "model.config": ({"model": {"config": "./x"}}, "give what stands in the config.json, as a "
                     "mapping"),
    "training.teacher.config": (
        {"training": {"tokens": "1T", "teacher": {"config": "/etc/passwd"}}},
        "give what stands in the config.json, as a mapping",
    ),
    "hardware.calibration": (
        {"hardware": {**RUN["hardware"], "calibration": "m.yaml"}},
        "give what costcalc calibrate wrote, as a mapping",
    ),
    "defaults": ({"defaults": "../lab.yaml"}, "give its keys in the run file"),
    "profiles": (
        {"profiles": "/tmp"},
        "give the keys of the device under hardware, such as peak and board_power, or use the "
        "command line",
    ),
}  # fmt: skip


@pytest.mark.parametrize("key", PATHS)
@pytest.mark.parametrize("where", ["top", "stage", "step"])
@pytest.mark.parametrize("path", ["estimate", "compare", "plan"])
def test_what_names_a_file_is_refused(client: TestClient, key: str, where: str, path: str) -> None:
    change, instead = PATHS[key]
    run: dict[str, Any] = {**RUN, **change}
    place = key
    if where == "stage":
        run, place = {**RUN, "stages": [{"name": "a"}, change]}, f"stages[1].{key}"
    if where == "step":
        steps = [{"run": {**RUN, **change}}]
        calibration = {"schema": "costcalc/calibration/v1", "steps": steps}
        run = {**RUN, "hardware": {**RUN["hardware"], "calibration": calibration}}
        place = f"hardware.calibration.steps[0].run.{key}"
    assert problems(client.post(f"/api/v1/{path}", json=run)) == [
        {"key": place, "message": NO_FILE + instead}
    ]


def test_what_stands_inline_is_taken(client: TestClient) -> None:
    config = json.loads((ROOT / "examples/configs/smollm2-135m.json").read_text("utf-8"))
    run = {**RUN, "model": {"config": config}}
    made = client.post("/api/v1/estimate", json=run)
    assert made.json()["results"]["parameters"]["value"] == 134_515_008


def test_defaults_of_the_servers_environment_are_not_taken(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lab = tmp_path / "lab.yaml"
    lab.write_text("site: {pue: 3}\n", encoding="utf-8")
    monkeypatch.setenv("COSTCALC_DEFAULTS", str(lab))
    made = client.post("/api/v1/estimate", json=RUN).json()
    assert [a["value"] for a in made["assumptions"] if a["key"] == "site.pue"] != [3]
    assert str(lab) not in json.dumps(made)


def test_no_request_opens_a_file_or_a_connection() -> None:
    """An audit hook cannot be taken off again: it lives in a process of its own."""
    code = """
import json, pathlib, sys
from costcalc.web import work
import sys; sys.path.insert(0, "tests/web"); from fuzzing import RUNS, reports, runs
requests = [*runs(11, 120), *reports(11, 15), ("models", b"", {}), ("peak", b"../../x", {})]
for name, body, options in requests:  # what is read once is read before
    work.work(name, body, options)
seen = []
OURS = str(pathlib.Path("costcalc").absolute())
def hook(event, arguments):
    if event in ("open", "os.listdir", "os.scandir", "os.mkdir", "os.remove", "subprocess.Popen",
                 "os.system") or event.startswith(("socket.", "ftplib", "urllib", "http.")):
        if not str(arguments[0]).startswith(OURS):  # a template
            seen.append((event, str(arguments[:2])))
sys.addaudithook(hook)
for name, body, options in requests:
    work.work(name, body, options)
for key, value in (("model", {"config": "/etc/hostname"}), ("profiles", "/etc"),
                   ("defaults", "/etc/hostname"), ("hardware", {"calibration": "/etc/hostname"})):
    work.work("estimate", json.dumps({**RUNS[0], key: value}).encode(), {})
    report = {"schema": "costcalc/report/v1", "run": {**RUNS[0], key: value}, "assumptions": []}
    work.work("estimate", json.dumps(report).encode(), {})
print(seen)
open("/dev/null").close()
print(len(seen))
"""
    made = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert made.stdout.splitlines() == ["[]", "1"]  # the last: the hook does see


def test_a_comparison_is_that_of_python(client: TestClient) -> None:
    run = {**RUN, "sweep": {"counts": "64..256", "regions": ["FR", "PL"]}}
    made = client.post("/api/v1/compare?minimize=carbon", json=run).json()
    again = costcalc.compare(run, minimize="carbon").to_dict()
    assert made == json.loads(json.dumps(again))
    assert made["best"]["region"] == "FR"


def test_a_plan_is_that_of_python(client: TestClient) -> None:
    run = {"hardware": {"accelerator": "h100-sxm5-80", "count": 8}, "limits": {"cost": "500 USD"}}
    made = client.post("/api/v1/plan?confidence=0.9", json=run).json()
    assert made == json.loads(json.dumps(costcalc.plan(run, confidence=0.9).to_dict()))
    assert problems(client.post("/api/v1/plan", json=RUN)) == [
        {
            "key": "limits",
            "message": "nothing to plan with: give one or more of cost, time, energy, carbon, "
            "such as cost: 500 USD",
        }
    ]


def test_past_scores_of_a_plan(client: TestClient) -> None:
    run = {
        "model": {"preset": "gpt2"},
        "training": {"tokens": "1B"},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 1},
        "site": {"region": "aws:us-east-1"},
        "limits": {"cost": "500 USD"},
    }
    made = client.post("/api/v1/plan?scores=0.71,0.74", json=run).json()
    assert made["search"]["scores"] == 2
    assert problems(client.post("/api/v1/plan?scores=1,e", json=run)) == [
        {"key": "scores", "message": "expected numbers, as 0.71,0.74"}
    ]


def test_a_report_is_verified(client: TestClient) -> None:
    text = REPORT.read_text(encoding="utf-8")
    made = client.post("/api/v1/report/verify", content=text).json()
    assert (made["holds"], made["recomputed"]) == (True, True)
    assert made["lines"] == costcalc.verify(REPORT).lines()
    broken = text.replace("name: Alpaca 7B", "name: Alpaca 8B")
    found = client.post("/api/v1/report/verify", content=broken).json()
    assert found["holds"] is False
    assert [step["done"] for step in found["steps"]] == [True, True, True]
    assert found["steps"][0]["said"] == "valid costcalc/report/v1, digest broken"


def test_a_report_is_rendered(client: TestClient) -> None:
    report = costcalc.load(REPORT)
    made = client.post("/api/v1/report/render?format=neurips", json=report)
    assert made.headers["content-type"] == "text/plain; charset=utf-8"
    assert made.text == costcalc.render(report, "neurips")
    assert "warning" not in made.headers
    broken = client.post("/api/v1/report/render?format=csv", json={**report, "name": "x"})
    assert broken.headers["warning"] == '199 costcalc "the digest is broken"'
    assert problems(client.post("/api/v1/report/render?format=latx", json=report)) == [
        {
            "key": "format",
            "message": "expected one of latex, markdown, html, model-card, neurips, acl, annex-xi, "
            'annex-xi-json, cyclonedx, spdx, csv; got "latx"; did you mean latex?',
        }
    ]
    assert problems(client.post("/api/v1/report/render", json=report)) == [
        {"key": "format", "message": f"missing: one of {', '.join(FORMATS)}"}
    ]


def test_what_is_known_is_listed(client: TestClient) -> None:
    assert client.get("/api/v1/models?search=llama-3-8b").json() == {
        "models": [
            {
                "id": "llama-3-8b",
                "name": "Llama 3 8B",
                "family": "dense",
                "parameters": 8030261248.0,
            }
        ]
    }
    hardware = client.get("/api/v1/hardware", params={"search": "nvidia h100 sxm"}).json()
    name = "NVIDIA H100 SXM5 80 GB"
    h100 = {"id": "h100-sxm5-80", "name": name, "vendor": "NVIDIA", "unit": "GPU"}
    assert h100 in hardware["hardware"]
    regions = client.get("/api/v1/regions?search=france").json()["regions"]
    assert [one["unit"] for one in regions if one["id"] == "FR"] == ["gCO2e/kWh"]
    assert client.get("/api/v1/regions?search=narnia").json() == {"regions": []}


def test_a_peak_by_any_name(client: TestClient) -> None:
    made = client.get("/api/v1/peak/NVIDIA H100 80GB HBM3?precision=bf16").json()
    assert made == {
        "accelerator": "h100-sxm5-80", "peak": {"bf16": 989.4e12}, "unit": "FLOP/s",
        "of": "one GPU",
    }  # fmt: skip
    assert set(client.get("/api/v1/peak/a100-sxm4-80").json()["peak"]) >= {"bf16", "fp32", "tf32"}
    (found,) = problems(client.get("/api/v1/peak/h1000000"), 404)
    assert found["message"].startswith("no accelerator h1000000; nearest: ")


BODIES = {
    b"": "expected a run; got nothing",
    b"{": "expected JSON: Expecting property name enclosed in double quotes",
    b"[1]": "expected a run file: a mapping of keys",
    b"\xff\xfe": "expected UTF-8 text; got bytes that are none",
    b'{"name": "\\ud800"}': "holds half of a letter (a surrogate without its other)",
    b'{"training": {"tokens": 1e999}}': "holds a number that is none, or is too large",
    b"[" * 200: "nested deeper than 100 levels",
    b'{"a":' * 200: "nested deeper than 100",
    b"&a [*a]": "*a refers to nothing that stands above",
}


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_bodies_that_are_none(client: TestClient, body: bytes) -> None:
    (found,) = problems(client.post("/api/v1/estimate", content=body))
    assert found["message"] == BODIES[body]


def test_a_sweep_that_takes_too_long_says_how_far_it_came(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "SWEEP", -1.0)  # over before it begins
    # 40 counts × 2 regions: the clock is looked at after 32 counts, 64 scenarios of 80
    run = {**RUN, "sweep": {"counts": "8..320:8", "regions": ["FR", "PL"]}}
    assert problems(client.post("/api/v1/compare", json=run)) == [
        {
            "key": "sweep",
            "message": "took longer than -1 s, with 64 of 80 scenarios done: fewer accelerators, "
            "counts or precisions, or costcalc compare, which has no limit",
        }
    ]
    # what is done is answered
    done = {**RUN, "sweep": {"counts": "8..256:8", "regions": ["FR", "PL"]}}
    assert client.post("/api/v1/compare", json=done).json()["scenarios"] == 64


def test_what_is_too_large(client: TestClient) -> None:
    huge = b"#" * (bounds.BODY + 1)
    said = [{"key": "", "message": "expected 200,000 bytes at most"}]
    assert problems(client.post("/api/v1/estimate", content=huge), 413) == said
    pieces = (huge[:1000] for _ in range(201))  # without a length
    assert problems(client.post("/api/v1/estimate", content=pieces), 413) == said
    stages = [{"name": str(n)} for n in range(21)]
    assert problems(client.post("/api/v1/estimate", json={**RUN, "stages": stages})) == [
        {"key": "stages", "message": "expected 20 stages at most; got 21"}
    ]
    many = {**RUN, "sweep": {"accelerators": "all", "counts": "8,16"}}
    (found,) = problems(client.post("/api/v1/compare", json=many))
    assert found["message"].startswith("expected 1,024 accelerators × counts × precisions at most;")
    wide = {**RUN, "sweep": {"counts": "1..64:1", "regions": "all", "plans": "all"}}
    (found,) = problems(client.post("/api/v1/compare", json=wide))
    assert found["message"].startswith("expected 120,000 scenarios at most; got ")
    long = {**RUN, "sweep": {"counts": "1..10000000:1"}}
    assert problems(client.post("/api/v1/compare", json=long)) == [
        {"key": "counts", "message": 'expected 100,000 counts at most; got "1..10000000:1"'}
    ]


def test_other_hosts_names_are_refused(client: TestClient) -> None:
    for host in ("evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example:8000"):
        made = client.get("/api/v1/peak/H100", headers={"Host": host})
        assert (made.status_code, "--allow-host" in made.text) == (421, True), host
        assert problems(made, 421)[0]["key"] == "Host", host
        made = client.get("/", headers={"Host": host})
        assert (made.status_code, made.text.count("--allow-host"), made.text[0]) == (421, 1, "t")
    for host in ("localhost:1", "127.0.0.1", "[::1]:8000", "LOCALHOST"):
        assert client.get("/api/v1/peak/H100", headers={"Host": host}).status_code == 200, host
    with TestClient(app(Inside(), ["calc.example"]), base_url="https://Calc.example") as named:
        assert named.get("/api/v1/peak/H100").status_code == 200
        assert named.get("/api/v1/peak/H100", headers={"Host": "x.org"}).status_code == 421


@pytest.mark.parametrize("path", ["/api/v1/peak/H100", "/api/v1/nothing", "/nothing"])
def test_what_binds_a_browser(client: TestClient, path: str) -> None:
    made = client.get(path, headers={"Origin": "https://elsewhere.example"})
    policy = made.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "data:" not in policy
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert policy.endswith("frame-ancestors 'none'")
    assert made.headers["x-content-type-options"] == "nosniff"
    assert made.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in made.headers
    assert not [name for name in made.headers if name.startswith("access-control")]


def test_it_may_be_framed_where_somebody_says_so() -> None:
    with TestClient(app(Inside(), embed=["https://a.example"]), base_url="http://[::1]") as framed:
        made = framed.get("/api/v1/peak/H100").headers
    assert made["content-security-policy"].endswith("frame-ancestors https://a.example")
    assert "cross-origin-resource-policy" not in made


def test_a_preflight_is_not_answered(client: TestClient) -> None:
    headers = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    made = client.options("/api/v1/estimate", headers=headers)
    assert problems(made, 405) == [{"key": "", "message": "expected POST; got OPTIONS"}]
    assert problems(client.get("/api/v1/nothing"), 404) == [
        {"key": "", "message": "nothing stands here; /api/v1/openapi.json says what does"}
    ]


def test_a_bug_is_told_without_what_was_sent(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(body: bytes, _: object) -> Any:
        raise RuntimeError(body.decode())

    monkeypatch.setattr(work, "WORKS", {**work.WORKS, "estimate": broken})
    made = client.post("/api/v1/estimate", content=b"secret-name")
    assert problems(made, 500) == [
        {"key": "", "message": "a bug of costcalc; the server's log says where"}
    ]
    said = capfd.readouterr().err
    assert said.startswith("costcalc serve: a bug in estimate: RuntimeError at ")
    assert "secret-name" not in said
