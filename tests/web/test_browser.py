"""The pages in real Chromium: the four paths, phone, dark, without JavaScript, keyboard, axe."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from screens import AXE, PHONE, WIDE

from costcalc.web.pages import EXAMPLES, PATHS

pytestmark = pytest.mark.frameworks

ROOT = Path(__file__).parent.parent.parent
REPORT = ROOT / "examples" / "reports" / "alpaca-7b.yaml"


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    command = [sys.executable, "-m", "costcalc", "serve", "--port", "0", "--workers", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as served:
        assert served.stderr is not None
        found = re.search(r"http://\S+", served.stderr.readline())
        assert found
        yield found[0]
        served.terminate()


class Opened:
    """A page, and all that it asked for and complained of."""

    def __init__(self, chromium: Any, base: str, **kind: Any) -> None:
        self.base = base
        self.context = chromium.new_context(**{**WIDE, **kind})
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def at(self, name: str, query: str | None = None) -> Any:
        asked = EXAMPLES.get(name, "") if query is None else query
        self.page.goto(f"{self.base}{PATHS[name]}{'?' * bool(asked)}{asked}")
        return self.page

    def done(self) -> None:
        """Nothing was asked of another host, nothing broke a policy, nothing is remembered."""
        refused = [text for text in self.said if "status of 400" not in text]  # problems are 400
        assert refused == []
        assert all(url.startswith((self.base, "data:")) for url in self.asked), self.asked
        assert self.context.cookies() == []
        self.context.close()


@pytest.fixture
def opened(chromium: Any, base: str) -> Iterator[Any]:
    made: list[Opened] = []

    def of(**kind: Any) -> Opened:
        made.append(Opened(chromium, base, **kind))
        return made[-1]

    yield of
    for one in made:
        one.done()


def value(page: Any, label: str) -> str:
    """A figure of the answer."""
    return str(page.locator(f".card:has(dt:text-is('{label}')) .value").inner_text())


def test_an_answer_changes_while_one_types(opened: Any) -> None:
    page = opened().at("calculate")
    page.evaluate("window.sameone = true")
    before = value(page, "Time")
    page.locator("#rest summary", has_text="carbon_total").click()
    page.get_by_label("How many").fill("128")
    page.wait_for_function(
        "old => document.querySelector('.card .value').innerText !== old", arg=before
    )
    assert "hardware.count=128" in page.url
    assert len(page.url) < 2000
    assert page.evaluate("window.sameone")  # not another page
    assert page.locator("#rest details[open] summary", has_text="carbon_total").count() == 1
    assert page.locator("#status").inner_text().startswith("Time: ")
    after = value(page, "Time")
    page.goto(page.url)  # the address holds it all
    assert value(page, "Time") == after
    assert page.get_by_label("How many").input_value() == "128"


def test_problems_come_and_go_at_their_fields(opened: Any) -> None:
    page = opened().at("calculate")
    count = page.get_by_label("How many")
    count.fill("eight")
    problem = page.locator("#f-hardware-count-problem")
    problem.wait_for()
    assert 'expected a whole number of devices, 1 or more; got "eight"' in problem.inner_text()
    assert count.get_attribute("aria-invalid") == "true"
    assert "f-hardware-count-problem" in str(count.get_attribute("aria-describedby"))
    count.fill("8")
    page.locator(".card").first.wait_for()
    assert page.locator(".problem").count() == 0
    assert count.get_attribute("aria-invalid") is None


def test_names_are_completed(opened: Any) -> None:
    page = opened().at("calculate")
    for kind, name in (("models", "llama-3-8b"), ("hardware", "h100-sxm5-80"), ("regions", "FR")):
        assert page.locator(f"#list-{kind} option[value='{name}']").count() == 1


def test_text_is_copied(opened: Any) -> None:
    made = opened()
    made.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = made.at("calculate")
    for title, begins in (("Command", "costcalc estimate --model"), ("Python", "import costcalc")):
        page.locator("#rest summary", has_text=title).click()
        page.get_by_role("button", name=f"Copy: {title}").click()
        assert page.evaluate("navigator.clipboard.readText()").startswith(begins)


def test_a_report_is_downloaded(opened: Any, tmp_path: Path) -> None:
    import costcalc

    page = opened().at("calculate")
    with page.expect_download() as waited:
        page.get_by_role("link", name="Report (YAML)").click()
    path = tmp_path / "r.yaml"
    waited.value.save_as(path)
    assert costcalc.verify(path).discrepancies == ()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "none"])
class TestTheFourPaths:
    """Each from an empty page to its end, with JavaScript and without."""

    def test_calculate_then_compare(self, opened: Any, scripts: bool) -> None:
        page = opened(java_script_enabled=scripts).at("calculate", "")
        page.get_by_label("Model", exact=True).fill("qwen2.5-7b")
        page.get_by_label("Data", exact=True).fill("10B")
        page.get_by_label("Machine", exact=True).fill("a100-sxm4-80")
        page.get_by_label("How many").fill("8")
        page.get_by_label("Place", exact=True).fill("FR")
        page.get_by_role("button", name="Calculate").click()
        page.wait_for_url("**/?model.preset=qwen2.5-7b&training.tokens=10B&**site.region=FR")
        page.get_by_role("heading", name="Qwen2.5 7B").wait_for()
        assert value(page, "CO2e") != "unknown"
        page.goto(page.url)
        page.get_by_role("link", name="Compare", exact=True).click()
        page.get_by_label("Counts").fill("8,16")
        page.get_by_label("Places").fill("FR, PL")
        page.get_by_role("button", name="Compare").click()
        page.get_by_role("heading", name="4 scenarios, 4 can run").wait_for()
        assert page.locator(".chart .front").count() >= 1
        page.locator("table a").first.click()
        page.get_by_role("heading", name="Qwen2.5 7B").wait_for()

    def test_plan(self, opened: Any, scripts: bool) -> None:
        page = opened(java_script_enabled=scripts).at("plan", "")
        page.get_by_label("At most money").fill("500 USD")
        page.get_by_label("Machine", exact=True).fill("h100-sxm5-80")
        page.get_by_label("How many").fill("8")
        page.get_by_role("button", name="Plan").click()
        page.get_by_role("heading", name="Within the limits").wait_for()
        page.get_by_role("link", name="Open it in the calculator").click()
        page.get_by_role("heading", name="What a training run costs").wait_for()
        assert page.get_by_label("How many").input_value() == "8"

    def test_finished_job(self, opened: Any, scripts: bool) -> None:
        page = opened(java_script_enabled=scripts).at("finished", "")
        page.get_by_label("Machine", exact=True).fill("a100-sxm4-80")
        page.get_by_label("How many").fill("4")
        page.get_by_label("It took").fill("36:00:00")
        page.get_by_label("Place", exact=True).fill("Spain")
        page.get_by_role("button", name="Work it out").click()
        page.get_by_role("heading", name="For the paper").wait_for()
        assert value(page, "Time") == "36.0 hours"
        page.locator("#rest summary", has_text="NeurIPS checklist").click()
        assert "A100" in page.locator("pre[data-copy='NeurIPS checklist']").inner_text()

    def test_check_a_report(self, opened: Any, scripts: bool) -> None:
        page = opened(java_script_enabled=scripts).at("check")
        page.get_by_label("A report, YAML or JSON").set_input_files(REPORT)
        if not scripts:
            page.get_by_role("button", name="Check").click()
        page.get_by_role("heading", name="What could be checked holds").wait_for()
        page.locator("summary", has_text="latex").click()
        with page.expect_download() as waited:
            page.get_by_role("link", name="Save as report.tex").click()
        assert "\\toprule" in Path(waited.value.path()).read_text(encoding="utf-8")


def test_a_report_is_dropped(opened: Any) -> None:
    page = opened().at("check")
    given = page.evaluate_handle(
        "text => { const all = new DataTransfer();"
        " all.items.add(new File([text], 'r.yaml')); return all; }",
        REPORT.read_text(encoding="utf-8"),
    )
    page.dispatch_event(".drop", "drop", {"dataTransfer": given})
    page.get_by_role("heading", name="What could be checked holds").wait_for()


@pytest.mark.parametrize("name", [*PATHS])
@pytest.mark.parametrize("kind", ["light", "dark", "phone"])
def test_no_barrier_and_nothing_beside_the_screen(opened: Any, name: str, kind: str) -> None:
    """axe-core finds nothing serious; on a phone nothing is wider than it."""
    if not AXE.is_file():
        pytest.skip("no axe-core here (npm install axe-core; AXE_CORE names axe.min.js)")
    made = opened(**{"light": {}, "dark": {"color_scheme": "dark"}, "phone": PHONE}[kind])
    page = made.at(name)
    if name == "check":
        page.get_by_label("A report, YAML or JSON").set_input_files(REPORT)
        page.locator(".verdict").wait_for()
    page.evaluate("document.querySelectorAll('details').forEach(one => (one.open = true))")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then(all => all.violations)")
    told = [
        (one["id"], one["impact"], [node["target"] for node in one["nodes"]][:3])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert told == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_a_digest_is_not_wider_than_a_phone(opened: Any, tmp_path: Path) -> None:
    broken = tmp_path / "r.yaml"
    broken.write_text(REPORT.read_text(encoding="utf-8").replace("Alpaca", "Llama"))
    page = opened(**PHONE).at("check")
    page.get_by_label("A report, YAML or JSON").set_input_files(broken)
    page.get_by_text("digest: the file says sha256:").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_dark_where_it_is_asked_for(opened: Any) -> None:
    shades = {}
    for scheme in ("light", "dark"):
        page = opened(color_scheme=scheme).at("calculate")
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        shades[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
    assert shades["light"] > 200
    assert shades["dark"] < 60


def test_it_can_be_used_by_keyboard(opened: Any) -> None:
    page = opened().at("calculate")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.get_by_label("How many").focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("16")
    page.keyboard.press("Enter")
    page.wait_for_url("**hardware.count=16**")
    page.locator("#rest summary", has_text="energy_it").focus()
    page.keyboard.press("Enter")
    assert page.locator("#rest details[open]").count() == 1


def test_print_leaves_the_form_away(opened: Any) -> None:
    page = opened().at("calculate")
    page.emulate_media(media="print")
    assert not page.locator("#ask").is_visible()
    assert page.locator(".card").first.is_visible()


def test_without_an_answer_none_of_another_question_stays(opened: Any) -> None:
    shown = opened()
    page = shown.at("calculate")
    assert page.locator(".cards .value").first.is_visible()
    page.route("**/*", lambda route: route.abort() if route.request.method == "POST"
               else route.continue_())  # fmt: skip
    page.fill("#f-hardware-count", "128")
    page.locator("#headline .problems").wait_for()
    assert page.inner_text("#headline") == "No answer; the button asks again."
    assert page.locator(".cards").count() == 0  # that of 64 devices
    assert page.inner_text("#rest") == ""
    page.unroute("**/*")
    page.click("button[type=submit]")
    page.locator(".cards .value").first.wait_for()
    assert all("ERR_FAILED" in text for text in shown.said)  # the one that was cut off
    shown.said.clear()
