import numpy as np
import pytest

from gensight.errors import ConfigError, DataError
from gensight.metrics.keypoints import Pck, PixelError, weighted_median
from gensight.metrics.readout_guidance import ReadoutGuidance2024
from gensight.samples import Keypoints
from gensight.skeletons import COCO_17, OPENPOSE_18, Skeleton
from tests.contracts.metric import MetricContract, score, scores
from tests.metrics.subjects import SKELETON, answer, answers, item, moved, scene, subject

NAN = (np.nan, np.nan)


class _KeypointContract(MetricContract):
    def answers(self, kind):
        return answers(kind, scene())


class TestPckBox(_KeypointContract):
    best, worst = 1.0, 0.0

    def metric(self):
        return Pck(SKELETON, "box", (0.1,))

    def test_by_hand(self):
        # The box is 100 px long, so 10 px pass. tip is unlabelled in the second image.
        first = item("a", subject(np.array([(110.0, 110), (190, 110), (150, 140)])))
        second = item("b", subject(np.array([(110.0, 110), (190, 110), NAN])))
        predictions = [
            (answer(first, np.array([(110.0, 120), (190, 121), (150, 140)])), first),  # 10 px, 11 px, 0 px
            (answer(second, np.array([(116.0, 118), (0, 0), (0, 0)])), second),  # 10 px, far, not scored
        ]
        result = score(self.metric(), predictions)
        assert result.parts == {"left_shoulder": 1.0, "right_hip": 0.0, "tip": 1.0}
        assert result.value == pytest.approx(2 / 3)
        assert [row["score"] for row in result.rows] == pytest.approx([2 / 3, 1 / 2])
        assert [row["num_keypoints"] for row in result.rows] == [3, 2]
        assert result.protocol == "pck-box@0.10"
        assert str(result).startswith("pck-box@0.10 66.7 % [")

    def test_subjects_without_a_box_are_counted_not_guessed(self):
        boxed, bare = scene()[0], item("bare", subject(np.ones((3, 2)), box=None))
        result = score(self.metric(), answers("perfect", [boxed, bare]))
        assert (result.num_images, result.value) == (1, 1.0)
        assert result.notes == ("1 subjects could not be scored: they have no box",)

    def test_a_joint_that_nobody_labelled_has_no_share(self):
        only = item("a", subject(np.array([(110.0, 110), NAN, NAN])))
        result = score(self.metric(), answers("perfect", [only]))
        assert result.value == 1.0
        assert np.isnan([result.parts["right_hip"], result.parts["tip"]]).all()

    def test_missing_points_are_wrong_and_counted(self):
        only = item("a", subject(np.array([(110.0, 110), (190, 110), (150, 140)])))
        result = score(self.metric(), [(answer(only, np.array([(110.0, 110), NAN, NAN])), only)])
        assert result.value == pytest.approx(1 / 3)
        assert result.rows[0]["num_missing"] == 2
        assert result.notes == ("2 labelled keypoints had no predicted point",)

    def test_one_group_is_said(self):
        items = [item(f"{n}", subject(np.full((3, 2), 120.0)), group="video") for n in range(3)]
        assert "of one group" in score(self.metric(), answers("perfect", items)).notes[0]


def test_thresholds_of_one_metric_are_scored_as_metrics_of_their_own():
    predictions = answers("mixed", scene())
    together = scores(Pck(SKELETON, "box", (0.05, 0.1, 0.2)), predictions)
    assert list(together) == ["pck-box@0.05", "pck-box@0.10", "pck-box@0.20"]
    for threshold, result in zip((0.05, 0.1, 0.2), together.values(), strict=True):
        assert result.to_json() == score(Pck(SKELETON, "box", (threshold,)), predictions).to_json()
    assert together["pck-box@0.05"].value < together["pck-box@0.20"].value


