"""Config -> objects: the only place where a `kind` becomes a class. One file for each axis."""
