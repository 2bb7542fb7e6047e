"""The built-in problem source: drawn K-12 figure problems with worked solutions, and the teacher that knows them.

Not covered: photographs, handwriting, proofs. Real data comes in through `mathse.datasets`.
"""
