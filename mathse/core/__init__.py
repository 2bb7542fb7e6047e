"""What every room stands on: errors, ids, tables, images, journal, progress, steps, prompts and params."""
