"""One thin file per DVC stage: read, check, call, check, write."""

import gc
import sys

# Imports are quicker without the search for garbage; `run_stage.run` turns it on. Python names a
# program so while it looks for the module of `python -m stages.score`.
if sys.argv[0] == "-m":
    gc.disable()
