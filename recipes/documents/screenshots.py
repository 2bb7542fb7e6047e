"""Take docs/images/report-….png from a run, in headless Chromium: `make pictures`.

    python -m recipes.documents.screenshots [FOLDER]

FOLDER is the project that has the run, by default this one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from urllib.parse import urlencode

from mathse.core.layout import Layout
from mathse.report.page.render import write_report
from mathse.report.page.run_tables import RunTables
from recipes.documents.blocks import ROOT
from recipes.documents.example import ROUND, find_example
from tests.report.chromium import CHROMIUM, browser_page

IMAGES = ROOT / "docs" / "images"
WIDTH = 1180


def main(project: Path) -> None:
    """Write the top of the page, and the example's reflection beside its wrong parent."""
    example = find_example(project / "data")
    shown = {"round": ROUND, "role": "reflection", "outcome": "training row"}
    shown |= {"family": example["family"], "t": example["reflection_id"]}
    with tempfile.TemporaryDirectory() as folder, browser_page() as page:
        file = Path(folder) / "report.html"
        write_report([RunTables(Layout(project))], file)
        page.open(file.as_uri(), width=WIDTH, height=860)
        page.screenshot(IMAGES / "report-result.png")
        page.open(file.as_uri(), width=WIDTH, height=1120, dark=True)
        page.run(f"location.hash = {'#' + urlencode(shown)!r}; follow()")
        page.wait("!!document.querySelector('.side li.named')")
        page.run(
            "window.scrollBy(0, document.getElementById('count').getBoundingClientRect().y - 56)"
        )
        page.screenshot(IMAGES / "report-trajectory.png")


if __name__ == "__main__":
    if CHROMIUM is None:
        print("No screenshots: there is no Chromium here (apt-get install chromium).")
    else:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
