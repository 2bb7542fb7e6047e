"""Figures of matplotlib as SVG inside of a page: coloured by its style sheet, light or dark.

A figure is drawn with the colours of `COLOURS`; each of them becomes a class of the style sheet.
Style attributes become plain ones, since the page's security policy forbids them.
"""

from __future__ import annotations

import io
import re
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

COLOURS = {
    **{"ink": "#010101", "muted": "#020202", "grid": "#030303", "ground": "#040404"},
    **{f"s{number}": f"#0{number}0005" for number in range(1, 8)},
    **{"good": "#060606", "bad": "#070707", "same": "#080808"},
}
"""Names of the style sheet's colours, each with the one that stands for it in a figure."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mathse",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": COLOURS["ink"],
    "axes.edgecolor": COLOURS["grid"],
    "axes.labelcolor": COLOURS["muted"],
    "axes.titlecolor": COLOURS["ink"],
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.7,
    "xtick.color": COLOURS["muted"],
    "ytick.color": COLOURS["muted"],
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.labelcolor": COLOURS["ink"],
    "figure.facecolor": "none",
    "lines.linewidth": 1.8,
}
_NAMES = {colour: name for name, colour in COLOURS.items()}
_DROPPED = {"metadata", "style"}
_FONT = re.compile(r"(?P<weight>bold |700 )?(?P<size>[\d.]+)px")  # "bold 10px 'DejaVu Sans'"
_NUMBER = re.compile(r"-?\d+\.\d{2,}")  # 12.345678


def to_svg(figure: Figure, title: str) -> Markup:
    """Return a figure as an `svg` element without colours and style attributes of its own.

    Args:
        figure: drawn in `STYLE`.
        title: what it shows, for those who do not see it.
    """
    out = io.StringIO()
    with rc_context(STYLE):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(out.getvalue())
    _clean(root)
    root.attrib = {"viewBox": root.get("viewBox", ""), "role": "img", "aria-label": title}
    root.attrib["class"] = "plot"
    root.insert(0, ElementTree.Element("title"))
    root[0].text = title
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _clean(element: ElementTree.Element) -> None:
    element.tag = element.tag.rpartition("}")[2]
    for child in list(element):
        if child.tag.rpartition("}")[2] in _DROPPED:
            element.remove(child)
        else:
            _clean(child)
    attributes: dict[str, str] = {}
    classes = []
    for name, value in element.attrib.items():
        plain = name.rpartition("}")[2]
        if plain == "style":
            for key, part in _declarations(value):
                if colour := _NAMES.get(part):
                    classes.append(f"{key[0]}-{colour}")
                elif key != "font-family":
                    attributes[key] = part
        elif plain != "id" or element.tag in ("path", "clipPath"):
            attributes[plain] = _NUMBER.sub(lambda found: f"{float(found[0]):.2f}", value)
    if classes:
        attributes["class"] = " ".join(classes)
    element.attrib = attributes


def _declarations(style: str) -> list[tuple[str, str]]:
    """Return the declarations of a style attribute; those of `font` apart."""
    pairs = [part.split(":", 1) for part in style.split(";") if ":" in part]
    found = []
    for key, value in ((key.strip(), value.strip()) for key, value in pairs):
        if key == "font" and (font := _FONT.search(value)):
            found.append(("font-size", font["size"]))
            found += [("font-weight", "bold")] if font["weight"] else []
        else:
            found.append((key, value))
    return found
