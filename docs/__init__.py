"""The written docs, and what writes those that are made from the code."""
