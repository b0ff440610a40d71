"""What commands print of figures made by hand, and how options are read: the working beside."""

from __future__ import annotations

import importlib
import inspect
import io
import sys
from contextlib import ExitStack
from datetime import date
from types import SimpleNamespace

import pytest
from rich.console import Console

from costcalc.base.errors import InputError
from costcalc.cli import (
    COMMANDS,
    compare,
    hardware,
    models,
    options,
    place,
    plan,
    regions,
    report,
    screen,
    track,
    when,
)
from costcalc.cli import run as called
from costcalc.decide.placing import place as placed


def lines(shown, width=200):
    """What a console prints, without the spaces at the ends."""
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False, markup=False)
    if callable(shown):
        shown(console)
    else:
        console.print(shown)
    return [line.rstrip() for line in file.getvalue().splitlines() if line.strip()]


# --- options --------------------------------------------------------------------------------------


def test_options_are_keys_of_the_run_file(tmp_path):
    given = {"tokens": "2T", "count": "8", "hours": "3", "region": None, "model": "gpt2"}
    given |= {"set": ["a.b=[1, 2]", "c = x=y"], "limit": ["cost=5 USD"]}
    assert options.changes(given) == {
        "training.tokens": "2T",
        "hardware.count": 8,
        "model.preset": "gpt2",
        "measured.wall_clock": "3 h",
        "a.b": [1, 2],
        "c": "x=y",
        "limits.cost": "5 USD",
    }
    here = tmp_path / "m"
    here.mkdir()
    for path in (here, tmp_path / "not-there.json"):
        assert options.changes({"model": str(path)}) == {"model.config": str(path)}
    assert options.changes({}) == {}


@pytest.mark.parametrize("text", ["cost", "=5", ""])
def test_a_pair_needs_a_key_and_an_equals_sign(text):
    with pytest.raises(InputError, match=f'--limit: expected key=value; got "{text}"'):
        options.pair(text, "--limit")


@pytest.mark.parametrize(
    ("text", "flop"), [(None, None), ("3e23", 3e23), ("20 EFLOP", 2e19), ("1e21 FLOP", 1e21)]
)
def test_a_compute_in_figures_or_with_its_unit(text, flop):
    assert place._flop(text) == flop


@pytest.mark.parametrize(
    ("text", "share"), [(None, None), ("5%", 0.05), ("5 % ", 0.05), ("0.05", 0.05), ("1", 1.0)]
)
def test_an_error_in_percent_or_as_a_share(text, share):
    assert place._share(text) == share
    assert place._date("2020-05-28") == date(2020, 5, 28)
    assert place._date(None) is None


def test_interruptions_a_day_and_times_are_read_in_seconds():
    # two a day are 2 / 86,400 a second
    found = plan._spot(2.0, "1 min", "0.5 h", "2 h")
    assert (found.rate, found.checkpoint, found.restart) == (2 / 86_400, 60.0, 1800.0)
    assert found.interval == 7200.0
    assert plan._spot(0.0, "1 min", "1 min", None).interval is None
    # nothing said is nothing taken over: what saving takes has its home in spot.yaml
    assert plan._spot(None, None, None, None) is None
    unsaid = plan._spot(None, "2 min", None, None)
    assert (unsaid.rate, unsaid.checkpoint, unsaid.restart) == (None, 120.0, 600.0)
    assert plan._scores("0.1, 0.2,") == [0.1, 0.2]
    assert plan._scores(None) is None
    assert when._amount("24 h", "s", "--window") == 86_400
    assert when._amount(None, "s", "--window") is None
    with pytest.raises(InputError, match="--window: "):
        when._amount("24 kg", "s", "--window")


@pytest.mark.parametrize("both", [True, False])
def test_a_series_is_of_a_file_or_of_a_source(both, tmp_path):
    with pytest.raises(InputError, match="expected one of --series FILE or --source NAME"):
        when._series(
            tmp_path if both else None, "x" if both else None, None, None, None, None, starts=False
        )


