"""Plans that hold their limits with a chance, the model of least loss, interruptions, currency."""

from __future__ import annotations

import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import costcalc
from costcalc.base.errors import InputError
from costcalc.base.human import human
from costcalc.catalog import preset as presets
from costcalc.cli import run as called
from costcalc.decide import interruptions, money, preempted, scaling
from costcalc.decide.architectures import _sizes
from costcalc.decide.chance import Chance, held
from costcalc.decide.comparing import compare
from costcalc.decide.planning import Spot, plan
from costcalc.decide.unpriced import less_still, named

H100 = {
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
    "site": {"region": "aws:us-east-1"},
}
FINE = {
    **H100,
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "2B", "software": "megatron"},
}
DAY = 86_400.0


# --- the chance ----------------------------------------------------------------------------------


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=60), st.floats(0.05, 0.95))
def test_no_more_than_the_rest_of_the_draws_pass(draws, confidence):
    array = np.array(draws)
    at = held(array, confidence)
    assert np.mean(array > at) <= 1 - confidence + 1e-9
    below = array[array < at]
    if below.size:  # and no smaller figure would do
        assert np.mean(array > below.max()) > 1 - confidence - 1e-9


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95])
def test_each_limit_is_kept_with_the_confidence(confidence):
    limits = {"cost": "2 kUSD", "carbon": "60 kgCO2e", "time": "9 d"}
    made = plan(H100, limits=limits, confidence=confidence)
    again = costcalc.estimate(dict(made.run))
    for limit in again.limits:  # by the same draws as the estimate's
        key = limit["key"].partition(".")[2]
        assert made.chances[key] == pytest.approx(1 - limit["chance"])
        assert made.chances[key] >= confidence
        assert limit["passed"] is False
    assert made.chances[made.binding] < max(confidence + 0.01, 0.6)


def test_more_confidence_buys_less():
    sure, likely = (plan(H100, limits={"cost": "2 kUSD"}, confidence=c) for c in (0.95, 0.6))
    assert sure.flop < likely.flop
    assert sure.predicted[1]["value"] > likely.predicted[1]["value"]


def test_a_fixed_model_takes_the_way_that_holds_with_the_confidence():
    # on 8 H100 it takes a twentieth less than the limit, and in many of the draws more
    raw = {**FINE, "hardware": {"accelerator": "h100-sxm5-80"}}
    hours = costcalc.estimate(FINE, ranges=False).results["wall_clock"].value
    limits = {"time": f"{1.05 * hours:.4f} h", "cost": "5 kUSD"}
    alone = costcalc.estimate({**FINE, "limits": limits})
    assert alone.within_limits
    assert max(limit["chance"] for limit in alone.limits) > 0.05
    made = plan(raw, limits=limits, confidence=0.95)
    for limit in made.estimate.limits:
        assert limit["chance"] <= 0.05
    bare = compare({**raw, "limits": limits}, counts="1..64", minimize="cost", ranges=False)
    assert bare.best["count"] == 8
    assert made.ways["cheapest"]["count"] > 8
    assert made.ways["cheapest"]["cost"] >= bare.best["cost"]


@pytest.mark.parametrize("confidence", [0.0, 1.0, 80.0, -1.0])
def test_a_confidence_is_a_chance(confidence):
    said = f"--confidence: expected a chance between 0 and 1, as 0.8; got {confidence:g}"
    with pytest.raises(InputError) as caught:
        plan(H100, limits={"cost": "2 kUSD"}, confidence=confidence)
    assert str(caught.value.problems[0]) == said


def test_nothing_is_sure_enough():
    raw = {**FINE, "hardware": {**FINE["hardware"], "count": 8}}
    cost = costcalc.estimate(raw, ranges=False).results["cost"].value
    # a limit at the value itself is passed in about half of the draws
    with pytest.raises(InputError) as caught:
        plan(raw, limits={"cost": f"{cost * 1.01:.2f} USD"}, confidence=0.9)
    assert caught.value.problems[0].message == (
        "nothing keeps the limits: no hardware and count that were tried trains this model "
        "within them with a chance of 0.9"
    )


