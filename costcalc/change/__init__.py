"""What a change of run files costs: ``costcalc diff`` and ``costcalc check``."""
