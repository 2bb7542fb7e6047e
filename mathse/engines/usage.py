"""What completions cost, and a budget that ends a stage before it costs more than is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from mathse.core.errors import MathseError
from mathse.engines.protocol import Completion


class BudgetError(MathseError):
    """A budget allows no further request."""


def usage_of(completions: Iterable[Completion]) -> dict[str, int | float | None]:
    """Return what completions took: requests, tokens and cost, for the metrics of a stage.

    Returns:
        requests, prompt_tokens, cached_tokens (part of the prompt's), response_tokens, and cost in
        the currency of `machine.yaml`: None if no completion has one.
    """
    given = list(completions)
    costs = [completion.cost for completion in given if completion.cost is not None]
    return {
        "requests": len(given),
        "prompt_tokens": sum(completion.prompt_tokens for completion in given),
        "cached_tokens": sum(completion.cached_tokens for completion in given),
        "response_tokens": sum(completion.response_tokens for completion in given),
        "cost": math.fsum(costs) if costs else None,
    }


class Budget:
    """What a stage may spend, and what it has spent, over all runs that its journal keeps.

    A request in flight is expected to take as much as the dearest one so far. So more is spent than
    allowed only by a request that is dearer than all before, such as those of the first moment.

    Args:
        limits: most requests, tokens (of prompts and responses) and money; None: no limit.
    """

    def __init__(self, limits: Mapping[str, float | None]) -> None:
        self.limits = limits
        self.spent: dict[str, float] = {"requests": 0, "tokens": 0, "money": 0.0}
        self._dearest: dict[str, float] = {"requests": 1, "tokens": 0, "money": 0.0}

    @property
    def needs_tokens(self) -> str | None:
        """Return the name of a limit that can only be kept where tokens are counted."""
        return next((name for name in ("tokens", "money") if self.limits.get(name)), None)

    def count(self, completion: Completion) -> None:
        """Count a completion as paid, unless it failed before it took a token."""
        tokens = completion.prompt_tokens + completion.response_tokens
        if completion.error is not None and not tokens:
            return
        for name, amount in (("requests", 1), ("tokens", tokens), ("money", completion.cost or 0)):
            self.spent[name] += amount
            self._dearest[name] = max(self._dearest[name], amount)

    def has_room(self, in_flight: int) -> bool:
        """Return True if one more request is allowed beside those in flight."""
        return all(
            limit is None or self.spent[name] + (in_flight + 1) * self._dearest[name] <= limit
            for name, limit in self.limits.items()
        )

    def error(self, setting: str) -> BudgetError:
        """Return the error that ends a stage.

        Args:
            setting: where the budget stands.
        """
        lines = [
            f"  {name}: {amount:,.10g} spent"
            + (f" of {limit:,.10g}" if (limit := self.limits.get(name)) is not None else "")
            for name, amount in self.spent.items()
        ]
        return BudgetError(
            "\n".join(
                [
                    "The budget allows no further request.",
                    *lines,
                    "  kept: all answers are in the journal; none is paid again",
                    f"  fix: raise {setting} in machine.yaml and run the stage again (dvc repro), "
                    "or ask for less in params.yaml",
                ]
            )
        )
