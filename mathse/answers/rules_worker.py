"""Judge a large table by rules in more than one process: this module is both the parent's side and the child's."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence

from mathse.answers.verdict import Pending, Task, Verdict, judge

MIN_TASKS = 3_000
"""Below this, a further process costs more than it saves."""


class Helper:
    """A child process that judges some tasks by rules while the caller judges others.

    Args:
        tasks: the tasks for the child.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        self.output = b""
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mathse.answers.rules_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        self.thread = threading.Thread(target=self._talk, daemon=True)
        self.thread.start()

    def _talk(self) -> None:
        self.output = self.process.communicate(pickle.dumps(list(self.tasks)))[0]

    def results(self) -> list[Verdict | Pending]:
        """Wait for the child; if it failed, judge its tasks here."""
        self.thread.join()
        if self.process.returncode == 0:
            judged: list[Verdict | Pending] = pickle.loads(self.output)
            return judged
        return [judge(task) for task in self.tasks]

    def kill(self) -> None:
        """End the child, finished or not."""
        self.process.kill()
        self.process.wait()


def main() -> None:
    """Read pickled tasks from the parent, write the pickled results."""
    tasks = pickle.load(sys.stdin.buffer)
    sys.stdout.buffer.write(pickle.dumps([judge(task) for task in tasks]))


if __name__ == "__main__":
    main()
