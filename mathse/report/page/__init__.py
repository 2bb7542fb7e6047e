"""The report: one HTML file about a run, or about two revisions, that needs no network."""
