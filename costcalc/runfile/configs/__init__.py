"""Training configs of other tools, read into a run: one file a format, each with its reference.

A config counts where it carries a block of costcalc: what the block says wins, what it does not say
is read from the config.  Keys of the config that were not read are told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from costcalc.base.document import Document
from costcalc.runfile.configs import axolotl, hugging_face, llama_factory, sharding, torchtitan
from costcalc.runfile.configs.sizes import settled
from costcalc.runfile.configs.taken import Config

#: the first that knows a config reads it: LLaMA-Factory's have Transformers' keys too
FORMATS = (torchtitan, axolotl, llama_factory, hugging_face)


def named(config: Document) -> str:
    """Whose config a document is; empty where it is none that is known.

    >>> named(Document({"base_model": "gpt2", "sequence_len": 512}, "a.yaml"))
    'Axolotl'
    """
    taken = Config(config, {})
    return next((one.NAME for one in FORMATS if one.is_one(taken)), "")


def adapted(config: Document, block: Document) -> Document:
    """The run in a block of costcalc laid over what the config around it says.

    Raises:
        InputError: the config says something that cannot be read, at its line.
    """
    from costcalc.runfile.laying import lay_over

    if not isinstance(block.data, Mapping) or not isinstance(config.data, Mapping):
        return block
    taken = Config(config, block.data)
    tool = next((one for one in FORMATS if one.is_one(taken)), None)
    if tool is None:
        return block
    tool.read(taken)
    sharding.read(taken)
    if block.data.get("model"):
        taken.run.pop("model", None)
    below = Document(taken.run, config.name, taken.marks)
    made = block.over(below, settled(taken, lay_over(taken.run, block.data)))
    return replace(made, tool=tool.NAME, unread=taken.left(), told=tuple(taken.told))
