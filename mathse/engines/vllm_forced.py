"""Let vLLM write given tokens, so that it returns their probability; imported where vLLM is.

What it returns is taken before this, and after the grammar's mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from vllm.v1.sample.logits_processor import AdapterLogitsProcessor

from mathse.engines.vllm_engine import FORCED


class ForcedText(AdapterLogitsProcessor):  # type: ignore[misc]
    """Makes the next token of a request's `extra_args[FORCED]` the only one."""

    def is_argmax_invariant(self) -> bool:
        """Return False: it changes the best token."""
        return False

    def new_req_logits_processor(self, params: Any) -> Any:
        """Return what to apply to a request's logits, or None."""
        forced = (params.extra_args or {}).get(FORCED)
        return partial(_force, forced) if forced else None


def _force(forced: Sequence[int], written: Sequence[int], logits_V: torch.Tensor) -> torch.Tensor:
    token = forced[min(len(written), len(forced) - 1)]
    return torch.full_like(logits_V, -torch.inf).index_fill_(
        0, torch.tensor([token], device=logits_V.device), 0.0
    )
