"""All sources by name."""

from __future__ import annotations

from mathse.core.errors import ParamError
from mathse.sources import benchmarks, collections, general, geometry, tabmwp
from mathse.sources.layout import Source

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        collections.MATHVL,
        tabmwp.TABMWP,
        geometry.GEOQA_PLUS,
        geometry.GEOMETRY3K,
        geometry.UNIGEO,
        collections.CHARTQA,
        collections.MATHV360K,
        collections.MULTIMATH,
        collections.MAVIS,
        collections.MATH_PUMA,
        collections.MATHVL_TEST,
        benchmarks.MATH_VISTA,
        benchmarks.MATH_VERSE,
        benchmarks.MATH_VISION,
        general.LLAVA,
        general.SWIFT,
        general.LLAMA_FACTORY,
        general.HUB,
    )
}


def find_source(name: str) -> Source:
    """Return a source by its name.

    Raises:
        ParamError: if there is none; the names are listed.
    """
    if name not in SOURCES:
        raise ParamError(f"{name} is no source; there are {', '.join(SOURCES)}. See `mathse import list`.")
    return SOURCES[name]