def test_how_near_the_limits_anything_came():
    raw = {**FINE, "hardware": {**FINE["hardware"], "count": 8}}
    alone = costcalc.estimate(raw, ranges=False).results
    cost, time = (alone[name] for name in ("cost", "wall_clock"))
    with pytest.raises(InputError) as caught:
        plan(raw, limits={"cost": "1 USD", "time": "1 h"})
    assert caught.value.problems[0].message.endswith(
        "; the least that was tried: "
        f"cost {human(cost.value, cost.unit)}, time {human(time.value, time.unit)}"
    )


def test_limits_that_nothing_keeps_exit_3(capsys):
    words = ["plan", "--model", "llama-3-8b", "--tokens", "15T", "--limit", "cost=1USD"]
    assert called(words) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(
        "plan: nothing keeps the limits: no hardware and count that were tried trains this model "
        r"within them; the least that was tried: cost [\d,]+ USD\n",
        said.err,
    )
    # what cannot be judged is wrong use: carbon without a place
    words = ["plan", "--accelerator", "h100-sxm5-80", "--provider", "lambda"]
    assert called([*words, "--limit", "carbon=1kgCO2e"]) == 2


# --- the model -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dollars", [300, 4000])
def test_no_preset_and_tokens_have_less_predicted_loss(dollars):
    limits = {"cost": f"{dollars} USD"}
    made = plan(H100, limits=limits)
    law = scaling.laws()[-1]
    best = next(one["value"] for one in made.predicted if one["law"] == law.name)
    size, tokens = made.estimate.results["parameters"].value, made.run["training"]["tokens"]
    assert best == pytest.approx(law.loss(size, tokens))
    known = [one for one in presets.all_presets() if (one.kind, one.family) == ("decoder", "dense")]
    tried = 0
    for one in known:
        left = best - 1e-4 - law.E - law.A / one.parameters**law.a
        if left <= 0:  # no number of tokens makes it as good
            continue
        needed = (law.B / left) ** (1 / law.b)  # the tokens at which it would be better
        if 6 * one.parameters * needed > 3 * made.flop:
            continue  # three times the compute: on the same hardware for the same money
        run = {**H100, "model": {"preset": one.id}, "training": {"tokens": needed}}
        try:
            other = costcalc.estimate({**run, "limits": limits})
        except InputError:
            continue  # it does not fit
        tried += 1
        assert other.limits[0]["chance"] > 0.2, one.id
    assert tried > 20


def test_models_that_were_left_out_are_told_and_no_better(monkeypatch):
    monkeypatch.setattr("costcalc.decide.architectures.PROBED", 1000)
    whole = plan(H100, limits={"cost": "300 USD"})
    assert not any("left out" in note for note in whole.notes)
    monkeypatch.setattr("costcalc.decide.architectures.PROBED", 4)
    made = plan(H100, limits={"cost": "300 USD"})
    told = next(note for note in made.notes if "left out" in note)
    assert told.startswith("of the models that might have the least loss the ")
    assert int(told.rpartition(" ")[2]) > 0
    assert made.predicted[-1]["value"] >= whole.predicted[-1]["value"]


def test_models_that_do_not_fit_are_not_tried_one_by_one(monkeypatch):
    # without a limit on time two devices are given ten years: what would be best is far too large
    tried = []
    judged = Chance.judged
    monkeypatch.setattr(Chance, "judged", lambda *given: tried.append(1) or judged(*given))
    hardware = {"accelerator": "tpu-v6e", "count": 2}
    site = {"region": "gcp:us-east1"}
    made = plan({"hardware": hardware, "site": site}, limits={"cost": "500 kUSD"})
    assert made.estimate.results["memory_per_device"].low < 32
    assert len(tried) < 120
    assert made.notes[-1] == (
        "no limit on time: more than a year; with one, such as 90 d, more devices are taken"
    )


