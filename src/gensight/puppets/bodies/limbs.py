"""Bodies of people: the trunk and limbs with their clothes."""

from gensight.puppets.bodies.people import Person
from gensight.puppets.shapes import Ball, Material, Number, Shape, Vector, capsule, tint
from gensight.puppets.vectors import add, between, unit


def body_shapes(person: Person, joints: dict[str, Vector], view: Vector) -> list[Shape]:
    """Trunk and limbs with their clothes."""
    h, b = person.height, person.build
    neck, head = joints["neck"], joints["head"]
    left_hip, right_hip = joints["left_hip"], joints["right_hip"]
    pelvis, thick = between(left_hip, right_hip, 0.5), 0.052 * h * (0.6 + 0.4 * b)
    waist = between(pelvis, neck, 0.22)
    skin = Material(person.skin, round=True)
    shoulders = [joints["left_shoulder"], joints["right_shoulder"]]
    trunk: list[Ball] = [(*between(neck, pelvis, 0.06), thick * 0.8)]
    trunk += [(*between(shoulder, neck, 0.12), thick * 0.78) for shoulder in shoulders]
    trunk += [
        (*between(add(waist, (hip[0] - pelvis[0], 0.0, hip[2] - pelvis[2])), waist, 0.05), thick)
        for hip in (left_hip, right_hip)
    ]
    trunk += [(*pelvis, thick * 1.02)]
    shapes = [
        capsule(
            "neck",
            between(neck, head, -0.1),
            between(neck, head, 0.6),
            0.036 * h,
            0.033 * h,
            Material(tint(person.skin, 0.86), round=True),
            bias=0.0,
        ),
        Shape("trunk", trunk, person.top, bias=-0.01),
        Shape(
            "pelvis",
            [(*waist, thick), (*left_hip, thick * 1.05), (*right_hip, thick * 1.05), (*pelvis, thick)],
            person.bottom,
            bias=0.01,
        ),
    ]
    shapes += _clothes(person, joints, waist, neck, thick, view)
    for side in ("left", "right"):
        shapes += _arm(person, joints, side, skin)
        shapes += _leg(person, joints, side, skin)
    return shapes


def _clothes(
    person: Person, joints: dict[str, Vector], waist: Vector, neck: Vector, thick: Number, view: Vector
) -> list[Shape]:
    """Details that mark the front of a trunk, and skirts."""
    h, shapes = person.height, []
    pelvis = between(joints["left_hip"], joints["right_hip"], 0.5)
    if view[2] > 0.25:
        collar = [add(neck, (x * h, y * h, thick * 0.7)) for x, y in ((-0.028, 0.012), (0.028, 0.012), (0.0, -0.05))]
        shapes.append(Shape("collar", [(*p, 0.0) for p in collar], Material(person.skin), bias=-0.03))
        if person.top_name == "jacket" and person.garment != "dress":
            shapes.append(
                capsule(
                    "zip",
                    add(neck, (0, -0.05 * h, thick)),
                    add(waist, (0, -0.05 * h, thick)),
                    0.006 * h,
                    0.006 * h,
                    Material(tint(person.top.colour, 0.45)),
                    bias=-0.025,
                )
            )
    if person.backpack is not None:
        middle = between(neck, pelvis, 0.4)
        balls = [
            (*add(middle, (x * h, y * h, -thick - 0.03 * h)), 0.045 * h) for x in (-0.05, 0.05) for y in (0.06, -0.09)
        ]
        shapes.append(Shape("backpack", balls, person.backpack))
        for name, sign in (("left", 1.0), ("right", -1.0)):
            if view[2] > 0.2:
                shapes.append(
                    capsule(
                        f"strap-{name}",
                        add(neck, (sign * 0.06 * h, 0.0, thick * 0.6)),
                        add(waist, (sign * 0.06 * h, 0.06 * h, thick)),
                        0.012 * h,
                        0.012 * h,
                        person.backpack,
                        bias=-0.03,
                    )
                )
    if person.garment in ("skirt", "dress"):
        balls = [(*waist, thick)]
        for side, sign in (("left", 1.0), ("right", -1.0)):
            hip, knee = joints[f"{side}_hip"], joints[f"{side}_knee"]
            balls += [(*hip, thick * 1.1), (*add(between(hip, knee, 0.85), (sign * 0.03 * h, 0.0, 0.0)), thick * 0.8)]
        shapes.append(
            Shape(
                "skirt",
                [*balls, (*between(joints["left_knee"], joints["right_knee"], 0.5), 0.01)],
                person.bottom,
                bias=-0.06,
            )
        )
    return shapes


def _arm(person: Person, joints: dict[str, Vector], side: str, skin: Material) -> list[Shape]:
    h, b = person.height, 0.6 + 0.4 * person.build
    shoulder, elbow, wrist = (joints[f"{side}_{part}"] for part in ("shoulder", "elbow", "wrist"))
    upper, lower = 0.031 * h * b, 0.023 * h * b
    long_sleeve, short_sleeve = person.sleeves > 0.5, 0.1 < person.sleeves <= 0.5
    sleeve = person.top.shaded(0.92)
    shapes = [
        capsule(f"{side}_upper_arm", shoulder, elbow, upper, lower * 1.1, sleeve if long_sleeve else skin, bias=-0.03),
        capsule(
            f"{side}_forearm", elbow, wrist, lower * 1.08, lower * 0.82, sleeve if long_sleeve else skin, bias=-0.035
        ),
    ]
    if short_sleeve:
        shapes.append(
            capsule(
                f"{side}_sleeve",
                shoulder,
                between(shoulder, elbow, 0.55),
                upper * 1.22,
                upper * 1.2,
                sleeve,
                bias=-0.036,
            )
        )
    tip = between(elbow, wrist, 1.42)
    shapes.append(capsule(f"{side}_hand", between(elbow, wrist, 1.08), tip, 0.021 * h, 0.02 * h, skin, bias=-0.033))
    return shapes


def _leg(person: Person, joints: dict[str, Vector], side: str, skin: Material) -> list[Shape]:
    h, b = person.height, 0.6 + 0.4 * person.build
    hip, knee, ankle = (joints[f"{side}_{part}"] for part in ("hip", "knee", "ankle"))
    upper, lower = 0.05 * h * b, 0.034 * h * b
    covered = person.garment == "trousers"
    material = person.bottom if covered else skin
    shapes = [
        capsule(f"{side}_thigh", hip, knee, upper, lower * 1.12, material, bias=0.0),
        capsule(f"{side}_shin", knee, ankle, lower * 1.12, lower * 0.72, material.shaded(0.96)),
    ]
    if person.garment == "shorts":
        shapes.append(
            capsule(
                f"{side}_short",
                hip,
                between(hip, knee, 0.7),
                upper * 1.12,
                upper * 1.05,
                person.bottom,
                bias=-0.045 * h,
            )
        )
    shin = unit(add(ankle, knee, -1.0))
    # The foot stands at a right angle to the shin, towards the front.
    forward = (0.0, shin[2], -shin[1]) if abs(shin[1]) > 0.2 or shin[2] > 0 else (0.0, -0.5, -0.85)
    heel = add(add(ankle, forward, -0.015 * h), shin, 0.018 * h)
    toe = add(add(ankle, forward, 0.085 * h), shin, 0.026 * h)
    shapes.append(
        capsule(f"{side}_shoe", heel, toe, 0.026 * h, 0.018 * h, Material(person.shoes, round=True), bias=-0.01)
    )
    return shapes
