"""The screenshots of the README come from a run, in one size."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from recipes.documents import screenshots
from tests.report.chromium import CHROMIUM
from tests.report.page_world import build_page_world


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
def test_screenshots_are_taken_of_the_page_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screenshots, "IMAGES", tmp_path)
    build_page_world(tmp_path / "run")
    screenshots.main(tmp_path / "run")
    sizes = {file.name: Image.open(file).size for file in tmp_path.glob("*.png")}
    assert sizes == {"report-result.png": (1180, 860), "report-trajectory.png": (1180, 1120)}
