"""The renderer of the built-in synthetic world: articulated people and animals in procedural scenes, from a seed.

`readers/puppets.py` makes Samples of it.

- `staging`: generates a scene's description from a seed (`draw_scene`).
- `scenes`: that description, in metres, and what is visible at a moment (`Scene.at`).
- `bodies/`: individuals, their poses, and their shapes: people, animals, heads, limbs.
- `scenery/`: furniture and trees, rooms, ground, hills and sky; named colours and procedural tiles.
- `shapes`, `vectors`, `camera`: convex pieces in metres; the pinhole camera that turns them into ordered polygons.
- `render`: polygons to colour, metric depth and edges.
- `correspondence`: where a point of one frame lies in another frame of the scene (`correspond`).
- `captions`: sentences in a closed vocabulary (`CAPTION_WORDS`).
"""
