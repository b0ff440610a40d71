"""The fleet's pages in real Chromium: by token and by header, on a phone, without JavaScript."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from screens import AXE, PHONE, WIDE

pytestmark = pytest.mark.frameworks

EXAMPLE = Path(__file__).parents[2] / "examples" / "fleet"
PAGES = (
    "/fleet", "/fleet?by=user", "/fleet/accounts", "/fleet/accounts?account=physics",
    "/fleet/job?id=1000", "/fleet/budgets", "/fleet?month=2027-01",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fleet")
    for path in EXAMPLE.iterdir():
        shutil.copy(path, made)
    with (made / "fleet.yaml").open("a") as file:
        file.write("access: {sees: own}\n")
    for words in (["init"], ["import", "slurm", "sacct-2026-10.txt"]):
        command = [sys.executable, "-m", "costcalc", "fleet", *words]
        subprocess.run(command, cwd=made, check=True, capture_output=True)
    return made


def served(folder: Path, *more: str) -> Iterator[tuple[str, str]]:
    """The address of a server, and how it says that it is entered."""
    command = [sys.executable, "-m", "costcalc", "serve", "--port", "0", "--workers", "1",
               "--ledger", "fleet.db", *more]  # fmt: skip
    bare = {k: v for k, v in os.environ.items() if k != "COSTCALC_TOKEN"}
    with subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, env=bare
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        found = re.match(r"the fleet: (http://\S+)/fleet  \((.*)\)", process.stderr.readline())
        assert found
        yield found[1], found[2]
        process.terminate()


@pytest.fixture(scope="module")
def by_token(folder: Path) -> Iterator[tuple[str, str]]:
    yield from served(folder)


@pytest.fixture(scope="module")
def by_header(folder: Path) -> Iterator[tuple[str, str]]:
    yield from served(folder, "--user-header", "X-Remote-User")


@pytest.mark.parametrize("kind", [WIDE, PHONE, {**WIDE, "java_script_enabled": False}])
def test_every_page_by_the_token(chromium: Any, by_token: tuple[str, str], kind: Any) -> None:
    base, how = by_token
    token = how.removeprefix("password, of any user: ")
    context = chromium.new_context(http_credentials={"username": "me", "password": token}, **kind)
    page, said = context.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for place in PAGES:
        answer = page.goto(base + place)
        assert answer.status == (400 if "2027" in place else 200)
        assert page.locator("nav [aria-current=page]").count() == 2
        if kind.get("java_script_enabled", True):
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(wide) <= 0, place
            if AXE.exists():
                page.evaluate(AXE.read_text(encoding="utf-8"))
                found = page.evaluate("axe.run().then(r => r.violations.map(v => v.id))")
                assert found == [], place
    assert [text for text in said if "status of 400" not in text] == []
    assert context.cookies() == []
    context.close()


def test_one_walks_from_the_month_to_a_job(chromium: Any, by_token: tuple[str, str]) -> None:
    base, how = by_token
    token = how.removeprefix("password, of any user: ")
    context = chromium.new_context(
        http_credentials={"username": "me", "password": token}, java_script_enabled=False
    )
    page = context.new_page()
    page.goto(base)
    page.get_by_role("link", name="Fleet").click()
    page.get_by_label("By", exact=True).select_option("partition")
    page.get_by_role("button", name="Show").click()
    assert page.locator("table").first.get_by_role("rowheader", name="h100").count() == 1
    page.get_by_role("link", name="Accounts").click()
    page.get_by_role("link", name="physics").click()
    page.locator("section:has(#dear-title) tbody a").first.click()
    assert "device-hours" in page.locator(".lead").inner_text()
    page.get_by_role("link", name="Budgets").click()
    assert "OVER BUDGET" in page.locator(".budgets").inner_text()
    context.close()


def test_without_the_token_nothing_is_shown(chromium: Any, by_token: tuple[str, str]) -> None:
    context = chromium.new_context()
    page = context.new_page()
    for place in PAGES:
        assert page.request.get(by_token[0] + place).status == 401
    context.close()


def test_whom_a_proxy_names_sees_their_own(chromium: Any, by_header: tuple[str, str]) -> None:
    base, how = by_header
    assert how == "whom the proxy names in X-Remote-User"
    context = chromium.new_context(extra_http_headers={"X-Remote-User": "ada"})
    page = context.new_page()
    page.goto(f"{base}/fleet")
    assert "Shown to ada: physics." in page.locator("main").inner_text()
    assert page.get_by_role("rowheader", name="vision").count() == 0
    assert page.request.get(f"{base}/fleet", headers={"X-Remote-User": ""}).status == 403
    context.close()
