"""Captions of what can be seen, in a closed vocabulary: `CAPTION_WORDS`."""

from collections.abc import Mapping
from random import Random

from gensight.puppets.bodies.people import Person
from gensight.puppets.bodies.poses import ARM_PAIRS, STANCES
from gensight.puppets.bodies.species import SPECIES
from gensight.puppets.scenery.objects import NOUNS
from gensight.puppets.scenery.palette import CLOTH_PATTERNS, COLOURS
from gensight.puppets.scenes import Moment, Scene, Subject, facing_word
from gensight.puppets.shapes import Number, Vector
from gensight.samples import Array, Size

_GARMENTS = ("shirt", "sweater", "jacket", "dress", "trousers", "shorts", "skirt")
_OTHERS = (
    "a an and in on of with under the front left right next to behind seen from facing side back person man woman boy "
    "girl wooden pot cap hat glasses backpack lying spotted grass sand snow road brick path dirt floor "
    "tiled checked marble carpet sky wall dark close up empty scene"
)
CAPTION_WORDS: tuple[str, ...] = tuple(
    sorted(
        {*_OTHERS.split(), *_GARMENTS, *SPECIES, *COLOURS, *CLOTH_PATTERNS, *NOUNS, *(name for name, _ in STANCES)}
        | {word for pair in ARM_PAIRS for word in pair[2].split()}
    )
)
"""Every word that a caption can contain, in alphabetical order. Captions have no punctuation but commas."""


def caption(scene: Scene, moment: Moment, boxes: Mapping[int, tuple[Array, int]], size: Size) -> str:
    """A sentence about a picture of this size.

    Args:
        scene: The rendered scene.
        moment: Its rendered moment.
        boxes: Index of each visible entity -> the box around its visible pixels, and their number.
        size: (height, width).
    """
    random = Random(scene.caption_seed)
    first = scene.first_subject
    seen = {entity: count / (size[0] * size[1]) for entity, (_, count) in boxes.items()}
    places = {entity: float(box[0] + box[2]) / 2 / size[1] for entity, (box, _) in boxes.items()}
    heights = [float(box[3] - box[1]) / size[0] for entity, (box, _) in boxes.items() if entity >= first]
    positions = [entity.position for entity in moment.entities]
    subjects = sorted((i for i in seen if i >= first and seen[i] > 0.004), key=lambda i: -seen[i])
    things = [i for i in seen if 0 < i < first and seen[i] > 0.012]
    parts: list[str] = []
    if not subjects:
        parts.append("an empty scene")
    else:
        parts.append(_phrase(random, scene, subjects[0] - first, random.random() < 0.35))
        if len(subjects) > 1:
            parts.append(_relation(random, places, positions, subjects[0], subjects[1]))
            parts.append(_phrase(random, scene, subjects[1] - first, False))
        if len(subjects) > 2:
            parts.append("and " + _phrase(random, scene, subjects[2] - first, False))
    if things and random.random() < 0.6:
        thing = max(things, key=lambda i: seen[i]) if random.random() < 0.7 else random.choice(things)
        relation = _relation(random, places, positions, subjects[0], thing) if subjects else "with"
        parts += [relation, *_with_article(scene.object_words[thing - 1])]
    text = " ".join(parts)
    if random.random() < 0.85:
        text += ", on " + " ".join(scene.place.words)
    if random.random() < 0.4:
        text += ", in front of " if scene.place.indoors else ", under "
        text += " ".join(_with_article(scene.place.backdrop))
    if max(heights, default=0.0) > 1.05 and random.random() < 0.5:
        text += ", close up"
    return text


def _relation(random: Random, places: dict[int, Number], positions: list[Vector], a: int, b: int) -> str:
    """The spatial relation of entity `a` to entity `b` in the picture."""
    shift, behind = places[a] - places[b], positions[a][2] - positions[b][2]
    options = []
    if abs(shift) < 0.2 and behind > 0.5:
        options.append("behind")
    if abs(shift) < 0.2 and behind < -0.5:
        options.append("in front of")
    if abs(shift) > 0.15:
        options.append("left of" if shift < 0 else "right of")
    if abs(behind) < 1.5 and not (options and options[0] in ("behind", "in front of")):
        options.append("next to")
    return random.choice(options) if options else "and"


def _phrase(random: Random, scene: Scene, index: int, brief: bool) -> str:
    """One subject in words."""
    subject = scene.subjects[index]
    if subject.animal is not None:
        words = [*_with_article(subject.animal.coat_words), subject.animal.word]
    else:
        assert subject.person is not None
        words = _person(random, subject.person, brief)
    return " ".join(words + _doing(random, subject))


def _person(random: Random, person: Person, brief: bool) -> list[str]:
    words = ["a", person.word if random.random() < 0.9 else "person"]
    if brief:
        return words
    top = "dress" if person.garment == "dress" else person.top_name
    words += ["in", *_with_article(person.top_words), top]
    if person.garment != "dress" and random.random() < 0.7:
        skirt = person.garment == "skirt"
        words += ["and", *(_with_article(person.bottom_words) if skirt else person.bottom_words), person.garment]
    extras = ["glasses"] if person.glasses else []
    extras += ["a backpack"] if person.backpack is not None else []
    extras += ["a cap" if person.hat == "cap" else "a hat"] if person.hat else []
    if extras and random.random() < 0.6:
        words += ["with", random.choice(extras)]
    return words


def _doing(random: Random, subject: Subject) -> list[str]:
    stance, arms = subject.stance, "" if subject.pose is None else subject.pose.arm_words
    usual = ("standing",) if subject.pose is not None else ("standing", "walking")
    words = [stance] if random.random() < 0.7 or stance not in usual else []
    if arms:
        words += ["and", arms] if words and not arms.startswith("with") else [arms]
    if random.random() < 0.35:
        facing = facing_word(subject.yaw)
        words.append({"front": "seen from the front", "back": "seen from the back"}.get(facing, f"facing {facing}"))
    return words


def _with_article(words: tuple[str, ...]) -> tuple[str, ...]:
    return "an" if words[0][0] in "aeiou" else "a", *words
