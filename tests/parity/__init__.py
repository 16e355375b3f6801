"""Equality with published formulas, against plain transcriptions; each test has its tolerance in its name."""