@pytest.mark.parametrize("limits", [{}, {"cost": None}, None])
def test_limits_of_nothing_are_none(limits):
    with pytest.raises(InputError, match=r"^limits: nothing to plan with: give one"):
        plan({"limits": limits})


def test_of_several_devices_that_of_the_least_loss_is_taken():
    limits = {"cost": "500 USD", "time": "7 d"}
    made = plan(limits=limits)
    assert made.notes[0].startswith("hardware: the least predicted loss, of the 2 that compute")
    for name in ("tpu-v5e", "tpu-v6e", "h100-sxm5-80"):
        other = plan({"hardware": {"accelerator": name}}, limits=limits)
        assert made.predicted[1]["value"] <= other.predicted[1]["value"] + 1e-12, name


def test_the_loss_of_a_model_by_hand():
    hoffmann, besiroglu = scaling.predicted(1e9, 2e10)
    # e^0.5267228 + e^6.0073404 / (1e9)^0.33917084 + e^6.0179186 / (2e10)^0.2849083
    by_hand = (
        math.exp(0.5267228)
        + math.exp(6.0073404) / 1e9**0.33917084
        + math.exp(6.0179186) / 2e10**0.2849083
    )
    assert hoffmann["value"] == pytest.approx(by_hand)
    assert (hoffmann["low"], hoffmann["high"]) == (None, None)
    assert "no interval" in hoffmann["why"]
    by_hand = 1.8172 + 482.01 / 1e9**0.3478 + 2085.43 / 2e10**0.3658
    assert besiroglu["value"] == pytest.approx(by_hand)
    assert besiroglu["low"] < by_hand < besiroglu["high"]


