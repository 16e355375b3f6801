"""Bodies of people: the trunk and limbs with their clothes."""

from gensight.puppets.bodies.people import Person
from gensight.puppets.shapes import Ball, Material, Number, Shape, Vector, capsule, tint
from gensight.puppets.vectors import SIDES, add, between, unit


def body_shapes(person: Person, joints: dict[str, Vector], view: Vector) -> list[Shape]:
    """Trunk and limbs with their clothes; `view` is the unit vector towards the camera in the body's frame."""
    h, neck, head = person.height, joints["neck"], joints["head"]
    left_hip, right_hip = joints["left_hip"], joints["right_hip"]
    pelvis, thick = between(left_hip, right_hip, 0.5), 0.052 * h * (0.6 + 0.4 * person.build)
    waist = between(pelvis, neck, 0.22)
    trunk: list[Ball] = [(*between(neck, pelvis, 0.06), thick * 0.8)]
    trunk += [(*between(joints[f"{side}_shoulder"], neck, 0.12), thick * 0.78) for side, _ in SIDES]
    for hip in (left_hip, right_hip):
        above = add(waist, (hip[0] - pelvis[0], 0.0, hip[2] - pelvis[2]))
        trunk.append((*between(above, waist, 0.05), thick))
    trunk.append((*pelvis, thick * 1.02))
    hips = [(*waist, thick), (*left_hip, thick * 1.05), (*right_hip, thick * 1.05), (*pelvis, thick)]
    throat = Material(tint(person.skin, 0.86), round=True)
    shapes = [
        capsule("neck", between(neck, head, -0.1), between(neck, head, 0.6), 0.036 * h, 0.033 * h, throat),
        Shape("trunk", trunk, person.top, bias=-0.01),
        Shape("pelvis", hips, person.bottom, bias=0.01),
        *_clothes(person, joints, waist, neck, thick, view),
    ]
    for side, _ in SIDES:
        shapes += _arm(person, joints, side) + _leg(person, joints, side)
    return shapes


def _clothes(
    person: Person, joints: dict[str, Vector], waist: Vector, neck: Vector, thick: Number, view: Vector
) -> list[Shape]:
    """Details that mark the front of a trunk, and skirts."""
    h, shapes = person.height, []
    if view[2] > 0.25:
        collar = [add(neck, (x * h, y * h, thick * 0.7)) for x, y in ((-0.028, 0.012), (0.028, 0.012), (0.0, -0.05))]
        shapes.append(Shape("collar", [(*p, 0.0) for p in collar], Material(person.skin), bias=-0.03))
        if person.top_name == "jacket" and person.garment != "dress":
            zipper = [(*add(end, (0, -0.05 * h, thick)), 0.006 * h) for end in (neck, waist)]
            shapes.append(Shape("zip", zipper, Material(tint(person.top.colour, 0.45)), bias=-0.025))
    if person.backpack is not None:
        middle = between(neck, between(joints["left_hip"], joints["right_hip"], 0.5), 0.4)
        corners = [(x * h, y * h, -thick - 0.03 * h) for x in (-0.05, 0.05) for y in (0.06, -0.09)]
        shapes.append(Shape("backpack", [(*add(middle, one), 0.045 * h) for one in corners], person.backpack))
        for side, sign in SIDES if view[2] > 0.2 else ():
            top = add(neck, (sign * 0.06 * h, 0.0, thick * 0.6))
            end = add(waist, (sign * 0.06 * h, 0.06 * h, thick))
            shapes.append(capsule(f"strap-{side}", top, end, 0.012 * h, 0.012 * h, person.backpack, bias=-0.03))
    if person.garment in ("skirt", "dress"):
        balls = [(*waist, thick)]
        for side, sign in SIDES:
            hip, knee = joints[f"{side}_hip"], joints[f"{side}_knee"]
            balls += [(*hip, thick * 1.1), (*add(between(hip, knee, 0.85), (sign * 0.03 * h, 0.0, 0.0)), thick * 0.8)]
        balls.append((*between(joints["left_knee"], joints["right_knee"], 0.5), 0.01))
        shapes.append(Shape("skirt", balls, person.bottom, bias=-0.06))
    return shapes


def _arm(person: Person, joints: dict[str, Vector], side: str) -> list[Shape]:
    h, b, skin = person.height, 0.6 + 0.4 * person.build, Material(person.skin, round=True)
    shoulder, elbow, wrist = (joints[f"{side}_{part}"] for part in ("shoulder", "elbow", "wrist"))
    upper, lower = 0.031 * h * b, 0.023 * h * b
    sleeve = person.top.shaded(0.92)
    cover = sleeve if person.sleeves > 0.5 else skin
    shapes = [
        capsule(f"{side}_upper_arm", shoulder, elbow, upper, lower * 1.1, cover, bias=-0.03),
        capsule(f"{side}_forearm", elbow, wrist, lower * 1.08, lower * 0.82, cover, bias=-0.035),
    ]
    if 0.1 < person.sleeves <= 0.5:
        end = between(shoulder, elbow, 0.55)
        shapes.append(capsule(f"{side}_sleeve", shoulder, end, upper * 1.22, upper * 1.2, sleeve, bias=-0.036))
    palm, tip = between(elbow, wrist, 1.08), between(elbow, wrist, 1.42)
    return [*shapes, capsule(f"{side}_hand", palm, tip, 0.021 * h, 0.02 * h, skin, bias=-0.033)]


def _leg(person: Person, joints: dict[str, Vector], side: str) -> list[Shape]:
    h, b = person.height, 0.6 + 0.4 * person.build
    hip, knee, ankle = (joints[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
    upper, lower = 0.05 * h * b, 0.034 * h * b
    material = person.bottom if person.garment == "trousers" else Material(person.skin, round=True)
    shapes = [
        capsule(f"{side}_thigh", hip, knee, upper, lower * 1.12, material),
        capsule(f"{side}_shin", knee, ankle, lower * 1.12, lower * 0.72, material.shaded(0.96)),
    ]
    if person.garment == "shorts":
        end = between(hip, knee, 0.7)
        shapes.append(capsule(f"{side}_short", hip, end, upper * 1.12, upper * 1.05, person.bottom, bias=-0.045 * h))
    shin = unit(add(ankle, knee, -1.0))
    # The foot stands at a right angle to the shin, towards the front.
    forward = (0.0, shin[2], -shin[1]) if abs(shin[1]) > 0.2 or shin[2] > 0 else (0.0, -0.5, -0.85)
    heel = add(add(ankle, forward, -0.015 * h), shin, 0.018 * h)
    toe = add(add(ankle, forward, 0.085 * h), shin, 0.026 * h)
    shoe = Material(person.shoes, round=True)
    return [*shapes, capsule(f"{side}_shoe", heel, toe, 0.026 * h, 0.018 * h, shoe, bias=-0.01)]
