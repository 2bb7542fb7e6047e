"""The outcome reward model: its verdicts, its training rows, acceptance, and how good it is."""
