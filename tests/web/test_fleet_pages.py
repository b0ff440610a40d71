"""The fleet's pages: who may see them, what they say, and that it is what the ledger says."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.testclient import TestClient

from costcalc.base.errors import InputError
from costcalc.cli import OK, WRONG_USE, run
from costcalc.web.app import PLACES, Served, app
from costcalc.web.door import Door, door
from costcalc.web.workers import Inside

EXAMPLE = Path(__file__).parents[2] / "examples" / "fleet"
TOKEN = "a-token-of-some-length"
Opened = Callable[..., TestClient]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fleet")
    for path in EXAMPLE.iterdir():
        shutil.copy(path, made)
    asked = ["--ledger", f"{made}/fleet.db", "--fleet", f"{made}/fleet.yaml"]
    assert run(["fleet", "init", *asked]) == OK
    assert run(["fleet", "import", "slurm", f"{made}/sacct-2026-10.txt", *asked]) == OK
    return made


@pytest.fixture
def opened(folder: Path, tmp_path: Path) -> Iterator[Opened]:
    held: list[TestClient] = []

    def of(more: str = "", token: str | None = TOKEN, header: str | None = None) -> TestClient:
        config = tmp_path / "fleet.yaml"
        config.write_text((folder / "fleet.yaml").read_text() + more)
        served = Served(
            ledger=f"{folder}/fleet.db", config=str(config), door=Door(token=token, header=header)
        )
        client = TestClient(app(Inside(), fleet=served), base_url="http://127.0.0.1:8000")
        if token:
            client.headers["Authorization"] = f"Bearer {token}"
        client.__enter__()
        held.append(client)
        return client

    yield of
    for one in held:
        one.__exit__(None, None, None)


def text_of(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status, answer.text[:500]
    bare = re.sub(r"<[^>]+>", " ", answer.text)
    return " ".join(bare.split())


# --- the door ------------------------------------------------------------------------------------


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("said", [f"Bearer {TOKEN}", basic("anybody", TOKEN), basic("", TOKEN)])
def test_whoever_has_the_token_enters(said: str) -> None:
    assert Door(token=TOKEN, header=None).entered(Headers({"authorization": said})) == ""


@pytest.mark.parametrize(
    "said",
    ["", "Bearer", f"Bearer {TOKEN}x", basic(TOKEN, "x"), "Basic !!", f"Digest {TOKEN}", "ü"],
)
def test_nobody_else_does(said: str) -> None:
    raw = [(b"authorization", said.encode("latin-1"))] if said else []
    refused = Door(token=TOKEN, header=None).entered(Headers(raw=raw))
    assert isinstance(refused, Response)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic realm=")


def test_a_proxy_names_one_user() -> None:
    by_proxy = Door(token=None, header="X-Remote-User")
    assert by_proxy.entered(Headers({"x-remote-user": "ada"})) == "ada"
    for raw in (
        [],
        [(b"x-remote-user", b"")],
        [(b"x-remote-user", b"ada"), (b"x-remote-user", b"b")],
    ):
        refused = by_proxy.entered(Headers(raw=raw))
        assert isinstance(refused, Response)
        assert refused.status_code == 403


def test_a_header_that_anybody_could_send_is_refused() -> None:
    with pytest.raises(InputError) as error:
        door(None, "X-Remote-User", local=False)
    assert str(error.value) == (
        "--user-header: whoever reaches the port could name any user: listen on 127.0.0.1, or give "
        "a token that the proxy sends along (--token-file)"
    )
    assert door(TOKEN, "X-Remote-User", local=False)[0].token == TOKEN
    with pytest.raises(InputError, match="a token of 16 characters or more"):
        door("short", None, local=True)
    made, new = door(None, None, local=True)
    assert new
    assert len(str(made.token)) == 32


def test_the_pages_ask_at_the_door_and_the_calculator_does_not(opened: Opened) -> None:
    client = opened()
    del client.headers["Authorization"]
    for place in PLACES.values():
        assert client.get(place).status_code == 401
        assert client.post(place).status_code == 405  # nothing is changed here
    answer = client.get("/")
    assert answer.status_code == 200
    assert 'href="/fleet"' in answer.text


def test_without_a_ledger_there_are_no_pages_of_one() -> None:
    with TestClient(app(Inside()), base_url="http://127.0.0.1:8000") as client:
        assert client.get("/fleet").status_code == 404
        assert "/fleet" not in client.get("/").text


def test_options_that_go_with_a_ledger(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert run(["serve", "--user-header", "X-Remote-User"]) == WRONG_USE
    assert "--user-header: goes with --ledger" in capsys.readouterr().err
    assert run(["serve", "--ledger", str(folder / "none.db")]) == WRONG_USE
    assert "no ledger is there; costcalc fleet init makes one" in capsys.readouterr().err
    asked = ["serve", "--ledger", str(folder / "fleet.db"), "--host", "0.0.0.0"]
    assert run([*asked, "--user-header", "X-Remote-User"]) == WRONG_USE
    assert "could name any user" in capsys.readouterr().err


# --- what they say -------------------------------------------------------------------------------


def test_a_month_is_what_the_command_says(
    opened: Opened, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = opened()
    page = text_of(client.get("/fleet"))
    asked = ["--ledger", f"{folder}/fleet.db", "--fleet", f"{folder}/fleet.yaml"]
    capsys.readouterr()
    assert run(["fleet", "report", "-f", "csv", *asked]) == OK
    said = capsys.readouterr().out
    answer = client.get("/fleet?format=csv")
    assert answer.text == said
    assert answer.headers["content-disposition"] == 'attachment; filename="fleet-2026-10.csv"'
    for row in csv.DictReader(io.StringIO(said)):
        assert f"{row['account']} {int(row['jobs']):,}" in page
    assert "OVER BUDGET" in page
    assert "Idle nodes" in page
    data = client.get("/fleet?by=user&format=json").json()
    assert {tuple(group["key"]) for group in data["groups"]} == {("user",)}


def test_an_account_and_its_jobs(opened: Opened) -> None:
    client = opened()
    assert "physics" in text_of(client.get("/fleet/accounts"))
    page = text_of(client.get("/fleet/accounts?account=physics&month=2026-10"))
    assert "By user" in page
    assert "By partition" in page
    assert "vision" not in page
    assert "Idle nodes" not in page


def test_a_job_and_its_report(opened: Opened, tmp_path: Path) -> None:
    client = opened()
    page = text_of(client.get("/fleet/job?id=1000"))
    assert "Job 1000 This job held 4.00 × h100-sxm5-80 for 7.98 hours" in page
    kept = tmp_path / "job.yaml"
    kept.write_text(client.get("/fleet/job?id=1000&format=yaml").text)
    assert run(["report", "verify", str(kept)]) == OK
    assert json.loads(client.get("/fleet/job?id=1000&format=json").text)["results"]["cost"]
    assert "The scheduler's number" in text_of(client.get("/fleet/job"))
    assert "the ledger has no job 77" in text_of(client.get("/fleet/job?id=77"), 400)


def test_budgets_have_bars(opened: Opened) -> None:
    answer = opened().get("/fleet/budgets")
    assert "physics, 2026-10 cost: " in text_of(answer)
    assert answer.text.count("<svg") == 3
    assert 'class="spent"' in answer.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("month=2027-01", "no job ended in 2027-01; the ledger has 2026-10 to 2026-10"),
        ("month=hi", "expected 2026-10, 2026-Q4 or 2026; got &#34;hi&#34;"),
        ("by=acount", "did you mean account?"),
        ("mont=2026-10", "mont: expected of month, by, format; did you mean month?"),
        ("format=xml", "expected of csv, json; got &#34;xml&#34;"),
        ("month=<script>", "&lt;script&gt;"),
    ],
)
def test_what_is_wrong_is_said_on_the_page(opened: Opened, query: str, said: str) -> None:
    answer = opened().get(f"/fleet?{query}")
    assert answer.status_code == 400
    assert said in answer.text
    assert "<script>" not in answer.text


def test_a_ledger_that_is_away_is_said(tmp_path: Path) -> None:
    served = Served(
        ledger="postgresql://me@127.0.0.1:1/none", config="", door=Door(token=None, header="X-User")
    )
    pytest.importorskip("psycopg")
    with TestClient(app(Inside(), fleet=served), base_url="http://127.0.0.1:8000") as client:
        answer = client.get("/fleet", headers={"X-User": "ada"})
        assert "the database does not do it" in text_of(answer, 503)


# --- who sees what -------------------------------------------------------------------------------

OWN = "access: {sees: own, managers: [boss], accounts: {ada: [physics], eve: [none-such]}}\n"


def test_a_user_sees_their_accounts_alone(opened: Opened) -> None:
    client = opened(OWN, None, "X-Remote-User")
    ada = {"X-Remote-User": "ada"}
    page = text_of(client.get("/fleet", headers=ada))
    assert "Shown to ada: physics." in page
    assert "vision" not in page
    assert "Idle nodes" not in page
    assert "all accounts, 2026" not in page
    listed = client.get("/fleet?format=json&by=account", headers=ada).json()
    assert [group["key"]["account"] for group in listed["groups"]] == ["physics"]
    assert {one["account"] for one in listed["budgets"]} == {"physics"}
    assert "1,310 device-hours" not in page  # what others lost
    refused = client.get("/fleet/accounts?account=vision", headers=ada)
    assert "the ledger has no account vision" in text_of(refused, 400)
    boss = text_of(client.get("/fleet", headers={"X-Remote-User": "boss"}))
    assert "vision" in boss
    assert "Idle nodes" in boss


def test_a_user_sees_what_their_account_is_charged_for_idle_nodes(opened: Opened) -> None:
    """Its part of it, as whoever sees all sees it; what idled in all is not shown."""
    client = opened(OWN, None, "X-Remote-User")
    mine, all_ = (
        client.get("/fleet?format=json", headers={"X-Remote-User": user}).json()
        for user in ("ada", "boss")
    )
    physics = {one["key"]["account"]: one for one in all_["charges"]}["physics"]
    assert mine["charges"] == [
        {**physics, "charged": {n: _near(f) for n, f in physics["charged"].items()},
         "idle": {n: _near(f) for n, f in physics["idle"].items()}}
    ]  # fmt: skip
    assert mine["idle"] == []
    hours = all_["total"]["device_hours"]
    part = mine["total"]["device_hours"] / hours * all_["total"]["idle"]["cost"]["value"]
    assert mine["total"]["idle"]["cost"]["value"] == pytest.approx(part)
    for place in ("/fleet", "/fleet/accounts?account=physics"):
        page = text_of(client.get(place, headers={"X-Remote-User": "ada"}))
        assert "Charged, with idle nodes (shared by device-hours)" in page
    budgets = text_of(client.get("/fleet/budgets", headers={"X-Remote-User": "ada"}))
    assert "What is known reaches to 2026-10-31 19:56, when the last job ended" in budgets


def _near(figure: dict[str, Any]) -> dict[str, Any]:
    ends = ("value", "low", "high")
    return {**figure, **{end: pytest.approx(figure[end], rel=0.02) for end in ends}}


def test_a_job_of_another_account_is_as_one_that_is_not_there(opened: Opened) -> None:
    client = opened(OWN, None, "X-Remote-User")
    for shape in ("", "&format=json"):
        ada = client.get(f"/fleet/job?id=1000{shape}", headers={"X-Remote-User": "ada"})
        assert ada.status_code == 200
        eve = client.get(f"/fleet/job?id=1000{shape}", headers={"X-Remote-User": "eve"})
        none = client.get(f"/fleet/job?id=99{shape}", headers={"X-Remote-User": "eve"})
        assert eve.status_code == none.status_code == 400
        assert eve.text.replace("1000", "99") == none.text


def test_accounts_that_nobody_lists_are_those_of_ones_jobs(opened: Opened) -> None:
    client = opened("access: {sees: own}\n", None, "X-Remote-User")
    page = text_of(client.get("/fleet", headers={"X-Remote-User": "bela"}))
    assert "Shown to bela: physics." in page
    nobody = text_of(client.get("/fleet", headers={"X-Remote-User": "mallory"}), 400)
    assert "no account is known to be that of mallory" in nobody
