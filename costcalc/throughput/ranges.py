"""How far a predicted throughput may be from the true one: from the errors on unseen sources."""

from __future__ import annotations

import math
from collections.abc import Mapping

from costcalc.throughput.constants import Constants, Figures
from costcalc.throughput.transfer import NAMES, shares_of

#: where nothing has been scored yet: true over predicted throughput, logarithms
PRIOR = {"low": -0.45, "high": 0.35}
#: further half-width (log) for shapes that a rule made from a parameter count: what the rule of
#: shape_from_parameters loses against the shapes of the measured models of known size
GUESSED = 0.12
#: further half-width a doubling of devices beyond any measured run
BEYOND = 0.05
#: devices of the largest measured run (MLPerf Training 3.1)
MEASURED_DEVICES = 10752
#: further half-width for a generation that nobody measured, at the least
NEW = 0.10
#: kinds of architecture of which no measured run is shipped: their class's errors are lent to them,
#: and beside them those of vision transformers, the kind with the fewest measured runs (costcalc: a
#: stated judgement)
UNMEASURED = frozenset({"speech", "encoder-decoder", "ssm"})
#: kinds whose steps in 16 bits were measured in tuned or compiled software alone, but for a row;
#: of transformers of images on one board alone, of a quarter of an A100's rate (RTX 3090)
CAST = frozenset({"encoder", "encoder-decoder", "speech", "vision", "vit"})
#: and a further half-width downwards where kernels are launched one by one: casting, and norms and
#: softmax in 32 bits, take what 16 bits save.  BERT base was 2.0 times as fast in fp16 as in fp32
#: (TITAN RTX, PyTorch 1.6: text-classification examples of transformers; V100: its issue 277), and
#: T5 base 1.07 times in bf16 as in tf32 (A100: README of PiotrNawrot/nanoT5), 4.3, 4.1 and 1.9
#: here; ViT-L takes 0.29 s a step of 32 images where 0.12 is predicted (A100, fp16: logs of
#: rasbt/pytorch-memory-optim) (costcalc: a stated judgement)
CASTING = 0.73
#: further half-width downwards where a diffusion model is tuned: encoders of images and texts run
#: in the step and it recomputes, unless told otherwise.  Of Stable Diffusion 1.5 the encoder of a
#: 512 × 512 image is 1.1 TFLOP beside 2.4 of training, and recomputing a third more: × 1.9 at most
#: (costcalc: a stated judgement)
BESIDE = 0.66
#: the same of networks that detect: their losses, assignment and mosaics are in no measured run.
#: YOLOv5 n to x took 1 to 8 days a V100 for 300 epochs of COCO (README of ultralytics/yolov5), 1.8
#: to 2.9 times what is predicted (costcalc: a stated judgement)
DETECTING = 0.9
#: parts of a step whose time hangs on what no profile tells
WAITING = ("network", "launch")
#: a share from which on a step is no less known: few measured ones wait for more
MOSTLY = 0.5
#: a range from fewer configurations than this is not used; a class of like models answers
ENOUGH = 30
_LIKE = {"vision": "encoder", "diffusion": "cnn"}
#: kinds of architecture and the class of measurements whose errors stand for theirs
_CLASS = {"decoder": "decoder", "ssm": "decoder", "encoder": "encoder",
          "encoder-decoder": "encoder", "speech": "encoder", "vision": "vision",
          "cnn": "cnn", "vit": "vision", "diffusion": "diffusion"}  # fmt: skip


def chosen(constants: Constants, devices: float) -> float:
    """Share of the throughput in the fastest layout found that runs in layouts of their own reach.

    The fastest of hundreds by a model is in part the one that it flatters most, and few runs try
    as many: the median over measured runs whose layout the search did not see.

    >>> chosen({"auto": {"value": 0.9}}, 64), chosen({"auto": {"value": 0.9}}, 1)
    (0.9, 1.0)
    """
    return float(constants.get("auto", {}).get("value", 1.0)) if devices > 1 else 1.0


