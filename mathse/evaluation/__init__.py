"""How good a model is: accuracy with intervals, paired comparison of rounds, transitions."""
