"""Units: which words are units, what they measure, and how many base units they are."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache


@dataclass(frozen=True)
class Unit:
    """A unit: its dimension (`length2` is an area), and its size in that dimension's base unit."""

    dimension: str
    size: Fraction


_TABLE: dict[str, tuple[str, str]] = {
    # name(s): (dimension, size in the base unit)
    "mm millimeter millimetre 毫米": ("length", "1/1000"),
    "cm centimeter centimetre 厘米 公分": ("length", "1/100"),
    "dm decimeter decimetre 分米": ("length", "1/10"),
    "m meter metre 米": ("length", "1"),
    "km kilometer kilometre 千米 公里": ("length", "1000"),
    "in inch inche inches": ("length", "0.0254"),
    "ft foot feet": ("length", "0.3048"),
    "yd yard": ("length", "0.9144"),
    "mi mile": ("length", "1609.344"),
    "mg milligram 毫克": ("mass", "1/1000"),
    "g gram 克": ("mass", "1"),
    "kg kilogram kilo 千克 公斤": ("mass", "1000"),
    "ton tonne 吨": ("mass", "1000000"),
    "oz ounce": ("mass", "28.349523125"),
    "lb lbs pound": ("mass", "453.59237"),
    "ms millisecond 毫秒": ("time", "1/1000"),
    "s sec second 秒": ("time", "1"),
    "min minute 分钟": ("time", "60"),
    "h hr hrs hour 小时 时": ("time", "3600"),
    "day 天 日": ("time", "86400"),
    "week 周 星期": ("time", "604800"),
    "month 个月 月": ("months", "1"),
    "year yr yrs 年 岁": ("months", "12"),
    "ml milliliter millilitre 毫升": ("length3", "1/1000000"),
    "l liter litre 升": ("length3", "1/1000"),
    "hectare ha 公顷": ("length2", "10000"),
    "cent 分": ("money", "1/100"),
    "dollar usd $": ("money", "1"),
    "yuan rmb cny ¥ 元 块": ("yuan", "1"),
    "角": ("yuan", "1/10"),
    "euro eur €": ("euro", "1"),
    "gbp £": ("pound", "1"),
    "degree deg ° 度": ("angle", "1"),
    "radian rad 弧度": ("radian", "1"),
    "°c celsius 摄氏度": ("celsius", "1"),
    "°f fahrenheit": ("fahrenheit", "1"),
    "% percent percentage pct": ("percent", "1"),
    "newton n": ("force", "1"),
    "joule j": ("energy", "1"),
    "kj": ("energy", "1000"),
    "watt w": ("power", "1"),
    "kw": ("power", "1000"),
    "volt v": ("voltage", "1"),
    "ampere amp a": ("current", "1"),
    "ohm ω": ("resistance", "1"),
    "hz hertz": ("frequency", "1"),
    "k kelvin": ("kelvin", "1"),
    "mph": ("length/time", "0.44704"),
    "平方毫米": ("length2", "1/1000000"),
    "平方厘米": ("length2", "1/10000"),
    "平方分米": ("length2", "1/100"),
    "平方米": ("length2", "1"),
    "平方千米 平方公里": ("length2", "1000000"),
    "立方厘米": ("length3", "1/1000000"),
    "立方分米": ("length3", "1/1000"),
    "立方米": ("length3", "1"),
}
_UNITS = {
    name: Unit(dimension, Fraction(size))
    for names, (dimension, size) in _TABLE.items()
    for name in names.split()
}
_POWER_WORDS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3, "squared": 2, "cubed": 3}
_JOINED_POWER = re.compile(r"^(square|sq|cubic)(?=[a-z]{2,}$)", re.I)
"""`squareinches`: LaTeX drops the space in mathematics."""
# `cm^2`, `°C`
_PART = re.compile(
    r"^(?P<name>[^\W\d_]+|°[CFcf]?|[%$€£¥])\s*(?:\^?\s*\{?\s*(?P<power>[23])\s*\}?)?$"
)


@lru_cache(maxsize=4096)
def read_unit(text: str) -> Unit | None:
    """Read a unit such as `cm`, `square inches`, `cm^2`, `km/h`, `米`; None for other words."""
    text = text.strip().rstrip(".").replace("{", "").replace("}", "").strip()
    if not text or len(text) > 40:
        return None
    parts = re.split(r"\s*/\s*|\s+per\s+|\s+an?\s+hour$", text)
    if len(parts) == 2:
        above, below = (read_unit(part) for part in parts)
        if above is None or below is None:
            return None
        return Unit(f"{above.dimension}/{below.dimension}", above.size / below.size)
    power = 1
    words = _JOINED_POWER.sub(r"\1 ", text.replace(".", " ")).split()
    if len(words) > 1 and words[0].lower() in _POWER_WORDS:
        power = _POWER_WORDS[words.pop(0).lower()]
    elif len(words) > 1 and words[-1].lower() in _POWER_WORDS:
        power = _POWER_WORDS[words.pop().lower()]
    match = _PART.match(" ".join(words))
    if match is None:
        return None
    if match.group("power"):
        power = int(match.group("power"))
    unit = _lookup(match.group("name"))
    if unit is None or power == 1:
        return unit
    return Unit(f"{unit.dimension}{power}", unit.size**power)


def _lookup(name: str) -> Unit | None:
    lowered = name.lower()
    if lowered in _UNITS:
        return _UNITS[lowered]
    return _UNITS.get(lowered[:-1]) if len(lowered) > 3 and lowered.endswith("s") else None
