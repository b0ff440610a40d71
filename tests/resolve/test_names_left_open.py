"""A name that several boards have: the one that is taken stands among what is assumed."""

import costcalc
from costcalc.resolve.names import taken

RUN = {
    "measured": {"wall_clock": "10 h"},
    "hardware": {"accelerator": "H800", "count": 8},
    "site": {"region": "FR"},
}
SAID = (
    '"H800" is taken as h800-sxm5-80 (NVIDIA H800 SXM5 80 GB), its commonest board; h800-pcie-80 '
    "is called so too: write which"
)


def listed(run):
    return [one for one in costcalc.estimate(run).inputs if one.key == "hardware.accelerator"]


def test_the_board_that_is_taken_is_assumed_with_the_others_beside_it():
    (one,) = listed(RUN)
    assert (one.value, one.basis, one.why) == ("h800-sxm5-80", "default", SAID)
    assert one.source == "hardware_profiles/accelerators/h800-sxm5-80.yaml"
    assert f"hardware.accelerator: {SAID}" in costcalc.estimate(RUN).warnings


def test_nothing_is_assumed_of_a_name_that_says_which_or_of_an_instance():
    for hardware in (
        {"accelerator": "h800-pcie-80", "count": 8},
        {"accelerator": "NVIDIA A100-SXM4-80GB", "count": 8},
        {"instance": "p5.48xlarge"},
    ):
        assert listed({**RUN, "hardware": hardware}) == []


def test_a_slice_of_a_board_says_which_board_is_taken():
    run = {**RUN, "hardware": {"accelerator": "H100 MIG 1g.10gb", "count": 1}}
    (one,) = listed(run)
    assert one.value == "h100-sxm5-80"
    assert "h100-pcie-80" in one.why
    assert [*taken(run, ())] == [f"hardware.accelerator: {one.why}"]


def test_such_a_report_verifies_and_one_that_says_another_board_does_not(tmp_path):
    path = tmp_path / "report.yaml"
    costcalc.estimate(RUN).save(path)
    assert costcalc.verify(path).holds
    forged = path.read_text().replace("value: h800-sxm5-80\n", "value: h800-pcie-80\n")
    assert forged != path.read_text()
    path.write_text(forged)
    found = [line for step in costcalc.verify(path).steps for line in step.discrepancies]
    assert "run.hardware.accelerator: H800; the assumptions have h800-pcie-80" in found


def test_a_comparison_says_it_too():
    run = {"model": {"preset": "gpt2"}, "training": {"tokens": "1B"}, "site": {"region": "FR"}}
    found = costcalc.compare(run, accelerators="H800,l4", counts="8", ranges=False)
    assert [note for note in found.notes if "H800" in note] == [f"hardware.accelerator: {SAID}"]
