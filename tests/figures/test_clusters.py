from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

from mathse.figures.clusters import clusters_of
from mathse.figures.source import build_tables

TYPES = {
    "problem_id": pl.String,
    "source": pl.String,
    "family": pl.String,
    "image_ids": pl.List(pl.String),
    "meta": pl.String,
}


def cluster_ids(*rows: Mapping[str, Any]) -> list[str]:
    whole = [
        {"problem_id": f"{index:016x}", "source": "tabmwp", "image_ids": []} | row
        for index, row in enumerate(rows)
    ]
    found = clusters_of(pl.DataFrame(whole, schema=TYPES))
    assert found["problem_id"].to_list() == [row["problem_id"] for row in whole]
    return found["cluster"].to_list()


def figure(family: str, picture: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    meta = json.dumps({"facts": facts})
    return {"source": "figures", "family": family, "image_ids": [picture], "meta": meta}


@pytest.mark.parametrize(
    ("family", "facts", "same", "other"),
    [
        (
            "rectangle",
            {"level": 1, "width": 3, "height": 4},
            {"level": 2, "width": 4, "height": 3},
            {"level": 1, "width": 3, "height": 5},
        ),
        (
            "number_line",
            {"start": 0, "pitch": 2, "p": 4, "q": 8},
            {"start": 0, "pitch": 2, "p": 8, "q": 4},
            {"start": 2, "pitch": 2, "p": 4, "q": 8},
        ),
    ],
)
def test_figures_that_show_the_same_up_to_symmetries_are_one_cluster(family, facts, same, other):
    first, second, third = cluster_ids(
        figure(family, "x", facts), figure(family, "y", same), figure(family, "x", other)
    )
    assert first == second != third


def test_families_with_equal_facts_are_apart():
    facts = {"edges": [2, 3, 4], "parts": [2, 3, 4]}
    first, second = cluster_ids(figure("cuboid", "x", facts), figure("stacked_bar", "x", facts))
    assert first != second


def test_other_problems_are_clustered_by_their_pictures():
    one, again, turned, both, none, nothing = cluster_ids(
        {"image_ids": ["x"]},
        {"image_ids": ["x"]},
        {"image_ids": ["y", "x"]},
        {"image_ids": ["x", "y"]},
        {},
        {},
    )
    assert one == again and turned == both
    assert len({one, both, none, nothing}) == 4


def test_facts_of_another_source_and_figures_without_facts_go_by_pictures():
    facts = {"level": 1, "width": 3, "height": 4}
    rows = [figure("rectangle", picture, facts) for picture in "xy"]
    imported, other = cluster_ids(*(row | {"source": "mine"} for row in rows))
    assert imported != other
    bare, same = cluster_ids(*(row | {"meta": None, "image_ids": ["x"]} for row in rows))
    assert bare == same


def test_drawn_problems_share_a_cluster_if_and_only_if_they_share_their_facts():
    problems, _ = build_tables({"eval": 160, "eval_hard": 40}, seed=0)
    clusters = dict(clusters_of(problems).iter_rows())
    assert len({*clusters.values()}) < problems.height
    facts = defaultdict(set)
    for row in problems.iter_rows(named=True):
        described = row["family"], json.dumps(json.loads(row["meta"])["facts"], sort_keys=True)
        facts[described].add(clusters[row["problem_id"]])
    assert all(len(found) == 1 for found in facts.values())
    assert len({cluster for found in facts.values() for cluster in found}) <= len(facts)