def commands():
    """Every command by its words."""
    for name, (module, _) in COMMANDS.items():
        loaded = importlib.import_module(module)
        if hasattr(loaded, "command"):
            yield name, loaded.command
        else:
            yield from ((f"{name} {c.name}", c.callback) for c in loaded.app.registered_commands)


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_what_is_not_typed_is_off(name, command):
    flags = {
        key: one.default
        for key, one in inspect.signature(command).parameters.items()
        if isinstance(one.default, bool)
    }
    assert not any(flags.values()), name


@pytest.mark.parametrize(
    ("name", "defaults"),
    [
        ("compare", {"top": 12, "workers": 0}),
        ("layout", {"top": 10}),
        ("plan", {"checkpoint": None, "restart": None}),
        ("place", {"quantity": "burden", "accelerator": "h100-sxm5-80"}),
        ("track run", {"on_limit": "warn", "interval": 10.0}),  # as costcalc.track's own
        ("estimate", {"output_format": "table"}),
        ("report merge", {"name": "project"}),
    ],
)
def test_what_is_taken_where_nothing_is_said(name, defaults):
    found = inspect.signature(dict(commands())[name]).parameters
    assert {key: found[key].default for key in defaults} == defaults


def test_texts_that_cannot_be_read_are_shown_to_40_letters():
    for read in (plan._scores, place._flop):
        with pytest.raises(InputError) as caught:
            read("x" * 41)
        assert f'got "{"x" * 40}"' in str(caught.value)


