"""How the documents are made: tables from `results/`, included files, pictures."""
