"""All sources by name."""

from __future__ import annotations

from mathse.core.errors import ParamError
from mathse.datasets import (
    collections,
    evaluation_sets,
    general_layouts,
    geometry_sets,
    plain_files,
    tabmwp,
)
from mathse.datasets.protocol import Source

_ALL = (
    *(collections.MATHVL, tabmwp.TABMWP),
    *(geometry_sets.GEOQA_PLUS, geometry_sets.GEOMETRY3K, geometry_sets.UNIGEO),
    *(collections.CHARTQA, collections.MATHV360K, collections.MULTIMATH, collections.MAVIS),
    *(collections.MATH_PUMA, collections.MATHVL_TEST),
    *(evaluation_sets.MATH_VISTA, evaluation_sets.MATH_VERSE, evaluation_sets.MATH_VISION),
    *(general_layouts.LLAVA, general_layouts.SWIFT, general_layouts.LLAMA_FACTORY),
    *(general_layouts.HUB, plain_files.PLAIN),
)
SOURCES: dict[str, Source] = {source.name: source for source in _ALL}


def find_source(name: str) -> Source:
    """Return a source by its name; ParamError with all names if there is none."""
    if name not in SOURCES:
        known = ", ".join(SOURCES)
        raise ParamError(f"{name} is no source; there are {known}. See `mathse import list`.")
    return SOURCES[name]
