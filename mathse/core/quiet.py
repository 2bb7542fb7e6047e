"""What keeps libraries quiet. Sets variables only: it comes before the libraries are imported."""

from __future__ import annotations

import os


def quiet_transformers() -> None:
    """Let transformers print errors alone: its warnings are about defaults that nothing here uses.

    A user's own TRANSFORMERS_VERBOSITY stays.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
