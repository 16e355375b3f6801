"""Readers: where data comes from. One file or folder per on-disk format, each a lazy sequence of Samples.

- `base`: `Reader`, what every reader is; `Summary` and `Finding`, what `datasets check` prints.
- A folder per format with several files, `reader` first: `coco/`, `deeplabcut/`, `voc/`, `davis/`, `spair/`, `ap10k/`,
  `gazefollow/`, `goo/`, `annotated/` (the project's own), `instruct_pool/`. A `writer` writes the format, so that
  synthetic scenes can stand in for it.
- `rgbd/`: RGB-D folders with poses, NYU Depth V2, SUN RGB-D; the geometry of colour and depth cameras.
- `footage/`: videos and recordings; `images/`: folders of images, with and without classes.
- `ade20k`, `bbc_pose`, `faces`, `pets`, `openpose`, `video_attention_target`: formats of one file.
- `puppets`: the built-in synthetic data set, rendered from a seed (`gensight.puppets`).
- `poses/`: tables of keypoints without images, which predictions are written as.
- `splits`: dividing any of them; `Subset`. `shared/`: what several readers use.

Adding a reader:
1. Write `readers/NAME.py`, or `readers/NAME/reader.py`, with a subclass of `Reader`: parse and validate labels when
   opened, build a Sample from columns in `sample(index)` (of an image file: `image_sample`), decode pixels only in
   `sample.image()` (a `functools.partial`, so that samples pickle). Give `group(index)` where it is known without that.
2. Convert the format's coordinates to the project's there (`samples.py` has the convention), and nowhere else.
3. Raise `DataError` with file and row for what can't be read; leave what can be to `check`, and add to its `findings`.
4. Write `tests/readers/test_NAME.py` with a class that inherits `tests.contracts.reader.ReaderContract`; with a writer,
   give it `write` and the round trip is tested too.
5. Add a `StoredData` to `config/data/`, with the shared fields (`config/data/stored.py`) that it needs: its
   docstring's first line is what `gensight datasets list` prints; `labelled` and `layout` are what recipes and
   `gensight init` must know. Add it to `Data` there, and its case to `build_readers` in `assembly/readers.py`.
"""
