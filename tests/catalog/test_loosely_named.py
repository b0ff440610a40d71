"""Names of a family, of a size that two boards have in about, and of a place in its own tongue."""

import pytest

from costcalc.base.errors import NotFoundError
from costcalc.catalog import accelerator, instances, region
from costcalc.catalog.index import Head
from costcalc.catalog.matching import entries
from costcalc.catalog.peak import peak


def _told(find, name):
    with pytest.raises(NotFoundError) as told:
        find(name)
    return str(told.value)


def test_of_boards_of_about_a_size_the_one_that_is_called_by_it_is_meant():
    # 94 GiB x 1.08 is sold as 101 GB at most, so that 96 GB could be either by its memory
    boards = (Head("a", "nova-94", ("Nova SXM 94GB",), gigabytes=94 * 1.0737),
              Head("b", "nova-96", ("Nova SXM 96GB",), gigabytes=96 * 1.0737))  # fmt: skip
    found = entries("Nova SXM card 96GB", boards, by_words=True)
    assert [head.id for head in found] == ["nova-96"]
    assert accelerator.find("NVIDIA H100 SXM5 96GB").id == "h100-sxm5-96"
    assert accelerator.find("NVIDIA H100 96GB HBM3").id == "gh200-96"  # as drivers report it


def test_a_generation_of_chips_is_refused_with_its_commonest_boards():
    said = _told(accelerator.find, "Hopper")
    assert said.startswith(
        'hardware.accelerator: "Hopper" is a family of boards (h100-sxm5-80, gh200-96, '
    )
    assert said.endswith(", …): write which")
    assert '"blackwell" is a family of boards (b200-sxm-180, ' in _told(
        accelerator.find, "blackwell"
    )


def test_the_system_of_one_host_is_its_host():
    assert instances.find("abci").id == "abci-3"


@pytest.mark.parametrize(("name", "code"), [
    ("Deutschland", "DE"), ("España", "ES"), ("Brasil", "BR"), ("Schweiz", "CH"),
    ("Earth", "world"),
])  # fmt: skip
def test_a_place_in_its_own_tongue_is_refused_with_its_code(name, code):
    assert _told(region.find, name) == f"site.region: no region {name}; nearest: {code}"


def test_a_word_is_no_slip_for_a_code_of_three_letters():
    assert "; known: " in _told(region.find, "modal")  # 3 of MDA's letters, 2 x 3 / 8 alike
    assert "nearest: FR" in _told(region.find, "FRAA")


def test_zones_of_electricity_maps_are_their_state_where_they_are_about_one():
    assert region.find("US-CAL-CISO").code == "US-CA"
    assert region.find("us-tex-erco").code == "US-TX"
    assert _told(region.find, "US-MIDA-PJM") == (
        "site.region: no region US-MIDA-PJM; it reads as a zone of Electricity Maps, "
        "by balancing authority: write the state"
    )


def test_a_host_is_told_as_one_where_its_peak_is_asked_for():
    assert _told(peak, "DGX H100") == (
        'hardware.accelerator: "DGX H100" is a host of 8 h100-sxm5-80: '
        "write hardware.instance: dgx-h100"
    )
