"""What all packages use: errors, ids, tables, images, journal, progress, steps, parameters."""
