"""Constrained decoding: at each step only tokens that can still become a text of the grammar.

Grammars are in the Lark dialect of llguidance, which vLLM takes too (`structured_outputs`, backend
guidance).

Shape suffixes: B requests, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher, grammar_from
from llguidance.hf import from_tokenizer
from torch import Tensor

from mathse.core.errors import DataError


class Grammars:
    """Compiles grammars for one tokenizer.

    Args:
        tokenizer: a fast Hub tokenizer.
        stop_ids: tokens that end a text, allowed where the grammar is fulfilled.

    Raises:
        DataError: if the tokenizer is not a fast one.
    """

    def __init__(self, tokenizer: Any, stop_ids: Collection[int]) -> None:
        try:
            self._tokenizer = from_tokenizer(tokenizer, eos_token=sorted(stop_ids), slices=[])
        except ValueError as error:
            raise DataError(
                f"This tokenizer cannot follow a grammar: {error}",
                rule="a grammar needs a fast tokenizer",
                fix="use a model with a tokenizer.json",
            ) from error

    def matcher(self, grammar: str, written: Sequence[int] = ()) -> LLMatcher:
        """Return a matcher that has read what is written so far.

        Raises:
            DataError: if the grammar does not compile or does not allow what is written.
        """
        matcher = LLMatcher(self._tokenizer, grammar_from("lark", grammar), log_level=0)
        if written:
            matcher.consume_tokens(list(written))
        if matcher.is_error():
            raise DataError(
                f"This grammar does not work: {matcher.get_error()[:200]}",
                rule="a grammar compiles",
            )
        return matcher

    def allowed(self, matchers: Sequence[LLMatcher | None], vocabulary: int) -> Tensor:
        """Return which tokens may come next, all of them where there is no grammar: [B, V].

        Where the text is whole, that is what ends it.
        """
        allowed_BV = torch.ones((len(matchers), vocabulary), dtype=torch.bool)
        known = min(vocabulary, self._tokenizer.vocab_size)
        for row, matcher in enumerate(matchers):
            if matcher is None:
                continue
            bits = np.unpackbits(
                np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8), bitorder="little"
            )
            allowed_BV[row, :known] = torch.from_numpy(bits[:known]).bool()
            allowed_BV[row, known:] = False
        return allowed_BV

    def allows(self, grammar: str, tokens: Sequence[int]) -> bool:
        """Return True if tokens, with the one that ends them, are a text of the grammar."""
        return int(self.matcher(grammar).validate_tokens(list(tokens))) == len(tokens)

    def allowed_along(self, grammar: str, tokens: Sequence[int], vocabulary: int) -> Tensor:
        """Return which tokens the grammar allows at each position of a text: [T, V].

        After a token that breaks the grammar there is none.
        """
        matcher = self.matcher(grammar)
        rows = []
        for token in tokens:
            rows.append(self.allowed([matcher], vocabulary)[0])
            if not rows[-1][token] or (
                not matcher.is_stopped() and not matcher.consume_token(token)
            ):
                break
        allowed_TV = torch.stack(
            [*rows, *[torch.zeros(vocabulary, dtype=torch.bool)] * (len(tokens) - len(rows))]
        )
        return allowed_TV


class GrammarConstraint:
    """Follows the texts of a batch and masks the tokens that may not come next in each.

    Args:
        grammars: of the batch's tokenizer.
        matchers: one for each row, None for a row that may be anything.
        start: tokens in the input before the first new one.
    """

    def __init__(
        self, grammars: Grammars, matchers: Sequence[LLMatcher | None], *, start: int
    ) -> None:
        self.grammars = grammars
        self.matchers = matchers
        self.start = start

    def mask(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Set the scores of forbidden tokens to minus infinity; call once for each new token."""
        if input_ids.shape[1] > self.start:
            for matcher, token in zip(self.matchers, input_ids[:, -1].tolist(), strict=True):
                if matcher is not None and not matcher.is_stopped():
                    matcher.consume_token(token)
        allowed_BV = self.grammars.allowed(self.matchers, scores.shape[1]).to(scores.device)
        return scores.masked_fill(~allowed_BV, -torch.inf)
