"""What stands around the subjects: furniture, trees, rooms, ground and sky; colours and procedural tiles."""
