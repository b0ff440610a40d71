"""The description of the API: valid, and what is served is as it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from costcalc.web.app import app
from costcalc.web.openapi import description
from costcalc.web.workers import Inside

ROOT = Path(__file__).parent.parent.parent
RUN: dict[str, Any] = {
    "model": {"preset": "gpt2"},
    "training": {"tokens": "1B"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 1},
    "site": {"region": "aws:us-east-1"},
    "limits": {"cost": "500 USD"},
    "sweep": {"counts": "1,2"},
}
REPORT = (ROOT / "examples" / "reports" / "alpaca-7b.yaml").read_text(encoding="utf-8")
SENT: dict[str, Any] = {
    "/estimate": RUN,
    "/compare": RUN,
    "/plan": {key: said for key, said in RUN.items() if key != "sweep"},
    "/report/verify": REPORT,
    "/report/render?format=csv": REPORT,
    "/models?search=gpt2": None,
    "/hardware?search=l40s": None,
    "/regions?search=france": None,
    "/peak/H100": None,
}


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(app(Inside()), base_url="http://localhost") as made:
        yield made


def asked(client: TestClient, path: str, sent: Any) -> Any:
    if sent is None:
        return client.get(f"/api/v1{path}")
    text = sent if isinstance(sent, str) else json.dumps(sent)
    return client.post(f"/api/v1{path}", content=text)


def told(path: str) -> dict[str, Any]:
    """What the description says of a path."""
    plain = path.partition("?")[0]
    named = "/peak/{name}" if plain.startswith("/peak") else plain
    made: Any = description()["paths"]
    (operation,) = made[named].values()
    return dict(operation)


def test_it_is_served(client: TestClient) -> None:
    assert client.get("/api/v1/openapi.json").json() == json.loads(json.dumps(description()))


def test_every_path_is_tried_and_there(client: TestClient) -> None:
    paths: Any = description()["paths"]
    assert {path.partition("?")[0].replace("H100", "{name}") for path in SENT} == set(paths)
    for path, sent in SENT.items():
        assert asked(client, path, sent).status_code == 200, path


@pytest.mark.parametrize("path", [path for path in SENT if "render" not in path])
def test_what_is_served_is_as_described(client: TestClient, path: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = told(path)["responses"]["200"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": description()["components"]}
    jsonschema.Draft202012Validator(whole).validate(asked(client, path, SENT[path]).json())


def test_problems_are_as_described(client: TestClient) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = told("/estimate")["responses"]["400"]["content"]["application/json"]["schema"]
    check = jsonschema.Draft202012Validator({**schema, "components": description()["components"]})
    for body in ("model: 3", "{", json.dumps({**RUN, "profiles": "/x"})):
        answer = client.post("/api/v1/estimate", content=body)
        assert answer.status_code == 400
        check.validate(answer.json())
    with pytest.raises(jsonschema.ValidationError):
        check.validate({"problems": [{"message": 3}]})


def test_what_is_sent_is_as_described() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    for path in ("/estimate", "/compare", "/plan"):
        schema = told(path)["requestBody"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": description()["components"]}
        check = jsonschema.Draft202012Validator(whole)
        check.validate(SENT[path])
        with pytest.raises(jsonschema.ValidationError):
            check.validate({**RUN, "modle": {}})


def test_what_has_to_be_sent_is_said_to_be_required() -> None:
    """A body where there is one, a name in a path; of what stands behind the ? the format alone."""
    made: Any = description()["paths"]
    assert {path for path, operations in made.items() if "post" in operations} == {
        "/estimate", "/compare", "/plan", "/report/verify", "/report/render",
    }  # fmt: skip
    for path, operations in made.items():
        for method, operation in operations.items():
            assert ("requestBody" in operation) is (method == "post")
            assert ("413" in operation["responses"]) is (method == "post")
            assert ("404" in operation["responses"]) is ("{name}" in path)
            if method == "post":
                assert operation["requestBody"]["required"] is True
            required = [one["name"] for one in operation["parameters"] if one["required"]]
            said = {"/peak/{name}": ["name"], "/report/render": ["format"]}
            assert required == said.get(path, []), path


@pytest.mark.frameworks
def test_it_is_valid_openapi() -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    made = json.loads(json.dumps(description()))
    validator.validate(made)
    made["paths"]["/estimate"]["post"]["responses"] = 3
    with pytest.raises(Exception, match="3 is not"):
        validator.validate(made)
