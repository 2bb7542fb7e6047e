"""The built-in problem source: drawn K-12 problems, a step verifier, and a teacher that knows them.

Not covered: photographs, handwriting, proofs. Real data comes in through `mathse.datasets`.
"""
