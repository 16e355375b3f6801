"""GazeFollow: reader, writer and annotation tables."""
