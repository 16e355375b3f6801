"""`gensight landmarks`: what is done with landmarks once they are learned."""
