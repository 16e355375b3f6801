"""A scene: subjects and objects, their places, motion and gaze, in metres and independent of the image size.

`staging.draw_scene` generates a description from a seed; `Scene.at` gives what is visible at a moment.
"""

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


@dataclass(frozen=True)
class Subject:
    """A person or an animal and where it is.

    Attributes:
        person, pose: Of a person; None for an animal.
        animal: Or None.
        x, z: Place on the ground, metres.
        yaw: Facing direction, radians: 0 towards the camera, pi / 2 towards image right.
        turn: Radians per second.
        seat: Height of what it sits on, or 0.
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
    def skeleton(self) -> Skeleton:
        return OPENPOSE_18 if self.animal is None else ANIMAL_17

    @property
    def height(self) -> Number:
        """Metres, about."""
        if self.person is not None and self.pose is not None:
            return self.person.height * {"sitting": 0.76, "kneeling": 0.76, "jumping": 1.1}.get(self.pose.stance, 1.0)
        assert self.animal is not None
        return self.animal.height * (1.3 if self.animal.stance != "lying" else 0.8)

    def placed(self, time: Number) -> tuple[Array, Array]:
        """Position (3,) and axes (3, 3) in the world at a time."""
        yaw = self.yaw + self.turn * time
        speed = 0.0
        if self.pose is not None and self.pose.stance == "walking":
            speed = 0.5
        elif self.animal is not None and self.animal.stance == "walking":
            speed = 0.3
        forward = (sin(yaw), -cos(yaw))
        return np.array([self.x + forward[0] * speed * time, 0.0, self.z + forward[1] * speed * time]), turned(yaw)


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
        keypoints: For each subject: float64 (K, 3) world places, (K, 3) outward normals (NaN: none), bool (K,) covered.
        heads: For each subject: a person's (head centre and eye middle in the world, half head height), or None.
        targets: For each subject: world place that it looks at, or None.
    """

    entities: list[Entity]
    camera: Camera
    keypoints: list[tuple[Array, Array, Array]]
    heads: list[tuple[Array, Array, Number] | None]
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
        entities, keypoints = [self.place.entity, *self.objects], []
        heads: list[tuple[Array, Array, Number] | None] = []
        targets: list[Array | None] = []
        for subject, body in zip(self.subjects, bodies, strict=True):
            if subject.person is None:
                shapes, points = _animal(subject, body, camera)
                heads.append(None)
                targets.append(None)
            else:
                target = self._target(subject, bodies)
                shapes, points, head = _person(subject, subject.person, body, camera, target)
                heads.append(head)
                targets.append(target)
            entities.append(Entity(subject.category, shapes, tuple(body.position.tolist()), body.axes))
            keypoints.append(points)
        return Moment(entities, camera, keypoints, heads, targets)

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
    if subject.person is not None and subject.pose is not None:
        joints = person_joints(subject.person, subject.pose, time)
        return Body(joints, None, position, axes, np.array(joints["head"]) @ axes + position)
    assert subject.animal is not None
    joints, head = animal_joints(subject.animal, time)
    return Body(joints, head, position, axes, np.array(head.centre) @ axes + position)


def _view(place: Vector, body: Body, camera: Camera) -> Vector:
    """Unit vector in the body's frame from a place on it to the camera."""
    towards = body.axes @ (camera.position - body.position) - place
    x, y, z = (towards / np.linalg.norm(towards)).tolist()
    return x, y, z


def _animal(subject: Subject, body: Body, camera: Camera) -> tuple[list[Shape], tuple[Array, Array, Array]]:
    animal, head = subject.animal, body.head
    assert animal is not None
    assert head is not None
    shapes = animal_shapes(animal, body.joints, head, _view(head.centre, body, camera))
    left, up, _ = (body.axes @ (camera.position - body.head_centre)).tolist()
    for shape in shapes:
        if shape.name in ("trunk", "neck"):  # the paint of a lying cylinder, seen from its left, its right or above
            shape.slide = -atan2(left, up) * animal.trunk * animal.height
    found = animal_keypoints(animal, body.joints, head)
    rows = [found[name] for name in ANIMAL_17.keypoints]
    points = np.array([row[0] for row in rows])
    normals = np.array([row[1] or (np.nan,) * 3 for row in rows])
    return shapes, (points @ body.axes + body.position, normals @ body.axes, np.zeros(len(rows), bool))


def _upright_slide(axes: Array, towards: Array, radius: Number) -> Number:
    """Metres by which the paint of an upright round body lies to the side, seen from `towards` (world vector)."""
    x, _, z = (axes @ towards).tolist()
    return -atan2(x, z) * radius


def _person(
    subject: Subject, person: Person, body: Body, camera: Camera, target: Array | None
) -> tuple[list[Shape], tuple[Array, Array, Array], tuple[Array, Array, Number]]:
    joints = body.joints
    centre, radius = joints["head"], 0.5 * person.head * person.height
    gaze = (0.0, 0.0, 1.0)
    if target is not None:
        towards = body.axes @ (target - body.position) - centre
        gx, gy, gz = (towards / np.linalg.norm(towards)).tolist()
        gaze = (gx, gy, gz)
    head = aimed(centre, radius, gaze)
    if target is not None:  # from the eyes rather than from the middle of the head
        towards = body.axes @ (target - body.position) - head.at(0.0, 0.1, 0.72)
        gx, gy, gz = (towards / np.linalg.norm(towards)).tolist()
        gaze = (gx, gy, gz)
    view = _view(centre, body, camera)
    shapes = body_shapes(person, joints, view) + head_shapes(person, head, view, gaze)
    towards = camera.position - body.head_centre
    head_axes = np.array([head.left, head.up, head.forward]) @ body.axes
    for shape in shapes:
        if shape.name in ("trunk", "pelvis", "skirt"):
            shape.slide = _upright_slide(body.axes, towards, 0.08 * person.height)
        elif shape.name == "skull":
            shape.slide = _upright_slide(head_axes, towards, 0.8 * radius)
    features = head_keypoints(person, head)
    points, normals, covered = [], [], []
    for name in OPENPOSE_18.keypoints:
        if name in features:
            place, normal, hidden = features[name]
            points.append(place)
            normals.append(normal)
            covered.append(hidden)
        else:
            points.append(joints[name])
            normals.append((np.nan,) * 3)
            covered.append(False)
    world = np.array(points) @ body.axes + body.position
    eyes = np.array(head.at(0.0, 0.1, 0.72)) @ body.axes + body.position
    return shapes, (world, np.array(normals) @ body.axes, np.array(covered)), (body.head_centre, eyes, radius)


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
