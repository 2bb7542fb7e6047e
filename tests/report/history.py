"""A project with a Git history, and its tables in DVC's cache, in DVC's layout."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import yaml


class History:
    """A project of which each run can be committed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Someone")
        self.git("config", "user.email", "someone@localhost")
        (root / ".dvc").mkdir()
        (root / ".gitignore").write_text("/data\n/.mathse\n/.dvc/cache\n")
        (root / "dvc.yaml").write_text("stages: {}\n")
        (root / "params.yaml").write_text("{}\n")

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.root, capture_output=True, check=True)
        return done.stdout.decode().strip()

    def commit(self, message: str) -> str:
        """Put what is in data/ into the cache (data/problems as a folder), commit its lock."""
        outs: dict[str, str] = {}
        listing = []
        for file in sorted(self.root.glob("data/**/*.parquet")):
            path = file.relative_to(self.root).as_posix()
            digest = self._keep(file.read_bytes())
            if path.startswith("data/problems/"):
                listing.append({"md5": digest, "relpath": path.removeprefix("data/problems/")})
            else:
                outs[path] = digest
        outs["data/problems"] = self._keep(json.dumps(listing).encode(), ".dir")
        stages = {"all": {"outs": [{"path": path, "md5": md5} for path, md5 in outs.items()]}}
        (self.root / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}))
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")

    def experiment(self, name: str) -> str:
        """Make the last commit an experiment of the one before it, as DVC does, and leave it."""
        commit = self.git("rev-parse", "HEAD")
        before = self.git("rev-parse", "HEAD~")
        self.git("update-ref", f"refs/exps/{before[:2]}/{before[2:]}/{name}", commit)
        self.git("reset", "-q", "--hard", before)
        return commit

    def forget(self) -> None:
        """Delete DVC's cache."""
        shutil.rmtree(self.root / ".dvc" / "cache")

    def _keep(self, content: bytes, suffix: str = "") -> str:
        digest = hashlib.md5(content).hexdigest() + suffix
        blob = self.root / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        return digest
