"""What every worker shares: imported by the process that they are forked from."""

from __future__ import annotations

import gc

from costcalc.web.work import warm

warm()
gc.freeze()  # what is loaded stays, and its pages stay shared
