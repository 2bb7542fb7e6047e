"""The version of what student and ORM read; part of the input fingerprint."""

PROMPTS_VERSION = "fb59ce876f1616dc"
"""Change it with each change of these texts: a test compares them with a recorded hash."""
