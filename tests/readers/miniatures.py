"""Small synthetic data sets in the exact layouts of large ones."""

from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from scipy.io import savemat

from gensight.files.images import write_image

SIZE = (24, 32)


def picture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (*size, 3)).astype(np.uint8)


def metres(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A slanted floor from 1 to about 4 m, whole millimetres."""
    rows = np.linspace(1, 4, size[0])[:, None] + 0.01 * seed + np.zeros(size)
    return np.round(rows, 3).astype(np.float32)


def save_grey16(path: Path, steps: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(steps.astype(np.uint16)).save(path)


def make_nyu_mat(root: Path) -> Path:
    """Four frames of three scenes; 1, 2 and 4 train, 3 tests; names `wall` and `night stand`."""
    root.mkdir(parents=True, exist_ok=True)
    path, num = root / "nyu_depth_v2_labeled.mat", 4
    with h5py.File(path, "w") as file:
        file["images"] = np.stack([picture(i).transpose(2, 1, 0) for i in range(num)])
        depths = np.stack([metres(i).T for i in range(num)])
        file["depths"] = depths
        raw = depths.copy()
        raw[:, :3] = 0
        file["rawDepths"] = raw
        labels = np.zeros((num, SIZE[1], SIZE[0]), np.uint16)
        labels[:, :10], labels[:, 20:, 5:] = 1, 2
        file["labels"] = labels
        for name, texts in (("names", ("wall", "night stand")),
                            ("scenes", ("kitchen_0004", "kitchen_0004", "bath_0001", "den_0002"))):  # fmt: skip
            for number, text in enumerate(texts):
                file[f"#refs#/{name}{number}"] = np.array([[ord(letter)] for letter in text], np.uint16)
            references = [[file[f"#refs#/{name}{number}"].ref for number in range(len(texts))]]
            file.create_dataset(name, data=np.array(references, dtype=object), dtype=h5py.ref_dtype)
    savemat(root / "splits.mat", {"trainNdxs": np.array([[1], [2], [4]]), "testNdxs": np.array([[3]])})
    return path


def make_nyu_raw(root: Path) -> Path:
    """Two training pairs of one room, one test pair, in the layout of BTS."""
    rows = {"train": ("kitchen_0004a/{}00001", "kitchen_0004b/{}00007"), "test": ("bathroom/{}00045",)}
    for part, stems in rows.items():
        lines = []
        for number, stem in enumerate(stems):
            colour, depth = f"{stem.format('rgb_')}.jpg", f"{stem.format('sync_depth_')}.png"
            write_image(root / colour, picture(number))
            save_grey16(root / depth, metres(number) * 1000)
            slash = "/" if part == "train" else ""
            lines.append(f"{slash}{colour} {slash}{depth} 518.8579\n")
        (root / f"nyu_{part}.txt").write_text("".join(lines))
    return root


def make_sunrgbd(root: Path) -> Path:
    """Two training scenes, and test scenes of NYUv2 and of a SUN3D recording."""
    scenes = {
        "kv1/b3dodata/img_0001": "office", "kv2/kinect2data/000002": "home_office",
        "kv1/NYUdata/NYU0001": "kitchen", "xtion/sun3ddata/mit/lab_1/0000007": "lab",
    }  # fmt: skip
    for number, (folder, kind) in enumerate(scenes.items()):
        base = root / "SUNRGBD" / folder
        write_image(base / "image" / "a.jpg", picture(number))
        steps = (metres(number) * 1000).round().astype(np.uint16)
        if number == 3:
            steps[0, 0], steps[0, 1] = 0, 9500
        for name in ("depth", "depth_bfx"):
            save_grey16(base / name / "a.png", (steps << np.uint16(3)) | (steps >> np.uint16(13)))
        (base / "scene.txt").write_text(kind)
    paths = np.array([f"/n/fs/sun3d/data/SUNRGBD/{folder}/" for folder in scenes], dtype=object)
    split = root / "SUNRGBDtoolbox" / "traintestSUNRGBD" / "allsplit.mat"
    split.parent.mkdir(parents=True)
    savemat(split, {"alltrain": paths[None, :2], "alltest": paths[None, 2:]})
    return root


def make_scene_parsing(root: Path) -> Path:
    """Two training images and one for validation, three classes."""
    for part, names in (("training", ("ADE_train_00000001", "ADE_train_00000002")),
                        ("validation", ("ADE_val_00000001",))):  # fmt: skip
        for number, name in enumerate(names):
            write_image(root / "images" / part / f"{name}.jpg", picture(number))
            classes = np.zeros(SIZE, np.uint8)
            classes[:8], classes[10:, 4:20], classes[12:, 20 + 4 * number :] = 1, 2, 3
            path = root / "annotations" / part / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(classes).save(path)
    rows = ("Idx\tRatio\tTrain\tVal\tStuff\tName", "1\t0.1576\t11664\t1172\t1\twall",
            "2\t0.1072\t6046\t612\t1\tbuilding, edifice", "3\t0.02\t10\t1\t0\tperson, individual, soul")  # fmt: skip
    (root / "objectInfo150.txt").write_text("\n".join(rows) + "\n")
    (root / "sceneCategories.txt").write_text(
        "ADE_train_00000001 airport_terminal\nADE_train_00000002 street\nADE_val_00000001 street\n"
    )
    return root


def make_pets(root: Path) -> Path:
    """Two cats and two dogs of three breeds to train on, a cat and a dog to test."""
    rows = {
        "trainval": ("Abyssinian_1 1 1 1", "Abyssinian_2 1 1 1", "american_bulldog_7 2 2 1", "beagle_3 3 2 2"),
        "test": ("Abyssinian_9 1 1 1", "beagle_4 3 2 2"),
    }
    for part, lines in rows.items():
        for number, line in enumerate(lines):
            name = line.split()[0]
            write_image(root / "images" / f"{name}.jpg", picture(number))
            trimap = np.full(SIZE, 2, np.uint8)
            trimap[5:20, 6 + number : 22] = 3
            trimap[7:18, 8 + number : 20] = 1
            path = root / "annotations" / "trimaps" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(trimap).save(path)
            if part == "trainval":
                kind = "cat" if line.split()[2] == "1" else "dog"
                head = root / "annotations" / "xmls" / f"{name}.xml"
                head.parent.mkdir(parents=True, exist_ok=True)
                head.write_text(
                    "<annotation><size><width>32</width><height>24</height></size><object>"
                    f"<name>{kind}</name><bndbox><xmin>9</xmin><ymin>8</ymin><xmax>15</xmax><ymax>13</ymax></bndbox>"
                    "</object></annotation>"
                )
        (root / "annotations" / f"{part}.txt").write_text("\n".join(lines) + "\n")
    (root / "annotations" / "list.txt").write_text("#Image CLASS-ID SPECIES BREED ID\n" + "\n".join(rows["trainval"]))
    return root


def make_image_folders(root: Path) -> Path:
    """ImageNet's folders: two classes, two training images each, one for validation."""
    for number, folder in enumerate(("n01440764", "n02123045")):
        for part, names in (("train", ("a.JPEG", "b.JPEG")), ("val", ("c.JPEG",))):
            for name in names:
                write_image(root / part / folder / name.replace("JPEG", "jpg"), picture(number))
                (root / part / folder / name.replace("JPEG", "jpg")).rename(root / part / folder / name)
    (root / "LOC_synset_mapping.txt").write_text("n01440764 tench, Tinca tinca\nn02123045 tabby, tabby cat\n")
    return root
