"""code: write which code each stage runs, and which local models its roles have.

Every other stage depends on its own file, and on those of the roles whose models it uses.
"""

from __future__ import annotations

from mathse.accept import keep_versions
from mathse.core.code import CodeBase, render_fingerprint
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.engines.local_models import fingerprint_models


def code(layout: Layout) -> None:
    """Write the fingerprints of each stage and each role. Refuse bad params before all else."""
    params = load_params(layout.params)
    modules = CodeBase(layout.folder)
    texts = {}
    for file in sorted((layout.folder / "stages").glob("[a-z]*.py")):
        if "__main__" not in file.read_text(encoding="utf-8"):
            continue
        fingerprint = modules.fingerprint(f"stages.{file.stem}")
        texts[layout.code(file.stem)] = render_fingerprint(fingerprint)
    for role, model in fingerprint_models(layout, params).items():
        texts[layout.role(role)] = render_fingerprint(model)
    for out, text in texts.items():
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    keep_versions(layout, [*texts.values()])


if __name__ == "__main__":
    run(code)
