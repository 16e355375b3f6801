"""The type checker that runs on every annotated function of the package under pytest."""

from beartype import BeartypeConf, beartype

# An int is a fine float, as in every type checker.
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
