from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from mathse.core.errors import DataError, MathseError
from mathse.core.params import load_params
from mathse.curation.image_signature import (
    BITS,
    ImageSignature,
    Signatures,
    compute_signature,
    hamming_pairs,
)
from mathse.curation.image_similarity import similarities, similarity
from tests.closure import ROOT
from tests.curation.pictures import CHANGES, Change, as_16_bit, bars, on_clear_ground, triangle

SETTINGS = load_params(ROOT / "params.yaml").decontaminate


def distance(one: ImageSignature, other: ImageSignature) -> int:
    return min(
        int(np.bitwise_count(a.bits ^ b.bits).sum()) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("picture", [triangle(), bars()], ids=["triangle", "bars"])
def test_a_picture_is_found_again_after(picture: bytes, change: Change) -> None:
    one, other = compute_signature(picture), compute_signature(change(picture))
    assert distance(one, other) <= SETTINGS.hash_bits_max
    assert similarity(one, other) >= SETTINGS.picture_min


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (triangle(), triangle(("61°", "75°", "?"))),
        (triangle(), triangle(("48°", "?", "75°"))),
        (triangle(), triangle(shift=60)),
        (bars(), bars((40, 90, 60, 110))),
        (bars(), bars((90, 40, 60, 120))),
        (bars(), triangle()),
        (as_16_bit(triangle()), as_16_bit(triangle(("61°", "75°", "?")))),
        (on_clear_ground(triangle()), on_clear_ground(triangle(("61°", "75°", "?")))),
    ],
    ids=[
        "another number",
        "labels exchanged",
        "another shape",
        "another height",
        "bars exchanged",
        "another kind",
        "another number in 16 bits",
        "another number on clear ground",
    ],
)
def test_an_unrelated_look_alike_is_rejected(one: bytes, other: bytes) -> None:
    assert similarity(compute_signature(one), compute_signature(other)) < SETTINGS.picture_min


def test_similarity_is_1_for_the_same_picture_and_does_not_depend_on_the_order() -> None:
    one, other = (
        compute_signature(triangle()),
        compute_signature(CHANGES["half the size"](triangle())),
    )
    assert similarity(one, one) == 1.0
    assert similarity(one, other) == pytest.approx(similarity(other, one), abs=0.03)


def test_near_hashes_are_those_of_all_pairs() -> None:
    chance = np.random.default_rng(0)
    left, right = (
        chance.integers(0, 1 << 63, (count, BITS // 64), dtype=np.uint64) for count in (23, 17)
    )
    right[3] = left[5]
    right[4] = left[6] ^ np.array([0b111, 0, 0, 1], dtype=np.uint64)
    found = {
        pair
        for rows, columns in hamming_pairs(left, right, bits_max=4)
        for pair in zip(rows, columns, strict=True)
    }
    assert found == {(5, 3), (6, 4)}
    assert {
        pair for r, c in hamming_pairs(left, right, bits_max=3) for pair in zip(r, c, strict=True)
    } == {(5, 3)}


def test_broken_bytes_are_named() -> None:
    with pytest.raises(DataError, match="decode"):
        compute_signature(b"no picture")


def test_pairs_at_once_give_the_same_values_from_the_bound_on() -> None:
    pictures = [triangle(), triangle(("61°", "75°", "?")), triangle(shift=60), bars()]
    pictures += [change(pictures[i % 4]) for i, change in enumerate(CHANGES.values())]
    signatures = Signatures({str(i): data for i, data in enumerate(pictures)}.__getitem__)
    signatures.add(map(str, range(len(pictures))))
    pairs = [(one, other) for one in signatures for other in signatures]
    exact = {(a, b): similarity(signatures[a], signatures[b]) for a, b in pairs}
    assert similarities(pairs, signatures, exact_from=0.0) == exact
    quick = similarities(pairs, signatures, exact_from=0.78)
    assert {pair for pair in pairs if quick[pair] >= 0.78} == {p for p in pairs if exact[p] >= 0.78}
    assert all(quick[pair] == exact[pair] for pair in pairs if exact[pair] >= 0.78)
    assert sum(quick[pair] == 0.0 < exact[pair] for pair in pairs), "some are rejected early"


def kill(signatures: Signatures, item: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_processes_give_the_same_and_pass_on_what_is_wrong() -> None:
    data = {f"{i}": [triangle(), bars()][i % 2] for i in range(300)}
    with Signatures(data.__getitem__) as shared:
        shared.add(data)
        assert len(shared) == 300
        for name in ("0", "1"):
            exact = compute_signature(data[name])
            assert (shared.hashes[name] == [exact[0].bits, exact[1].bits]).all()
        pairs = [(str(i), str(i + 1)) for i in range(299)]
        found = similarities(pairs, shared, exact_from=0.0)
    assert [*found] == pairs and len(set(found.values())) <= 2
    assert found["0", "1"] == similarity(compute_signature(data["0"]), compute_signature(data["1"]))
    with pytest.raises(MathseError, match="killed or for want of memory"):
        [*Signatures(data.__getitem__).map(kill, [1, 2], "read pictures", few=0)]
    data |= {f"broken {i}": b"no picture" for i in range(300)}
    with Signatures(data.__getitem__) as shared, pytest.raises(DataError, match="decode"):
        shared.add(data)


def test_signatures_of_many_pictures_and_the_name_of_a_broken_one() -> None:
    data = {"a": triangle(), "b": bars(), "c": b"no picture"}
    read: list[str] = []
    found = Signatures(lambda name: read.append(name) or data[name])
    found.add("ab")
    found.add("b")
    assert list(found) == ["a", "b"] and sorted(read) == ["a", "b"]
    exact = compute_signature(bars())
    assert (found.hashes["b"] == [exact[0].bits, exact[1].bits]).all()
    assert (found["b"][1].pixels == exact[1].pixels).all() and found["b"] is found["b"]
    assert sorted(read) == ["a", "b", "b"], "pixels are not kept: those compared are read again"
    with pytest.raises(DataError, match="decode"):
        found.add("abc")
