"""The exact AUC of gaze maps, against sorting all pixels of each image.

    python benchmarks/gaze.py [--people 4782]

Maps of 64 x 64 are scored at 640 x 480 against ten annotators. The alternative is scikit-learn's roc_auc_score where it
is installed, else a sort of all pixels, as it does. Both get the same resized map; resizing is timed with ours only.
"""

import argparse
import time

import numpy as np

from gensight.metrics.gaze.auc import auc_of_points, point_cells, resized

SIZE = (480, 640)


def by_sorting(values: np.ndarray, cells: np.ndarray) -> float:
    """ROC-AUC from the whole image, as a general implementation has it."""
    mask = np.zeros(values.shape, bool)
    mask[cells[:, 1], cells[:, 0]] = True
    try:
        from sklearn.metrics import roc_auc_score
    except ImportError:
        order = np.argsort(-values.ravel(), kind="mergesort")
        sorted_values, truth = values.ravel()[order], mask.ravel()[order]
        ends = np.append(np.flatnonzero(np.diff(sorted_values)), truth.size - 1)
        hits = np.append(0, np.cumsum(truth)[ends])
        false = np.append(0, 1 + ends - hits[1:])
        return float(np.trapezoid(hits / hits[-1], false / false[-1]))
    return float(roc_auc_score(mask.ravel(), values.ravel()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=4782)
    parser.add_argument("--compared", type=int, default=40, help="how many of them the alternative scores")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    cases = [(rng.random((64, 64)).astype(np.float32), rng.random((10, 2))) for _ in range(min(options.people, 500))]
    begun = time.process_time()
    pairs = (cases[number % len(cases)] for number in range(options.people))
    ours = [auc_of_points(resized(values, SIZE), point_cells(points, SIZE)) for values, points in pairs]
    ours_each = (time.process_time() - begun) / options.people
    shown = [(resized(values, SIZE), point_cells(points, SIZE)) for values, points in cases[: options.compared]]
    begun = time.process_time()
    theirs = [by_sorting(values, cells) for values, cells in shown]
    theirs_each = (time.process_time() - begun) / len(shown)
    difference = max(abs(a - b) for a, b in zip(ours, theirs, strict=False))
    print(f"ours    {1e3 * ours_each:8.3f} ms a person, resizing included ({options.people} people)")
    print(f"sorting {1e3 * theirs_each:8.3f} ms a person ({len(shown)} people)")
    print(f"{theirs_each / ours_each:.1f} times faster; largest difference {difference:.1e}")


if __name__ == "__main__":
    main()
