"""What a region's provider is not known to rent: no run there, whatever the arithmetic says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from costcalc.base.errors import CostcalcError
from costcalc.catalog import accelerator as accelerators_
from costcalc.catalog import region as regions_
from costcalc.decide.sweep import section
from costcalc.price import rents
from costcalc.runfile.schema import PLANS

if TYPE_CHECKING:
    from numpy.typing import NDArray

OWN = frozenset({"provider", "device_hour", "instance_hour", "owned"})


def absent(
    run: Mapping[str, object],
    accelerators: Sequence[str],
    regions: Sequence[str],
    plans: Sequence[str] = ("on-demand",),
    changes: Mapping[str, object] | None = None,
) -> NDArray[np.bool_]:
    """Accelerator × region × plan: hardware that the region's provider is not known to rent.

    Where the price is the user's own or another provider's, or the hardware was bought, a region
    is a place like any other; so is one whose provider's name it does not say.

    >>> absent({}, ["tpu-v6e"], ["aws:us-east-1", "gcp:us-east1", "FR"])[0, :, 0].tolist()
    [True, False, False]
    >>> bool(absent({"price": {"provider": "any"}}, ["tpu-v6e"], ["aws:us-east-1"]).any())
    False
    """
    found = np.zeros((len(accelerators), len(regions), len(plans)), dtype=bool)
    asked = section(run, "price")
    given = OWN & {*asked, *(key.split(".")[1] for key in changes or () if "price." in key)}
    if given or asked.get("plan") == "owned":
        return found
    rented = np.array([plan in PLANS and plan != "owned" for plan in plans])
    whose = [regions_.find(name).provider for name in regions]
    for a, name in enumerate(accelerators):
        try:
            accelerator = accelerators_.find(name)
        except CostcalcError:
            continue  # of the user's own profiles
        for r, provider in enumerate(whose):
            if provider is not None and not rents(accelerator, provider):
                found[a, r] = rented
    return found


def bought(purchase: object, accelerators: Sequence[str], counts: Sequence[int]) -> list[str]:
    """What is to be said where one purchase stands for several scenarios' hardware.

    >>> bought("18 kUSD", ["h100-sxm5-80"], [8]), bought(None, ["h100-sxm5-80"], [8, 16])
    ([], [])
    """
    if purchase is None or (len(accelerators) == 1 and len(counts) == 1):
        return []
    message = (
        "price.owned.purchase is taken as what all the devices cost in every row, whatever their "
        "number and kind; without it each costs what its profile knows"
    )
    return [message]
