"""Text from images and prompts: one Protocol, several engines. Import an engine from its own module."""

from __future__ import annotations

from mathse.engines.protocol import Completion, Engine, Request, SamplingParams

__all__ = ["Completion", "Engine", "Request", "SamplingParams"]
