"""``python -m costcalc``: the same as ``costcalc``."""

from costcalc.cli import main

if __name__ == "__main__":
    main()
