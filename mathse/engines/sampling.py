"""Sampling of tokens: each request has random numbers of its own, which follow from its seed.

transformers samples a batch from one stream, so a request's text depends on the other requests of
the batch; and sampling (`torch.multinomial` on CPU) takes longer than a layer of a small model.
Here a token is found by inverting the distribution's cumulative sum at the request's number for
this step; `generate` then takes it as the best one.

Shape suffixes: B requests, V tokens of the vocabulary, N new tokens.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from mathse.core.ids import content_id
from mathse.engines.constrained import GrammarConstraint

_TOP_TOKENS = 128


def uniforms(seeds: Sequence[int], *, count: int) -> Tensor:
    """Return random numbers in [0, 1) for each seed: [B, N]."""
    rows = []
    for seed in seeds:
        generator = torch.Generator().manual_seed(int(content_id("uniforms", seed), 16) >> 1)
        rows.append(torch.rand(count, generator=generator, dtype=torch.float64))
    return torch.stack(rows)


def sample_tokens(
    scores_BV: Tensor, uniform_B: Tensor, *, temperature: float, top_p: float
) -> Tensor:
    """Sample a token for each row from the fewest best tokens that make up `top_p` of the mass.

    Args:
        scores_BV: logits.
        uniform_B: one random number in [0, 1) for each row.
        temperature: above 0.
        top_p: in (0, 1]; 1 keeps all tokens.
    """
    probs_BV = torch.softmax(scores_BV.float() / temperature, dim=-1).double()
    order_BV = None
    if top_p < 1:
        few = min(_TOP_TOKENS, probs_BV.shape[1])
        best_BV, order_BV = probs_BV.topk(few)
        if few < probs_BV.shape[1] and bool((best_BV.sum(dim=-1) < top_p).any()):
            best_BV, order_BV = probs_BV.sort(dim=-1, descending=True)
        before_BV = best_BV.cumsum(dim=-1) - best_BV
        probs_BV = best_BV.masked_fill(before_BV >= top_p, 0.0)
    mass_BV = probs_BV.cumsum(dim=-1)
    target_B1 = uniform_B.to(mass_BV)[:, None] * mass_BV[:, -1:]
    index_B1 = torch.searchsorted(mass_BV, target_B1, right=True).clamp(max=mass_BV.shape[1] - 1)
    return (index_B1 if order_BV is None else order_BV.gather(1, index_B1))[:, 0]


class SeededSampler(LogitsProcessor):
    """Chooses the next token of each row.

    Args:
        uniform_BN: random numbers for the new tokens; None is greedy.
        temperature: above 0 unless greedy.
        top_p: in (0, 1].
        start: tokens in the input before the first new one.
        constraint: of rows whose text follows a grammar.
    """

    def __init__(
        self,
        uniform_BN: Tensor | None,
        *,
        temperature: float,
        top_p: float,
        start: int,
        constraint: GrammarConstraint | None = None,
    ) -> None:
        self.uniform_BN = uniform_BN
        self.temperature = temperature
        self.top_p = top_p
        self.start = start
        self.constraint = constraint

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return scores in which the chosen token is the best."""
        if self.constraint is not None:
            scores = self.constraint.mask(input_ids, scores)
        if self.uniform_BN is None:
            return scores
        step = min(input_ids.shape[1] - self.start, self.uniform_BN.shape[1] - 1)
        chosen_B = sample_tokens(
            scores, self.uniform_BN[:, step], temperature=self.temperature, top_p=self.top_p
        )
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen_B[:, None], 0.0)


class StopWhenMostFinished(StoppingCriteria):
    """Stops a batch in which few rows still go on, so that the rest can go on in a smaller one.

    Args:
        stop_ids: tokens that end a row.
        start: tokens in the input before the first new one.
        go_on_above: rows still going on that keep the batch alive.
    """

    def __init__(self, stop_ids: Collection[int], *, start: int, go_on_above: int) -> None:
        self.stop_ids = torch.tensor(sorted(stop_ids))
        self.start = start
        self.go_on_above = go_on_above

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: object) -> Tensor:
        """Return True for each row if all shall stop, else False for each."""
        done_B = torch.isin(input_ids[:, self.start :], self.stop_ids.to(input_ids.device)).any(
            dim=1
        )
        return torch.full_like(done_B, int((~done_B).sum()) <= self.go_on_above)
