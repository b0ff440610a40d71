"""``costcalc diff`` and ``costcalc check``: files, folders and revisions, and the comment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from change_runs import GIVEN, RUN, git, given, put, with_

import costcalc
from costcalc.base.errors import InputError
from costcalc.base.ranges import DRAWS
from costcalc.calculator import calculate
from costcalc.calculator.calculate import cost_of
from costcalc.calculator.result import Result
from costcalc.change import difference
from costcalc.change.comment import MOST, cell, chance, figure, headline, markdown, unknown
from costcalc.change.difference import Change, Moved, changes, over
from costcalc.change.run_files import Pair, files, pairs
from costcalc.cli import run as command
from costcalc.runfile.carried import run_in


def compared(tmp_path: Path, before: dict[str, object], after: dict[str, object]) -> list[Change]:
    for side, runs in (("before", before), ("after", after)):
        (tmp_path / side).mkdir(exist_ok=True)
        for name, run in runs.items():
            put(tmp_path / side, name, run)
    with pairs(str(tmp_path / "before"), str(tmp_path / "after")) as found:
        return changes(found)


def test_figures_before_and_after_by_hand(tmp_path: Path) -> None:
    (made,) = compared(tmp_path, {"a.yaml": RUN}, {"a.yaml": with_(training__tokens="15B")})
    cost = made.moved("cost")
    assert cost is not None
    assert cost.before is not None
    # 6·1e9·10e9 FLOP / (8 · 989.4e12 · 0.4) s: 5.266 h on 8 devices at 2 USD
    hours = 6e19 / (8 * 989.4e12 * 0.4) / 3600
    assert cost.before.value == pytest.approx(hours * 8 * 2, rel=2e-3)
    assert cost.ratio == pytest.approx(1.5)
    assert cost.more == 1.0
    assert [(e.key, round(e.factor, 9)) for e in made.effects] == [("training.tokens", 1.5)]


def test_what_both_sides_share_is_drawn_alike(tmp_path: Path) -> None:
    # the same unknown grid and power on both sides: 1 % more tokens are more, however wide both are
    (made,) = compared(tmp_path, {"a.yaml": RUN}, {"a.yaml": with_(training__tokens="10.1B")})
    energy = made.moved("energy")
    assert energy is not None
    assert energy.before is not None
    assert energy.before.low != energy.before.high
    assert energy.more == 1.0


def test_two_keys_are_told_by_what_each_does_alone(tmp_path: Path) -> None:
    after = with_(training__tokens="20B", price__device_hour="1 USD")
    (made,) = compared(tmp_path, {"a.yaml": RUN}, {"a.yaml": after})
    factors = {e.key: round(e.factor, 9) for e in made.effects}
    assert factors == {"training.tokens": 2.0, "price.device_hour": 0.5}
    assert made.moved("cost").ratio == pytest.approx(1.0)  # type: ignore[union-attr]


def test_each_part_of_a_side_is_calculated_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def noted(given: Any, request: Any, number: int) -> Any:
        asked.append(number)
        return cost_of(given, request, number)

    monkeypatch.setattr(calculate, "cost_of", noted)
    monkeypatch.setattr(difference, "cost_of", noted, raising=False)
    compared(tmp_path, {}, {"a.yaml": RUN})
    assert asked == [DRAWS]


def test_policy() -> None:
    with pytest.raises(KeyError):
        over([Change(path="a", name="a", status="changed")], {"loss": 0.1})
    assert over([Change(path="a", name="a", status="changed")], {"cost": 0.1}) == []


def test_a_base_that_cannot_be_read_is_not_new(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = with_(hardware__count="eight")
    (made,) = compared(tmp_path, {"a.yaml": wrong}, {"a.yaml": RUN})
    assert made.status == "invalid"
    assert made.problems == (
        "before: a.yaml:1:188: hardware.count: expected a whole number of devices, 1 or more; "
        'got "eight"',
    )
    assert headline([made]) == "a.yaml cannot be read."
    assert command(["diff", str(tmp_path / "before"), str(tmp_path / "after")]) == 3
    # both sides, and a file that is gone
    (both,) = compared(tmp_path, {"a.yaml": wrong}, {"a.yaml": wrong | {"name": "other"}})
    assert [text.startswith("before: ") for text in both.problems] == [True, False]
    (tmp_path / "after" / "a.yaml").unlink()
    (gone,) = compared(tmp_path, {"a.yaml": wrong}, {})
    assert (gone.status, len(gone.problems)) == ("invalid", 1)
    assert "cannot be read" in " ".join(capsys.readouterr().out.split())


def test_the_help_says_all_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    command(["diff", "--help"])
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for part in ("limit of a run file is passed", "cannot be read before or after",
                 "more than --fail-over allows", "cannot be judged"):  # fmt: skip
        assert part in told


EURO = with_(price={"device_hour": "2 EUR", "currency": "EUR", "rate": "1.25 USD/EUR"})


def test_a_policy_names_what_it_cannot_judge(tmp_path: Path) -> None:
    unpriced = with_(price={}, hardware={"accelerator": "gb300", "count": 4, "utilization": 0.4})
    free = with_(price={"device_hour": "0 USD"})
    runs: dict[str, tuple[object, object]] = {
        "euro.yaml": (RUN, EURO),
        "free.yaml": (free, with_(price={"device_hour": "0 USD"}, training__tokens="20B")),
        "priced.yaml": (free, RUN),
        "unpriced.yaml": (RUN, unpriced),
    }
    before, after = ({name: pair[side] for name, pair in runs.items()} for side in (0, 1))
    made = compared(tmp_path, before, {**after, "new.yaml": RUN})
    why = next(one for one in made if one.path == "unpriced.yaml").moved("cost")
    assert why is not None
    assert why.after is not None
    assert sorted(over(made, {"cost": 0.1})) == [
        "euro.yaml: cost cannot be judged: before in USD, after in EUR",
        "priced.yaml: cost cannot be judged: it was 0 before",
        f"unpriced.yaml: cost cannot be judged: {why.after.why}",
    ]


def test_a_rise_of_little_is_told_in_percent(tmp_path: Path) -> None:
    dearer = with_(price__device_hour="2.001 USD")  # 0.001 / 2: 0.05 % more
    made = compared(tmp_path, {"a.yaml": RUN}, {"a.yaml": dearer})
    assert over(made, {"cost": 0.0}) == ["a.yaml: cost rises by 0.05 %, more than 0 %"]
    assert over(made, {"cost": 0.0005}) == []
    # ten times the tokens at a tenth of the price is the same but for the arithmetic
    same = with_(training__tokens="30B", price__device_hour=f"{2 / 3} USD")
    assert over(compared(tmp_path, {"a.yaml": RUN}, {"a.yaml": same}), {"cost": 0.0}) == []


def test_a_total_is_of_the_files_whose_cost_is_known(tmp_path: Path) -> None:
    half, broken = with_(price__device_hour="1 USD"), with_(hardware__count="eight")
    unpriced = with_(price={}, hardware={"accelerator": "gb300", "count": 4, "utilization": 0.4})
    before: dict[str, object] = {"a.yaml": RUN, "bad.yaml": RUN, "gone.yaml": RUN}
    made = compared(tmp_path, before, {"a.yaml": half, "bad.yaml": broken})
    # 5.266 h on 8 devices: 84.2 USD at 2 USD, 42.1 at 1; what is gone costs nothing after
    assert headline(made) == (
        "3 run files changed: 168 USD → 42.1 USD in all but bad.yaml. 1 cannot be read."
    )
    assert over(made, {"cost": 0.1}) == ["bad.yaml: cost cannot be judged: the file cannot be read"]
    whole = difference.all_of(made, {"cost": 0.1})
    total = whole["total"]
    assert isinstance(total, dict)
    assert (total["of"], total["without"]) == (["gone.yaml", "a.yaml"], ["bad.yaml"])
    assert whole["over"] == over(made, {"cost": 0.1})
    assert markdown(made).splitlines()[1] == f"**{headline(made)}**"
    # nor is the price of one side a total
    known = compared(tmp_path, before, {"a.yaml": half, "bad.yaml": RUN, "gone.yaml": unpriced})
    assert headline(known) == "2 run files changed: 84.2 USD → 42.1 USD in all but gone.yaml."
    # where nothing is known there is no total
    none = compared(tmp_path, before, dict.fromkeys(before, broken))
    assert headline(none) == "3 run files changed. 3 cannot be read."
    assert difference.all_of(none, {})["total"] is None


@pytest.mark.parametrize("text", ["{{{", "\0\1", "\xff\xfe", "a: [", "a: 1\n---\nb: 1\n"])
@pytest.mark.parametrize("side", ["before", "after"])
def test_what_held_a_run_and_is_broken_is_not_gone(side: str, text: str, tmp_path: Path) -> None:
    one, two = put(tmp_path, "one.yaml", RUN), tmp_path / "two.yaml"
    two.write_text(text, encoding="latin-1")
    turn = {"before": (two, one), "after": (one, two)}[side]
    (made,) = changes([Pair(path="a.yaml", before=turn[0], after=turn[1])])
    assert made.status == "invalid"
    assert made.problems[0].startswith({"before": "before: a.yaml", "after": "a.yaml"}[side])
    assert over([made], {"cost": 1.0}) == ["a.yaml: cost cannot be judged: the file cannot be read"]


@pytest.mark.parametrize("text", ["", "lr: 1\n"])
def test_a_file_that_holds_no_run_any_more_passes_no_policy(text: str, tmp_path: Path) -> None:
    made = compared(tmp_path, {"a.yaml": RUN, "b.yaml": RUN}, {"a.yaml": text, "b.yaml": EURO})
    lost = next(one for one in made if one.path == "a.yaml")
    assert (lost.status, lost.problems) == ("lost", ("a.yaml: the file holds no run any more",))
    assert headline([lost]) == "a.yaml holds no run any more."
    assert headline(made) == "2 run files changed. 1 without a run now."
    assert over([lost], {"time": 9.0}) == [
        "a.yaml: time cannot be judged: the file holds no run any more"
    ]
    # one that begins to carry a run is new
    (new,) = compared(tmp_path, {"a.yaml": text, "b.yaml": RUN}, {"a.yaml": RUN, "b.yaml": RUN})
    assert (new.status, over([new], {"cost": 0.0})) == ("added", [])


def test_two_currencies_are_both_shown_and_not_compared(tmp_path: Path) -> None:
    (made,) = compared(tmp_path, {"a.yaml": RUN}, {"a.yaml": EURO})
    cost = made.moved("cost")
    assert cost is not None
    assert (cost.ratio, cost.more, made.status) == (None, None, "changed")
    # 5.27 h on 8 devices at 2 USD, then 2 EUR an hour: 84.2 of each
    assert headline([made]) == "a.yaml costs 84.2 USD → 84.2 EUR."
    assert headline([made, made]) == "2 run files changed."
    assert [e for e in made.effects if e.of == "cost"] == []


SITUATIONS: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "added": ({}, {"runs/new.yaml": GIVEN}),
    "removed": ({"runs/old.yaml": GIVEN}, {}),
    "cheaper": ({"a.yaml": GIVEN}, {"a.yaml": given(price__device_hour="1.5 USD")}),
    "dearer": ({"a.yaml": GIVEN}, {"a.yaml": given(training__tokens="25B")}),
    "limit": ({"a.yaml": GIVEN}, {"a.yaml": given(limits={"cost": "50 USD"})}),
    "invalid": ({"a.yaml": GIVEN}, {"a.yaml": given(hardware__accelerator="h1000")}),
    "same": ({"a.yaml": GIVEN}, {"a.yaml": given(name="another name")}),
    "many": (
        {f"{i}.yaml": GIVEN for i in range(4)},
        {f"{i}.yaml": given(training__tokens=f"{10 + i}B") for i in range(4)},
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_comment_in_eight_situations(situation: str, tmp_path: Path) -> None:
    before, after = SITUATIONS[situation]
    for side, runs in (("before", before), ("after", after)):
        (tmp_path / side / "runs").mkdir(parents=True)
        for name, run in runs.items():
            put((tmp_path / side / name).parent, Path(name).name, run)
    with pairs(str(tmp_path / "before"), str(tmp_path / "after")) as found:
        text = markdown(changes(found))
    golden = Path(__file__).parent / "comments" / f"{situation}.md"
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize(("more", "said"), [
    (0.72, ", more with 72 %"), (0.5, ", more with 50 %"), (0.3, ", less with 70 %"),
    (0.994, ", more with 99 %"), (0.995, ""), (0.005, ""), (1.0, ""), (None, ""),
])  # fmt: skip
def test_a_table_says_how_sure_a_change_is_where_draws_do_not_agree(
    more: float | None, said: str
) -> None:
    before, after = Result.exact(100.0, "kWh"), Result.exact(110.0, "kWh")
    moved = Moved(name="energy", unit="kWh", before=before, after=after, more=more)
    assert figure(moved) == "100 kWh → 110 kWh (+10 %)" + said


@pytest.mark.parametrize(
    ("more", "said"), [(1.0, "more in all"), (0.996, "more in nearly all"), (0.0, "less in all")]
)
def test_draws_that_agree_are_no_certainty(more: float, said: str) -> None:
    before, after = Result.exact(100.0, "kWh"), Result.exact(110.0, "kWh")
    moved = Moved(name="energy", unit="kWh", before=before, after=after, more=more)
    assert chance(moved) == f", {said} draws"


def test_what_is_unknown_says_why_once(tmp_path: Path) -> None:
    run = {key: value for key, value in RUN.items() if key not in ("site", "price")}
    dearer = {**run, "training": {**RUN["training"], "tokens": "15B"}}
    (made,) = compared(tmp_path, {"a.yaml": run}, {"a.yaml": dearer})
    cost, carbon = unknown(made)
    assert cost.startswith("Cost is unknown: no price.provider, and site.region names none (known:")
    assert carbon == "CO2e is unknown: no site.region and no site.grid"
    assert f"- {carbon}\n" in markdown([made])
    # of one that is new there is one side
    new = tmp_path / "new"
    new.mkdir()
    (added,) = compared(new, {}, {"a.yaml": run})
    assert unknown(added) == [cost, carbon]


def test_a_comment_is_never_too_long_for_its_host() -> None:
    many = [Change(path=f"{i:05}.yaml", name="x", status="added") for i in range(5000)]
    text = markdown(many)
    assert len(text) <= MOST
    assert "more are left out here; `costcalc diff` shows them." in text


def test_a_comment_says_what_a_policy_does_not_allow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = compared(tmp_path, {"a.yaml": RUN}, {"a.yaml": with_(training__tokens="20B")})
    assert "❌" not in markdown(made)
    command(["diff", str(tmp_path / "before"), str(tmp_path / "after"), "--fail-over", "cost=10%",
             "--format", "markdown"])  # fmt: skip
    out, err = capsys.readouterr()
    assert "\n\n❌ a.yaml: cost rises by 100 %, more than 10 %\n\n<details>" in out
    assert err == "a.yaml: cost rises by 100 %, more than 10 %\n"
    many = markdown(made, [f"{i} @me" for i in range(25)])
    assert many.count("❌") == 21
    assert "❌ 5 more rise by more than is allowed, or cannot be judged." in many
    assert "@me" not in many


def test_a_comment_mentions_nobody_and_holds_no_markup_of_a_file() -> None:
    assert cell("@org/all <script>|`x` [a](b)") == "@\u200borg/all &lt;script>\\|'x' \\[a](b)"
    made = Change(path="<b>@all</b>.yaml", name="x", status="invalid", problems=("| @me",))
    assert "<b>" not in markdown([made])
    assert "@all" not in markdown([made])


def test_nothing_changed() -> None:
    assert headline([]) == "No run file changed."
    assert markdown([]).splitlines()[1] == "**No run file changed.**"


# --- where runs are found ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "learning_rate: 1e-4\ncostcalc:\n  model: {preset: llama-3-8b}\n"),
        ("a.yaml", "lr: 1e-4\n# costcalc:\n#   model: {preset: llama-3-8b}\nx: 1\n"),
        ("a.yaml", "lr: 1e-4\n# costcalc: {model: {preset: llama-3-8b}}\n"),
        ("a.toml", "lr = 1\n[tool.costcalc]\nmodel = {preset = 'llama-3-8b'}\n"),
        ("a.toml", "[costcalc.model]\npreset = 'llama-3-8b'\n"),
    ],
)
def test_files_that_carry_a_run(name: str, text: str, tmp_path: Path) -> None:
    found = run_in(put(tmp_path, name, text), name)
    assert found is not None
    assert found.data == {"model": {"preset": "llama-3-8b"}}


@pytest.mark.parametrize("text", ["a: 1\n", "- 1\n", "model: {a: 1}\n", "hardware: {}\n", ""])
def test_other_files_are_passed_over(text: str, tmp_path: Path) -> None:
    assert run_in(put(tmp_path, "a.yaml", text), "a.yaml") is None


@pytest.mark.parametrize(
    "comment",
    ["# costcalc: estimate with costcalc estimate run.yaml", "# costcalc:", "# costcalc: {a: 1}",
     "# costcalc: see https://example.org: a page"],
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_a_comment_does_not_stand_in_for_the_run_of_its_file(
    comment: str, first: bool, tmp_path: Path
) -> None:
    run = "model: {preset: llama-3-8b}\nhardware: {count: 8}\n"
    text = f"{comment}\n{run}" if first else f"{run}{comment}\n"
    found = run_in(put(tmp_path, "a.yaml", text), "a.yaml")
    assert found is not None
    assert found.data == {"model": {"preset": "llama-3-8b"}, "hardware": {"count": 8}}
    toml = f"{comment}\n[tool.costcalc]\nname = 'a'\n"
    found = run_in(put(tmp_path, "a.toml", toml), "a.toml")
    assert found is not None
    assert found.data == {"name": "a"}


@pytest.mark.parametrize(
    "text",
    ["plugins: !!python/name:a.b\n", "kind: {{ .Values.kind }}\nmetadata: [\n", "a: 1\n---\nb: 2\n",
     "\0", "a: [", "1: {}\n? [x]\n: y\n"],
)  # fmt: skip
def test_files_of_others_that_are_no_strict_yaml_are_passed_over(text: str, tmp_path: Path) -> None:
    assert run_in(put(tmp_path, "a.yaml", text), "a.yaml") is None
    assert command(["check", str(tmp_path)]) == 0
    # what may be a run file is told, and so is what estimate is asked of
    broken = put(tmp_path, "b.yaml", f"{text}\nmodel: {{}}\nhardware: [\n")
    with pytest.raises(InputError):
        run_in(broken, "b.yaml")
    with pytest.raises(InputError):
        costcalc.estimate(tmp_path / "a.yaml")


def test_words_after_the_mark_are_no_run(tmp_path: Path) -> None:
    text = "lr: 1\n# costcalc: estimate with care\n#  and again\n"
    assert run_in(put(tmp_path, "a.yaml", text), "a.yaml") is None


def test_comments_of_a_file_that_is_no_yaml_carry_a_run(tmp_path: Path) -> None:
    text = "lr = {{ rate }}: [\n# costcalc:\n#   name: a\n"
    found = run_in(put(tmp_path, "a.yaml", text), "a.yaml")
    assert found is not None
    assert found.data == {"name": "a"}
    with pytest.raises(InputError, match="no YAML"):
        run_in(put(tmp_path, "b.yaml", "lr = {{ rate }}: [\n# costcalc: a run\n"), "b.yaml")


def test_a_fault_in_comments_has_its_line(tmp_path: Path) -> None:
    text = "x: 1\n# costcalc:\n#   model: {flops: 1e20 FLOP}\n#   hardware: {count: eight}\n"
    path = put(tmp_path, "a.yaml", text)
    (made,) = changes([Pair(path="a.yaml", before=None, after=path)])
    assert made.status == "invalid"
    assert made.problems[0].startswith("a.yaml:4:")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.email", "a@example.org")
    git(folder, "config", "user.name", "a")
    put(folder, "lab.yaml", {"price": {"device_hour": "2 USD"}, "site": RUN["site"]})
    run = {key: value for key, value in RUN.items() if key not in ("price", "site")}
    put(folder / "runs", "a.yaml", {**run, "defaults": "../lab.yaml"})
    put(folder, "other.yaml", "unrelated: 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    put(folder / "runs", "a.yaml", {**run, "defaults": "../lab.yaml",
                                    "training": {**run["training"], "tokens": "20B"}})  # fmt: skip
    put(folder, "other.yaml", "unrelated: 2\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "two")
    monkeypatch.chdir(folder)
    return folder


def test_two_revisions_with_the_files_that_runs_name(repository: Path) -> None:
    with pairs("HEAD~1", "HEAD") as found:
        (made,) = changes(found)
    assert (made.path, made.status) == ("runs/a.yaml", "changed")
    assert made.moved("cost").ratio == pytest.approx(2.0)  # type: ignore[union-attr]
    with pairs("HEAD~1", "HEAD", ["other.yaml"]) as found:
        assert changes(found) == []


def test_a_file_that_was_renamed_is_one_and_passes_no_policy_by_it(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(repository, "mv", "runs/a.yaml", "runs/b c.yaml")
    git(repository, "commit", "-qm", "three")
    with pairs("HEAD~1", "HEAD") as found:
        (same,) = changes(found)
    assert (same.path, same.was, same.status) == ("runs/b c.yaml", "runs/a.yaml", "same")
    assert same.title == "runs/a.yaml → runs/b c.yaml"
    with pairs("HEAD~2", "HEAD") as found:
        (dearer,) = changes(found)
    assert dearer.moved("cost").ratio == pytest.approx(2.0)  # type: ignore[union-attr]
    assert dearer.to_dict()["was"] == "runs/a.yaml"
    assert headline([dearer]).startswith("runs/a.yaml → runs/b c.yaml ")
    assert command(["diff", "HEAD~2", "HEAD", "--fail-over", "cost=10%"]) == 3
    said = capsys.readouterr()
    assert "runs/b c.yaml: cost rises by 100 %, more than 10 %" in said.err
    # what becomes a run file by its new name was none before
    git(repository, "mv", "runs/b c.yaml", "runs/c.txt")
    git(repository, "commit", "-qm", "four")
    with pairs("HEAD~1", "HEAD") as found:
        assert [(one.path, one.status) for one in changes(found)] == [("runs/b c.yaml", "removed")]


def test_a_shallow_clone_and_no_repository_are_told(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", repository.as_uri(), "shallow")
    monkeypatch.chdir(tmp_path / "shallow")
    with (
        pytest.raises(InputError, match="this clone is shallow: fetch the"),
        pairs("HEAD~1", "HEAD"),
    ):
        pass
    alone = tmp_path / "alone"
    alone.mkdir()
    monkeypatch.chdir(alone)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    with pytest.raises(InputError, match="in no git repository: give two"), pairs("main", "HEAD"):
        pass


def test_revisions_that_are_none(repository: Path) -> None:
    for base, head, text in (
        ("nowhere", "HEAD", "diff: git diff: "),
        ("--output=x", "HEAD", 'expected a revision; got "--output=x"'),
        ("lab.yaml", "nowhere", "lab.yaml is there, nowhere is not: give two files"),
        (
            "lab.yaml",
            "HEAD",
            "lab.yaml is a file, HEAD a revision: give two of a kind. Write the "
            "file of the revision first: git show HEAD:./lab.yaml > before.yaml",
        ),
    ):
        with pytest.raises(InputError) as caught, pairs(base, head):
            pass
        assert text in str(caught.value)


# --- the commands --------------------------------------------------------------------------------


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = put(tmp_path, "one.yaml", RUN)
    two = put(tmp_path, "two.yaml", with_(training__tokens="12B"))
    limited = put(tmp_path, "limited.yaml", with_(limits={"cost": "1 USD"}))
    assert command(["diff", str(one), str(two)]) == 0
    assert command(["diff", str(one), str(two), "--fail-over", "cost=10%"]) == 3
    assert "two.yaml: cost rises by 20 %, more than 10 %\n" in capsys.readouterr().err
    assert command(["diff", str(one), str(two), "--fail-over", "cost=25%"]) == 0
    assert command(["diff", str(one), str(limited)]) == 3
    assert command(["diff", str(one), str(two), "--fail-over", "loss=1"]) == 2
    assert command(["diff", str(one), str(two), "--json"]) == 0


def test_json_is_one_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = put(tmp_path, "one.yaml", RUN)
    two = put(tmp_path, "two.yaml", with_(training__tokens="20B"))
    command(["diff", str(one), str(two), "--json"])
    made = json.loads(capsys.readouterr().out)
    assert made["schema"] == "costcalc/diff/v1"
    assert made["changes"][0]["figures"]["cost"]["ratio"] == pytest.approx(2.0)
    assert (made["total"]["of"], made["total"]["without"]) == ([str(two)], [])
    assert made["total"]["cost"]["after"] / made["total"]["cost"]["before"] == pytest.approx(2.0)


def test_check_passes_over_what_is_no_run_and_says_where_there_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mistyped.yaml").write_text("model: {preset: llama-3-8b}\nhardwre: {}\n")
    (tmp_path / "hydra.yaml").write_text("defaults: [_self_, {model: gpt}]\nmodel: {width: 8}\n")
    assert command(["check", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out == "0 run files valid and within limits\n"
    assert err == (
        "no run file is among them: one has model (or measured, or stages) and hardware (or "
        "defaults, the path of a partial run file), or holds both under costcalc:\n"
    )
    lab = "model: {preset: llama-3-8b}\ntraining: {tokens: 1B}\ndefaults: lab.yaml\n"
    put(tmp_path, "lab.yaml", {"hardware": {"accelerator": "h100-sxm5-80", "count": 8}})
    (tmp_path / "on-lab.yaml").write_text(lab)
    assert command(["check", str(tmp_path)]) == 0
    assert capsys.readouterr() == ("1 run file valid and within limits\n", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "model: {preset: llama-3-8b}\ntraining: {tokens: 1B}\n"
            "hardwear: {accelerator: h100-sxm5-80}\n",
            "3:1: hardwear: unknown key; did you mean hardware?",
        ),
        (
            "modle: {preset: llama-3-8b}\ntraining: {tokens: 1B}\n"
            "hardware: {accelerator: h100-sxm5-80}\n",
            "1:1: modle: unknown key; did you mean model?",
        ),
        (
            "lr: 0.1\ncostclac: {model: {preset: llama-3-8b}}\n",
            "2:11: costclac: did you mean costcalc?",
        ),
    ],
)
def test_a_section_that_is_mistyped_is_said_as_an_estimate_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    assert command(["check", str(path)]) == 3
    out, err = capsys.readouterr()
    assert f"{path}:{said}\n1 problem in {path}\n" in err
    assert out == "0 run files valid and within limits, 1 not\n"
    if "costclac" not in text:
        assert command(["estimate", str(path)]) == 2
        assert f"{path}:{said}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "models: {name: gpt, layers: 3}\nhardware: {gpu: 8}\n",  # a training code's own
        "replicaCount: 1\nmodel: {id: x}\nhardware: {}\n",  # values of a chart
        "stages: [build]\ndefault: {image: python}\nvariables: {A: 1}\n",  # GitLab's
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {}\n",
        "{{- if .Values.x }}\nmodel: {{ .Values.m }}\n{{- end }}\n",  # a template of a chart
        "hardware: {accelerator: h100-sxm5-80}\nprice: {device_hour: 2 USD}\n",  # a lab's defaults
        "[1, 2]\n",
        "costs: {model: 3}\n",
    ],
)
def test_files_of_other_tools_do_not_fail_the_hook(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "values.yaml").write_text(text)
    assert command(["check", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "0 run files valid and within limits\n"


def test_a_path_that_neither_side_has_is_told(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["diff", "HEAD~1", "HEAD", "rnus/", "--fail-over", "cost=1%"]) == 2
    said = "diff: rnus/ is neither in HEAD~1 nor in HEAD: name paths that one has\n"
    assert capsys.readouterr().err == said
    for side in ("one", "two"):
        put(tmp_path / side / "runs", "a.yaml", RUN)
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    assert command(["diff", one, two, "runs"]) == 0
    assert command(["diff", one, two, "rnus"]) == 2
    said = f"diff: rnus is neither in {one} nor in {two}: name paths that one has\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model: [\n", "a.yaml:2:1: "),
        ("hardwear: {accelerator: h100-sxm5-80, count: 8}\n",
         "a.yaml:1:1: hardwear: unknown key; did you mean hardware?"),
        ("model: [{{ .Values.x }}\n", ""),  # a template
        ("model: !ref x\n---\nmodel: [a]\n", ""),  # others can read it
        ("models: {config: x}\nhardwares: {id: 1}\n", ""),
    ],
)  # fmt: skip
def test_check_of_what_is_broken_or_one_section_alone(
    text: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(tmp_path, "a.yaml", text)
    monkeypatch.chdir(tmp_path)
    assert command(["check", "."]) == (3 if said else 0)
    assert said in capsys.readouterr().err


def test_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "runs", "good.yaml", RUN)
    put(tmp_path / "runs", "no-run.yaml", "a: 1\n")
    assert command(["check", str(tmp_path / "runs")]) == 0
    assert capsys.readouterr().out == "1 run file valid and within limits\n"
    put(tmp_path / "runs", "dear.yaml", with_(limits={"cost": "1 USD"}))
    put(tmp_path / "runs", "bad.yaml", with_(hardware__count="eight"))
    assert command(["check", str(tmp_path / "runs")]) == 3
    out, err = capsys.readouterr()
    assert out == "1 run file valid and within limits, 2 not\n"
    assert "hardware.count: expected a whole number of devices" in err
    assert "dear.yaml: limit cost 1.00 USD: PASSED" in err
    assert command(["check", str(tmp_path / "nowhere")]) == 2


def test_files_of_folders_and_of_their_own(tmp_path: Path) -> None:
    one, two = put(tmp_path, "a.yaml", RUN), put(tmp_path / "b", "c.toml", "")
    put(tmp_path, "notes.md", "")
    assert files([str(tmp_path)]) == [one, two]
    assert costcalc.estimate(one).results["cost"].value


def test_the_job_of_gitlab_that_runs_us_is_no_run_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Path(__file__).parents[2] / "examples" / "ci" / "gitlab.yaml"
    put(tmp_path, "run.yaml", RUN)
    (tmp_path / ".gitlab-ci.yml").write_text(recipe.read_text(encoding="utf-8"), encoding="utf-8")
    assert run_in(tmp_path / ".gitlab-ci.yml", ".gitlab-ci.yml") is None
    assert command(["check", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "1 run file valid and within limits\n"


def test_a_block_with_a_key_of_a_run_is_one_whatever_else_stands_in_it(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text("costcalc: {script: train.py, hardware: {count: 8}}\n", encoding="utf-8")
    found = run_in(path, "train.yaml")
    assert found is not None
    assert set(found.data) == {"script", "hardware"}
