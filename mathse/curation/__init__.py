"""Choose what the student and the ORM learn from; keep the ledger of all problems."""
