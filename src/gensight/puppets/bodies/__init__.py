"""The subjects: people and animals, their heads and limbs, and what they do."""
