"""Tracking: what a job under way costs, measured, and the report of it when it is over."""
