"""Words that several rooms share: the axes of a layout, ways to shard and recompute, precisions."""

from __future__ import annotations

from collections.abc import Mapping

#: how devices are divided, in the order in which layouts are told
AXES = ("data", "tensor", "pipeline", "virtual_pipeline", "context", "expert")

#: what is sharded over the data axis (0 nothing, 1 optimizer states, 2 gradients, 3 weights), and
#: 1 where weights are sharded inside the scale-up domain only
SHARDINGS = {
    "none": (0.0, 0.0),
    "zero1": (1.0, 0.0),
    "zero2": (2.0, 0.0),
    "zero3": (3.0, 0.0),
    "hsdp": (3.0, 1.0),
}
#: 1 where everything is recomputed, 1 where some of it is
RECOMPUTES = {"none": (0.0, 0.0), "selective": (0.0, 1.0), "full": (1.0, 0.0)}

#: what lives in host memory: nothing, optimizer states, the weights too
OFFLOADS = {"none": 0.0, "optimizer": 1.0, "all": 2.0}

#: precision of master weights and optimizer states; what of the logits stays in memory; whether the
#: optimizer steps in backward, where each gradient is freed; where activations are kept
STATES = ("fp32", "bf16")
LOGITS = ("full", "chunked", "fused")
GRADIENTS = ("kept", "freed")
ACTIVATIONS = {"device": 0.0, "host": 1.0}

#: precisions whose weights and activations take four bytes
WIDE = ("fp32", "tf32")
#: precisions of 8 and 4 bits
NARROW = ("fp8", "mxfp8", "fp4", "nvfp4")
#: formats whose large matrix multiplies run at the peak of another key of a profile
PEAK_KEY = {"mxfp8": "fp8", "nvfp4": "fp4"}

#: methods that train on what the model itself has generated
REINFORCED = ("ppo", "grpo")


def usual_precision(peak: Mapping[str, float]) -> str | None:
    """The precision that who says none trains in, of those that a device has a rate for.

    bf16, but where it is no faster than fp32: there it is made of it (Apple before the M5).

    >>> usual_precision({"fp32": 15.7e12, "fp16": 125e12}), usual_precision({})
    ('fp16', None)
    >>> usual_precision({"fp32": 67e12, "bf16": 989e12, "fp16": 989e12})
    'bf16'
    >>> usual_precision({"fp32": 2.62e12, "bf16": 1.83e12, "fp16": 2.62e12})
    'fp16'
    """
    emulated = "fp16" in peak and 0 < peak.get("bf16", 0.0) <= peak.get("fp32", 0.0)
    order = ("fp16", "bf16", "tf32", "fp32") if emulated else ("bf16", "fp16", "tf32", "fp32")
    return next((name for name in order if name in peak), None)
