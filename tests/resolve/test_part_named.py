"""A refusal of what does not fit names the part of a board that was asked for."""

import pytest

import costcalc
from costcalc.base.errors import InputError

RUN = {"model": {"preset": "llama-3-8b"}, "training": {"tokens": "1B"}, "site": {"region": "FR"}}


@pytest.mark.parametrize(
    ("hardware", "named"),
    [
        ({"accelerator": "H100 80GB HBM3 MIG 1g.10gb", "count": 1}, "1g.10gb of h100-sxm5-80"),
        ({"accelerator": "NVIDIA A40-8Q", "count": 1}, "a virtual GPU of 8 GB of a40"),
        ({"accelerator": "a100-sxm4-40", "share": 0.5}, "0.5 of a100-sxm4-40"),
        ({"accelerator": "a100-sxm4-40", "count": 1}, "a100-sxm4-40"),
    ],
)
def test_the_part_is_named_that_does_not_hold_it(hardware, named):
    with pytest.raises(InputError) as caught:
        costcalc.estimate({**RUN, "hardware": hardware})
    assert f" GiB a device, which is what {named} has; it takes " in str(caught.value)
