"""Gaze scores: border rules, and the baselines of real annotations. Their published formulas: `tests/parity`."""

import numpy as np
import pytest

from gensight.encodings.gaze import map_name, quantised_gaussian
from gensight.errors import DataError
from gensight.metrics.gaze.auc import auc_of_mask, auc_of_points, point_cells, rectangle, resized, whole_map
from gensight.metrics.gaze.scores import PROTOCOLS, GazeScores, InFrameAp, angles, predicted_point
from gensight.readers.gazefollow.tables import read_annotations
from gensight.readers.goo.reader import GAZED
from gensight.readers.shared.gaze_annotations import Tally
from gensight.samples import Gaze, Instance, Item, Prediction, Sample, ScoreMap
from gensight.transforms.views import stretched_box, stretched_frame, whole_frame
from tests.contracts.metric import MetricContract, only, score, scores
from tests.metrics.subjects import as_prediction, no_image
from tests.parity.plain_gaze import plain_auc

SIZE = (60, 80)


def person(key, points, in_frame=True, group="", instances=(), **extras):
    gaze = Gaze(np.asarray(points, dtype=np.float64).reshape(-1, 2), in_frame, np.array([10.0, 30.0]))
    one = Instance("person", head_box=np.array([5.0, 5, 15, 15]), gaze=gaze)
    sample = Sample(key, SIZE, no_image, (one, *instances), group=group, extras=extras)
    return Item((sample, sample), instance=0)


def answer(item, values, probability=0.5):
    gaze = Gaze(np.zeros((1, 2)), probability >= 0.5, in_frame_probability=probability)
    return as_prediction(
        item,
        instances=(Instance("person", gaze=gaze),),
        maps={map_name(item): ScoreMap(np.asarray(values, np.float32)[None], stretched_frame(SIZE, (64, 64)))},
    )


def blob(x, y, sigma=3.0):
    rows, columns = np.mgrid[0:64, 0:64] + 0.5
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_auc_by_counting_is_the_share_of_pairs(rng):
    for _ in range(20):
        values = rng.integers(0, 6, (20, 30)).astype(np.float32)  # many ties
        cells = rng.integers(0, 20, (5, 2))
        mask = np.zeros(values.shape, bool)
        mask[cells[:, 1], cells[:, 0]] = True
        assert auc_of_points(values, cells) == pytest.approx(plain_auc(values, mask), abs=1e-12)
        assert auc_of_mask(values, mask) == pytest.approx(plain_auc(values, mask), abs=1e-12)
    assert auc_of_points(np.full((8, 8), 0.3), cells % 8) == 0.5
    assert np.isnan(auc_of_points(values, np.zeros((0, 2), int)))


def test_it_equals_scikit_learn(rng):
    metrics = pytest.importorskip("sklearn.metrics")
    values, cells = rng.random((480, 640)).astype(np.float32), rng.integers(0, 480, (10, 2))
    mask = np.zeros(values.shape, bool)
    mask[cells[:, 1], cells[:, 0]] = True
    known = metrics.roc_auc_score(mask.ravel(), values.ravel())
    assert auc_of_points(values, cells) == pytest.approx(known, abs=1e-9)


def test_the_rectangle_is_the_support_of_the_drawn_kernel(rng):
    for point in rng.random((50, 2)):
        np.testing.assert_array_equal(rectangle(point, (64, 64)), quantised_gaussian(64 * point, (64, 64), 3.0) > 0)


def test_rectangles_differ_on_a_quarter_of_the_points(rng):
    differ = [not np.array_equal(rectangle(p, (64, 64)), rectangle(p, (64, 64), False)) for p in rng.random((4000, 2))]
    assert np.mean(differ) == pytest.approx(0.28, abs=0.02)


def test_eight_bits_make_ties(rng):
    heatmap = blob(20, 30) * 0.9 + 1e-4 * rng.random((64, 64))
    assert len(np.unique(resized(heatmap, (480, 640), "uint8"))) <= 256
    assert len(np.unique(resized(heatmap, (480, 640)))) > 10_000


def test_predicted_points_by_protocol():
    values = np.zeros((64, 64), np.float32)
    values[10, 20] = values[40, 50] = 1  # the first in reading order counts
    for name, offset in {"gazefollow": 0.5, "chong": 0, "gazelle": 0, "sharingan": 1, "video": 0.5}.items():
        np.testing.assert_allclose(predicted_point(values, PROTOCOLS[name]), [(20 + offset) / 64, (10 + offset) / 64])


