"""The pages as they are without JavaScript: forms lead to addresses, addresses to answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from starlette.testclient import TestClient

import costcalc
from costcalc.base.human import human
from costcalc.web import address, answer, bounds, forms, pages
from costcalc.web.app import app
from costcalc.web.copies import command, python
from costcalc.web.workers import Inside

ROOT = Path(__file__).parent.parent.parent
RUNS = sorted((ROOT / "examples").glob("*.yaml"))
REPORT = ROOT / "examples" / "reports" / "alpaca-7b.yaml"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(app(Inside()), base_url="http://127.0.0.1:8000") as made:
        yield made


class Page(HTMLParser):
    """The text of a page, its links, and what a policy without inline would not run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.inline: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [str(given[key]) for key in ("href", "src", "action") if given.get(key)]
        self.inline += [key for key in given if key == "style" or key.startswith("on")]
        self.inline += [tag] * (tag == "style" or (tag == "script" and "src" not in given))
        self.ids += [str(given["id"])] if given.get("id") else []

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page(answer: Any, status: int = 200) -> Page:
    assert answer.status_code == status, answer.text[:500]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return Page(answer.text)


def run_in(path: Path) -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    if isinstance(made.get("model"), dict) and isinstance(made["model"].get("config"), str):
        config = (path.parent / made["model"]["config"]).read_text(encoding="utf-8")
        made["model"]["config"] = json.loads(config)
    return made


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_an_address_holds_a_whole_run(path: Path) -> None:
    run = run_in(path)
    query = address.query(run, {"minimize": "cost"})
    assert query is not None
    assert len(query) < bounds.ADDRESS
    assert address.read_query(query) == (run, {"minimize": "cost"})


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
@pytest.mark.parametrize("name", pages.ASKED)
def test_the_fields_of_a_page_say_the_whole_run(path: Path, name: str) -> None:
    run = run_in(path)
    first, behind = forms.filled(name, run, {})
    sent = [(field.key, field.value) for field in (*first, *behind)]
    again, options = forms.run_of(sent)
    assert options == {}
    sweep = again.get("sweep")
    if isinstance(sweep, dict):  # a list is written between commas
        again["sweep"] = {
            key: said.split(", ") if isinstance(said, str) and ", " in said else said
            for key, said in sweep.items()
        }
    assert again == run


def test_a_run_that_needs_packing_and_one_that_no_address_holds() -> None:
    stages = [{"name": f"stage {n}", "training": {"tokens": f"{n}B"}} for n in range(1, 60)]
    packed = address.query({"stages": stages}, {})
    assert packed is not None
    assert packed.startswith("z=")
    assert address.read_query(packed) == ({"stages": stages}, {})
    noise = {"name": "".join(chr(0x4E00 + n * 7919 % 20000) for n in range(1500))}
    assert address.query(noise, {}) is None


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("z=AAAA", "z: the address was cut short or changed"),
        ("z=eJyrVkrOz0vLTFeyqgUAGfIEcA", "z: the address was cut short or changed"),
        ("training.lora={rank", "training.lora: no YAML"),
        ("a=%ff", ": expected 300 fields of text at most"),
        ("&".join(f"k{n}=1" for n in range(301)), ": expected 300 fields of text at most"),
    ],
)
def test_addresses_that_are_none(client: TestClient, query: str, said: str) -> None:
    found = page(client.get(f"/?{query}"), 400).text
    assert said.lstrip(": ").split(": ")[-1] in found


def test_the_first_page_answers_with_an_example(client: TestClient) -> None:
    found = page(client.get("/"))
    run, _ = address.read_query(pages.EXAMPLES["calculate"])
    made = costcalc.estimate(run).results
    for name in ("wall_clock", "cost", "energy", "carbon_total"):
        assert human(made[name].value, made[name].unit) in found.text
    assert "What would narrow the ranges" in found.text
    assert "= energy_it × pue (costcalc/calculator/formulas.py, energy)" in found.text
    assert "inputs, each with its source" in found.text


def test_a_form_leads_to_its_address(client: TestClient) -> None:
    form = {
        "model": "7B",
        "data": "140B",
        "data_in": "tokens",
        "hardware.accelerator": "rtx4090",
        "hardware.count": "8",
        "site.region": "Spain",
        "price.plan": "",
        "more": "hardware.goodput: 0.9\ntraining:\n  precision: bf16",
    }
    sent = client.post("/", data=form, follow_redirects=False)
    assert sent.status_code == 303
    assert sent.headers["location"] == (
        "/?model.parameters=7B&training.precision=bf16&training.tokens=140B&hardware.goodput=0.9"
        "&hardware.accelerator=rtx4090&hardware.count=8&site.region=Spain"
    )
    found = page(client.get(sent.headers["location"]))
    assert 'site.region: "Spain" is taken as ES (Spain)' in found.text
    assert 'value="Spain"' in client.get(sent.headers["location"]).text


