"""People: individuals (`Person`), the joints of their poses, and their shapes.

Everything is in the body's own frame: (left, up, forward) in metres, the ground at height 0 below the hips.
"""

from dataclasses import dataclass
from math import cos, pi, sin
from random import Random

from gensight.puppets.bodies.poses import Pose
from gensight.puppets.scenery.palette import COLOURS, HAIRS, SKINS, cloth, named, near
from gensight.puppets.shapes import Colour, Material, Number, Vector
from gensight.puppets.vectors import SIDES, add

NAMES = (
    "ada", "ben", "cleo", "dan", "eve", "finn", "gus", "hana", "ivo", "june", "kai", "lea", "max", "nina", "omar",
    "pia", "quinn", "rosa", "sam", "tara", "uma", "vito", "wim", "yuki", "zoe",
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """One individual: the same in every frame.

    Attributes:
        word: `man`, `woman`, `boy` or `girl`.
        name: A given name.
        height: Metres, standing.
        build: Width factor, about 1.
        limbs: Leg length factor, about 1.
        head: Head height as a share of the height.
        skin, hair: Colours; hair_style is one of short, bald, long, bob, tail, bun, curly.
        top, bottom: Clothes; `garment` is trousers, shorts, skirt or dress; sleeves reach a share of the arm.
        top_words, bottom_words: How captions call the clothes.
        shoes: Colour.
        hat: cap, beanie, or "".
        beard, glasses, backpack: Whether worn.
    """

    word: str
    name: str
    height: Number
    build: Number
    limbs: Number
    head: Number
    skin: Colour
    hair: Colour
    hair_style: str
    top: Material
    bottom: Material
    garment: str
    sleeves: Number
    top_name: str
    top_words: tuple[str, ...]
    bottom_words: tuple[str, ...]
    shoes: Colour
    hat: str
    hat_material: Material
    beard: bool
    glasses: bool
    backpack: Material | None


def draw_person(random: Random) -> Person:
    """A random individual."""
    female, child = random.random() < 0.5, random.random() < 0.25
    word = ("girl" if child else "woman") if female else ("boy" if child else "man")
    height = random.uniform(1.0, 1.35) if child else random.gauss(1.65 if female else 1.77, 0.07)
    styles = ("long", "bob", "tail", "bun", "long") if female else ("short", "short", "curly", "short", "bald")
    style = random.choice(styles)
    if child and style == "bald":
        style = "short"
    top, top_words = cloth(random)
    bottom, bottom_words = cloth(random, avoid=top_words[0])
    garment = random.choice(("trousers", "shorts", "skirt", "dress") if female else ("trousers", "trousers", "shorts"))
    if garment == "trousers" and random.random() < 0.6:  # plain ones
        bottom_words = (random.choice(("blue", "black", "grey", "brown", "white")),)
        bottom = Material(named(random, bottom_words[0]), round=True)
    hat = random.choice(("", "", "", "cap", "beanie"))
    return Person(
        word=word,
        name=random.choice(NAMES),
        height=height,
        build=min(max(random.gauss(1.0, 0.13), 0.78), 1.4) * (0.93 if female else 1.04),
        limbs=min(max(random.gauss(1.0, 0.04), 0.9), 1.1),
        head=random.uniform(0.165, 0.185) if child else random.uniform(0.132, 0.15),
        skin=near(random, random.choice(SKINS)),
        hair=near(random, HAIRS[random.choice(list(HAIRS))]),
        hair_style=style,
        top=top,
        bottom=top if garment == "dress" else bottom,
        garment=garment,
        sleeves=random.choice((0.0, 0.28, 0.32, 0.9, 1.0, 1.0)),
        top_name=random.choice(("shirt", "shirt", "sweater", "jacket")),
        top_words=top_words,
        bottom_words=bottom_words,
        shoes=named(random, random.choice(("black", "brown", "white", "red", "blue", "grey"))),
        hat=hat,
        hat_material=Material(named(random, random.choice(list(COLOURS))), round=True),
        beard=not female and not child and random.random() < 0.35,
        glasses=random.random() < 0.15,
        backpack=Material(named(random, random.choice(list(COLOURS))), round=True) if random.random() < 0.15 else None,
    )


def person_joints(person: Person, pose: Pose, time: Number) -> dict[str, Vector]:
    """Joints by OpenPose name (those of the trunk and limbs), and `head` (the middle of the head)."""
    h, b = person.height, person.build
    trunk, thigh = 0.295 * h, 0.245 * h * person.limbs
    shin, upper, fore = 0.235 * h * person.limbs, 0.17 * h, 0.145 * h
    forward, side = pose.lean[0] * pi / 180, pose.lean[1] * pi / 180
    spine = (sin(side), cos(side) * cos(forward), cos(side) * sin(forward))
    twist = pose.twist * pi / 180
    across = (cos(twist), -sin(side), -sin(twist))
    neck = (spine[0] * trunk, spine[1] * trunk, spine[2] * trunk)
    joints: dict[str, Vector] = {"neck": neck}
    limbs = ((pose.left_arm, pose.left_leg), (pose.right_arm, pose.right_leg))
    for (name, sign), (arm, leg) in zip(SIDES, limbs, strict=True):
        first, second = arm.at(time)
        shoulder = add(neck, across, sign * 0.112 * h * b)
        elbow = add(shoulder, (sign * first[0], first[1], first[2]), upper)
        joints[f"{name}_shoulder"], joints[f"{name}_elbow"] = shoulder, elbow
        joints[f"{name}_wrist"] = add(elbow, (sign * second[0], second[1], second[2]), fore)
        first, second = leg.at(time)
        hip = (sign * 0.062 * h * b, 0.0, 0.0)
        knee = add(hip, (sign * first[0], first[1], first[2]), thigh)
        joints[f"{name}_hip"], joints[f"{name}_knee"] = hip, knee
        joints[f"{name}_ankle"] = add(knee, (sign * second[0], second[1], second[2]), shin)
    head_height = person.head * h
    joints["head"] = add(add(neck, spine, 0.3 * head_height), (0.0, 0.5 * head_height, 0.02 * h))
    soles = [joints[f"{side}_ankle"][1] - 0.042 * h for side, _ in SIDES]
    knees = [joints[f"{side}_knee"][1] - 0.035 * h for side, _ in SIDES]
    lowest = min(*soles, *knees)
    if pose.stance == "jumping":
        lowest -= 0.1 * h + 0.08 * h * abs(sin(2 * pi * 0.8 * time + 1.0))
    return {name: (x, y - lowest, z) for name, (x, y, z) in joints.items()}