@pytest.mark.parametrize(
    ("terminal", "seconds", "shown"), [(True, 1.01, True), (True, 1.0, False), (False, 9.0, False)]
)
def test_progress_shows_on_a_terminal_after_a_second(terminal, seconds, shown, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    made = []

    class Bar:
        """A bar that is told what it shows."""

        def __init__(self, console, transient):
            self.told = [(console.stderr, transient)]
            made.append(self)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def add_task(self, name, total):
            self.told.append((name, total))
            return 1

        def update(self, task, completed):
            self.told.append((task, completed))

    monkeypatch.setattr("rich.progress.Progress", Bar)
    monkeypatch.setattr(sys, "stderr", SimpleNamespace(isatty=lambda: terminal))
    with ExitStack() as stack:
        progress = compare._progress(stack)
        now[0] = seconds
        progress(3, 9)
        progress(6, 9)
    told = [(True, True), ("scenarios", 9), (1, 3), (1, 6)]  # on stderr, gone afterwards
    assert [bar.told for bar in made] == ([told] if shown else [])


# --- compare --------------------------------------------------------------------------------------


def row(**given):
    made = {
        "precision": None,
        "accelerator": "h100",
        "count": 8,
        "region": "FR",
        "plan": "spot",
        "wall_clock": 10.0,
        "device_hours": 80.0,
        "cost": 1234.0,
        "energy": 50.0,
        "carbon_total": 5.0,
        "within_limits": True,
    }
    return {**made, **given}


def test_what_cannot_run_is_told_once_a_device():
    whys = {"1 × a": "too little memory", "2 × a": "x", "4 × a": "y", "8 × b": "no rate"}
    assert compare._cannot(whys) == [
        "1 × a: too little memory (nor at 2 other counts)",
        "8 × b: no rate",
    ]


@pytest.mark.parametrize(("number", "said"), [(12, []), (13, ["  … 1 more: --top 13"])])
def test_what_is_not_shown_is_counted(number, said):
    assert lines(lambda console: compare._more(console, number, 12)) == said


def test_a_row_in_one_line():
    said = compare._said(row(cost=None))
    assert said == "8 × h100 in FR, spot: 10.0 hours, unknown, 50.0 kWh, 5.00 kgCO2e"


def test_ends_of_a_range():
    assert compare._ends(1.0, 2.0) == "1.00 – 2.00"
    assert compare._ends(2.0, 2.0) == ""
    assert compare._ends(None, 2.0) == compare._ends(1.0, None) == ""


def test_the_front_with_its_ranges_and_wins():
    ranges = {"wall_clock": [9.0, 12.0], "cost": [1000.0, 1500.0], "carbon_total": [5.0, 5.0]}
    rows = [row(ranges=ranges), row(region="PL", precision="fp8"), row(region="DE")]
    wins = {aim: [[0.5, 0.75], [0.25, 0.5]] for aim in ("time", "cost")}
    made = SimpleNamespace(wins=wins, aims=("time", "cost"), currency="USD")
    head, *body = lines(compare._front(made, rows))
    assert head.split() == ["Hardware", "Where", "Time", "USD", "kgCO2e", "beats", "1st"]
    assert body[0].split() == ["8", "×", "h100", "FR", "10.0", "hours", "1,230", "5.00"]
    assert body[1].split() == ["spot", "9.00", "–", "12.0", "1,000", "–", "1,500"]
    assert body[2].endswith("25/25")  # of the second against the first; the third was not drawn
    assert body[3].split() == ["fp8", "spot"]
    assert body[4].split()[-1] == "5.00"
    plain = lines(compare._front(SimpleNamespace(wins={}, aims=(), currency="USD"), rows))
    assert "beats" not in plain[0]


def test_the_rest_in_one_line_each():
    _, first, second = lines(compare._rest([row(precision="fp8"), row(cost=None)]))
    assert " ".join(first.split()) == "8 × h100 fp8 FR spot 10.0 hours 1,230 50.0 5.00"
    assert " ".join(second.split()) == "8 × h100 FR spot 10.0 hours unknown 50.0 5.00"


def test_what_has_no_cost_is_not_drawn():
    made = SimpleNamespace(
        name="n", rest=[row(cost=None), row()], front=[row(wall_clock=2.0)], currency="EUR"
    )
    drawn = compare._plot(made).series
    assert [(list(one.x), list(one.y)) for one in drawn] == [([10.0], [1234.0]), ([2.0], [1234.0])]


# --- plan -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ({"data": 1, "tensor": 1, "micro_batch": 2}, "one device, micro-batch 2"),
        (
            {
                "data": 4,
                "virtual_pipeline": 2,
                "micro_batch": 1,
                "sharding": "full",
                "recompute": "none",
                "offload": None,
                "walked": 30,
                "chosen_by": "auto",
            },
            "data 4, virtual pipeline 2, micro-batch 1, sharding full (the fastest of 30 walked)",
        ),
    ],
)
def test_a_layout_in_words(layout, said):
    assert plan._layout(layout) == said


def test_of_a_long_curve_powers_of_two_and_the_last():
    assert [n for n in range(1, 21) if plan._kept(n, 20)] == [1, 2, 4, 8, 16, 20]


@pytest.mark.parametrize(("number", "shown"), [(12, 12), (13, 5)])
def test_a_curve_of_more_than_twelve_is_thinned(number, shown):
    # of 13: 1, 2, 4, 8 and 13
    curve = [{"trials": n, "expected_best": 0.5} for n in range(1, number + 1)]
    search = {
        "trials": 99,
        "expected_best": 0.71234,
        "expected_best_of": number,
        "beyond": 0.8,
        "beyond_why": "so",
        "curve": curve,
    }
    first, second, *rest = lines(lambda console: plan._show_search(console, search))
    assert first == (f"Search: the limits hold 99 trials; expected best score of {number}: 0.7123")
    assert second == "  of all 99: at least about 0.8000; so"
    assert len(rest) == shown
    assert rest[0] == "     1 trial: 0.5000"
    bare = {**search, "expected_best": None, "beyond": None}
    assert lines(lambda console: plan._show_search(console, bare))[:2] == [
        "Search: the limits hold 99 trials",
        "     1 trial: 0.5000",
    ]


