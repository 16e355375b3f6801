"""Projects of ten images in the layouts in which people have them, each with the same mouse."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gensight.files.videos.writing import VideoWriter
from gensight.samples import Array

NUM, HEIGHT, WIDTH = 10, 96, 128
PARTS = ("nose", "l_ear", "tail")


def points(number: int) -> dict[str, tuple[float, float]]:
    """Where the mouse's keypoints are, in the project's continuous pixels."""
    return {"nose": (30.5 + number, 20.5), "l_ear": (36.5, 28.5), "tail": (90.5, 70.5 - number)}


def box(number: int) -> tuple[float, float, float, float]:
    return 20.0, 10.0, 100.0, 80.0


def picture(number: int) -> Array:
    """uint8 (HEIGHT, WIDTH, 3): the mouse's keypoints as bright squares on noise."""
    pixels = np.random.default_rng(number).integers(0, 99, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    for channel, (x, y) in enumerate(points(number).values()):
        pixels[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4, channel] = 255
    return pixels


def pictures(folder: Path, name: str = "{:03d}.png") -> list[str]:
    """Ten images that differ; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(NUM):
        Image.fromarray(picture(number)).save(folder / name.format(number))
    return [name.format(number) for number in range(NUM)]


def clip(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 10) as writer:
        for number in range(NUM + 2):
            writer.write(picture(number))
    return path


def labelme(root: Path) -> None:
    for number, name in enumerate(pictures(root)):
        shapes: list[dict[str, Any]] = [
            {"label": part, "points": [list(point)], "shape_type": "point", "group_id": 1, "flags": {}}
            for part, point in points(number).items()
        ]
        x0, y0, x1, y1 = box(number)
        shapes.append({"label": "mouse", "points": [[x1, y1], [x0, y0]], "shape_type": "rectangle", "group_id": 1})
        value = {"version": "5.0", "flags": {}, "shapes": shapes, "imagePath": f"..\\{root.name}\\{name}",
                 "imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH}  # fmt: skip
        (root / name).with_suffix(".json").write_text(json.dumps(value))


def _via_regions(number: int) -> list[tuple[dict[str, Any], dict[str, str]]]:
    x0, y0, x1, y1 = box(number)
    found = [({"name": "point", "cx": x, "cy": y}, {"name": part}) for part, (x, y) in points(number).items()]
    return [*found, ({"name": "rect", "x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}, {"name": "mouse"})]


def via_project(root: Path) -> None:
    entries = {
        f"{name}1234": {
            "filename": name, "size": 1234, "file_attributes": {},
            "regions": [{"shape_attributes": s, "region_attributes": a} for s, a in _via_regions(number)],
        }
        for number, name in enumerate(pictures(root / "frames"))
    }  # fmt: skip
    value = {"_via_settings": {}, "_via_img_metadata": entries, "_via_attributes": {"region": {"name": {}}, "file": {}}}
    (root / "via_project.json").write_text(json.dumps(value))


def via_csv(root: Path) -> None:
    head = ["filename", "file_size", "file_attributes", "region_count", "region_id", "region_shape_attributes",
            "region_attributes"]  # fmt: skip
    with (pictures_root := root / "via_export.csv").parent.joinpath(pictures_root.name).open("w") as file:
        rows = csv.writer(file)
        rows.writerow(head)
        for number, name in enumerate(pictures(root)):
            for place, (shape, attributes) in enumerate(_via_regions(number)):
                rows.writerow([name, 1, "{}", 4, place, json.dumps(shape), json.dumps(attributes)])


def _studio(number: int, kind: str, x: float, y: float, label: str, **more: float) -> dict[str, Any]:
    value = {"x": 100 * x / WIDTH, "y": 100 * y / HEIGHT, **more, kind: [label]}
    return {"id": f"r{label}", "type": kind, "original_width": WIDTH, "original_height": HEIGHT, "value": value}


def _studio_results(number: int) -> list[dict[str, Any]]:
    x0, y0, x1, y1 = box(number)
    results = [_studio(number, "keypointlabels", x, y, part, width=0.4) for part, (x, y) in points(number).items()]
    sides = {"width": 100 * (x1 - x0) / WIDTH, "height": 100 * (y1 - y0) / HEIGHT, "rotation": 0}
    return [*results, _studio(number, "rectanglelabels", x0, y0, "mouse", **sides)]


def label_studio(root: Path) -> None:
    tasks = [
        {"id": number, "data": {"img": f"/data/upload/3/0a1b2c3d-{name}"},
         "annotations": [{"id": 5, "was_cancelled": False, "result": _studio_results(number)}]}
        for number, name in enumerate(pictures(root / "images"))
    ]  # fmt: skip
    (root / "project-1-at-2024.json").write_text(json.dumps(tasks))


def label_studio_min(root: Path) -> None:
    tasks = []
    for number, name in enumerate(pictures(root / "images")):
        flat = [{**one["value"], "original_width": WIDTH, "original_height": HEIGHT} for one in _studio_results(number)]
        tasks.append({"img": f"/data/local-files/?d=lab%20data/images/{name}", "id": number, "kp": flat[:-1],
                      "box": flat[-1:], "annotator": 1, "annotation_id": 5})  # fmt: skip
    (root / "min.json").write_text(json.dumps(tasks))


def cvat_images(root: Path) -> None:
    lines = ["<?xml version='1.0' encoding='utf-8'?>", "<annotations>", "<version>1.1</version>", "<meta/>"]
    for number, name in enumerate(pictures(root / "data")):
        lines.append(f'<image id="{number}" name="{name}" width="{WIDTH}" height="{HEIGHT}">')
        lines.append('<skeleton label="mouse" source="manual" z_order="0">')
        for part, (x, y) in points(number).items():
            lines.append(f'<points label="{part}" outside="0" occluded="0" points="{x:.2f},{y:.2f}"></points>')
        lines.append("</skeleton></image>")
    (root / "annotations.xml").write_text("\n".join([*lines, "</annotations>"]))


def cvat_video(root: Path) -> None:
    clip(root / "mouse.mp4")
    lines = ["<annotations>", "<meta><task><source>mouse.mp4</source></task></meta>"]
    lines.append('<track id="7" label="mouse" source="manual">')
    for number in range(NUM):
        lines.append(f'<skeleton frame="{number}" keyframe="1">')
        for part, (x, y) in points(number).items():
            lines.append(f'<points label="{part}" outside="0" occluded="0" points="{x:.2f},{y:.2f}"></points>')
        lines.append("</skeleton>")
    (root / "annotations.xml").write_text("\n".join([*lines, "</track>", "</annotations>"]))


def _yolo(root: Path, line: Callable[[int], list[float]], head: str | None) -> None:
    for part, numbers in (("train", range(8)), ("val", range(8, NUM))):
        folder = root / "images" / part
        pictures(folder)
        (root / "labels" / part).mkdir(parents=True)
        for number in range(NUM):
            if number not in numbers:
                (folder / f"{number:03d}.png").unlink()
                continue
            words = " ".join(f"{value:.6f}" for value in line(number))
            (root / "labels" / part / f"{number:03d}.txt").write_text(f"0 {words}\n")
    if head is not None:
        (root / "data.yaml").write_text(f"path: .\ntrain: images/train\nval: images/val\nnames: {{0: mouse}}\n{head}")


def _yolo_box(number: int) -> list[float]:
    x0, y0, x1, y1 = box(number)
    return [(x0 + x1) / 2 / WIDTH, (y0 + y1) / 2 / HEIGHT, (x1 - x0) / WIDTH, (y1 - y0) / HEIGHT]


def _yolo_pose(number: int) -> list[float]:
    triples = [value for x, y in points(number).values() for value in (x / WIDTH, y / HEIGHT, 2)]
    return [*_yolo_box(number), *triples]


def yolo_pose(root: Path) -> None:
    _yolo(root, _yolo_pose, "kpt_shape: [3, 3]\nkpt_names: {0: [nose, l_ear, tail]}\nflip_idx: [0, 1, 2]\n")


def yolo_pose_bare(root: Path) -> None:
    _yolo(root, _yolo_pose, None)


def yolo_boxes(root: Path) -> None:
    _yolo(root, _yolo_box, "")


def yolo_outlines(root: Path) -> None:
    x0, y0, x1, y1 = (value / side for value, side in zip(box(0), (WIDTH, HEIGHT) * 2, strict=True))
    _yolo(root, lambda number: [x0, y0, x1, y0, x1, y1, x0, y1], "")


def csv_long(root: Path) -> None:
    with (root / "points.csv").open("w") as file:
        rows = csv.writer(file, delimiter=";")
        rows.writerow(["Image", "Keypoint", "X", "Y"])
        for number, name in enumerate(pictures(root)):
            for part, (x, y) in points(number).items():
                rows.writerow([name, part, str(x - 0.5).replace(".", ","), str(y - 0.5).replace(".", ",")])


def csv_wide(root: Path) -> None:
    with (root / "points.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["file", *(f"{part}_{axis}" for part in PARTS for axis in "xy")])
        for number, name in enumerate(pictures(root / "images")):
            rows.writerow([name, *(value - 0.5 for point in points(number).values() for value in point)])


def csv_pages(root: Path) -> None:
    """A TIFF of ten pages, and a column of pages beside the file's."""
    pages = [Image.fromarray(picture(number)) for number in range(NUM)]
    pages[0].save(root / "stack.tif", save_all=True, append_images=pages[1:])
    with (root / "points.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "page", *(f"{part}_{axis}" for part in PARTS for axis in "xy")])
        for number in range(NUM):
            rows.writerow(["stack.tif", number, *(v - 0.5 for point in points(number).values() for v in point)])


def pts(root: Path) -> None:
    for number, name in enumerate(pictures(root)):
        lines = "\n".join(f"{x + 0.5:.3f} {y + 0.5:.3f}" for x, y in points(number).values())
        (root / name).with_suffix(".pts").write_text(f"version: 1\nn_points: 3\n{{\n{lines}\n}}\n")


def _sleap(video: Any) -> Any:
    import sleap_io

    skeleton = sleap_io.Skeleton(list(PARTS), edges=[("nose", "tail")], name="mouse")
    frames = [
        sleap_io.LabeledFrame(video=video, frame_idx=number, instances=[
            sleap_io.Instance.from_numpy(np.array(list(points(number).values())) - 0.5, skeleton=skeleton)
        ])
        for number in range(NUM)
    ]  # fmt: skip
    return sleap_io.Labels(frames)


def sleap_project(root: Path) -> None:
    import sleap_io

    labels = _sleap(sleap_io.Video.from_filename(str(clip(root / "mouse.mp4"))))
    sleap_io.save_slp(labels, str(root / "labels.v001.slp"), embed=False, verbose=False)


def sleap_package(root: Path) -> None:
    import sleap_io

    labels = _sleap(sleap_io.Video.from_filename(str(clip(root / "mouse.mp4"))))
    sleap_io.save_slp(labels, str(root / "labels.pkg.slp"), embed=True, verbose=False)
    (root / "mouse.mp4").unlink()


def sleap_analysis(root: Path) -> None:
    import sleap_io

    labels = _sleap(sleap_io.Video.from_filename(str(clip(root / "mouse.mp4"))))
    sleap_io.save_analysis_h5(labels, str(root / "mouse.analysis.h5"))


def sleap_csv(root: Path) -> None:
    clip(root / "mouse.mp4")
    with (root / "mouse.analysis.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["track", "frame_idx", "instance.score",
                       *(f"{part}.{of}" for part in PARTS for of in ("x", "y", "score"))])  # fmt: skip
        for number in range(NUM):
            cells = [value for x, y in points(number).values() for value in (x - 0.5, y - 0.5, 1.0)]
            rows.writerow(["", number, 1.0, *cells])


# Name -> how it is written, the format that reads it, whether it has keypoints of these names.
LAYOUTS: dict[str, tuple[Callable[[Path], None], str, tuple[str, ...]]] = {
    "labelme": (labelme, "labelme", PARTS),
    "via_project": (via_project, "via", PARTS),
    "via_csv": (via_csv, "via", PARTS),
    "label_studio": (label_studio, "label-studio", PARTS),
    "label_studio_min": (label_studio_min, "label-studio", PARTS),
    "cvat_images": (cvat_images, "cvat", PARTS),
    "cvat_video": (cvat_video, "cvat", PARTS),
    "yolo_pose": (yolo_pose, "yolo", PARTS),
    "yolo_pose_bare": (yolo_pose_bare, "yolo", ("keypoint_1", "keypoint_2", "keypoint_3")),
    "yolo_boxes": (yolo_boxes, "yolo", ()),
    "yolo_outlines": (yolo_outlines, "yolo", ()),
    "csv_long": (csv_long, "points-csv", PARTS),
    "csv_wide": (csv_wide, "points-csv", PARTS),
    "csv_pages": (csv_pages, "points-csv", PARTS),
    "pts": (pts, "pts", ("keypoint_1", "keypoint_2", "keypoint_3")),
    "sleap_project": (sleap_project, "sleap", PARTS),
    "sleap_package": (sleap_package, "sleap", PARTS),
    "sleap_analysis": (sleap_analysis, "sleap", PARTS),
    "sleap_csv": (sleap_csv, "sleap", PARTS),
}


def make(name: str, root: Path) -> Path:
    """A project in one of the layouts."""
    root.mkdir(parents=True, exist_ok=True)
    LAYOUTS[name][0](root)
    return root
