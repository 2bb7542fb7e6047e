from __future__ import annotations

import pytest
import torch

from mathse.core.errors import ParamError
from mathse.engines.protocol import SamplingParams
from mathse.engines.sampling import SeededSampler, StopWhenMostFinished, sample_tokens, uniforms


def share_of_each_token(
    scores: torch.Tensor, *, temperature: float = 1.0, top_p: float = 1.0
) -> torch.Tensor:
    """Draw at evenly spaced numbers, so that shares are exact and not a matter of luck."""
    n = 4000
    even = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    drawn = sample_tokens(scores.expand(n, -1), even, temperature=temperature, top_p=top_p)
    return torch.bincount(drawn, minlength=scores.shape[0]) / n


def test_tokens_are_drawn_by_their_probability() -> None:
    scores = torch.log(torch.tensor([0.5, 0.2, 0.05, 0.25]))
    assert torch.allclose(share_of_each_token(scores), scores.exp(), atol=1e-3)
    sharp = torch.softmax(scores / 0.5, dim=0)
    assert torch.allclose(share_of_each_token(scores, temperature=0.5), sharp, atol=1e-3)


def test_top_p_keeps_the_smallest_set_that_holds_the_mass() -> None:
    scores = torch.log(torch.tensor([0.5, 0.2, 0.05, 0.25]))
    assert torch.allclose(
        share_of_each_token(scores, top_p=0.7), torch.tensor([2 / 3, 0, 0, 1 / 3]), atol=1e-3
    )
    assert share_of_each_token(scores, top_p=0.5).tolist() == [1, 0, 0, 0]


def test_top_p_of_a_flat_distribution_looks_beyond_the_best_few() -> None:
    scores = torch.linspace(0, 0.1, 1000)
    drawn = share_of_each_token(scores, top_p=0.9)
    kept = (drawn > 0).nonzero()[:, 0]
    assert kept.min() == 1000 - len(kept)  # the best ones, without a gap
    assert torch.softmax(scores, 0)[kept].sum() == pytest.approx(0.9, abs=0.002)


def test_impossible_tokens_are_never_drawn() -> None:
    scores = torch.tensor([[-torch.inf, 0.0, -torch.inf]])
    for number in (0.0, 1 - 1e-16):
        assert (
            sample_tokens(
                scores, torch.tensor([number], dtype=torch.float64), temperature=1, top_p=1
            ).item()
            == 1
        )


def test_each_seed_has_numbers_of_its_own() -> None:
    together = uniforms([3, 4], count=5)
    assert torch.equal(together[1], uniforms([4], count=9)[0, :5])
    assert not torch.equal(together[0], together[1])
    assert (together >= 0).all() and (together < 1).all()


def test_drawing_makes_the_chosen_token_the_best() -> None:
    sampler = SeededSampler(
        torch.tensor([[0.9, 0.1]]).double(), temperature=1.0, top_p=1.0, start=3
    )
    scores = torch.log(torch.tensor([[0.25, 0.75]]))
    assert sampler(torch.zeros(1, 3), scores).argmax() == 1
    assert sampler(torch.zeros(1, 4), scores.flip(1)).argmax() == 0


def test_a_batch_stops_when_most_rows_are_done() -> None:
    stopping = StopWhenMostFinished([9], start=1, go_on_above=1)
    assert stopping(torch.tensor([[9, 1], [9, 9], [9, 1]]), torch.empty(0)).tolist() == [False] * 3
    assert (
        stopping(torch.tensor([[9, 1, 9], [9, 9, 0], [9, 1, 1]]), torch.empty(0)).tolist()
        == [True] * 3
    )


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ((-0.1, 1.0, 5, 0), "temperature"),
        ((1.0, 0.0, 5, 0), "top_p"),
        ((1.0, 1.1, 5, 0), "top_p"),
        ((1.0, 1.0, 0, 0), "max_new"),
    ],
)
def test_sampling_refuses_values_outside_their_range(
    values: tuple[float, float, int, int], name: str
) -> None:
    with pytest.raises(ParamError, match=name):
        SamplingParams(*values)
