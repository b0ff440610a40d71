"""Configurations away from their defaults, and parameters as transformers 5.24 builds them."""

from __future__ import annotations

from varied_classes import CLASSES
from varied_decoders import DECODERS
from varied_towers import TOWERS

VARIED = [*DECODERS, *TOWERS, *CLASSES]