def test_angles():
    found = angles(np.array([1.0, 0.5]), np.array([[0.5, 1.0], [1.0, 0.5], [0.0, 0.5]]), np.array([0.5, 0.5]))
    np.testing.assert_allclose(found, [90, 0, 180], atol=1e-6)


def test_a_map_of_another_view_is_brought_to_the_image():
    for view in (whole_frame(SIZE, (64, 64)), stretched_box(SIZE, np.array([10.0, 10, 70, 50]), (64, 64))):
        target = view.matrix[:2, :2] @ [40.0, 30.0] + view.matrix[:2, 2]
        found = whole_map(ScoreMap(blob(*target).astype(np.float32)[None], view))
        place = np.array(np.unravel_index(found.argmax(), found.shape))[::-1] + 0.5
        np.testing.assert_allclose(place / 64, [0.5, 0.5], atol=0.02)


def test_goo_asks_for_the_right_class():
    shelves = [Instance(f"product-0{n}", box=np.array([20.0 * n, 20, 20.0 * n + 10, 30])) for n in (1, 2, 3)]
    item = person("a", [[45, 25]], instances=shelves, **{GAZED: 2})
    right, wrong = (answer(item, blob(x / 80 * 64, 25 / 60 * 64)) for x in (46, 51.9))
    results = {name: one.value for name, one in scores(GazeScores("goo-5x5"), [(right, item)]).items()}
    assert results["goo-5x5-auc"] == pytest.approx(1)
    assert (results["goo-5x5-pa@0.10"], results["goo-5x5-cpa@0.10"]) == (1, 1)
    far = answer(item, blob(66 / 80 * 64, 25 / 60 * 64))
    assert score(GazeScores("goo-5x5", ("cpa",)), [(far, item)]).value == 0
    assert score(GazeScores("goo-5x5", ("pa",)), [(wrong, item)]).value == 1


class _Contract(MetricContract):
    def answers(self, kind):
        rng = np.random.default_rng(1)
        predictions = []
        for number, item in enumerate(_distinct()):
            x, y = item.subject.gaze.points.mean(0) / np.array([80, 60]) * 64
            far = (1 if x > 32 else 63, 1 if y > 32 else 63)
            place = {"perfect": (x, y), "worst": far, "mixed": (x + 3 * number * rng.random(), y)}[kind]
            predictions.append((answer(item, blob(*place, sigma=1 if kind == "perfect" else 3)), item))
        return predictions


def _distinct():
    rng = np.random.default_rng(0)
    places = [(x + 0.5, y + 0.5) for x, y in rng.integers(12, 52, (8, 2))]
    return [person(f"image{n}", [(x * 80 / 64, y * 60 / 64)]) for n, (x, y) in enumerate(places)]


class TestPointAuc(_Contract):
    best, worst = 1.0, 0.0

    def metric(self):
        return GazeScores("gazefollow", ("auc",))

    def answers(self, kind):
        predictions = super().answers(kind)
        if kind == "perfect":  # the annotated pixel alone is largest
            return [
                (answer(item, blob(*(item.subject.gaze.points[0] / [80, 60] * 64), 0.4)), item)
                for _, item in predictions
            ]
        if kind == "worst":
            return [
                (answer(item, -blob(*(item.subject.gaze.points[0] / [80, 60] * 64), 0.4)), item)
                for _, item in predictions
            ]
        return predictions

    def test_perfect_answers_score_best(self):
        assert score(self.metric(), self.answers("perfect")).value > 0.999

    def test_worst_answers_score_worst(self):
        assert score(self.metric(), self.answers("worst")).value < 0.001


class TestDistance(_Contract):
    best = 0.0

    def metric(self):
        return GazeScores("gazefollow", ("average-distance",))

    def test_worst_answers_score_worst(self):
        assert score(self.metric(), self.answers("worst")).value > 0.5

    def test_mixed_answers_lie_between_with_an_interval_around(self):
        result = score(self.metric(), self.answers("mixed"))
        assert 0 < result.value < 0.5
        assert result.interval[0] < result.value < result.interval[1]

    def test_direction(self):
        assert not only(self.metric()).higher_is_better

    def test_to_the_mean_and_to_the_nearest(self):
        item = person("a", [[40, 30], [40, 42]])
        predictions = [(answer(item, blob(32.5, 32.5)), item)]
        average, minimum = (
            score(GazeScores("gazefollow", (m,)), predictions).value for m in ("average-distance", "minimum-distance")
        )
        assert average == pytest.approx(np.hypot(0.5 / 64, 0.6 - 32.5 / 64), abs=1e-6)
        assert minimum == pytest.approx(np.hypot(0.5, 0.5) / 64, abs=1e-6)

    def test_who_looks_out_is_not_scored_and_counted(self):
        predictions = [*self.answers("mixed"), (answer(person("z", [], False), blob(3, 3)), person("z", [], False))]
        result = score(self.metric(), predictions)
        assert result.num_images == 8
        assert "1 people look out of the image, and are not scored" in result.notes