def test_a_config_is_pasted(client: TestClient) -> None:
    config = (ROOT / "examples/configs/smollm2-135m.json").read_text(encoding="utf-8")
    form = {"model.config": config, "data": "1B", "hardware.accelerator": "l40s",
            "hardware.count": "1"}  # fmt: skip
    sent = client.post("/", data=form, follow_redirects=False)
    assert len(sent.headers["location"]) < bounds.ADDRESS
    found = page(client.get(sent.headers["location"]))
    assert "135 M" in found.text
    broken = page(client.post("/", data={**form, "model.config": "{"}), 400)
    assert "model.config" in broken.text
    assert "f-model-config-problem" in broken.ids
    named = client.post("/", data={**form, "model.config": "./config.json"})
    assert "expected what stands in a config.json: {…}" in page(named, 400).text


def test_problems_stand_at_their_fields(client: TestClient) -> None:
    answer = client.get("/?model.preset=llama-9&training.tokens=1T&hardware.accelerator=h100"
                        "&hardware.count=eight&x.y=1")  # fmt: skip
    found = page(answer, 400)
    assert "3 problems" in found.text
    for place in ("f-model-problem", "f-hardware-count-problem", "f-more-problem"):
        assert place in found.ids
        assert answer.text.count(f'aria-describedby="{place[:-8]}-hint {place}"') or (
            answer.text.count(f'aria-describedby="{place}"')
        )
    assert '<a href="#f-hardware-count"><code>hardware.count</code></a>' in answer.text


def test_no_page_names_a_file_of_the_server(client: TestClient) -> None:
    found = page(client.get("/?model.config=/etc/passwd&hardware.accelerator=h100"), 400)
    assert "names a file, and a server opens none" in found.text
    found = page(client.get("/compare?profiles=/etc&sweep.counts=8"), 400)
    assert "names a file, and a server opens none" in found.text


def test_what_is_typed_is_escaped(client: TestClient) -> None:
    evil = "<script>alert(1)</script>"
    for path in ("/", "/compare", "/plan", "/finished"):
        for key in ("name", "model.preset", "site.region", evil):
            answer = client.get(path, params={key: evil, "hardware.accelerator": '"><b>'})
            assert "<script>alert" not in answer.text
            assert '"><b>' not in answer.text
    answer = client.post("/check", data={"pasted": evil})
    assert "<script>alert" not in answer.text
    run = {**run_in(ROOT / "examples/hours.yaml"), "name": evil}
    report = costcalc.estimate(run).to_dict()
    assert evil not in client.post("/check", data={"pasted": json.dumps(report)}).text


@pytest.mark.parametrize("name", [*pages.PATHS])
def test_every_page_keeps_the_policy(client: TestClient, name: str) -> None:
    answer = client.get(f"{pages.PATHS[name]}?{pages.EXAMPLES.get(name, '')}")
    found = page(answer)
    assert found.inline == []
    assert len(found.ids) == len(set(found.ids))
    for link in found.links:
        assert not urlsplit(link).netloc, link
    ours = [link for link in found.links if link.startswith("/static/")]
    assert len(ours) == 3
    for link in ours:
        got = client.get(link)
        assert got.status_code == 200
        assert client.get(link, headers={"If-None-Match": got.headers["etag"]}).status_code == 304


def test_modules_load_nothing_from_elsewhere(client: TestClient) -> None:
    for name in ("main", "live", "copy", "drop"):
        text = client.get(f"/static/{name}.js").text
        assert not re.search(r"https?://|\beval\b|innerHTML|document\.write", text)
        for module in re.findall(r'from "([^"]+)"', text):
            assert client.get(module).status_code == 200
    for path in ("/static/../api.py", "/static/%2e%2e/api.py", "/static/", "/static/nothing.js"):
        assert client.get(path).status_code == 404


