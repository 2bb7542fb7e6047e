"""The model that plays the teacher: it solves and reflects, errs, and is never given an answer."""
