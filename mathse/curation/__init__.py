"""The ledger of what became of each problem, the sampling plan, and what may join the training rows."""
