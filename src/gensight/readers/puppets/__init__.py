"""`puppets`: articulated people and animals in procedural scenes, with exact truths, from a seed.

- `reader`: `PuppetsReader`, what everyone uses.
- `staging`: draws a scene's description from a seed (`draw_scene`).
- `clean_staging`: the same for the `clean` style (`draw_clean_scene`).
- `scenes`: that description, in metres, and what there is to see at a moment (`Scene.at`).
- `people`, `poses`, `bodies`, `heads`: individuals, what they do, and the shapes that draw them.
- `species`, `animals`: the same for animals.
- `objects`, `surroundings`: furniture and trees; rooms, ground, hills and sky.
- `palette`, `textures`: named colours; procedural tiles.
- `shapes`, `vectors`, `camera`: convex pieces in metres; the pinhole camera that turns them into ordered polygons.
- `render`: polygons to colour and metric depth.
- `correspondence`: where a point of one frame lies in another frame of the scene (`Correspondences`).
- `captions`: sentences in a closed vocabulary (`CAPTION_WORDS`).
"""

from gensight.readers.puppets.captions import CAPTION_WORDS
from gensight.readers.puppets.correspondence import Correspondences
from gensight.readers.puppets.reader import SUBJECTS, TRUTHS, PuppetsReader

__all__ = ["CAPTION_WORDS", "SUBJECTS", "TRUTHS", "Correspondences", "PuppetsReader"]
