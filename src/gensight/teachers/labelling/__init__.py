"""The labelling job: what is labelled, work in progress, and the finished data set."""
