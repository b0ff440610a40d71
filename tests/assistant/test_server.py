"""The server as an assistant meets it: the SDK's own client, over standard input and output."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.frameworks
pytest.importorskip("mcp")
ROOT = Path(__file__).parent.parent.parent
RUN = {"model": {"preset": "llama-3-8b"}, "training": {"tokens": "1B"},
       "hardware": {"accelerator": "h100-sxm5-80", "count": 8}}  # fmt: skip


def asked(*calls: tuple[str, dict[str, Any]], folder: str | None = None) -> tuple[Any, list[Any]]:
    from mcp import Client, StdioServerParameters, stdio_client

    arguments = ["-m", "costcalc", "mcp", *(["--folder", folder] if folder else [])]
    started = StdioServerParameters(
        command=sys.executable, args=arguments, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )

    async def talk() -> tuple[Any, list[Any]]:
        async with Client(stdio_client(started)) as client:
            tools = await client.list_tools()
            return tools, [await client.call_tool(name, given) for name, given in calls]

    return asyncio.run(asyncio.wait_for(talk(), 120))


def test_every_tool_over_stdio() -> None:
    plan = {"limits": {"cost": "500 USD"}, "run": {"hardware": RUN["hardware"]}}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("estimate", {"run": "llama-3-8b.yaml"}),
        ("explain", {"run": RUN, "figure": "energy"}),
        ("compare", {"run": "llama-3-8b.yaml", "counts": "512..1024"}),
        ("plan", plan),
        ("memory_fit", {"run": RUN}),
        ("peak", {"name": "h100"}),
        ("find", {"kind": "regions", "query": "paris"}),
        ("verify", {"report": "reports/sam-vit-h.yaml"}),
    ]
    tools, answers = asked(*calls, folder=str(ROOT / "examples"))
    assert [tool.name for tool in tools.tools] == [name for name, _ in calls]
    for (name, _), answer in zip(calls, answers, strict=True):
        assert not answer.is_error, (name, answer.content)
        assert json.loads(answer.content[0].text) == answer.structured_content
    assert "5 to 95" in tools.tools[0].description
    assert answers[0].structured_content["figures"]["cost"]["unit"] == "USD"


def test_a_bad_call_is_answered_with_problems_and_the_server_goes_on() -> None:
    _, (bad, unknown, good) = asked(
        ("estimate", {"run": {"model": {"preset": "lama-3-8b"}}}),
        ("estimates", {}),
        ("peak", {"name": "h100", "precision": "bf16"}),
    )
    assert bad.is_error
    keys = {problem["key"] for problem in bad.structured_content["problems"]}
    assert {"model.preset", "hardware"} <= keys
    assert unknown.is_error
    assert unknown.content[0].text == "estimates: no such tool; nearest: estimate"
    assert good.structured_content["dense_peak"] == {"bf16": 989.4e12}
