"""Small projects of people's own labels, each in one layout and damaged in ways that occur.

Every one shows the same animal, a grey body with a coloured disc at each keypoint, at known places.
"""

import csv
import json
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from gensight.files.videos.writing import VideoWriter
from gensight.samples import Array, Size
from tests.readers.label_files import layouts

PARTS = ("nose", "left_ear", "right_ear", "tail")
COLOURS = {"nose": (40, 220, 40), "left_ear": (230, 30, 30), "right_ear": (40, 60, 240), "tail": (240, 220, 30)}
NUM, SIZE = 12, (96, 128)
Points = dict[str, tuple[float, float]]


def points(number: int, size: Size = SIZE, shift: float = 0.0) -> Points:
    """Where the keypoints of picture `number` are, in continuous pixels."""
    height, width = size
    unit = min(size) / 96
    angle = 0.5 * np.sin(number)
    centre = np.array(
        [width * (0.5 + 0.08 * np.cos(2.0 * number) + shift), height * (0.5 + 0.06 * np.sin(3.0 * number))]
    )
    ahead, aside = np.array([np.sin(angle), -np.cos(angle)]), np.array([np.cos(angle), np.sin(angle)])
    places = {"nose": 30 * ahead, "left_ear": 18 * ahead - 14 * aside, "right_ear": 18 * ahead + 14 * aside,
              "tail": -30 * ahead}  # fmt: skip
    return {name: (float(x), float(y)) for name, (x, y) in ((n, centre + unit * p) for n, p in places.items())}


def picture(subjects: Sequence[Points], size: Size = SIZE, seed: int = 0) -> Array:
    """uint8 RGB (height, width, 3): animals on noise."""
    image = np.random.default_rng(seed).integers(60, 90, (*size, 3), dtype=np.uint8)
    unit = min(size) / 96
    for one in subjects:
        nose, tail = (np.array(one[name]) for name in ("nose", "tail"))
        cv2.line(image, *[tuple(int(v) for v in end) for end in (nose, tail)], (150, 150, 150), max(1, int(20 * unit)))
        for name, (x, y) in one.items():
            cv2.circle(image, (int(x), int(y)), max(1, round(4 * unit)), COLOURS[name], -1)
    return image


def pictures(folder: Path, names: Iterable[str], size: Size = SIZE, first: int = 0) -> None:
    for number, name in enumerate(names, first):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture([points(number, size)], size, number)).save(path)


def clip(path: Path, num: int = 6, size: Size = SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 10) as writer:
        for number in range(num):
            writer.write(picture([points(number, size)], size, number))
    return path


def box_of(found: Points, margin: float = 6) -> tuple[float, float, float, float]:
    places = np.array(list(found.values()))
    return (*(places.min(0) - margin).tolist(), *(places.max(0) + margin).tolist())  # type: ignore[return-value]