@pytest.mark.parametrize(
    ("minutes", "without", "often", "never"),
    [
        (30.0, 12.0, "a checkpoint every 30.0 min", "12.0 hours"),
        (600.0, None, "so short that no checkpoint pays", "never done"),
    ],
)
def test_spot_in_words(minutes, without, often, never):
    spot = {
        "expected_hours": 11.0,
        "work_hours": 10.0,
        "interval_minutes": minutes,
        "interruptions": 1.5,
        "spot_cost": 50.0,
        "on_demand_cost": None,
        "without_checkpoints_hours": without,
    }
    assert lines(lambda console: plan._show_spot(console, spot)) == [
        f"Spot: 11.0 hours billed for 10.0 hours of work (1.50 interruptions; {often}); "
        "50.0 USD against unknown on demand",
        f"  without checkpoints: {never}",
    ]


def test_laws_with_their_spread():
    law = {
        "law": "A et al. 2022",
        "parameters": 2e9,
        "parameters_low": 1e9,
        "parameters_high": 3e9,
        "tokens": 4e10,
        "tokens_low": None,
        "tokens_high": None,
        "loss": 2.12345,
        "loss_low": 2.0,
        "loss_high": 2.2,
    }
    flat = {**law, "loss_low": None, "loss_high": None}
    _, first, second = lines(plan._laws(SimpleNamespace(laws=[law, flat])))
    assert first.strip() == "A 2022 2.00 B (1.00 – 3.00) 40.0 B 2.123 (2.000 – 2.200)"
    assert second.endswith("2.123")


def test_tokens_in_words():
    assert plan._tokens(2e12) == "2.00 T tokens"
    assert plan._tokens("2T") == "2T tokens"


# --- place ----------------------------------------------------------------------------------------


def test_large_multiples_have_an_exponent():
    assert place._times(999_999.0) == "1,000,000"
    assert place._times(1e6) == "1.0e+06"


@pytest.mark.parametrize(("off", "told"), [(0.1, True), (-0.1, True), (0.099, False)])
def test_from_a_tenth_on_a_difference_is_explained(off, told):
    item = {"months": 6.0, "off": off, "why_different": "fewer systems"}
    one = SimpleNamespace(rule="r", months=6.6, published=[item])
    said = ["r: 6.6 against 6 months: fewer systems"] if told else []
    assert place._whys(SimpleNamespace(doublings=[one])) == said


def test_a_standing_in_tables():
    made = placed(landmark="GPT-3 175B", neighbours=1)
    head, *systems = lines(place._neighbours(made))
    assert head.split() == ["System", "Organisation", "Year", "FLOP"]
    assert [line.split()[-1] for line in systems] == [
        f"{one.flop:.3g}" for one in (*made.above, *made.below)
    ]  # the larger above
    purses = lines(place._purses(made))
    assert len(purses) == 1 + 5
    assert purses[5].startswith("a frontier lab")
    assert purses[5].split()[-3] == f"{made.purses[4].times:.2g}"
    years = lines(place._divide(made))
    assert years[-1].split()[:3] == ["2026", "*", str(made.divide[-1]["n"])]  # it is not over
    rules = lines(place._trend(made))
    assert len(rules) == 1 + len(made.doublings)
    for line, one in zip(rules[1:], made.doublings, strict=True):
        assert f" {one.months:.1f} " in line
        told = "" if one.off is None else f"{100 * one.off:+.0f} %"  # a tenth more is +10 %
        assert line.endswith(told)
        assert ("%" in line.split("–")[-1]) is (one.off is not None)


