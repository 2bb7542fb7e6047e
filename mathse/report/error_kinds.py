"""What kind of error an analysis of the built-in annotator names, for the page and SQL."""

from __future__ import annotations

import re

from mathse.figures.verifier import ANALYSES

# "The circles are not read as the figure shows." is the analysis of a vision error
KIND_OF_ANALYSIS = {
    kind: "^" + re.escape(text).replace(r"\{about\}", ".*") + "$" for kind, text in ANALYSES.items()
}
"""The built-in annotator's analyses of each kind of error, as regular expressions."""
