"""Readers: where data comes from. One file per on-disk format, each a lazy sequence of Samples.

- `base`: `Reader`, what every reader is; `Summary` and `Finding`, what `datasets check` prints.
- `coco`: COCO json (keypoints, boxes, masks, crowds); `coco_index` makes large files open at once; `rle` its masks;
  `coco_writer` writes the format.
- `deeplabcut`: DeepLabCut projects, single- and multi-animal; `deeplabcut_tables` reads their csv and h5 tables without
  unpickling; `deeplabcut_writer` writes a project.
- `voc`: PASCAL VOC (boxes, heads, masks, lists per class); `voc_xml` reads its annotations.
- `davis`: DAVIS 2016 and 2017 (frames, masks of each object).
- `rgbd`: RGB-D frames with poses, and correspondences between them; `rgbd_files` checks depth images, poses and
  intrinsics, `reprojection` has the geometry.
- `spair`: SPair-71k (pairs of images with common parts).
- `nyu`: NYU Depth V2 (the labelled .mat file, the raw layout); `sunrgbd`: SUN RGB-D; `depth_pngs`: their depth.
- `ade20k`: ADE20K (SceneParsing's 150 classes, and the full data set).
- `pets`: Oxford-IIIT Pet (breeds, trimaps, heads).
- `image_folders`: one folder per class, as ImageNet has them.
- `class_maps`: `ClassMap`, the class of every pixel, from a data set's own maps or from instances' masks.
- `ap10k`: AP-10K (animals; COCO's format).
- `NAME_writer`: writes the format of `NAME`, so that drawn scenes can stand in for it.
- `label_maps`, `listings`: what the readers of folders share: masks in PNG files, lists of names.
- `folder`: plain images without labels.
- `video`, `videos`: the frames of a video, or of all in a folder.
- `puppets`: the built-in data set, drawn from a seed.
- `splits`: dividing any of them; `Subset`.
- `checking`: what `Reader.check` looks at in any format.

Adding a reader:
1. Write `readers/NAME.py` with a subclass of `Reader`: parse and validate labels when opened, build a Sample from
   columns in `sample(index)`, decode pixels only in `sample.image()` (a `functools.partial`, so that samples pickle).
2. Convert the format's coordinates to the project's there (`samples.py` has the convention), and nowhere else.
3. Raise `DataError` with file and row for what can't be read; leave what can be to `check`, through `check_samples`.
4. Write `tests/readers/test_NAME.py` with a class that inherits `tests.contracts.reader.ReaderContract`; with a writer,
   give it `write` and the round trip is tested too.
5. Add a `DataSection` to `config/data/`: its docstring's first line is what `gensight datasets list` prints; `labelled`
   and `layout` are what recipes and `gensight init` must know. Add it to `Data` there, and its case to
   `build_readers` in `assembly/readers.py`.
"""