def test_a_target_that_is_known_and_one_that_is_not():
    figures = {
        name: {"value": 10.0, "unit": unit, "why": None}
        for name, unit in (("device_hours", "device_hour"), ("cost", "USD"), ("energy", "kWh"))
    }
    figures["carbon_total"] = {"value": None, "unit": "kgCO2e", "why": "no region"}
    law = SimpleNamespace(benchmark="B", quantity="network_operations_flop")
    on = {"accelerator": "h100", "rule": "r", "figures": figures}
    target = SimpleNamespace(law=law, error=0.05, flop=1e25, low=1e24, high=1e26, why="w", on=on)
    first, second, third, *_ = place._target(SimpleNamespace(target=target)).split("\n")
    assert first.startswith("B, error 5.0 %: 1.0e+25 FLOP (1e+24 – 1e+26) of ")
    assert first.endswith("; w")
    assert second.strip() == (
        "on h100: time 10.0 device-hours, cost 10.0 USD, energy 10.0 kWh, CO2e unknown (r)"
    )
    assert third.strip() == "CO2e: no region"
    target.flop = None
    assert place._target(SimpleNamespace(target=target)) == "B, error 5.0 %: unknown, w\n"


def test_the_plot_reaches_from_the_first_landmark_to_the_last():
    made = placed(flop=1e24, date=date(2024, 1, 1))
    *marks, all_of_them, own = place._plot(made).series
    assert [one.label for one in marks] == ["10^23", "10^25"]
    assert len(marks[0].x) == 73
    assert (marks[0].x[0], marks[0].x[-1]) == (min(all_of_them.x), max(all_of_them.x))
    assert set(marks[0].y) == {1e23}
    assert list(own.y) == [1e24]
    assert own.x[0] == pytest.approx(date(2024, 1, 1).toordinal() / 365.25)


# --- models, hardware, regions --------------------------------------------------------------------


def figure(value, unit="1", note=None):
    return SimpleNamespace(
        value=value, unit=unit, note=note, source="s", confirmed_by=("c",), derived_from=()
    )


def test_a_line_of_a_figure():
    assert models._line("a.b_c", figure(1234.5, "FLOP")) == "a b c: 1,234 FLOP  [s; c]"
    assert models._line("a", figure(999.5)) == "a: 999.5  [s; c]"
    assert models._line("a", figure(1000.0, note="n")) == "a: 1,000 (n)  [s; c]"
    assert models._plain("x") == "x"
    assert models._plain([1, None]) == "[1, null]"
    assert [models.count(x) for x in (999.0, 1e6, 2.5e9, 3e12)] == [
        "999",
        "1.00M",
        "2.50B",
        "3.00T",
    ]


def test_a_wide_list_has_all_columns_and_a_narrow_one_three(capsys, monkeypatch):
    assert called(["models", "--family", "dit"]) == 0
    assert "Published training" in capsys.readouterr().out  # a pipe is as wide as it must be
    console = screen.screen(120)
    assert console.width >= 120
    monkeypatch.setenv("COLUMNS", "200")
    assert screen.screen(120).width == 200


def test_hardware_in_its_units():
    si = SimpleNamespace(si=989.4e12)
    assert hardware._in(si, "TFLOP/s") == "989.4"
    assert hardware._in(None, "W") == ""
    assert (hardware._or_nothing(None), hardware._or_nothing(0.5)) == ("", "0.5")


def test_what_is_said_of_a_device(capsys):
    assert called(["hardware", "show", "mi250x"]) == 0
    shown = capsys.readouterr().out
    assert "software sees 2 " in shown  # an MI250X is two dies
    assert called(["hardware", "show", "h100-sxm5-80"]) == 0
    shown = capsys.readouterr().out
    assert "software sees" not in shown
    assert "scale-up: NVLink 4, switch, up to 8 devices" in shown
    assert " prices, the 12 newest:" in shown


@pytest.mark.parametrize(("number", "said"), [(1, "1 profile checked"), (2, "2 profiles checked")])
def test_profiles_that_were_checked_are_counted(number, said, capsys):
    from costcalc.catalog.files import profiles_root

    folder = profiles_root() / "accelerators"
    paths = [str(folder / f"{name}.yaml") for name in ("h100-sxm5-80", "a100-sxm4-80")]
    assert called(["hardware", "check", *paths[:number]]) == 0
    assert capsys.readouterr().out == f"{said}: no problems\n"