def test_all_headline_figures_have_ranges_in_json(capsys):
    words = ["plan", "--accelerator", "h100-sxm5-80", "--count", "8", "--region", "aws:us-east-1"]
    assert called([*words, "--limit", "carbon=20kgCO2e", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["confidence"] == 0.8
    assert made["chances"]["carbon"] >= 0.8
    for name in ("wall_clock", "cost", "energy", "carbon_total"):
        one = made["results"][name]
        assert one["low"] < one["value"] < one["high"], name
    assert [one["law"] for one in made["predicted_loss"]] == [law.name for law in scaling.laws()]
    # a limit of carbon alone does not hide the money
    assert called([*words, "--limit", "carbon=20kgCO2e"]) == 0
    out = capsys.readouterr().out
    assert "Within the limits with a chance of 80 % each" in out
    assert f"{made['results']['cost']['value']:,.0f}"[:1] in out
    assert "Cost" in out
    assert "Predicted loss, nats a token:" in out


# --- interruptions --------------------------------------------------------------------------------


def test_the_usual_rate_is_of_the_traces():
    # 600 in 127.75 instance-days of four V100, 3 in 7.51 of c3: sqrt(4.697 × 0.399) = 1.37
    found = preempted.usual()
    assert math.sqrt(600 / 127.75 * 3 / 7.51) == pytest.approx(found.value * DAY, rel=0.03)
    assert found.low * DAY == pytest.approx(-math.log(0.95) / 30, rel=0.01)
    assert found.high * DAY == pytest.approx(195 / 17.5, rel=0.02)
    # of a job of 8 instances eight times as often; as given it is of the whole job
    assert Spot().taken(8).value == pytest.approx(8 * found.value)
    assert Spot(rate=2 / DAY).taken(8).value == 2 / DAY


@given(st.floats(60, 1e7), st.floats(1e-7, 1e-3), st.sampled_from([None, 1800.0]))
def test_arrays_take_as_much_longer_as_single_runs(work, rate, interval):
    asked = Spot(rate=rate, interval=interval)
    one = interruptions.interrupted(
        work, rate=rate, checkpoint=60.0, restart=600.0, interval=interval
    )
    many = asked.longer(np.array([work, np.nan]), np.array([rate, rate]))
    if math.isfinite(one.factor):
        assert many[0] == pytest.approx(one.factor, rel=1e-6)
    assert math.isnan(many[1])


def test_spot_takes_longer_in_every_figure():
    kwargs = {
        "accelerators": "h100-sxm5-80",
        "counts": "8..16",
        "regions": "aws:us-east-1",
        "plans": "on-demand,spot",
    }
    with_, without = (
        compare(FINE, **kwargs, ranges=False, interruptions=one) for one in (True, False)
    )

    def rows(found, name):
        return {r["count"]: r for r in (*found.front, *found.rest) if r["plan"] == name}

    for count, row in rows(with_, "spot").items():
        bare = rows(without, "spot")[count]
        nodes = count // 8
        by = interruptions.interrupted(
            bare["wall_clock"] * 3600,
            rate=nodes * preempted.usual().value,
            checkpoint=60.0,
            restart=600.0,
        ).factor
        assert by > 1.01
        for name in ("wall_clock", "device_hours", "cost", "energy", "carbon_total"):
            assert row[name] == pytest.approx(bare[name] * by), name
    assert rows(with_, "on-demand") == rows(without, "on-demand")
    said = [note for note in with_.notes if note.startswith("spot: ")]
    assert said == [
        "spot: interruptions are counted, 1.4 a day and instance (0.0017 – 11), as public traces "
        "have it; --no-interruptions leaves them out"
    ]
    assert not any(note.startswith("spot: ") for note in without.notes)
    assert any("spot-traces" in one for one in with_.sources)


def test_what_is_not_said_of_spot_is_what_the_data_say():
    from costcalc.catalog.region_table import table
    from costcalc.cli.plan import _spot

    shipped = table(preempted.FILE).data
    assert (shipped["checkpoint"]["value"], shipped["restart"]["value"]) == (60, 600)
    assert Spot() == Spot(rate=None, checkpoint=60.0, restart=600.0, interval=None)
    assert _spot(None, None, None, None) is None
    assert _spot(2.0, None, None, None) == Spot(rate=2 / DAY)
    assert _spot(None, "5 min", None, None) == Spot(checkpoint=300.0)  # at the usual rate
    assert _spot(1.0, None, "1 min", "2 h") == Spot(rate=1 / DAY, restart=60.0, interval=7200.0)


def test_a_plan_on_spot_counts_them():
    raw = {**H100, "price": {"plan": "spot"}}
    counted, told = plan(raw, limits={"cost": "500 USD"}), None
    bare = plan(raw, limits={"cost": "500 USD"}, interruptions=False)
    assert counted.flop < bare.flop
    assert counted.spot["counted"] is True
    assert counted.spot["usual"] is True
    assert bare.spot is told
    hours = costcalc.estimate(dict(counted.run), ranges=False).results["wall_clock"].value
    taken = counted.estimate.results["wall_clock"].value
    assert taken == pytest.approx(hours * counted.spot["factor"])
    assert counted.spot["work_hours"] == pytest.approx(hours)


def test_a_job_that_is_taken_away_all_the_time_is_never_done():
    # 512 instances at 1.4 a day: one in 2 minutes, and 10 minutes to start again
    found = compare({**FINE, "training": {"tokens": "2T"}}, counts=4096, plans="spot", ranges=False)
    assert found.feasible == 0
    assert list(found.why.values()) == [
        "spot instances are taken away faster than it gets on (--no-interruptions)"
    ]


# --- without a price ------------------------------------------------------------------------------


def test_what_has_no_price_is_named_and_ranked_by_carbon():
    found = compare(
        FINE,
        accelerators="h100-sxm5-80",
        counts=8,
        regions="aws:us-east-1,FR,SE",
        minimize="carbon",
        ranges=False,
    )
    assert found.no_price == {("h100-sxm5-80", "on-demand"): ["FR", "SE"]}
    carbon = {name: costcalc.estimate({**FINE, "site": {"region": name}}) for name in ("FR", "SE")}
    least = min(carbon, key=lambda name: carbon[name].results["carbon_total"].value)
    assert found.best["region"] == least
    assert found.aims == ("time", "carbon")
    assert [row["region"] for row in found.front] == [least]  # as fast, and cleaner
    ranked = sorted(carbon, key=lambda name: carbon[name].results["carbon_total"].value)
    assert [row["region"] for row in found.rest] == [ranked[1], "aws:us-east-1"]
    assert found.rest[1]["cost"] is not None
    assert found.unpriced == ()
    assert found.first == "cleanest"
    assert "of some no cost is known: the front is of time and carbon" in [
        note.replace(" (price.provider, or a provider's regions, would say)", "")
        for note in found.notes
    ]
    assert (
        "not ranked by cost, for no price is known: h100-sxm5-80 on-demand in FR, SE" in found.notes
    )
    shown = found.to_dict()["no_price"]
    assert shown == [
        {"accelerator": "h100-sxm5-80", "plan": "on-demand", "number": 2, "regions": ["FR", "SE"]}
    ]


PLACES = {"accelerators": "h100-sxm5-80", "counts": "8,16", "regions": "aws:us-east-1,SE"}


def test_a_priced_place_switches_no_ranking_off_but_that_by_cost():
    """Least time: 16 devices in either place; least cost: where a price is; a limit needs one."""
    by_time = compare(FINE, **PLACES, minimize="time", ranges=False)
    assert by_time.aims == ("time", "carbon")
    assert {row["region"] for row in (*by_time.front, *by_time.rest)} == {"SE", "aws:us-east-1"}
    assert by_time.best["count"] == 16
    assert by_time.best["region"] == "aws:us-east-1"  # as fast, and its price is known
    times = [row["wall_clock"] for row in by_time.rest]
    assert times == sorted(times)
    for asked in (None, "cost"):
        by_cost = compare(FINE, **PLACES, minimize=asked, ranges=False)
        assert by_cost.aims == ("time", "cost", "carbon")
        assert {row["region"] for row in (*by_cost.front, *by_cost.rest)} == {"aws:us-east-1"}
        assert {row["region"] for row in by_cost.unpriced} == {"SE"}
        assert by_cost.first == "cheapest"
    limited = {**FINE, "limits": {"cost": "10 MUSD"}}
    within = compare(limited, **PLACES, minimize="carbon", ranges=False)
    assert within.best["region"] == "aws:us-east-1"
    assert any(note.startswith("less carbon still, its price unknown: ") for note in within.notes)


def test_many_without_a_price_are_named_shortly():
    many = {(f"a{i}", "spot"): ["r1", "r2", "r3", "r4"] for i in range(8)}
    said = named(many)
    assert "a0 spot in r1, r2, r3 and 1 more; a1" in said
    assert said.endswith("a5 spot in r1, r2, r3 and 1 more; and 2 more (--json)")


def test_nothing_is_said_of_what_is_no_less():
    row = {"wall_clock": 2.0, "carbon_total": 5.0, "accelerator": "a", "count": 1}
    row |= {"region": "FR", "plan": "spot"}
    best = {"wall_clock": 2.0, "carbon_total": 5.0}
    assert less_still(SimpleNamespace(best=best, unpriced=[row]), "carbon") == []
    assert less_still(SimpleNamespace(best=best, unpriced=[row]), "cost") == []
    best["carbon_total"] = 5.1
    assert less_still(SimpleNamespace(best=best, unpriced=[row]), "carbon") == [
        "less carbon still, its price unknown: 1 × a in FR, spot, 5.00 kgCO2e"
    ]


# --- the user's currency --------------------------------------------------------------------------

EURO = {"price": {"currency": "EUR", "rate": "1.25 USD/EUR"}}


def test_a_comparison_in_euros_is_that_in_dollars_at_the_rate():
    axes = {"counts": "8..32", "regions": "aws:us-east-1,FR", "minimize": "cost"}
    euros = compare({**FINE, **EURO, "limits": {"cost": "400 EUR"}}, **axes)
    dollars = compare({**FINE, "limits": {"cost": "500 USD"}}, **axes)
    assert (euros.currency, dollars.currency) == ("EUR", "USD")
    assert euros.limits == {"cost": pytest.approx(400.0)}
    assert euros.to_dict()["units"]["cost"] == "EUR"
    for ours, theirs in zip(euros.front, dollars.front, strict=True):
        assert ours["cost"] == pytest.approx(theirs["cost"] / 1.25)
        ends = [end / 1.25 for end in theirs["ranges"]["cost"]]
        assert ours["ranges"]["cost"] == pytest.approx(ends)
        assert ours["wall_clock"] == theirs["wall_clock"]
    assert euros.best["cost"] == pytest.approx(dollars.best["cost"] / 1.25)
    laid = compare(FINE, **axes, changes={f"price.{k}": v for k, v in EURO["price"].items()})
    assert laid.best["cost"] == pytest.approx(euros.best["cost"])


@pytest.mark.parametrize("model", [{}, {"model": FINE["model"], "training": FINE["training"]}])
def test_a_plan_in_euros_is_that_in_dollars_at_the_rate(model):
    euros = plan({**H100, **model, **EURO}, limits={"cost": "1600 EUR"})
    dollars = plan({**H100, **model}, limits={"cost": "2000 USD"})
    assert euros.run["price"] == {**EURO["price"], **dollars.run.get("price", {})}
    assert euros.limits == {"cost": pytest.approx(1600.0)}
    cost = euros.estimate.results["cost"]
    assert cost.unit == "EUR"
    assert cost.value == pytest.approx(dollars.estimate.results["cost"].value / 1.25, rel=1e-6)
    assert euros.chances["cost"] == pytest.approx(dollars.chances["cost"], abs=2e-4)
    assert euros.to_dict()["units"]["cost"] == "EUR"
    for name, way in euros.ways.items():
        assert way["cost"] == pytest.approx(dollars.ways[name]["cost"] / 1.25)


def test_a_currency_that_is_none_is_told_when_the_run_is_read():
    assert money.money_of({"price": {"currency": "EUR"}})[0] == {"price": {"currency": "EUR"}}
    with pytest.raises(InputError, match=r"price\.rate|price\.currency"):
        plan({**H100, "price": {"currency": "EUR"}}, limits={"cost": "400 USD"})


def test_a_target_in_euros():
    from costcalc.decide.benchmarks import OPERATIONS, law, target

    found = law("ImageNet", OPERATIONS)
    dollars = target(found, 0.05).on["figures"]["cost"]
    euros = target(found, 0.05, money=EURO["price"]).on["figures"]["cost"]
    assert (dollars["unit"], euros["unit"]) == ("USD", "EUR")
    assert euros["value"] == pytest.approx(dollars["value"] / 1.25)
    assert money.shown_in(EURO, None) == EURO["price"]
    assert money.shown_in(None, {"price.rate": "2 USD/EUR"}) == {"rate": "2 USD/EUR"}
    assert money.shown_in(None, None) == {}


def test_a_judged_run_of_several_stages_needs_their_sum():
    stages = [{"name": "a", "training": {"tokens": "1B"}}, {"name": "b"}]
    raw = {**FINE, "stages": stages, "limits": {"cost": "9 kUSD"}}
    found = Chance().judged(raw)
    value = found.estimate.results["cost"].value
    assert found.needs["cost"] > value
    # as many draws pass it as the confidence leaves
    limited = {**raw, "limits": {"cost": f"{found.needs['cost'] * (1 + 1e-9)} USD"}}
    assert costcalc.estimate(limited).limits[0]["chance"] <= 0.2


def test_copies_that_embed_or_rank_are_no_models_to_train_anew() -> None:
    ids = {id_ for _, id_ in _sizes("dense")}
    assert {"qwen3-0.6b", "mistral-7b"} <= ids
    assert ids.isdisjoint({"qwen3-embedding-0.6b", "qwen3-reranker-0.6b", "e5-mistral-7b"})
    assert "gte-qwen2-7b" not in ids
