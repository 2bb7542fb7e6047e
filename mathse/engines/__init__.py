"""Text from images and prompts: one protocol, several engines."""

from __future__ import annotations

from mathse.engines.protocol import Completion, Engine, Request, SamplingParams

__all__ = ["Completion", "Engine", "Request", "SamplingParams"]
