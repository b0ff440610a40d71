"""What every job of a cluster cost: schedulers and meters into one ledger, and what it answers."""
