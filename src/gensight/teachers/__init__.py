"""Teachers: existing models, classical algorithms and trained runs that label images and videos (pseudo-labels).

- `base`: `Teacher` and `Labels`, what every teacher is and gives; "Adding a teacher".
"""
