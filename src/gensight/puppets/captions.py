"""Captions of what can be seen, in a closed vocabulary: `CAPTION_WORDS`."""

from random import Random

from gensight.puppets.bodies.people import Person
from gensight.puppets.bodies.poses import ARM_PAIRS, STANCES
from gensight.puppets.bodies.species import SPECIES
from gensight.puppets.scenery.objects import NOUNS
from gensight.puppets.scenery.palette import CLOTH_PATTERNS, COLOURS
from gensight.puppets.scenes import Scene, Subject, facing_word
from gensight.puppets.shapes import Number, Vector

_GARMENTS = ("shirt", "sweater", "jacket", "dress", "trousers", "shorts", "skirt")
_OTHERS = (
    "a an and in on of with under the front left right next to behind seen from facing side back person man woman boy "
    "girl wooden pot cap hat glasses backpack lying spotted grass sand snow road brick path dirt floor "
    "tiled checked marble carpet sky wall dark close up empty scene"
)
CAPTION_WORDS: tuple[str, ...] = tuple(
    sorted(
        set(_OTHERS.split())
        | set(SPECIES)
        | set(COLOURS)
        | set(CLOTH_PATTERNS)
        | set(NOUNS)
        | set(_GARMENTS)
        | {word for pair in ARM_PAIRS for word in pair[2].split()}
        | {name for name, _ in STANCES}
    )
)
"""Every word that a caption can contain, in alphabetical order. Captions have no punctuation but commas."""


def caption(
    scene: Scene, seen: dict[int, Number], places: dict[int, Number], positions: list[Vector], size_share: Number
) -> str:
    """A sentence about a picture.

    Args:
        scene: The rendered scene.
        seen: Share of the image that each visible entity covers, by entity index.
        places: Horizontal middle of each visible entity, as a share of the width.
        positions: World places of all entities.
        size_share: Share of the image's height that the largest subject takes.
    """
    random = Random(scene.caption_seed)
    first = scene.first_subject
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
        words = " ".join((_article(scene.object_words[thing - 1][0]), *scene.object_words[thing - 1]))
        if subjects:
            parts.append(f"{_relation(random, places, positions, subjects[0], thing)} {words}")
        else:
            parts.append(f"with {words}")
    text = " ".join(parts)
    if random.random() < 0.85:
        text += ", on " + " ".join(scene.place.words)
    if random.random() < 0.4:
        name = scene.place.backdrop
        text += (", in front of " if scene.place.indoors else ", under ") + " ".join((_article(name[0]), *name))
    if size_share > 1.05 and random.random() < 0.5:
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
    words = _person(random, subject.person, brief) if subject.person is not None else _animal(subject)
    words += _doing(random, subject)
    return " ".join(words)


def _person(random: Random, person: Person, brief: bool) -> list[str]:
    word = person.word if random.random() < 0.9 else "person"
    words = ["a", word]
    if brief:
        return words
    top = "dress" if person.garment == "dress" else person.top_name
    words += ["in", _article(person.top_words[0]), *person.top_words, top]
    if person.garment != "dress" and random.random() < 0.7:
        article = [_article(person.bottom_words[0])] if person.garment == "skirt" else []
        words += ["and", *article, *person.bottom_words, person.garment]
    extras = [
        name
        for name, worn in (
            ("glasses", person.glasses),
            ("a backpack", person.backpack is not None),
            ("a cap" if person.hat == "cap" else "a hat", bool(person.hat)),
        )
        if worn
    ]
    if extras and random.random() < 0.6:
        words += ["with", random.choice(extras)]
    return words


def _animal(subject: Subject) -> list[str]:
    assert subject.animal is not None
    return [_article(subject.animal.coat_words[0]), *subject.animal.coat_words, subject.animal.word]


def _doing(random: Random, subject: Subject) -> list[str]:
    if subject.pose is not None:
        words = [subject.pose.stance] if random.random() < 0.7 or subject.pose.stance != "standing" else []
        if subject.pose.arm_words:
            words += [
                *(["and"] if words and not subject.pose.arm_words.startswith("with") else []),
                subject.pose.arm_words,
            ]
    else:
        assert subject.animal is not None
        words = (
            [subject.animal.stance] if random.random() < 0.7 or subject.animal.stance in ("sitting", "lying") else []
        )
    if random.random() < 0.35:
        facing = facing_word(subject.yaw)
        words.append({"front": "seen from the front", "back": "seen from the back"}.get(facing, f"facing {facing}"))
    return words


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
