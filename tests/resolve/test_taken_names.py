"""What a result says of names that stand for others."""

import pytest

import costcalc

RUN = {
    "model": {"preset": "gpt2"},
    "training": {"tokens": "1B"},
    "hardware": {"accelerator": "a100-sxm4-40", "count": 1},
}


def test_a_name_that_is_taken_for_another_is_said():
    made = costcalc.estimate(
        RUN,
        changes={
            "hardware.accelerator": "geforce RTX4090",
            "model.preset": "openai/gpt-2",
            "site.region": "Spain",
        },
    )
    assert [line for line in made.warnings if "taken as" in line] == [
        'model.preset: "openai/gpt-2" is taken as gpt2 (GPT-2)',
        'hardware.accelerator: "geforce RTX4090" is taken as rtx-4090 (NVIDIA GeForce RTX 4090)',
        'site.region: "Spain" is taken as ES (Spain)',
    ]


def test_names_of_the_catalogue_are_not_spoken_of():
    assert not [line for line in costcalc.estimate(RUN).warnings if "taken as" in line]


def test_a_mig_instance_is_its_part_of_the_board():
    whole = costcalc.estimate(RUN)
    part = costcalc.estimate(
        RUN, changes={"hardware.accelerator": "NVIDIA A100-SXM4-40GB MIG 3g.20gb"}
    )
    said = {item.key: item for item in part.assumptions}["hardware.share"]
    assert said.value == pytest.approx(3 / 7)
    assert said.why == "3 of 7 compute slices: 42 of 108 multiprocessors, 4/8 of the memory"
    assert part.values["wall_clock"] > whole.values["wall_clock"] * 108 / 42 * 0.8


def test_a_seventh_of_a_board_is_its_profile_of_one_slice():
    board = {"hardware.accelerator": "h100-sxm5-80"}
    share = costcalc.estimate(RUN, changes=board | {"hardware.share": "1/7"})
    named = costcalc.estimate(RUN, changes={"hardware.accelerator": "H100-SXM5-80GB MIG 1g.10gb"})
    assert share.values["wall_clock"] == named.values["wall_clock"]
    assert share.values["device_hours"] == pytest.approx(share.values["wall_clock"] / 7)
    assert {item.key: item.why for item in share.assumptions}["hardware.share"] == (
        "1 of 7 compute slices: 16 of 132 multiprocessors, 1/8 of the memory"
    )
    # half of the time of a board is half of it all
    half = costcalc.estimate(RUN, changes=board | {"hardware.share": "1/2"})
    assert "hardware.share" not in {item.key for item in half.assumptions if item.why}


def test_an_a30_is_cut_in_four():
    # NVIDIA MIG user guide: 1g.6gb is a quarter of an A30, where other boards are cut in seven
    part = costcalc.estimate(RUN, changes={"hardware.accelerator": "NVIDIA A30 MIG 1g.6gb"})
    said = {item.key: item for item in part.assumptions}["hardware.share"]
    assert said.value == pytest.approx(1 / 4)
    assert said.why == "1 of 4 compute slices: 14 of 56 multiprocessors, 1/4 of the memory"


@pytest.mark.parametrize("name", ["AWS", "Amazon Web Services", "amazon"])
def test_a_provider_by_any_of_its_names_is_the_same(name):
    ours = costcalc.estimate(RUN, changes={"price.provider": "aws"})
    made = costcalc.estimate(RUN, changes={"price.provider": name})
    for figure in ("cost", "energy", "carbon_total"):
        assert made.results[figure].value == ours.results[figure].value
    hosts = [
        item.value
        for one in (made, ours)
        for item in one.assumptions
        if item.key == "hardware.host"
    ]
    assert hosts[0] == hosts[1]


@pytest.mark.parametrize(
    ("config", "instead"),
    [
        ("https://huggingface.co/Qwen/Qwen2.5-7B", "write preset: qwen2.5-7b in its place"),
        ("Qwen/Qwen2.5-7B", "write preset: qwen2.5-7b in its place"),
        ("https://hf.co/nobody/nothing", "download its config.json, and give the file"),
    ],
)
def test_a_configuration_elsewhere_is_told_that_nothing_is_fetched(config, instead):
    run = {**RUN, "model": {"config": config}}
    with pytest.raises(costcalc.InputError) as caught:
        costcalc.estimate(run)
    (problem,) = caught.value.problems
    assert problem.message == (
        f'expected a config.json or its folder; "{config}" is not there; nothing is fetched: '
        f"{instead}"
    )
