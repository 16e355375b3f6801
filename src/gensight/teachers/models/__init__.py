"""Models and classical algorithms as teachers."""
