"""The embedded base model and its recipe."""
