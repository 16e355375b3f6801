"""Generates a scene from a seed: subjects, surroundings, camera and gaze targets."""

from dataclasses import replace
from math import atan2, cos, hypot, pi, sin
from random import Random

import numpy as np

from gensight.puppets.bodies.animals import draw_animal
from gensight.puppets.bodies.heads import MAX_PITCH, MAX_YAW
from gensight.puppets.bodies.people import draw_person, person_joints
from gensight.puppets.bodies.poses import draw_pose
from gensight.puppets.camera import Camera
from gensight.puppets.scenery import objects
from gensight.puppets.scenery.objects import Things
from gensight.puppets.scenery.surroundings import outdoors, room
from gensight.puppets.scenes import Body, Lens, Light, Scene, Subject, body_at, object_centre
from gensight.puppets.shapes import Number, Vector
from gensight.samples import Array


def draw_scene(seed: int, index: int, kinds: str = "all", num_subjects: tuple[int, int] = (1, 3)) -> Scene:
    """The scene of a seed and an index.

    Args:
        seed: Of the data set.
        index: Of the scene.
        kinds: `people`, `animals` or `all`.
        num_subjects: Fewest and most subjects.
    """
    random = Random(f"puppets {seed} {index}")
    camera, subjects = _subjects(random, kinds, random.randint(*num_subjects))
    indoors = random.random() < (0.55 if any(s.person for s in subjects) else 0.25)
    things = _things(random, subjects, indoors, camera)
    spots = [(s.x, s.z) for s in subjects] + things.spots
    place = room(random, spots) if indoors else outdoors(random)
    if not indoors:
        _put_far_things(things, max(z for _, z in spots))
    drift, light = draw_drift(random), _light(random)
    scene = Scene(place, things.entities, things.words, subjects, camera, drift, light, random.getrandbits(32))
    aim_gazes(random, scene)
    return scene


def _subjects(random: Random, kinds: str, count: int) -> tuple[Lens, list[Subject]]:
    main = draw_subject(random, kinds)
    share = random.choice((random.uniform(0.28, 0.6), random.uniform(0.5, 0.95), random.uniform(0.75, 1.5)))
    focal = random.uniform(0.85, 1.7)
    extent = main.height
    if main.animal is not None:
        extent = max(extent, 1.7 * main.animal.length * main.animal.height)
        share = min(share, 1.15)
    distance = max(focal * extent / share, 0.9)
    height = random.uniform(0.35, 1.1) * extent if random.random() < 0.5 else random.uniform(0.8, 2.3)
    centre = main.height * (0.5 if share < 1.05 else random.uniform(0.5, 0.85))
    pitch = atan2(centre - height, distance) + random.gauss(0, 0.05)
    reach = 0.5 * distance / focal
    x = random.gauss(0, 0.28) * reach * (1 if share < 0.9 else 0.4)
    subjects = [replace(main, x=x, z=distance)]
    for _ in range(count - 1):
        other = draw_subject(random, kinds)
        for _ in range(12):
            z = distance * random.uniform(0.75, 2.2)
            placed = replace(other, x=random.uniform(-0.85, 0.85) * 0.5 * z / focal, z=z)
            if all(apart(placed, s) for s in subjects):
                subjects.append(placed)
                break
    return (0.0, height, 0.0, random.gauss(0, 0.03), pitch, random.gauss(0, 0.035), focal), subjects


def apart(a: Subject, b: Subject) -> bool:
    """Whether two subjects keep out of each other's way, also a second later."""
    room_needed = room_for(a) + room_for(b)
    return all(np.linalg.norm(a.placed(time)[0] - b.placed(time)[0]) > room_needed for time in (0.0, 1.0))


def room_for(subject: Subject) -> Number:
    if subject.animal is not None:
        return 0.75 * subject.animal.length * subject.animal.height
    return 0.36


def draw_subject(random: Random, kinds: str) -> Subject:
    person = kinds == "people" or (kinds == "all" and random.random() < 0.6)
    yaw = random.choice(
        (
            random.gauss(0, 0.5),
            random.gauss(0, 0.5),
            random.uniform(-pi, pi),
            random.choice((-1, 1)) * random.gauss(pi / 2, 0.3),
        )
    )
    if not person and random.random() < 0.55:
        yaw = random.choice((-1, 1)) * random.gauss(pi / 2, 0.45)
    turn = random.gauss(0, 0.25)
    if person:
        return Subject(draw_person(random), draw_pose(random), None, 0.0, 0.0, yaw, turn)
    return Subject(None, None, draw_animal(random), 0.0, 0.0, yaw, turn)


def seat_height(subject: Subject) -> Number | None:
    """Height, in metres, of what a person sits on; None for all others."""
    if subject.person is None or subject.pose is None or subject.stance != "sitting":
        return None
    hip = person_joints(subject.person, subject.pose, 0.0)["left_hip"]
    return max(hip[1] - 0.05 * subject.person.height, 0.15)


def clear(subjects: list[Subject], x: Number, z: Number) -> bool:
    """Whether a thing at (x, z) leaves all subjects room."""
    return all(hypot(x - s.x, z - s.z) > 0.8 + room_for(s) for s in subjects)


