"""What the sections of a run file share: that unknown keys are errors, and kinds of value."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from costcalc.runfile import words
from costcalc.runfile.values import batch, choice, positive, quantity, whole, within

PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "fp8", "mxfp8", "fp4")

Count = Annotated[int, whole("a whole number")]
Amount = Annotated[float, positive("a number")]
Share = Annotated[float, within("a share", 0, 1, open_low=True)]
Flop = Annotated[float, quantity("FLOP", bare=True)]
Precision = Annotated[str, choice(*PRECISIONS, also=words.PRECISIONS)]
TOKENS = ("token", "tok")
SAMPLES = ("sample", "example", "image", "sequence", "row")
Parameters = Annotated[float, positive("a number", of=("parameter", "param", "weight"))]
Tokens = Annotated[float, positive("a number of tokens", of=TOKENS)]
Samples = Annotated[float, positive("a number of samples", of=SAMPLES)]
STEPS = ("step", "iteration", "iter", "update", "optimizer step", "training step")
Steps = Annotated[float, positive("a number of steps", of=STEPS)]
Epochs = Annotated[float, positive("a number of epochs", of=("epoch",))]
Batch = Annotated[float, batch(TOKENS, SAMPLES)]
HOURS = tuple(
    f"{device}{joint}hour" for device in ("device", "gpu", "tpu", "chip") for joint in " -"
)
DeviceHours = Annotated[float, positive("a number of device-hours", of=HOURS)]
Length = Annotated[int, whole("a whole number of tokens", of=TOKENS)]


class Section(BaseModel):
    """A mapping of the run file; unknown keys are errors."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def key(description: str) -> Any:
    """A key that need not be given, and what it means."""
    return Field(default=None, description=description)