class TestPckTorso(_KeypointContract):
    best, worst = 1.0, 0.0

    def metric(self):
        return Pck(SKELETON, "torso", (0.2,))

    def test_by_hand(self):
        # The torso is 3-4-5: 50 px, so 10 px pass. Without the hip there is no torso.
        points = np.array([(100.0, 100), (130, 140), (150, 140)])
        whole, cut = item("a", subject(points)), item("b", subject(np.array([points[0], NAN, points[2]])))
        predictions = [(answer(whole, moved(points, 10, 0)), whole), (answer(cut, points), cut)]
        result = score(self.metric(), predictions)
        assert (result.value, result.num_images) == (1.0, 1)
        assert result.notes == ("1 subjects could not be scored: left shoulder or right hip is unlabelled",)
        assert score(self.metric(), [(answer(whole, moved(points, 10.1, 0)), whole)]).value == 0.0

    def test_skeleton_without_a_torso_is_refused(self):
        with pytest.raises(ConfigError, match="needs the keypoints left_shoulder and right_hip, which `mouse` lacks"):
            Pck(Skeleton("mouse", ("snout", "tail")), "torso")


class TestPckh(_KeypointContract):
    best, worst = 1.0, 0.0

    def metric(self):
        return Pck(SKELETON, "head", (0.5,))

    def test_by_hand(self):
        # A head box of 30 x 40 has a diagonal of 50; 0.5 x 0.6 x 50 = 15 px pass.
        points = np.array([(100.0, 100), (130, 140), (150, 140)])
        only = item("a", subject(points, head_box=np.array([10.0, 10, 40, 50])))
        assert score(self.metric(), [(answer(only, moved(points, 0, 15)), only)]).value == 1.0
        assert score(self.metric(), [(answer(only, moved(points, 0, 15.1)), only)]).value == 0.0
        assert [result.protocol for result in self.metric().compute()] == ["pckh@0.50"]

    def test_subjects_without_a_head_box_are_left_out(self):
        result = score(self.metric(), answers("perfect", [item("a", subject(np.ones((3, 2))))]))
        assert np.isnan(result.value)
        assert result.notes == ("1 subjects could not be scored: they have no head box",)


# Three errors of 3-4-5 triangles, on two images: 5 and 10 px, then 20 px.
_FIRST = np.array([(100.0, 100), (130, 140), NAN])
_ERRORS = [
    (item("a", subject(_FIRST)), _FIRST + np.array([(3, 4), (6, 8), (0, 0)])),
    (item("b", subject(np.array([(50.0, 50), NAN, NAN]))), np.array([(62.0, 66), (0, 0), (0, 0)])),
]


class _PixelContract(_KeypointContract):
    best, worst = 0.0, 500.0  # nothing predicted costs the diagonal of a 300 x 400 image

    def by_hand(self):
        return score(self.metric(), [(answer(scored_item, points), scored_item) for scored_item, points in _ERRORS])


class TestMeanPx(_PixelContract):
    def metric(self):
        return PixelError(SKELETON, "mean")

    def test_by_hand(self):
        result = self.by_hand()
        assert result.value == pytest.approx(35 / 3)
        assert result.parts == pytest.approx({"left_shoulder": 12.5, "right_hip": 10.0, "tip": np.nan}, nan_ok=True)
        assert result.rows[0]["errors"] == {"left_shoulder": [5.0], "right_hip": [10.0]}
        assert [row["score"] for row in result.rows] == [7.5, 20.0]


class TestRmsePx(_PixelContract):
    def metric(self):
        return PixelError(SKELETON, "rmse")

    def test_by_hand(self):
        assert self.by_hand().value == pytest.approx(np.sqrt((25 + 100 + 400) / 3))


class TestMedianPx(_PixelContract):
    def metric(self):
        return PixelError(SKELETON, "median")

    def test_by_hand(self):
        result = self.by_hand()
        assert result.value == 10.0
        assert result.parts["left_shoulder"] == 12.5  # the mean of the two middle errors, 5 and 20


def test_weighted_median_is_the_median_of_repeated_errors():
    generator = np.random.default_rng(0)
    errors = [generator.random(generator.integers(0, 5)) for _ in range(12)]
    weights = generator.integers(0, 4, (50, 12)).astype(np.float64)
    weights[0] = 0
    found = weighted_median(errors)(weights)
    assert np.isnan(found[0])
    for row, of in zip(weights[1:], found[1:], strict=True):
        repeated = np.concatenate([np.repeat(e, int(w)) for e, w in zip(errors, row, strict=True)])
        assert of == pytest.approx(np.median(repeated))


