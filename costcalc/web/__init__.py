"""The web calculator and its REST API: the same functions as everywhere, over HTTP.

``app.py`` says what stands at which address; ``work.py`` turns the text of a request into that of
its answer, in a process of its own (``workers.py``) that can be ended when time is up.  Nothing
here calculates.
"""
