"""The surroundings of the subjects: furniture, trees, rooms, ground and sky; colours and procedural tiles."""