def _write(path: Path, rows: Iterable[Sequence[object]], encoding: str = "utf-8", delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


# --- DeepLabCut


def _cells(found: Points, parts: Sequence[str], names: dict[str, str] | None = None) -> list[object]:
    of = names or {}
    return [
        "" if of.get(part, part) not in found else round(value - 0.5, 3)
        for part in parts
        for value in found.get(of.get(part, part), (0.5, 0.5))
    ]


def _header(parts: Sequence[str], individuals: Sequence[str] | None = None, pad: int = 0) -> list[list[str]]:
    columns = [(who, part, axis) for who in individuals or ("",) for part in parts for axis in "xy"]
    rows = [["scorer", *[""] * pad, *["Ana"] * len(columns)]]
    if individuals:
        rows.append(["individuals", *[""] * pad, *[who for who, _, _ in columns]])
    rows.append(["bodyparts", *[""] * pad, *[part for _, part, _ in columns]])
    rows.append(["coords", *[""] * pad, *[axis for _, _, axis in columns]])
    return rows


def deeplabcut_long(root: Path) -> None:
    """config.yaml broken by a Windows path in double quotes and a path folded over lines; rows of three systems; a
    keypoint that nobody labelled; an unlabelled first row."""
    (root / "config.yaml").write_text(
        "    # Project definitions (do not edit)\nTask: reach\nscorer: Ana\ndate: Mar4\nmultianimalproject: false\n"
        '\nproject_path: "C:\\Users\\ana\\new\\reach-Ana-2024-03-04"\n\nvideo_sets:\n'
        "  ? C:\\Users\\ana\\a very long folder of videos that goes on and on and on\\until the line is folded\\here\n"
        "    and continues.mp4\n  : crop: 0, 128, 0, 96\nbodyparts:\n- nose\n- left_ear\n- right_ear\n- tail\n- hip\n"
        "\nstart: 0\nstop: 1\nnumframes2pick: 20\nskeleton:\n- - nose\n  - tail\nskeleton_color: black\n"
    )
    parts = [*PARTS, "hip"]
    for video in range(2):
        folder = root / "labeled-data" / f"day{video}"
        names = [f"img{number:03d}.png" for number in range(NUM // 2 + 1)]
        pictures(folder, names, first=50 * video)
        styles = ["labeled-data/{v}/{n}", "labeled-data\\{v}\\{n}", "C:\\Users\\ana\\p\\labeled-data\\{v}\\{n}",
                  "/home/ana/p/labeled-data/{v}/{n}"]  # fmt: skip
        rows = [
            [
                styles[number % 4].format(v=folder.name, n=name),
                *_cells({} if number == 0 else points(50 * video + number), parts),
            ]
            for number, name in enumerate(names)
        ]
        _write(folder / "CollectedData_Ana.csv", [*_header(parts), *rows])
    clip(root / "videos" / "day0.mp4")


def deeplabcut_multi(root: Path) -> None:
    """Two animals in an image, a third that nobody labelled, and a unique corner of the cage."""
    (root / "config.yaml").write_text(
        "Task: pair\nscorer: Ana\nmultianimalproject: true\nidentity: false\nindividuals: [mouse1, mouse2, mouse3]\n"
        "uniquebodyparts: [corner]\nmultianimalbodyparts: [nose, left_ear, right_ear, tail]\nbodyparts: MULTI!\n"
        "skeleton: [[nose, tail]]\n"
    )
    folder, size = root / "labeled-data" / "pair", (96, 224)
    rows: list[list[object]] = []
    header = _header(PARTS, ["mouse1", "mouse2", "mouse3"])
    for row, more in zip(header, (["Ana"] * 2, ["single"] * 2, ["corner"] * 2, ["x", "y"]), strict=True):
        row += more
    folder.mkdir(parents=True)
    for number in range(NUM):
        pair = [points(number, size, shift) for shift in (-0.25, 0.25)]
        Image.fromarray(picture(pair, size, number)).save(folder / f"img{number:02d}.png")
        rows.append([f"labeled-data/pair/img{number:02d}.png", *_cells(pair[0], PARTS), *_cells(pair[1], PARTS),
                     *_cells({}, PARTS), 3.5, 3.5])  # fmt: skip
    _write(folder / "CollectedData_Ana.csv", [*header, *rows])


def deeplabcut_bare(root: Path) -> None:
    """No config.yaml; index in three columns; folder and files that differ in case, suffix and normal form."""
    for first, video in ((0, "Tür"), (50, "Tag")):
        folder = root / "labeled-data" / unicodedata.normalize("NFD", video)
        pictures(folder, [f"Img{number:02d}.PNG" for number in range(NUM // 2)], first=first)
        rows = [
            ["labeled-data", unicodedata.normalize("NFC", video).lower(), f"img{number:02d}.png",
             *_cells(points(first + number), PARTS)]
            for number in range(NUM // 2)
        ]  # fmt: skip
        _write(folder / "CollectedData_Ana.csv", [*_header(PARTS, pad=2), *rows])


def deeplabcut_h5(root: Path) -> None:
    """Semicolons and decimal commas, as Excel of half of Europe saves, and an h5 that can't be read beside it."""
    (root / "config.yaml").write_text("Task: t\nscorer: Anna\nbodyparts: [nose, left_ear, right_ear, tail]\n")
    folder = root / "labeled-data" / "v"
    names = [f"img{number:02d}.png" for number in range(NUM)]
    pictures(folder, names)
    rows = [[f"labeled-data/v/{name}", *[str(cell).replace(".", ",") for cell in _cells(points(number), PARTS)]]
            for number, name in enumerate(names)]  # fmt: skip
    _write(folder / "CollectedData_Ana.csv", [*_header(PARTS), *rows], "utf-8-sig", ";")
    (folder / "CollectedData_Ana.h5").write_bytes(b"no h5")


def lightning_pose(root: Path) -> None:
    """Tables at the root, one of new videos, and a row of index names."""
    for table, videos in (("CollectedData.csv", ("a", "b")), ("CollectedData_new.csv", ("c",))):
        rows: list[list[object]] = []
        for video in videos:
            names, first = [f"labeled-data/{video}/img{number:08d}.png" for number in range(NUM // 2)], 50 * ord(video)
            pictures(root, names, first=first)
            rows += [[name, *_cells(points(number), PARTS)] for number, name in enumerate(names, first)]
        _write(root / table, [*_header(PARTS), *rows])
    clip(root / "videos" / "c.mp4")


# --- COCO


def _coco(
    root: Path,
    category: dict[str, Any],
    annotation: Callable[[int, Points, tuple[float, ...]], dict[str, Any]],
    image: Callable[[dict[str, Any]], dict[str, Any]] = lambda one: one,
    name: str = "annotations.json",
) -> None:
    names = [f"{number:03d}.jpg" for number in range(NUM)]
    pictures(root / "images", names)
    height, width = SIZE
    images = [
        image({"id": number, "file_name": name, "height": height, "width": width}) for number, name in enumerate(names)
    ]
    annotations = []
    for number in range(NUM):
        x0, y0, x1, y1 = box_of(points(number))
        one = {"id": number + 1, "image_id": number, "category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0],
               "area": (x1 - x0) * (y1 - y0), "iscrowd": 0}  # fmt: skip
        annotations.append(one | annotation(number, points(number), (x0, y0, x1, y1)))
    value = {"images": images, "annotations": annotations, "categories": [{"id": 1, **category}]}
    (root / name).write_text(json.dumps(value))


def _triples(found: Points) -> list[float]:
    return [value for x, y in found.values() for value in (round(x - 0.5, 2), round(y - 0.5, 2), 2)]


def coco_wild(root: Path) -> None:
    """Ids as text and whole floats, flags that are null, no sizes, segmentations of three kinds, odd limbs."""
    height, width = SIZE

    def segmentation(number: int, box: tuple[float, ...]) -> Any:
        x0, y0, x1, y1 = (int(value) for value in box)
        outline = [x0, y0, x1, y0, x1, y1, x0, y1]
        if number % 3 == 0:
            return outline
        if number % 3 == 1:
            return [outline]
        runs = [height * x0 + y0, y1 - y0]
        for _ in range(x1 - x0 - 1):
            runs += [height - (y1 - y0), y1 - y0]
        return {"counts": [*runs, height * width - sum(runs)], "size": [height, width]}

    _coco(
        root,
        {"name": "mouse", "keypoints": list(PARTS), "skeleton": [[1, 4], [0, 2], [9, 1], [2], "x"]},
        lambda number, found, box: {
            "id": float(number + 1), "image_id": str(number), "category_id": "1",
            "iscrowd": [None, 0.0, False][number % 3],
            "keypoints": _triples(found), "num_keypoints": None, "segmentation": segmentation(number, box),
        },
        lambda one: {"id": float(one["id"]), "file_name": one["file_name"]},
    )  # fmt: skip


def coco_nameless(root: Path) -> None:
    """A category without keypoint names."""
    _coco(root, {"name": "mouse"}, lambda number, found, box: {"keypoints": _triples(found)})


def coco_boxes(root: Path) -> None:
    _coco(root, {"name": "mouse"}, lambda number, found, box: {})


def coco_masks(root: Path) -> None:
    _coco(
        root, {"name": "mouse", "keypoints": [], "skeleton": []},
        lambda number, found, box: {"segmentation": [[box[0], box[1], box[2], box[1], box[2], box[3]]]},
    )  # fmt: skip


def photographs(root: Path) -> None:
    """Photographs on their side, with an EXIF orientation; labels are of the upright image."""
    _coco(
        root,
        {"name": "mouse", "keypoints": list(PARTS), "skeleton": [[1, 4]]},
        lambda number, found, box: {"keypoints": _triples(found)},
    )
    for number in range(NUM):
        upright = Image.fromarray(picture([points(number)], SIZE, number))
        exif = Image.Exif()
        exif[0x0112] = 6
        upright.transpose(Image.Transpose.ROTATE_90).save(root / "images" / f"{number:03d}.jpg", exif=exif, quality=95)


# --- others


def _yolo(root: Path, line: Callable[[int], list[float]], head: str) -> None:
    for number in range(NUM):
        part = "train" if number < NUM - 3 else "val"
        (root / part / "labels").mkdir(parents=True, exist_ok=True)
        (root / part / "images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture([points(number)], SIZE, number)).save(root / part / "images" / f"{number:03d}.jpg")
        words = " ".join(f"{value:.6f}" for value in line(number))
        (root / part / "labels" / f"{number:03d}.txt").write_text(f"0 {words}\n")
    (root / "data.yaml").write_text(f"train: ../train/images\nval: ../val/images\nnc: 1\nnames: ['mouse']\n{head}")


def _yolo_box(number: int) -> list[float]:
    x0, y0, x1, y1 = box_of(points(number))
    height, width = SIZE
    return [(x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height]


def yolo_pose(root: Path) -> None:
    """As Roboflow exports: paths from another folder, no names of keypoints."""
    height, width = SIZE
    _yolo(
        root,
        lambda number: [*_yolo_box(number),
                        *(value for x, y in points(number).values() for value in (x / width, y / height, 2))],
        "kpt_shape: [4, 3]\nflip_idx: [0, 2, 1, 3]\n",
    )  # fmt: skip


def yolo_boxes(root: Path) -> None:
    _yolo(root, _yolo_box, "")


def points_csv(root: Path) -> None:
    """A wide table with an odd name, umlauts and a cell that is empty."""
    names = [f"Bild {number:02d}.png" for number in range(NUM)]
    pictures(root / "Bilder", names)
    rows: list[list[object]] = [["image", *(f"{part}_{axis}" for part in ("Nase", "Ohr links", "Ohr rechts", "Rücken")
                                            for axis in "xy")]]  # fmt: skip
    for number, name in enumerate(names):
        cells = _cells(points(number), PARTS)
        rows.append([name, *(["", "", *cells[2:]] if number == 3 else cells)])
    _write(root / "Punkte.csv", rows, "utf-8")


def face_points(number: int) -> Array:
    """(68, 2): on an oval; their names are iBUG's."""
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    return np.stack([64 + number + 30 * np.cos(angles), 48 + 30 * np.sin(angles)], 1)


def faces(root: Path) -> None:
    """68 points beside each image."""
    pictures(root, [f"face{number:02d}.png" for number in range(NUM)])
    for number in range(NUM):
        lines = "\n".join(f"{x + 0.5:.3f} {y + 0.5:.3f}" for x, y in face_points(number))
        (root / f"face{number:02d}.pts").write_text(f"version: 1\nn_points:  68\n{{\n{lines}\n}}\n")


def faces_few(root: Path) -> None:
    """.pts files of five points, whose names no file states."""
    pictures(root, [f"face{number:02d}.png" for number in range(NUM)])
    for number in range(NUM):
        lines = "\n".join(f"{x + 0.5:.3f} {y + 0.5:.3f}" for x, y in points(number).values())
        (root / f"face{number:02d}.pts").write_text(f"version: 1\nn_points: 4\n{{\n{lines}\n}}\n")


def strips(root: Path) -> None:
    """Frames of a recording in a row."""
    root.mkdir(exist_ok=True)
    for number in range(3):
        frames = [picture([points(10 * number + k)], SIZE, k) for k in range(12)]
        Image.fromarray(np.concatenate(frames, 1)).save(root / f"strip{number}.png")


def wide(root: Path) -> None:
    """Images 13 times as wide as high, with labels: no strips of frames, and not to be squashed into a square."""
    size = (64, 832)
    names = [f"track{number:02d}.png" for number in range(NUM)]
    pictures(root / "images", names, size)
    rows = [["image", *(f"{part}_{axis}" for part in PARTS for axis in "xy")]]
    rows += [[name, *_cells(points(number, size), PARTS)] for number, name in enumerate(names)]  # type: ignore[list-item]
    _write(root / "points.csv", rows)


def tiff_stack(root: Path) -> None:
    """One TIFF of many pages, and a table that names it with the page."""
    root.mkdir(exist_ok=True)
    pages = [Image.fromarray(picture([points(number)], SIZE, number)) for number in range(NUM)]
    pages[0].save(root / "stack.tif", save_all=True, append_images=pages[1:])
    rows: list[list[object]] = [["image", *(f"{part}_{axis}" for part in PARTS for axis in "xy")]]
    rows.append(["stack.tif", *_cells(points(0), PARTS)])
    _write(root / "points.csv", rows)


def tiff_pages(root: Path) -> None:
    """One TIFF of many pages, and a table with a column of pages."""
    tiff_stack(root)
    rows: list[list[object]] = [["image", "frame", *(f"{part}_{axis}" for part in PARTS for axis in "xy")]]
    _write(root / "points.csv", [*rows, *(["stack.tif", page, *_cells(points(page), PARTS)] for page in range(NUM))])


def photographs_stored(root: Path) -> None:
    """As `photographs`, but with labels and sizes of the image as stored, which viewers without EXIF show."""
    photographs(root)
    path = root / "annotations.json"
    value = json.loads(path.read_text())
    height, width = SIZE
    for image in value["images"]:
        image |= {"height": width, "width": height}
    for one in value["annotations"]:
        x, y, w, h = one["bbox"]
        one["bbox"] = [y, width - x - w, h, w]
        flat = one["keypoints"]
        one["keypoints"] = [n for k in range(0, len(flat), 3) for n in (flat[k + 1], width - 1 - flat[k], flat[k + 2])]
    path.write_text(json.dumps(value))


def latin_csv(root: Path) -> None:
    """A table in the encoding of an old Excel."""
    points_csv(root)
    path = root / "Punkte.csv"
    path.write_bytes(path.read_text().encode("cp1252"))


def from_layout(name: str) -> Callable[[Path], None]:
    return lambda root: layouts.LAYOUTS[name][0](root)


@dataclass(frozen=True)
class Project:
    """How a project is made, and the image and the video in it that `predict` is given."""

    make: Callable[[Path], None]
    image: str = ""
    video: str = ""


PROJECTS: dict[str, Project] = {
    "dlc_long": Project(deeplabcut_long, "labeled-data/day1/img004.png", "videos/day0.mp4"),
    "dlc_multi": Project(deeplabcut_multi, "labeled-data/pair/img03.png"),
    "dlc_bare": Project(deeplabcut_bare),
    "dlc_excel": Project(deeplabcut_h5, "labeled-data/v/img03.png"),
    "lightning_pose": Project(lightning_pose, "labeled-data/c/img00000003.png", "videos/c.mp4"),
    "coco_wild": Project(coco_wild, "images/003.jpg"),
    "coco_nameless": Project(coco_nameless, "images/003.jpg"),
    "coco_boxes": Project(coco_boxes, "images/003.jpg"),
    "coco_masks": Project(coco_masks, "images/003.jpg"),
    "photographs": Project(photographs, "images/003.jpg"),
    "yolo_pose": Project(yolo_pose, "val/images/010.jpg"),
    "yolo_boxes": Project(yolo_boxes, "val/images/010.jpg"),
    "points_csv": Project(points_csv, "Bilder/Bild 03.png"),
    "faces": Project(faces, "face03.png"),
    "faces_few": Project(faces_few, "face03.png"),
    "strips": Project(strips, "strip0.png"),
    "wide": Project(wide, "images/track03.png"),
    "tiff_stack": Project(tiff_stack, "stack.tif"),
    "tiff_pages": Project(tiff_pages, "stack.tif"),
    "photographs_stored": Project(photographs_stored, "images/003.jpg"),
    "latin_csv": Project(latin_csv),
} | {
    name: Project(from_layout(name), image, video)
    for name, image, video in (
        ("sleap_project", "", "mouse.mp4"), ("sleap_package", "", ""), ("sleap_analysis", "", "mouse.mp4"),
        ("sleap_csv", "", "mouse.mp4"), ("label_studio", "images/003.png", ""), ("cvat_images", "data/003.png", ""),
        ("cvat_video", "", "mouse.mp4"), ("labelme", "003.png", ""), ("via_project", "frames/003.png", ""),
    )
}  # fmt: skip


def make(name: str, root: Path) -> Project:
    root.mkdir(parents=True, exist_ok=True)
    PROJECTS[name].make(root)
    return PROJECTS[name]