class TestInFrameAp(MetricContract):
    best, worst = 1.0, 0.5

    def metric(self):
        return InFrameAp()

    def answers(self, kind):
        rng = np.random.default_rng(2)
        predictions = []
        for n in range(24):
            inside = n % 2 == 0
            item = person(f"image{n}", [[40, 30]] if inside else [], inside)
            probability = {
                "perfect": float(inside),
                "worst": 0.5,
                "mixed": float(np.clip(0.5 + 0.2 * inside + rng.normal(0, 0.3), 0, 1)),
            }
            predictions.append((answer(item, blob(5, 5), probability[kind]), item))
        return predictions

    def test_plain_definition(self):
        """Sum over distinct thresholds of (recall step) x precision."""
        predictions = self.answers("mixed")
        pairs = [(p.instances[0].gaze.in_frame_probability, i.subject.gaze.in_frame) for p, i in predictions]
        total, area, before = sum(t for _, t in pairs), 0.0, 0.0
        for threshold in sorted({s for s, _ in pairs}, reverse=True):
            chosen = [t for s, t in pairs if s >= threshold]
            recall = sum(chosen) / total
            area += (recall - before) * sum(chosen) / len(chosen)
            before = recall
        assert score(self.metric(), predictions).value == pytest.approx(area, abs=1e-12)

    def test_everybody_inside_is_undefined(self):
        item = person("a", [[40, 30]])
        assert np.isnan(score(self.metric(), [(answer(item, blob(5, 5)), item)]).value)

    # The value is undefined where a resample holds one class only, and misses no bound by weighing.
    def test_perfect_answers_score_best(self):
        assert score(self.metric(), self.answers("perfect")).value == 1


def test_bad_input():
    item = person("a", [[40, 30]])
    with pytest.raises(DataError, match="has no gaze map"):
        GazeScores("gazefollow", ("auc",)).update(Prediction("a", SIZE, item_key=item.key), item)


# --- real annotations ---


@pytest.fixture(scope="module")
def annotators(shared_data):
    return [p.gaze for p in read_annotations(shared_data / "gazefollow/test2_annotations.mat", Tally())]


def distances(annotators, predict):
    """(mean distance to the mean, mean least distance), predictions given by person."""
    pairs = [
        (np.linalg.norm(p - a.mean(0)), np.linalg.norm(p - a, axis=1).min()) for a in annotators for p in [predict(a)]
    ]
    return tuple(np.mean(pairs, axis=0))


def test_baselines_of_the_real_test_set(annotators):
    rng = np.random.default_rng(0)
    assert distances(annotators, lambda a: np.full(2, 0.5)) == pytest.approx((0.295, 0.230), abs=1e-3)
    assert distances(annotators, lambda a: rng.random(2)) == pytest.approx((0.469, 0.387), abs=6e-3)
    assert distances(annotators, lambda a: a.mean(0)) == pytest.approx((0, 0.0289), abs=1e-4)
    corner = distances(annotators, lambda a: np.floor(a.mean(0) * 64) / 64)
    centre = distances(annotators, lambda a: (np.floor(a.mean(0) * 64) + 0.5) / 64)
    assert corner == pytest.approx((0.0120, 0.0302), abs=1e-4)
    assert centre == pytest.approx((0.0060, 0.0295), abs=1e-4)


def test_one_human_against_the_others(annotators):
    everybody = []
    for points in annotators:
        found = []
        for index in range(len(points) if len(points) > 1 else 0):
            others = np.delete(points, index, axis=0)
            found.append(
                (np.linalg.norm(points[index] - others.mean(0)), np.linalg.norm(points[index] - others, axis=1).min())
            )
        if found:
            everybody.append(np.mean(found, axis=0))
    assert np.mean(everybody, axis=0) == pytest.approx((0.0867, 0.0373), abs=1e-3)


def test_point_cells_stay_in_the_image():
    np.testing.assert_array_equal(
        point_cells(np.array([[0, 0], [1, 1], [0.5, 0.999]]), (10, 20)), [[0, 0], [19, 9], [10, 9]]
    )
