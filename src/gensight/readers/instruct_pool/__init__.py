"""Pools of instructions: pairs of pictures with the words between them."""