def prediction_range(
    constants: Constants,
    *,
    generation: str,
    kind: str = "decoder",
    layout_given: bool = True,
    shapes_known: bool = True,
    devices: float = 1.0,
    per_node: float = 8.0,
    experts: bool = False,
    told: bool = True,
    gain: float = 1.0,
    below: float = 0.0,
    breakdown: Mapping[str, float] | None = None,
) -> tuple[float, float]:
    """Multipliers of a predicted throughput: 5th and 95th percentile of the true one.

    They are quantiles of held-out errors, widened in quadrature where less is known: the layout
    is costcalc's own, the shapes follow a rule, nobody measured this generation or kind, the run is
    larger than any that was measured, or the model routes to experts, whose software is younger
    and differs more.  They are of a step that computes; one that waits for the network or for its
    host is known less well (:func:`unevenness` of the ``breakdown``, in seconds).  ``gain``: how
    much faster the run is if it does what is not told; ``below``: a further half-width of the low
    end alone, in logarithms (:func:`slower`).

    >>> low, high = prediction_range({}, generation="hopper")
    >>> round(low, 2), round(high, 2)
    (0.64, 1.42)
    """
    ranges = constants.get("range", {})
    base = ranges.get("given", PRIOR)
    own = _own(ranges, _CLASS.get(kind, "decoder"), base)
    if own is base:
        own = _of_users(ranges, place_of(devices, per_node), told, base)
    extra = []
    if not layout_given:
        extra.append(_more(ranges.get("hidden", base), base))
    if generation not in constants.get("generations", {generation: None}):
        more = _more(ranges.get("new", base), base)
        extra.append({side: max(width, NEW) for side, width in more.items()})
    if kind in UNMEASURED:
        extra.append(ranges.get("vision", PRIOR))
    if experts:
        extra.append(_more(ranges.get("experts", base), base))
    if not shapes_known:
        extra.append({"low": GUESSED, "high": GUESSED})
    if devices > MEASURED_DEVICES:
        beyond = BEYOND * math.log2(devices / MEASURED_DEVICES)
        extra.append({"low": beyond, "high": beyond})
    extra.append({"low": below, "high": math.log(gain)})
    uneven = unevenness(constants, breakdown or {})
    low = math.hypot(uneven * own["low"], *(part["low"] for part in extra))
    high = math.hypot(uneven * own["high"], *(part["high"] for part in extra))
    return math.exp(-low), math.exp(high)


def slower(kind: str, precision: str, method: str = "pretrain", *, compiled: bool = False) -> float:
    """Half-width (log) by which ordinary software may be slower than what was measured of a kind.

    BERT and its kin in 16 bits of an eager framework, where they are tuned (their pretraining was
    measured), transformers of images there, the tuning of diffusion models, and networks that
    detect.

    >>> slower("encoder", "fp16", "finetune"), slower("encoder", "fp32", "finetune")
    (0.73, 0.0)
    """
    if kind == "detector":
        return DETECTING
    if kind == "diffusion":
        return 0.0 if method == "pretrain" else BESIDE
    seen = compiled or (kind == "encoder" and method == "pretrain")
    return CASTING if kind in CAST and precision in ("fp16", "bf16") and not seen else 0.0


def unevenness(constants: Constants, breakdown: Mapping[str, float]) -> float:
    """How many times wider the range of a step is that waits, against one that only computes.

    sqrt(1 + (a·network)² + (b·launch)²), of the shares of the step that the network and launching
    take, up to half each: how fast a PCIe slot, a switch or a host is, no profile of a chip tells.
    a and b are fitted to the errors on unseen sources (``scripts/calibrate_throughput.py``).

    >>> waits = {"range": {"waiting": {"network": 4.0, "launch": 6.0}}}
    >>> unevenness(waits, {"compute": 0.5, "data": 0.5}) == (1 + 2.0**2) ** 0.5
    True
    """
    found = constants.get("range", {}).get("waiting", {})
    shares = dict(zip(NAMES, shares_of(breakdown), strict=True))
    waits = {name: min(shares[name], MOSTLY) for name in WAITING}
    return math.hypot(1.0, *(found.get(name, 0.0) * share for name, share in waits.items()))


def place_of(devices: float, per_node: float = 8.0) -> str:
    """Whose errors a range takes: those of one device, one node, or several.

    >>> place_of(1), place_of(8), place_of(16)
    ('one', 'node', 'cluster')
    """
    if devices <= 1:
        return "one"
    return "node" if devices <= max(per_node, 8.0) else "cluster"


def _of_users(ranges: Mapping[str, Figures], place: str, told: bool, base: Figures) -> Figures:
    """Errors of runs of this size, with the software told or not; of all where they are few."""
    found = ranges.get(place if told else f"{place}_untold")
    return base if found is None or found.get("n", ENOUGH) < ENOUGH else found


def _own(ranges: Mapping[str, Figures], name: str, base: Figures) -> Figures:
    found = ranges.get(name)
    if found is None or found.get("n", ENOUGH) < ENOUGH:
        found = ranges.get(_LIKE.get(name, ""), found)
    return base if found is None else found


def _more(wide: Figures, base: Figures) -> Figures:
    """What a wider range has beyond another, as a further independent half-width."""
    return {
        side: math.sqrt(max(wide[side] ** 2 - base[side] ** 2, 0.0)) for side in ("low", "high")
    }
