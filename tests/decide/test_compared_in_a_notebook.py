"""What a notebook shows of a comparison and of a plan."""

from __future__ import annotations

import re

import costcalc
from costcalc.base.human import human, span

RUN = {
    "name": "<b>tune</b>",
    "model": {"parameters": 1e9},
    "training": {"method": "finetune", "tokens": "10B", "sequence_length": 2048},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8, "utilization": 0.4, "goodput": 1},
    "site": {"region": "FR", "pue": 1.2},
    "price": {"device_hour": "2 EUR", "currency": "EUR", "rate": "1.25 USD/EUR"},
}


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def test_a_comparison_is_a_table_of_its_front_and_the_rest() -> None:
    made = costcalc.compare(RUN, counts="8..16", regions="FR,PL")
    page = made._repr_html_()
    said = words(page)
    assert "4 scenarios, 4 can run; 2 on the front" in said
    assert "&lt;b&gt;tune&lt;/b&gt;" in page
    assert "<b>tune" not in page
    # 6·1e9·10e9 FLOP / (8 · 989.4e12 · 0.4) s: 5.266 h on 8 devices at 2 EUR, on 16 half as long
    assert "8 × h100-sxm5-80 PL on-demand 5.26 hours 84.2 EUR" in said
    assert "16 × h100-sxm5-80 PL on-demand 2.63 hours 84.2 EUR" in said
    carbon = made.front[0]
    low, high = carbon["ranges"]["carbon_total"]
    told = human(carbon["carbon_total"], "kgCO2e")
    assert f"{told} {span(low, high, carbon['carbon_total'], 'kgCO2e')}" in said
    assert page.count("font-weight: 600; padding") == len(made.front) == 2
    assert said.index("PL on-demand") > said.rindex("FR on-demand")  # the rest stands below
    assert "Precision" not in said
    assert "more: to_pandas()" not in said


def test_a_precision_is_a_column_and_what_is_left_out_is_counted() -> None:
    made = costcalc.compare(RUN, counts="8..64:4", precisions="bf16", regions="FR", ranges=False)
    said = words(made._repr_html_())
    assert "on-demand bf16" in said
    assert " – " not in said.partition("Notes")[0]
    many = costcalc.compare(RUN, counts="8..64:2", regions="FR", ranges=False)
    rows = len(many.front) + len(many.rest)
    assert (rows > 20) == ("more: to_pandas() has them all" in words(many._repr_html_()))
    assert f"{rows - 20} more: " in words(many._repr_html_())


def test_a_plan_is_shown_as_its_estimate() -> None:
    hardware = {"accelerator": "h100-sxm5-80", "count": 8}
    made = costcalc.plan({"hardware": hardware, "price": {"device_hour": "2 USD"}},
                         limits={"cost": "500 USD"})  # fmt: skip
    assert made._repr_html_() == made.estimate._repr_html_()
