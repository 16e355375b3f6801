"""A scene: subjects and objects, their places, motion and gaze, in metres and independent of the image size.

`staging.draw_scene` generates a description from a seed; `Scene.at` gives what is visible at a moment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import atan2, cos, degrees, pi, sin

import numpy as np

from gensight.puppets.bodies.animals import Animal, animal_joints, animal_keypoints, animal_shapes
from gensight.puppets.bodies.heads import Head, aimed, head_keypoints, head_shapes
from gensight.puppets.bodies.limbs import body_shapes
from gensight.puppets.bodies.people import Person, person_joints
from gensight.puppets.bodies.poses import Pose
from gensight.puppets.camera import Camera, look
from gensight.puppets.scenery.surroundings import Place
from gensight.puppets.shapes import Entity, Number, Shape, Vector, turned
from gensight.samples import Array
from gensight.skeletons import ANIMAL_17, OPENPOSE_18, Skeleton

FRAMES_PER_SECOND = 5.0
# x, height and z in metres, yaw, pitch and roll in radians, focal length as a share of the image's shorter side
Lens = tuple[Number, Number, Number, Number, Number, Number, Number]


# float64 (K, 3) world places, (K, 3) outward normals (NaN: none), bool (K,) covered by hair or a hat
WorldKeypoints = tuple[Array, Array, Array]
# centre of the head and middle of the eyes in the world, half head height
PersonHead = tuple[Array, Array, Number]


@dataclass(frozen=True)
class Subject:
    """A person or an animal and where it is.

    Attributes:
        person, pose: Of a person; None for an animal.
        animal: Or None.
        x, z: Place on the ground, metres.
        yaw: Facing direction, radians: 0 towards the camera, pi / 2 towards image right.
        turn: Radians per second.
        gaze: What a person looks at: ("object", index), ("subject", index), ("point", world place), or None.
    """

    person: Person | None
    pose: Pose | None
    animal: Animal | None
    x: Number
    z: Number
    yaw: Number
    turn: Number
    gaze: tuple[str, int | Vector] | None = None

    @property
    def category(self) -> str:
        return "person" if self.animal is None else self.animal.word

    @property
    def stance(self) -> str:
        """Standing, walking, sitting ..."""
        posed = self.animal or self.pose
        assert posed is not None
        return posed.stance

    @property
    def height(self) -> Number:
        """Metres, about."""
        if self.person is not None:
            return self.person.height * {"sitting": 0.76, "kneeling": 0.76, "jumping": 1.1}.get(self.stance, 1.0)
        assert self.animal is not None
        return self.animal.height * (1.3 if self.stance != "lying" else 0.8)

    def placed(self, time: Number) -> tuple[Array, Array]:
        """Position (3,) and axes (3, 3) in the world at a time."""
        yaw = self.yaw + self.turn * time
        speed = (0.5 if self.person else 0.3) if self.stance == "walking" else 0.0
        x, z = self.x + sin(yaw) * speed * time, self.z - cos(yaw) * speed * time
        return np.array([x, 0.0, z]), turned(yaw)


@dataclass(frozen=True)
class Light:
    """How an image is exposed: all values are relative, so they hold at any size.

    Attributes:
        slope: Change of brightness over the width and the height.
        spot: (x, y, radius, strength) of a brighter or darker place, in shares of the image.
        cast: Factor of each colour channel.
        gamma: Exponent; above 1 is darker.
        contrast: About the middle grey.
        noise: Deviation of the sensor noise, 0 to 255.
        blur: Deviation as a share of the shorter side.
    """

    slope: tuple[Number, Number]
    spot: tuple[Number, Number, Number, Number]
    cast: tuple[Number, Number, Number]
    gamma: Number
    contrast: Number
    noise: Number
    blur: Number
    grain: tuple[int, int]

    @property
    def even(self) -> bool:
        """Whether every pixel is exposed alike, without blur and noise."""
        return not (any(self.slope) or self.spot[3] or self.noise or self.blur)


@dataclass(frozen=True)
class Moment:
    """The state of a scene at one time.

    Attributes:
        entities: The surroundings (index 0), then the objects, then the subjects.
        camera: The camera.
        keypoints: For each subject.
        heads: For each subject: a person's head, or None.
        targets: For each subject: world place that it looks at, or None.
    """

    entities: list[Entity]
    camera: Camera
    keypoints: list[WorldKeypoints]
    heads: list[PersonHead | None]
    targets: list[Array | None]


@dataclass(frozen=True, eq=False)
class Scene:
    """The whole description; `staging.draw_scene` makes one."""

    place: Place
    objects: list[Entity]
    object_words: list[tuple[str, ...]]
    subjects: list[Subject]
    camera: Lens
    drift: tuple[Number, Number, Number, Number]
    light: Light
    caption_seed: int

    @property
    def first_subject(self) -> int:
        """Index of the first subject among a moment's entities."""
        return 1 + len(self.objects)

    def camera_at(self, time: Number) -> Camera:
        x, y, z, yaw, pitch, roll, focal = self.camera
        dx, dy, dz, turn = self.drift
        return look(x + dx * time, max(y + dy * time, 0.2), z + dz * time, yaw + turn * time, pitch, roll, focal)

    def at(self, frame: int) -> Moment:
        """The moment of a frame; frames follow each other at `FRAMES_PER_SECOND`."""
        time = frame / FRAMES_PER_SECOND
        camera = self.camera_at(time)
        bodies = [body_at(subject, time) for subject in self.subjects]
        moment = Moment([self.place.entity, *self.objects], camera, [], [], [])
        for subject, body in zip(self.subjects, bodies, strict=True):
            head, target = None, self._target(subject, bodies)
            if subject.animal is not None:
                shapes, keypoints = _animal(subject.animal, body, camera)
            else:
                assert subject.person is not None
                shapes, keypoints, head = _person(subject.person, body, camera, target)
            moment.entities.append(Entity(subject.category, shapes, tuple(body.position.tolist()), body.axes))
            moment.keypoints.append(keypoints)
            moment.heads.append(head)
            moment.targets.append(target)
        return moment

    def _target(self, subject: Subject, bodies: "list[Body]") -> Array | None:
        match subject.gaze:
            case ("object", int(index)):
                return object_centre(self.objects[index])
            case ("subject", int(index)):
                return bodies[index].head_centre
            case ("point", (x, y, z)):
                return np.array([x, y, z])
            case _:
                return None


