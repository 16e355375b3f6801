"""How good a prediction is. Every score carries its protocol's name, its interval, and a row per image.

    from gensight.metrics.keypoint_tables import build_metrics
    from gensight.metrics.bootstrap import paired_difference

    metrics = build_metrics(["pck-box@0.10", "median-px"], skeleton)
    for prediction, item in answers:
        for metric in metrics:
            metric.update(prediction, item)
    results = [metric.compute() for metric in metrics]

Where to look:

- `base`: `Metric` and `Result`.
- `bootstrap`: 95 % intervals by reweighting images or groups of them, and `paired_difference` of two results.
- `keypoints`: `pck-box`, `pck-torso`, `pckh`; `mean-px` (DeepLabCut's RMSE), `rmse-px`, `median-px`.
- `normals`: `angular-error` of surface normals.
- `segmentation`: `seg` (one confusion over the data set), `seg-oracle-classes`, `mask` (one mask at a time).
- `detection`: `coco-box`, equal to pycocotools; `voc07`, `voc12`.
- `classification`: `top-1`, `top-5`, `balanced-accuracy`, `ece`.
- `asked`: any of them, for models that are asked for one class at a time.
- `oks`: `coco-oks`, equal to pycocotools; `coco_matching` is its matching, `coco_results` writes its results files.
- `readout_guidance`: `readout-guidance-2024`, a faulty protocol kept for old tables.
- `tables`: protocol names -> metrics, results -> text.

Adding a metric:

1. Subclass `Metric` in the file of its family. State in the docstring what is compared, over what, in which frame, and
   the source of the definition.
2. In `update`, keep what was measured under `item.sample.key`, so that images can be merged, sorted and resampled. What
   cannot be scored is left out and counted in `Result.notes`; a missing prediction is an error, never left out.
3. In `compute`, reduce each image to sums (`statistics`) and give `reduce`, which turns sums into the score; where the
   score is no function of sums, give `reweigh`. `bootstrap.make_result` does the rest.
4. Name the protocol in `PROTOCOLS` of its family's file and in `config/protocols.py`, build it in the family's
   function and call that from `build_metrics` in `assembly/metrics.py` (mypy names a protocol without a case). The
   encodings that it scores list it among their facts.
5. Inherit `tests/contracts/metric.py`'s `MetricContract`: perfect, worst, empty, permuted, merged.
6. Add one example worked out by hand, and a comparison with the public implementation, if there is one.
"""
