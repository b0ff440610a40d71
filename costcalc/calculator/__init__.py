"""Assumptions to an estimate: the formulas, the page that runs them, scenarios, limits."""