@dataclass(frozen=True, eq=False)
class Body:
    """A subject at a moment: its joints in its own frame, an animal's head, its place and axes in the world."""

    joints: dict[str, Vector]
    head: Head | None
    position: Array
    axes: Array
    head_centre: Array


def body_at(subject: Subject, time: Number) -> Body:
    position, axes = subject.placed(time)
    head = None
    if subject.animal is not None:
        joints, head = animal_joints(subject.animal, time)
    else:
        assert subject.person is not None
        assert subject.pose is not None
        joints = person_joints(subject.person, subject.pose, time)
    centre = joints["head"] if head is None else head.centre
    return Body(joints, head, position, axes, np.array(centre) @ axes + position)


def _direction(body: Body, place: Vector, target: Array) -> Vector:
    """Unit vector in the body's frame from a place on it to a target in the world."""
    towards = body.axes @ (target - body.position) - place
    x, y, z = (towards / np.linalg.norm(towards)).tolist()
    return x, y, z


def _world_keypoints(
    skeleton: Skeleton, found: Mapping[str, tuple[Vector, Vector | None, bool]], body: Body
) -> WorldKeypoints:
    rows = [found[name] for name in skeleton.keypoints]
    points = np.array([place for place, _, _ in rows])
    normals = np.array([normal or (np.nan,) * 3 for _, normal, _ in rows])
    covered = np.array([hidden for _, _, hidden in rows])
    return points @ body.axes + body.position, normals @ body.axes, covered


def _animal(animal: Animal, body: Body, camera: Camera) -> tuple[list[Shape], WorldKeypoints]:
    head = body.head
    assert head is not None
    shapes = animal_shapes(animal, body.joints, head, _direction(body, head.centre, camera.position))
    left, up, _ = (body.axes @ (camera.position - body.head_centre)).tolist()
    for shape in shapes:
        if shape.name in ("trunk", "neck"):  # the paint of a lying cylinder, seen from its left, its right or above
            shape.slide = -atan2(left, up) * animal.trunk * animal.height
    return shapes, _world_keypoints(ANIMAL_17, animal_keypoints(animal, body.joints, head), body)


def _upright_slide(axes: Array, towards: Array, radius: Number) -> Number:
    """Metres by which the paint of an upright round body lies to the side, seen from `towards` (world vector)."""
    x, _, z = (axes @ towards).tolist()
    return -atan2(x, z) * radius


def _person(
    person: Person, body: Body, camera: Camera, target: Array | None
) -> tuple[list[Shape], WorldKeypoints, PersonHead]:
    joints = body.joints
    centre, radius = joints["head"], 0.5 * person.head * person.height
    gaze = (0.0, 0.0, 1.0) if target is None else _direction(body, centre, target)
    head = aimed(centre, radius, gaze)
    eyes = head.at(0.0, 0.1, 0.72)
    if target is not None:  # from the eyes rather than from the middle of the head
        gaze = _direction(body, eyes, target)
    view = _direction(body, centre, camera.position)
    shapes = body_shapes(person, joints, view) + head_shapes(person, head, view, gaze)
    towards = camera.position - body.head_centre
    head_axes = np.array([head.left, head.up, head.forward]) @ body.axes
    for shape in shapes:
        if shape.name in ("trunk", "pelvis", "skirt"):
            shape.slide = _upright_slide(body.axes, towards, 0.08 * person.height)
        elif shape.name == "skull":
            shape.slide = _upright_slide(head_axes, towards, 0.8 * radius)
    found = {name: (place, None, False) for name, place in joints.items()} | head_keypoints(person, head)
    keypoints = _world_keypoints(OPENPOSE_18, found, body)
    return shapes, keypoints, (body.head_centre, np.array(eyes) @ body.axes + body.position, radius)


def object_centre(entity: Entity) -> Array:
    """Middle of an object's shapes in the world."""
    balls = np.array([ball for shape in entity.shapes for ball in shape.balls])[:, :3]
    return (balls.min(0) + balls.max(0)) / 2 @ entity.axes + entity.position


def facing_word(yaw: Number) -> str:
    """How a subject of this yaw is seen: front, left, right or back; left means that it faces image left."""
    angle = degrees((yaw + pi) % (2 * pi) - pi)
    if abs(angle) < 45:
        return "front"
    if abs(angle) > 135:
        return "back"
    return "right" if angle > 0 else "left"
