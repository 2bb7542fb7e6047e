"""Real data sets and benchmarks as Problem and Image tables, and training rows for other trainers.

    from mathse.datasets.importing import import_source
    counts = import_source("tabmwp", "downloads/PromptPG/data/tabmwp", "data/import/tabmwp",
    splits=["train"])

Not covered: downloading (each source says where its original lives), archives (unpack them first),
video.
"""
