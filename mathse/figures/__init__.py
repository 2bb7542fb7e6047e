"""The built-in problem source: drawn K-12 problems with worked solutions, and their teacher.

Not covered: photographs, handwriting, proofs. Real data comes in through `mathse.datasets`.
"""
