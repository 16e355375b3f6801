"""The subjects: people and animals, their heads and limbs, and their poses."""