def test_compare_leads_to_its_scenarios(client: TestClient) -> None:
    answer = client.get(f"/compare?{pages.EXAMPLES['compare']}&minimize=carbon")
    found = page(answer)
    assert "36 scenarios, 36 can run" in found.text
    assert "Least carbon: " in found.text
    plain = page(client.get(f"/compare?{pages.EXAMPLES['compare']}"))
    assert "Cheapest: 64 × h100-sxm5-80 in aws:us-east-1, on-demand: " in plain.text
    assert "Time against cost" in found.text
    link = next(link for link in found.links if link.startswith("/?") and "count=64" in link)
    first = page(client.get(link))
    assert "64 × NVIDIA" in first.text
    assert page(client.get("/compare")).text.count("Show an example") == 1


def test_compare_where_no_price_is_known(client: TestClient) -> None:
    found = page(client.get("/compare?model.preset=gpt2&training.tokens=1B&sweep.counts=1,2"
                            "&sweep.accelerators=ascend-910b&sweep.regions=CN"))  # fmt: skip
    assert "2 scenarios" in found.text


def test_plan_leads_to_its_run(client: TestClient) -> None:
    query = "limits.cost=900+USD&hardware.accelerator=h100-sxm5-80&hardware.count=8"
    found = page(client.get(f"/plan?{query}&confidence=0.9"))
    assert "Within the limits, with a chance of 90 % each" in found.text
    link = next(link for link in found.links if link.startswith("/?") and "limits" in link)
    assert "8 × NVIDIA H100 SXM5 80 GB" in page(client.get(link)).text
    unmet = page(client.get("/plan?limits.cost=1+USD&model.preset=llama-3-70b"), 400)
    assert "nothing keeps the limits" in unmet.text


def test_limits_are_judged(client: TestClient) -> None:
    base = pages.EXAMPLES["calculate"]
    assert '<li class="passed">' in client.get(f"/?{base}&limits.cost=1000+USD").text
    assert '<li class="kept">' in client.get(f"/?{base}&limits.cost=9+MUSD").text


def test_a_finished_job_gets_its_texts(client: TestClient) -> None:
    found = page(client.get(f"/finished?{pages.EXAMPLES['finished']}"))
    run, _ = address.read_query(pages.EXAMPLES["finished"])
    report = costcalc.estimate(run).to_dict()
    for shape in ("neurips", "acl", "latex", "model-card", "markdown"):
        text = " ".join(costcalc.render(report, shape).split())
        assert text[:200] in found.text
    assert "measured" in found.text


def test_stages_are_shown_each(client: TestClient) -> None:
    query = address.query(run_in(ROOT / "examples/project.yaml"), {})
    found = page(client.get(f"/?{query}"))
    assert "Stages" in found.text


@pytest.mark.parametrize("way", ["file", "pasted"])
def test_a_report_is_checked(client: TestClient, way: str) -> None:
    text = REPORT.read_text(encoding="utf-8")
    given: dict[str, Any] = (
        {"files": {"report": ("r.yaml", text)}} if way == "file" else {"data": {"pasted": text}}
    )
    found = page(client.post("/check", **given))
    assert "What could be checked holds" in found.text
    assert "Alpaca 7B, as published" in found.text
    assert " ".join(costcalc.render(costcalc.load(REPORT), "neurips").split()) in found.text


def test_reports_that_are_none(client: TestClient) -> None:
    text = REPORT.read_text(encoding="utf-8").replace("name: Alpaca 7B", "name: Alpaca 8B")
    found = page(client.post("/check", files={"report": ("r.yaml", text)}))
    assert "discrepanc" in found.text
    assert "digest broken" in found.text
    assert "expected a report; got nothing" in page(client.post("/check"), 400).text
    assert "not valid" in page(client.post("/check", data={"pasted": "a: 1"})).text
    odd = client.post("/check", content=b"--x", headers={"Content-Type": "multipart/form-data"})
    assert "expected a report; got nothing" in page(odd, 400).text
    large = client.post("/check", data={"pasted": "x" * (bounds.REPORT + 20_000)})
    assert large.status_code == 413


class Busy(Inside):
    """Work that does not come to an end."""

    async def ask(self, name: str, body: bytes, given: Mapping[str, str]) -> answer.Answer:
        return answer.problems([answer.of_text("took longer than <10 s>")], answer.BUSY)


