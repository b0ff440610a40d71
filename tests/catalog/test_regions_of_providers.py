"""Providers that are no table of regions, and yet call places by names of their own: Nebius."""

from __future__ import annotations

import pytest

import costcalc
from costcalc import InputError, NotFoundError
from costcalc.catalog import region

RUN = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1B"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
}


@pytest.mark.parametrize(("name", "place"), [
    ("eu-north1", "FI"), ("EU-North1", "FI"), ("eu-west1", "FR"), ("us-central1", "US-MO"),
    ("me-west1", "IL"), ("uk-south1", "GB"), ("eu-north2", "IS"),
])  # fmt: skip
def test_nebius_names_stand_for_its_places(name, place):
    for found in (region.find(name, provider="nebius"), region.find(f"nebius:{name}")):
        assert (found.code, found.provider) == (place, "nebius")


def test_of_another_provider_they_are_what_its_own_list_says():
    assert region.find("us-central1").code == "gcp:us-central1"
    assert region.find("us-central1", provider="gcp").code == "gcp:us-central1"
    assert region.find("eu-north-1", provider="nebius").code == "aws:eu-north-1"


@pytest.mark.parametrize(("name", "message"), [
    ("eu-north1", "eu-north1 may be nebius:eu-north1 (FI), aws:eu-north-1: write which"),
    ("eu-west1", "eu-west1 may be nebius:eu-west1 (FR), aws:eu-west-1: write which"),
    ("uk-south1", "uk-south1 is nebius's name of a place in GB: write nebius:uk-south1"),
    (
        "nebius:xx1",
        "no region nebius:xx1; of nebius are known eu-north1, eu-north2, eu-west1, me-west1, "
        "uk-south1, us-central1",
    ),
])  # fmt: skip
def test_without_a_provider_it_is_said_whose_they_may_be(name, message):
    with pytest.raises(NotFoundError) as caught:
        region.find(name)
    assert [p.message for p in caught.value.problems] == [message]


def test_a_run_at_nebius_is_in_finland_and_pays_its_price():
    both = [
        costcalc.estimate(
            {**RUN, "site": {"region": "eu-north1"}, "price": {"provider": "nebius"}}
        ),
        costcalc.estimate({**RUN, "site": {"region": "nebius:eu-north1"}}),
    ]
    for estimate in both:
        said = {a.key: a.value for a in estimate.assumptions}
        assert said["site.grid"] == region.find("FI").grid.value
        assert said["price.device_hour"] == 2.95
    with pytest.raises(InputError, match="eu-north1 may be nebius:eu-north1"):
        costcalc.estimate({**RUN, "site": {"region": "eu-north1"}})
