"""Where the jobs of a ledger come from: one file a source, each a stream of facts and refusals."""