def test_a_page_without_an_answer_is_a_page() -> None:
    with TestClient(app(Busy()), base_url="http://127.0.0.1:8000") as busy:
        for late in (busy.get("/plan?limits.cost=5+USD"), busy.post("/plan", data={"a": "b"})):
            assert (late.status_code, late.headers["retry-after"]) == (503, "1")
            assert late.headers["content-type"] == "text/html; charset=utf-8"
            assert "took longer than &lt;10 s&gt;" in late.text
            # what a page with JavaScript puts in the place of an old answer
            assert '<div id="headline">' in late.text
            assert '<div id="rest"></div>' in late.text
        told = busy.post("/api/v1/plan", content="limits: {cost: 5 USD}")
        assert told.json()["problems"][0]["message"] == "took longer than <10 s>"


@pytest.mark.parametrize("shape", ["yaml", "json", "html", "markdown"])
def test_the_report_of_an_address_is_kept(client: TestClient, shape: str, tmp_path: Path) -> None:
    got = client.get(f"/report?format={shape}&{pages.EXAMPLES['calculate']}")
    assert got.headers["content-disposition"].startswith('attachment; filename="report.')
    run, _ = address.read_query(pages.EXAMPLES["calculate"])
    if shape in ("yaml", "json"):
        path = tmp_path / f"r.{shape}"
        path.write_bytes(got.content)
        assert costcalc.verify(path).discrepancies == ()
    else:
        assert got.text == costcalc.render(costcalc.estimate(run).to_dict(), shape)
    assert client.get("/report?format=x&model.preset=gpt2").status_code == 400
    wrong = client.get(f"/report?format=x&{pages.EXAMPLES['calculate']}").json()["problems"]
    assert [problem["key"] for problem in wrong] == ["format"]


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_what_is_copied_gives_the_same_run(path: Path) -> None:
    run = run_in(path)
    text = python(run)
    made: dict[str, Any] = {}
    exec(text.partition("est = ")[0], made)
    assert made["run"] == run
    assert max(map(len, text.splitlines())) <= 100
    assert command(run).startswith("costcalc estimate ")


