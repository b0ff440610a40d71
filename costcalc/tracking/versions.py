"""Of what trains: which versions are loaded."""

from __future__ import annotations

import platform
import sys


def loaded_versions() -> dict[str, str]:
    """The versions of what trains, as far as it is loaded; nothing is imported to ask.

    >>> loaded_versions()["python"][:2]
    '3.'
    """
    found = {"python": platform.python_version()}
    for name in ("torch", "jax", "tensorflow", "transformers", "lightning", "codecarbon"):
        version = getattr(sys.modules.get(name), "__version__", None)
        if version is not None:
            found[name] = str(version)
    return found
