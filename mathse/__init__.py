"""MathSE: a vision-language model that learns mathematics from its own corrected solutions."""

__version__ = "0.1.0"