QUOTED: dict[str, Any] = {  # texts that would be numbers, or brackets, without their quotes
    "name": "[2024] it's",
    "model": {"preset": "gpt2"},
    "training": {"tokens": "1e10"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": "8", "goodput": "0.9"},
    "limits": {"cost": "500 USD"},
}


@pytest.mark.parametrize("run", [run_in(ROOT / "examples/qlora-llama-3-70b.yaml"), QUOTED])
def test_the_command_that_is_copied_says_the_same(
    run: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    import shlex

    from costcalc.cli import run as cli

    words = shlex.split(command(run).replace("\\\n", ""))
    assert cli([*words[1:], "--json"]) in (0, 3)
    made = json.loads(capsys.readouterr().out)
    assert made["name"] == costcalc.estimate(run).name
    assert made["results"] == costcalc.estimate(run).to_dict()["results"]


def test_the_api_has_a_page(client: TestClient) -> None:
    found = page(client.get("/api"))
    assert "POST /api/v1/estimate" in found.text
    assert "curl --data-binary @run.yaml http://127.0.0.1:8000/api/v1/estimate" in found.text


def test_only_the_answer_is_sent_to_a_page_that_is_there(client: TestClient) -> None:
    headers = {"X-Costcalc-Part": "answer"}
    sent = client.post("/", data={"model": "gpt2", "data": "1B", "hardware.accelerator": "l40s",
                                  "hardware.count": "1"}, headers=headers)  # fmt: skip
    assert sent.url.path == "/"
    assert "<datalist" not in sent.text
    assert '<div id="headline">' in sent.text
    assert '<div id="rest">' in sent.text


def test_a_key_that_two_fields_say_is_refused(client: TestClient) -> None:
    asked = {"model": "gpt2", "data": "1B", "hardware.accelerator": "l40s", "hardware.count": "1"}
    found = page(client.post("/", data={**asked, "more": "hardware: {count: 2}"}), 400)
    assert "hardware.count has a field of its own, which says 1" in found.text
    found = page(client.post("/", data={**asked, "more": "training.tokens: 2B"}), 400)
    assert "training.tokens has a field of its own, which says 1B" in found.text
    page(client.post("/", data={**asked, "more": "hardware: {count: 1, goodput: 0.9}"}))


def test_an_empty_form_is_not_answered_with_the_example(client: TestClient) -> None:
    found = page(client.post("/", data={"model": " ", "data": "", "hardware.count": ""}))
    assert "A run in, its costs out" in found.text
    assert "Show an example" in found.text
    assert "What would narrow the ranges" not in found.text  # the address alone shows one


def test_what_is_missing_is_told_at_its_field(client: TestClient) -> None:
    missing = client.post("/", data={"model": "llama-3-8b"})
    assert missing.text.count('href="#f-hardware-accelerator"><code>hardware<') == 1
    assert missing.text.count('href="#f-data"><code>training<') == 1
    assert "f-more-problem" not in missing.text
    machine = client.post("/compare", data={"model": "llama-3-8b", "data": "1T"})
    assert "f-sweep-accelerators-problem" in machine.text


@pytest.mark.parametrize(
    "text",
    ["7B", "7 billion", "7 Billion parameters", "1.3B params", "125 million", "7e9", "1,300 M"],
)
def test_a_number_of_parameters_is_told_in_words_too(text: str) -> None:
    run, _ = forms.run_of([("model", text)])
    assert run == {"model": {"parameters": text}}


@pytest.mark.parametrize("text", ["7 dwarfs", "4 x 7B", "llama 7B"])
def test_other_words_are_a_name(text: str) -> None:
    assert forms.run_of([("model", text)])[0] == {"model": {"preset": text}}


@pytest.mark.parametrize("key", ["hardware.accelerator", "data", "price.device_hour"])
def test_a_quote_that_does_not_end_is_told_at_its_field(client: TestClient, key: str) -> None:
    field = "f-" + key.replace(".", "-")
    found = client.post("/", data={"model": "llama-3-8b", key: '"><b'})
    assert page(found, 400).text.count("no YAML: while scanning a quoted scalar") == 2
    assert f'href="#{field}"' in found.text
    assert f'id="{field}-problem"' in found.text


def test_a_finished_job_without_its_time_is_asked_for_it(client: TestClient) -> None:
    form = {"hardware.accelerator": "a100-sxm4-80", "hardware.count": "4"}
    found = client.post("/finished", data=form)
    assert page(found, 400).text.count("missing: how long it took, or its device-hours") == 2
    assert 'id="f-measured-wall_clock-problem"' in found.text
    # one that is predicted in place of measured is taken
    modelled = {**form, "model": "gpt2", "data": "1B"}
    assert "For the paper" in page(client.post("/finished", data=modelled)).text


def test_every_axis_of_a_comparison_is_told_at_its_field(client: TestClient) -> None:
    form = {"model": "gpt2", "data": "1B", "sweep.accelerators": "a1000x", "sweep.counts": "8-64",
            "sweep.regions": "Atlantis", "sweep.plans": "spotty"}  # fmt: skip
    found = client.post("/compare", data=form)
    assert page(found, 400).text.count("4 problems") == 1
    for axis in ("accelerators", "counts", "regions", "plans"):
        assert f'id="f-sweep-{axis}-problem"' in found.text


@pytest.mark.parametrize(
    ("text", "counted_in", "key"),
    [
        ("500 samples", "tokens", "samples"),
        ("3 epochs", "samples", "epochs"),
        ("2T tokens", "steps", "tokens"),
        ("1000", "steps", "steps"),
    ],
)
def test_the_unit_that_is_typed_is_that_of_the_data(text: str, counted_in: str, key: str) -> None:
    assert forms.run_of([("data", text), ("data_in", counted_in)])[0]["training"].keys() == {key}


def test_a_machine_may_be_an_instance(client: TestClient) -> None:
    typed = [("hardware.accelerator", "p5.48xlarge"), ("hardware.count", "2")]
    run, _ = forms.run_of(typed)
    assert run == {"hardware": {"instance": "p5.48xlarge", "nodes": 2}}
    first, _ = forms.filled("calculate", run, {})
    values = {field.key: field.value for field in first}
    assert [(key, values[key]) for key, _ in typed] == typed
    form = {"model": "llama-3-8b", "data": "1B tokens", **dict(typed)}
    made = page(client.post("/", data=form))
    assert "16 × NVIDIA H100" in made.text  # two instances of eight


def test_an_instance_that_is_none_is_told_at_the_machine(client: TestClient) -> None:
    told = page(
        client.get("/?model.preset=gpt2&training.tokens=1B&hardware.instance=p5.48large"), 400
    )
    assert "no host p5.48large; nearest: p5.48xlarge" in told.text
    assert "f-hardware-accelerator-problem" in told.ids


def test_a_page_names_no_command_that_lists_names(client: TestClient) -> None:
    for name in ("accelerator=h100zz", "instance=p5.48large"):
        told = page(client.get(f"/?model.preset=gpt2&training.tokens=1B&hardware.{name}"), 400)
        assert "the field lists names as you type" in told.text
        assert "costcalc hardware list" not in told.text
