"""Frameworks and loggers, one a module; each imports its framework and is reached only by name.

A framework's callback turns events into calls of :class:`~costcalc.tracking.tracker.Tracker`; a
logger's sink is a function for the tracker's ``callback``.
"""
