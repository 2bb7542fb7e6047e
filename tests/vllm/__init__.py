"""Tests with a real vLLM: `make test-vllm` makes an environment for them."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

needs_vllm = pytest.mark.skipif(
    find_spec("vllm") is None, reason="vllm is not installed here; make test-vllm runs this"
)
