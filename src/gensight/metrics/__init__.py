"""How good a prediction is. Every score carries its protocol's name, its interval, and a row per image.

    from gensight.metrics.bootstrap import paired_difference
    from gensight.metrics.keypoints import Pck

    metric = Pck(skeleton, "box", thresholds=(0.05, 0.1, 0.2))
    for prediction, item in answers:
        metric.update(prediction, item)
    results = metric.compute()  # pck-box@0.05, pck-box@0.10, pck-box@0.20

Where to look:

- `base`: `Metric`, `Result`, and `ImageMetric`: what is measured of items, kept by image.
- `bootstrap`: 95 % intervals by reweighting images or groups of them, and `paired_difference` of two results.
- `pooling`: the runs of a cross-validation as one result.
- `keypoints`: `pck-box`, `pck-torso`, `pckh`; `mean-px` (DeepLabCut's RMSE), `rmse-px`, `median-px`; `bbc-6px`;
  `nme-inter-ocular` of faces.
- `normals`: `angular-error` of surface normals.
- `readout_guidance`: `readout-guidance-2024`, a faulty protocol kept for old tables.
- `coco/`: `detection` (`coco-box`, equal to pycocotools; `voc07`, `voc12`), `oks` (`coco-oks`, equal to pycocotools),
  `matching`, and `results`, which writes COCO's results files.
- `segmentation`: `seg` (one confusion over the data set), `seg-oracle-classes`, `mask` (one mask at a time).
- `depth`: `depth-metric`, `depth-median-scaled`, `depth-affine`. `edges`: `edges-f`.
- `restoration`: `restoration` (psnr, ssim).
- `classification`: `top-1`, `top-5`, `balanced-accuracy`, `ece`.
- `correspondence`: `pck-img`, `pck-box` of pairs. `appearance`: `two-alternative`, `same-different-auc`.
- `gaze/`: `gazefollow` and its like, `in-frame-ap`.
- `per_query`: any of them, for models that answer one query at a time.

Adding a metric:

1. Subclass `ImageMetric` in the file of its family. State in the docstring what is compared, over what, in which frame,
   and the source of the definition.
2. In `measure`, return what is needed of an item. For what cannot be scored return the reason, which is counted in
   `Result.notes`; a missing prediction is an error, never left out.
3. In `result`, for a measure or threshold, reduce each image to sums (`statistics`) and give `reduce`, which turns sums
   into the score; where the score is no function of sums, give `reweigh`. `bootstrap.make_result` does the rest.
4. Name the protocol in `config/protocols.py`, and add its case to `assembly/metrics.py` (mypy names a protocol without
   a case). The encodings that it scores list it among their facts.
5. Inherit `tests/contracts/metric.py`'s `MetricContract`: perfect, worst, empty, permuted, merged.
6. Add one example worked out by hand, and a comparison with the public implementation, if there is one.
"""
