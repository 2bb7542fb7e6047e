"""One thin file per DVC stage: read, check, call, check, write."""
