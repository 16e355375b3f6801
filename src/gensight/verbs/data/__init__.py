"""Verbs about data: look at it, write a recipe for it, label it, pool it, convert it."""
