"""Arithmetic on a run before it starts: work, time, memory, disk and teacher cost."""
