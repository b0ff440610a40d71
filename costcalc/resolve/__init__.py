"""Run file and catalogue to assumptions, one file a stage."""
