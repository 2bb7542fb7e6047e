"""`python -m mathse`."""

from mathse.cli import app

if __name__ == "__main__":
    app(prog_name="mathse")
