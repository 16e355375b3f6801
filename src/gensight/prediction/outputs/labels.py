"""Predicted classes of whole images on disk: labels.json and labels.csv, one entry for each image or frame."""

from gensight.prediction.outputs.rows import RowFiles
from gensight.samples import Prediction

NUM_TOP = 5


class LabelFiles(RowFiles):
    """Writes the class of each image with its confidence.

    `labels.csv` has the most probable class; `labels.json` also the five most probable with their probabilities.

    Args:
        folder: Where.
    """

    name = "labels"
    columns = ("image", "label", "confidence")

    def add(self, prediction: Prediction) -> None:
        """Takes the class of one image."""
        best = top_labels(prediction)
        if best:
            label, confidence = next(iter(best.items()))
            self.rows.append(
                {"image": prediction.sample_key, "label": label, "confidence": confidence, "likeliest": best}
            )


def top_labels(prediction: Prediction, count: int = NUM_TOP) -> dict[str, float]:
    """The most probable classes of an image with their probabilities, the best first; {} where none was predicted."""
    scores = prediction.label_scores or {}
    return {name: float(scores[name]) for name in sorted(scores, key=lambda name: -scores[name])[:count]}
