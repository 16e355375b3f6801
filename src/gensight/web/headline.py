"""What the top of the page states of a run: what it finds, what it was trained on, and how well it does."""

from dataclasses import dataclass

from gensight.errors import UserError
from gensight.prediction.trained_run import TrainedRun
from gensight.report.results import Score, read_run
from gensight.report.tables import cell_text, protocol_text
from gensight.web.questions import InputKind, input_kind, takes_points


@dataclass(frozen=True)
class Headline:
    """Sentences about a run.

    Attributes:
        name: Of the run.
        finds: What it finds.
        training: What it was trained on.
        scores: Protocol and value with its interval, the first of each family.
        needs: What a visitor gives beside the image.
    """

    name: str
    finds: str
    training: str
    scores: tuple[tuple[str, str], ...]
    needs: str


_NEEDS: dict[InputKind, str] = {
    "image": "Looks at the whole image.",
    "boxes": "Looks at one subject at a time: draw a box around each, or none if one subject fills the image.",
    "heads": "Draw a box around each head.",
    "words": "Type an instruction, such as “segment the cat”.",
    "pair": "Compares two images: choose the other one, too.",
}


def headline_of(trained: TrainedRun, name: str) -> Headline:
    """What is known of a run; what it does not know of itself is left out."""
    facts, skeleton = trained.config.encoding.facts, trained.skeleton
    kind = input_kind(trained)
    what = facts.finds if skeleton is None else f"{len(skeleton)} keypoints ({skeleton.name})"
    finds = "Answers instructions." if kind == "words" else f"Finds {what}."
    needs = _NEEDS[kind]
    if takes_points(trained):
        needs = "Tap points in the image (or none, for an even grid), and choose the other image to find them in."
    scores, num_images = _scores(trained)
    return Headline(name, finds, f"{_training(trained)}{_tested(num_images)}", scores, needs)


def _training(trained: TrainedRun) -> str:
    config, card = trained.config, trained.folder.read_card()
    if card.imported is not None:
        return f"Weights of {card.imported.source}."
    count = card.num_labels or _count(card.data.get("train")) or getattr(config.data, "num_train", None)
    kind = str(config.data.kind)
    data = "synthetic scenes (puppets)" if kind == "puppets" else f"{kind} data"
    parts = [f"Trained on {data}" if count is None else f"Trained on {count:,} images of {data}"]
    parts += [f"with the {config.backbone.kind} backbone"]
    if card.steps:
        parts += [f"for {card.steps:,} steps"]
    return " ".join(parts) + "."


def _count(fingerprint: str | None) -> int | None:
    number = (fingerprint or "").partition(" ")[0]
    return int(number) if number.isdigit() else None


def _tested(num_images: int) -> str:
    return f" Scores are over {num_images:,} test images that it was not trained on." if num_images else ""


def _scores(trained: TrainedRun) -> tuple[tuple[tuple[str, str], ...], int]:
    try:
        run = read_run(trained.folder.root)
    except UserError:
        return (), 0
    if not run.has_scores:
        return (), 0
    families: dict[str, list[Score]] = {}
    for score in run.metrics.scores[0].results:
        families.setdefault(score.protocol.partition("@")[0], []).append(score)
    # Of one protocol at several thresholds, the middle one.
    chosen = [some[len(some) // 2] for some in families.values()]
    return tuple((protocol_text(one), cell_text(one)) for one in chosen[:3]), run.metrics.num_images