def _things(random: Random, subjects: list[Subject], indoors: bool, camera: Lens) -> Things:
    """Seats under those who sit, things in front of some subjects, and things around them."""
    things = Things(random)
    for subject in subjects:
        if seat := seat_height(subject):
            backrest = random.random() < 0.5 and abs((subject.yaw + pi) % (2 * pi) - pi) < 1.2
            things.put(objects.chair if backrest else objects.stool, subject.x, subject.z, subject.yaw, seat)
        if random.random() < 0.22:
            z = subject.z - random.uniform(0.55, 0.95) - room_for(subject)
            if z > 0.9:
                x = subject.x * z / subject.z + random.uniform(-0.4, 0.4)
                choices = objects.OCCLUDERS_INDOORS if indoors else objects.OCCLUDERS_OUTDOORS
                if all(other is subject or hypot(x - other.x, z - other.z) > 0.8 for other in subjects):
                    things.put(random.choice(choices), x, z, random.gauss(0, 0.4))
    for _ in range(random.randint(1, 5)):
        builder = random.choice(objects.INDOORS if indoors else objects.OUTDOORS)
        z = subjects[0].z * random.uniform(0.85, 2.4) + random.uniform(0.0, 1.5)
        x = random.uniform(-1.1, 1.1) * 0.5 * z / camera[6]
        if clear(subjects, x, z):
            things.put(builder, x, z, random.gauss(0, 0.6))
    return things


def _put_far_things(things: Things, beyond: Number) -> None:
    random = things.random
    for _ in range(random.randint(0, 5)):
        z = beyond + random.uniform(4, 35)
        x = random.uniform(-0.7, 0.7) * z
        builder = random.choice((objects.tree, objects.tree, objects.tree, objects.bush, objects.house))
        things.put(builder, x, z + 12 if builder is objects.house else z, random.gauss(0, 0.5))


def draw_drift(random: Random) -> tuple[Number, Number, Number, Number]:
    """The camera's motion: metres per second to the right, up and ahead, and radians per second."""
    return random.gauss(0, 0.15), random.gauss(0, 0.06), random.gauss(0, 0.15), random.gauss(0, 0.05)


def _light(random: Random) -> Light:
    return Light(
        slope=(random.gauss(0, 0.2), random.gauss(0, 0.15)),
        spot=(random.random(), random.random(), random.uniform(0.2, 0.6), random.gauss(-0.02, 0.2)),
        cast=(random.gauss(0.94, 0.07), random.gauss(0.94, 0.04), random.gauss(0.94, 0.08)),
        gamma=min(max(random.gauss(1.0, 0.2), 0.6), 1.6),
        contrast=random.uniform(0.75, 1.15),
        noise=random.choice((0.0, random.uniform(0, 5), random.uniform(0, 12))),
        blur=random.choice((0.0, 0.0, 0.0, random.uniform(0.0, 0.006))),
        grain=(random.randrange(256), random.randrange(256)),
    )


def aim_gazes(random: Random, scene: Scene) -> None:
    """Gives every person something to look at that the neck can reach: a thing, a head, or a place out of sight."""
    camera = scene.camera_at(0.0)
    bodies = [body_at(subject, 0.0) for subject in scene.subjects]
    for index, subject in enumerate(scene.subjects):
        if subject.person is None:
            continue
        choices: list[tuple[str, int | Vector]] = []
        for number, thing in enumerate(scene.objects):
            if _reachable(bodies[index], object_centre(thing)) and _framed(camera, object_centre(thing)):
                choices.append(("object", number))
        for number, body in enumerate(bodies):
            if number != index and _reachable(bodies[index], body.head_centre) and _framed(camera, body.head_centre):
                choices += [("subject", number)] * 3
        away = _out_of_sight(random, bodies[index], camera)
        if away is not None and (not choices or random.random() < 0.3):
            choices = [("point", away)]
        if choices:
            scene.subjects[index] = replace(subject, gaze=random.choice(choices))


def _reachable(body: Body, target: Array) -> bool:
    x, y, z = (body.axes @ (target - body.head_centre)).tolist()
    return abs(atan2(x, z)) < MAX_YAW and abs(atan2(y, hypot(x, z))) < MAX_PITCH and hypot(x, z) > 0.3


def _framed(camera: Camera, point: Array) -> bool:
    """Whether a place lies well inside a square image."""
    (x, y), depth = camera.world_to_image(point[None], (100, 100))[0][0], camera.world_to_camera(point)[2]
    return bool(depth > 0.3 and 3 < x < 97 and 3 < y < 97)


def _out_of_sight(random: Random, body: Body, camera: Camera) -> Vector | None:
    """A place that the person can look at and that no image shape shows, such as the camera itself; or None."""
    for attempt in range(8):
        if attempt == 0 and random.random() < 0.5:
            point = camera.position + np.array([0.0, 0.0, -0.05])
        else:
            yaw, pitch = random.uniform(-1.1, 1.1), random.uniform(-0.4, 0.4)
            local = np.array([sin(yaw) * cos(pitch), sin(pitch), cos(yaw) * cos(pitch)])
            point = body.head_centre + random.uniform(1.5, 4.0) * (local @ body.axes)
        right, up, depth = camera.world_to_camera(point).tolist()
        hidden = depth < 0.1 or max(abs(right), abs(up)) * camera.focal > 1.6 * depth
        if hidden and _reachable(body, point):
            x, y, z = point.tolist()
            return x, y, z
    return None
