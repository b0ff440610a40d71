"""``costcalc mcp``: what costcalc does, as tools for assistants over the Model Context Protocol."""
