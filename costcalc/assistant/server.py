"""The tools over the Model Context Protocol, on standard input and output, by the official SDK.

https://modelcontextprotocol.io; a call that cannot be answered is answered with its problems, as
text and as ``{"problems": [{key, message}]}``, marked as an error; what is wrong in a file has its
name and line too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import anyio
import anyio.to_thread
from mcp import types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

from costcalc import __version__
from costcalc.assistant.arguments import schema_of
from costcalc.assistant.tools import TOOLS, Files
from costcalc.base.errors import MAX_LISTED, CostcalcError, InputError, Problem, nearest

_SAYS = (
    "costcalc estimates what training a machine-learning model costs in time, money, energy and "
    "CO2e. Every figure has a range (5th to 95th percentile) and its inputs have sources: say the "
    "range with the figure, and that it is an estimate. Look names up with find."
)


def served(folder: Path | None = None) -> Server:
    """A server of the tools; ``folder`` is the only one whose files they read."""
    files = Files(folder)

    async def listed(
        _: ServerRequestContext, __: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=_described())

    async def called(
        _: ServerRequestContext, asked: types.CallToolRequestParams
    ) -> types.CallToolResult:
        given = asked.arguments or {}
        return await anyio.to_thread.run_sync(lambda: answered(asked.name, given, files))

    return Server(
        "costcalc", version=__version__, instructions=_SAYS, on_list_tools=listed,
        on_call_tool=called,
    )  # fmt: skip


def _described() -> list[types.Tool]:
    reads = types.ToolAnnotations(
        read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    return [
        types.Tool(
            name=tool.name,
            description=tool.says,
            input_schema=schema_of(tool.takes),
            annotations=reads,
        )
        for tool in TOOLS.values()
    ]


def answered(name: str, given: Mapping[str, object], files: Files) -> types.CallToolResult:
    """What a call is answered with; a problem of the caller is an answer too."""
    try:
        if name not in TOOLS:
            near = nearest(name, TOOLS, at_most=1) or list(TOOLS)
            return _problem(
                [Problem(key=name, message=f"no such tool; nearest: {', '.join(near)}")]
            )
        return _result(TOOLS[name](files, given))
    except InputError as error:
        return _problem([files.named(problem) for problem in error.problems[:MAX_LISTED]])
    except CostcalcError as error:
        return _problem([Problem(key=name, message=str(error))])


def _result(answer: Mapping[str, object]) -> types.CallToolResult:
    text = json.dumps(answer, ensure_ascii=False, allow_nan=False)
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content=json.loads(text)
    )


def _problem(problems: list[Problem]) -> types.CallToolResult:
    told = [
        {
            name: value
            for name in ("key", "message", "file", "line")
            if (value := getattr(problem, name)) is not None
        }
        for problem in problems
    ]
    return types.CallToolResult(
        content=[types.TextContent(type="text", text="\n".join(map(str, problems)))],
        structured_content={"problems": told},
        is_error=True,
    )


def serve(folder: Path | None = None) -> None:
    """Serve until standard input ends."""

    async def until_the_end() -> None:
        server = served(folder)
        async with stdio_server() as (reads, writes):
            await server.run(reads, writes, server.create_initialization_options())

    anyio.run(until_the_end)
