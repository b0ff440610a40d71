"""What is asked: the run file's keys, kinds of value and rules, and how one is loaded."""
