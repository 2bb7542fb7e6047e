"""Reports on a run: SQL over all rounds, the summary, the trace of one problem, suspicious gold."""
