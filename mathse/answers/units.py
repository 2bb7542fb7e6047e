"""Units: which words are units, what they measure, how many base units each is."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from mathse.answers.number_words import SCALES

Dimension = tuple[tuple[str, int], ...]
"""Base quantities with their powers: a speed is `(("length", 1), ("time", -1))`."""


@dataclass(frozen=True)
class Unit:
    """A unit: what it measures, its size in that dimension's base unit, a number in front of it."""

    dimension: Dimension
    size: Fraction = Fraction(1)
    scale: int = 1


_TABLE = """
length      m meter metre 米 1; in inch inche 英寸 0.0254; ft foot feet 英尺 0.3048; yd yard 0.9144
length      mi mile 英里 1609.344; 厘米 公分 1/100; 毫米 1/1000; 分米 1/10; 千米 公里 1000
mass        g gram 克 1; kilo 千克 公斤 1000; 毫克 1/1000; ton tonne 吨 1000000
mass        oz ounce 28.349523125; lb lbs pound 453.59237
time        s sec second 秒 1; min minute 分钟 60; h hr hrs hour 小时 时 3600; day 天 日 86400
time        week 周 星期 604800; 毫秒 1/1000
months      month 个月 月 1; year yr yrs 年 岁 12
length^3    l liter litre 升 1/1000; 毫升 1/1000000
length^2    hectare ha 公顷 10000
money       cent ¢ 1/100; dollar usd $ 1
yuan        yuan rmb cny ¥ 元 块 1; 角 1/10; 分 1/100
euro        euro eur € 1
sterling    gbp £ 1
angle       degree deg ° 度 1; ' 1/60; '' 1/3600
radian      radian rad 弧度 1
celsius     °C celsius 摄氏度 1
fahrenheit  °F fahrenheit 1
percent     % percent percentage pct 1
force       N newton 1
energy      J joule 1
power       W watt 1
voltage     V volt 1
current     A ampere amp 1
resistance  Ω ohm \\Omega 1
frequency   Hz hertz 1
kelvin      K kelvin 1
pressure    Pa pascal 1
"""
_UNITS: dict[str, Unit] = {}
for _line in _TABLE.strip().split("\n"):
    _name, _, _entries = _line.partition(" ")
    _kind, _, _power = _name.partition("^")
    for _entry in _entries.split(";"):
        *_words, _size = _entry.split()
        _unit = Unit(((_kind, int(_power or 1)),), Fraction(_size))
        _UNITS |= dict.fromkeys(_words, _unit)
_PREFIXES = {"k": "1000", "m": "1/1000", "c": "1/100", "d": "1/10", "M": "1000000"}
_PREFIXES |= {"kilo": "1000", "milli": "1/1000", "centi": "1/100", "deci": "1/10"}
_PREFIXED = "m g s l L N J W V A Hz Pa meter metre gram second liter litre"
for _prefix, _size in _PREFIXES.items():
    for _word in _PREFIXED.split():
        _known = _UNITS.get(_word) or _UNITS[_word.lower()]
        _UNITS.setdefault(_prefix + _word, Unit(_known.dimension, _known.size * Fraction(_size)))
_UNITS["mph"] = Unit((("length", 1), ("time", -1)), Fraction("0.44704"))
_POWER_WORDS = {"square": 2, "sq": 2, "平方": 2, "cubic": 3, "cu": 3, "立方": 3}
_POWER_AFTER = {"squared": 2, "cubed": 3}
DEGREE, PERCENT = _UNITS["°"], _UNITS["%"]
MINUTES = _UNITS["min"]

# `square`, `cm`, `^{2}`, `/`, `°C`, `''`
_PART = re.compile(
    r"\s*(?:(?P<power>\^\s*\{?\s*-?\d\s*\}?)|(?P<over>/|per\b|每)|(?P<times>[*·.])"
    r"|(?P<word>平方|立方|[万亿]|°\s*[CF](?![a-z])|''|[%$€£¥°'¢]|\\Omega|[a-zA-ZΩμ]+|[\u4e00-\u9fff]+))"
)
_JOINED = re.compile(r"^(square|sq|cubic)(?=[a-z]{2,}$)", re.I)
"""`squareinches`: LaTeX drops the space in mathematics."""


@lru_cache(maxsize=4096)
def read_unit(text: str) -> Unit | None:
    """Read a unit such as `cm^2`, `square inches`, `km/h`, `million tons`; None for other words."""
    if len(text) > 40:
        return None
    text = _JOINED.sub(r"\1 ", text.strip().strip("{}").rstrip("."))
    found: list[tuple[Unit, int]] = []
    sign, next_power, position, scale = 1, 1, 0, 1
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            return None
        position, word = match.end(), match["word"] or ""
        if match["over"] and found:
            sign = -1
        elif match["power"] and found:
            # `^{2}` gives `2`
            power = int(re.sub(r"[\s^{}]", "", match["power"]))
            found[-1] = (found[-1][0], found[-1][1] + sign * (power - 1))
        elif word.lower() in SCALES and not found:
            scale *= SCALES[word.lower()]
        elif word.lower() in _POWER_WORDS:
            next_power = _POWER_WORDS[word.lower()]
        elif word.lower() in _POWER_AFTER and found:
            found[-1] = (found[-1][0], found[-1][1] * _POWER_AFTER[word.lower()])
        elif (unit := _named(word)) is not None:
            found.append((unit, sign * next_power))
            next_power = 1
        elif word not in ("a", "an") and not match["times"]:
            return None
    # The product of all parts.
    powers: dict[str, int] = {}
    for unit, power in found:
        for name, exponent in unit.dimension:
            powers[name] = powers.get(name, 0) + exponent * power
    size = math.prod((unit.size**power for unit, power in found), start=Fraction(1))
    dimension = tuple(sorted((name, power) for name, power in powers.items() if power))
    return Unit(dimension, Fraction(size), scale) if found or scale > 1 else None


def _named(word: str) -> Unit | None:
    word = word.replace(" ", "")
    singular = word[:-1].lower() if len(word) > 3 and word[-1] in "sS" else ""
    return next((_UNITS[name] for name in (word, word.lower(), singular) if name in _UNITS), None)