class TestReadoutGuidance(MetricContract):
    best, worst = 1.0, 0.0

    def metric(self):
        return ReadoutGuidance2024(COCO_17, (0.1,))

    def answers(self, kind):
        return answers(kind, scene(num_joints=17), missing=False)

    def test_unlabelled_joints_inflate_the_subject_as_in_the_released_code(self):
        # A 93 x 194 px person whose far corner lies at (494, 499) in COCO's coordinates counts as 494 x 499 px as soon
        # as one joint is unlabelled, so that 30 px errors pass at 0.1. All joints labelled, they fail.
        generator = np.random.default_rng(0)
        points = generator.uniform((401, 305), (494, 499), (17, 2)) + 0.5
        points[0], points[1] = (401.5, 305.5), (494.5, 499.5)
        partial = points.copy()
        partial[16] = np.nan
        whole_item, partial_item = item("a", subject(points)), item("b", subject(partial))
        assert score(self.metric(), [(answer(whole_item, moved(points, 30, 0)), whole_item)]).value == 0.0
        assert score(self.metric(), [(answer(partial_item, moved(points, 30, 0)), partial_item)]).value == 1.0
        honest = Pck(COCO_17, "box", (0.1,))
        boxed = item("b", subject(partial, box=(401, 305, 494, 499)))
        assert score(honest, [(answer(boxed, moved(points, 30, 0)), boxed)]).value == 0.0

    def test_each_axis_has_its_own_extent(self):
        points = np.tile([(100.5, 100.5)], (17, 1))
        points[0] = (200.5, 500.5)  # extent 100 x 400
        scored_item = item("a", subject(points))
        assert score(self.metric(), [(answer(scored_item, moved(points, 0, 39)), scored_item)]).value == 1.0
        assert score(self.metric(), [(answer(scored_item, moved(points, 10.1, 0)), scored_item)]).value == 0.0

    def test_subjects_weigh_the_same_whatever_their_joints(self):
        generator = np.random.default_rng(0)
        many, few = generator.uniform(60, 240, (17, 2)), np.full((17, 2), np.nan)
        few[:2] = (100, 50), (150, 240)
        items = [item("a", subject(many)), item("b", subject(few))]
        predictions = [(answer(items[0], many), items[0]), (answer(items[1], few + 200), items[1])]
        assert score(self.metric(), predictions).value == 0.5

    def test_keypoints_that_are_not_shown_sit_at_the_origin(self):
        points = np.full((17, 2), 100.0)
        points[0] = (0.5, 0.5)
        scored_item = item("a", subject(points))
        prediction = answer(scored_item, points)
        hidden = prediction.instances[0].keypoints
        hidden.visibility[:] = 1  # absent, with a guessed point
        assert score(self.metric(), [(prediction, scored_item)]).value == pytest.approx(1 / 17)

    def test_people_only(self):
        with pytest.raises(ConfigError, match="is defined for people only, not for `triangle`"):
            ReadoutGuidance2024(SKELETON)


def test_coco_labels_are_scored_as_openpose():
    points = np.random.default_rng(0).uniform(100, 200, (17, 2))
    scored_item = item("a", subject(points))
    neck = points[[5, 6]].mean(0)
    order = [COCO_17.keypoints.index(name) if name != "neck" else 0 for name in OPENPOSE_18.keypoints]
    reordered = points[order]
    reordered[1] = neck
    prediction = answer(scored_item, points)
    object.__setattr__(
        prediction.instances[0],
        "keypoints",
        Keypoints(OPENPOSE_18, reordered, np.full(18, 3, np.int8), np.ones(18, np.float32)),
    )
    result = score(PixelError(OPENPOSE_18, "mean"), [(prediction, scored_item)])
    assert result.value == pytest.approx(0)
    assert result.rows[0]["num_keypoints"] == 18


def test_an_answer_to_another_item_is_refused():
    first, second = scene()[:2]
    with pytest.raises(DataError, match=r"a prediction of `image0.jpg\|0` cannot be scored against `image0.jpg\|1`"):
        PixelError(SKELETON).update(answers("perfect", [first])[0][0], second)
    with pytest.raises(DataError, match="`mean-px` needs items about one subject with keypoints"):
        PixelError(SKELETON).update(answer(item("a", index=None), None), item("a", index=None))