@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        ("aws:us-east-1", {"all", "cloud", "aws"}),
        ("FR", {"all", "country"}),
        ("US-CA", {"all", "zone"}),
    ],
)
def test_which_regions_are_which(code, kinds):
    found = {which.value for which in regions.Kinds if regions._matches(code, which)}
    assert found == kinds


# --- reports, tracking ----------------------------------------------------------------------------


def test_long_lines_of_a_report_go_on_further_in(capsys):
    report._print(["  " + "word " * 30, "", "short"])
    first, second, *rest = capsys.readouterr().out.splitlines()
    assert len(first) <= 80
    assert second.startswith("      word")  # two of the line, four more
    assert rest[-2:] == ["", "short"]


@pytest.mark.parametrize(
    ("words", "made"),
    [
        (["--", "python", "x.py"], ["run", "--", "python", "x.py"]),
        (["-o", "r.yaml", "--", "x"], ["run", "-o", "r.yaml", "--", "x"]),
        (["merge", "d"], ["merge", "d"]),
        (["run", "--", "x"], ["run", "--", "x"]),
        (["--help"], ["--help"]),
        (["--", "merge"], ["run", "--", "merge"]),
        (["--", "x", "--help"], ["run", "--", "x", "--help"]),
        ([], []),
    ],
)
def test_a_command_to_be_tracked_needs_no_word(words, made, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "typer.core.TyperGroup.parse_args", lambda self, ctx, args: seen.append(args) or args
    )
    group = object.__new__(track._Group)
    group.parse_args(None, list(words))
    assert seen == [made]


# --- the screen -----------------------------------------------------------------------------------


class Stream(io.TextIOWrapper):
    """A stream of an encoding and a way with errors."""

    def __init__(self, encoding, errors):
        super().__init__(io.BytesIO(), encoding=encoding, errors=errors)


@pytest.mark.parametrize(
    ("encoding", "errors", "made"),
    [
        ("ascii", "strict", "costcalc.spelt"),
        ("utf-8", "strict", "costcalc.spelt"),
        ("ascii", "surrogateescape", "costcalc.spelt"),
        ("ascii", "backslashreplace", "costcalc.spelt"),
        ("utf-8", "surrogateescape", "surrogateescape"),
        ("utf-8", "backslashreplace", "backslashreplace"),
        ("ascii", "replace", "replace"),  # somebody's own choice
    ],
)
def test_streams_that_cannot_say_all_spell_it(encoding, errors, made, monkeypatch):
    streams = Stream(encoding, errors), Stream(encoding, errors)
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    screen.degrade()
    assert [stream.errors for stream in streams] == [made, made]
    assert screen.in_utf8() is (encoding == "utf-8")


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8", True), ("UTF8", True), ("cp1252", False), ("no-such", False)]
)
def test_which_streams_hold_every_character(encoding, said):
    assert screen.in_utf8(SimpleNamespace(encoding=encoding)) is said
    assert screen.in_utf8(SimpleNamespace()) is True


def test_columns_are_set_as_asked():
    made = screen.table("a", "b", right=("b",), whole=("a",), gap=2)
    assert [column.justify for column in made.columns] == ["left", "right"]
    assert [column.no_wrap for column in made.columns] == [True, False]
    assert (made.padding, made.pad_edge) == ((0, 2, 0, 0), False)
    assert screen.table("a").pad_edge is True


def test_a_figure_of_a_region_in_short_leaves_out_its_reasons():
    import dataclasses

    from costcalc.cli import regions

    made = dataclasses.make_dataclass(
        "Figure", ["value", "unit", "why", "range_why", "url", "source"]
    )(56.0, "gCO2e/kWh", "a", "b", "https://x", "s")
    whole = {"value": 56.0, "unit": "gCO2e/kWh", "why": "a", "range_why": "b", "url": "https://x",
             "source": "s"}  # fmt: skip
    assert regions._plain(made) == whole
    brief = {key: whole[key] for key in ("value", "unit", "source")}
    assert regions._plain(made, brief=True) == brief
    assert regions._plain(None) is regions._plain(None, brief=True) is None
