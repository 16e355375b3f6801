"""The command line: thin over verbs, one file per verb. Heavy packages are imported inside the functions."""
