"""Many estimates, one pipeline: compare, plan, when to start, and where a run stands.

``place`` reads history, ``plan`` turns limits into a run, ``when`` chooses the hour, ``compare``
walks hardware, counts, places and prices.  None of them has a calculator of its own.
"""
