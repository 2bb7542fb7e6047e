"""Questions to the tables of all rounds: SQL, the summary of a run, and the story of one problem."""
