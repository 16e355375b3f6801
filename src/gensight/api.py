"""The public API, what `import gensight as gs` gives: each of the five systems in one call.

Every function takes what the command line takes: recipes by name or path, and overrides `{"section.key": value}`.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gensight.assembly.backbones import backbone_section, open_backbone
from gensight.backbones.base import Backbone
from gensight.config.loading.loader import compose_recipe, load_data, load_recipe
from gensight.config.loading.overrides import value_overrides
from gensight.config.schema import RunConfig
from gensight.errors import ConfigError
from gensight.files.atomic import read_json
from gensight.files.images import read_image
from gensight.prediction.trained_run import TrainedRun
from gensight.samples import Array, Size

if TYPE_CHECKING:
    from gensight.verbs.evaluate import ScoredModel

__all__ = [
    "annotate", "backbone", "build_pool", "evaluate", "fit_keypoints", "gaze", "guide", "instruct", "landmarks", "load",
    "predict", "readout", "train",
]  # fmt: skip

Settings = Mapping[str, Any]
Data = str | Path | Mapping[str, Any]
Place = str | Path


def train(
    recipe: str | Path | RunConfig, settings: Settings | None = None, *, out: Place | None = None, device: str = "auto"
) -> TrainedRun:
    """Trains a recipe, its baselines beside it, scores them, writes the report, and opens the run.

    Args:
        recipe: A packaged recipe's name (`demo`), the path of a YAML file, or a `RunConfig`.
        settings: `{"training.steps": 50, "data.root": "PROJECT"}`: what to change in it.
        out: Run folder; `runs/NAME` if None. The same call resumes an interrupted run.
        device: `auto`, `cpu`, `cuda` ...

    Raises:
        ConfigError: A mistake in the recipe or the settings, with the valid choices.
        DataError: Images or labels that cannot be read.

    Example:
        >>> settings = {"training.steps": 4, "data.num_train": 16, "data.num_test": 6, "evaluation.baselines": []}
        >>> run = gs.train("demo", settings, out=folder)
        >>> run.predict(picture).instances[0].keypoints.points.shape
        (18, 2)
    """
    from gensight.verbs.train import train as train_recipe

    return load(train_recipe(_config(recipe, settings), _path(out), device), device)


def load(run: str | Path, device: str = "auto") -> TrainedRun:
    """A finished run, ready to predict.

    Args:
        run: A run folder.
        device: `auto`, `cpu`, `cuda` ...

    Raises:
        RunError: The folder is no finished run, or its weights don't fit.

    Example:
        >>> gs.load(folder).config.name
        'demo'
    """
    return TrainedRun.load(run, device)


def evaluate(run: Place | TrainedRun, device: str = "auto") -> "list[ScoredModel]":
    """Scores a finished run and its baselines on its test part; rewrites metrics.json and the report.

    Returns:
        The run's scores first, then the baselines'. Each result prints itself with its interval.

    Example:
        >>> [result.protocol for result in gs.evaluate(folder)[0].results][-1]
        'mean-px'
    """
    from gensight.verbs.evaluate import evaluate as score_run

    return score_run(_folder(run), device=device)


def predict(
    run: Place | TrainedRun,
    source: Place | Sequence[Place],
    out: Place | None = None,
    instruction: str = "",
    **options: Any,
) -> Path:
    """Writes what a run finds in images, folders and videos: tables, maps and overlays. In memory: `run.predict`.

    Called again after an interruption, it resumes. It warns of images that can't be read, whose rows are empty.

    Args:
        run: A finished run.
        source: Image, folder, video, or a list of these; with an instruction one of them.
        out: Folder to write to; one below the run if None.
        instruction: What an instruction-following run does, such as "segment the cat".
        options: Of the command `gensight predict`, or with an instruction of `gensight ask`: `boxes`, `detector` ...

    Returns:
        The folder that was written.

    Example:
        >>> (gs.predict(folder, photo, folder / "found") / "keypoints.csv").is_file()
        True
    """
    from gensight.verbs.ask import ask
    from gensight.verbs.predict import predict as write_predictions

    if instruction:
        if not isinstance(source, str | Path):
            raise ConfigError("an instruction is about one image, folder or video", where="source")
        return ask(_folder(run), Path(source), instruction, _path(out), **options).folder
    sources = [source] if isinstance(source, str | Path) else source
    return write_predictions(_folder(run), [Path(one) for one in sources], _path(out), **options)


def backbone(name: str | Path, settings: Settings | None = None) -> Backbone:
    """A pretrained model as a feature extractor.

    Args:
        name: `tiny` (packaged), or the hub id or folder of a diffusers pipeline or a transformers image encoder.
        settings: Of the recipe's `backbone` section: `{"timestep": 50, "layers": ["up_blocks.1.resnets.0"]}`.

    Returns:
        `backbone.features(images, timestep=...)`: images float32 (batch, 3, height, width) in [0, 1], sides multiples
        of `backbone.stride`; `.maps` is layer name -> (batch, channels, height / stride, width / stride).

    Raises:
        RunError: No such model can be loaded.

    Example:
        >>> features = gs.backbone("tiny").features(torch.rand(1, 3, 64, 64))
        >>> features.maps["up_blocks.2.resnets.1"].shape
        torch.Size([1, 96, 8, 8])
    """
    return open_backbone(str(name), settings or {})


def readout(
    data: Data, target: str = "heatmap", backbone: str = "tiny", settings: Settings | None = None, **options: Any
) -> TrainedRun:
    """Trains a readout head: a target read out of a frozen backbone's features (Luo et al., CVPR 2024).

    Args:
        data: A `data` section: `{"kind": "coco", "root": "PROJECT"}`, or `"coco root=PROJECT"`.
        target: An encoding: `heatmap`, `depth-map`, `edge-image`, `correspondence` ...
        backbone: `tiny`, a folder, or the hub id of a diffusers pipeline.
        settings: Further overrides of the recipe.
        options: `out` and `device`, as for `gs.train`.

    Example:
        >>> settings = {"training.steps": 2, "view.size": [64, 64], "evaluation.baselines": []}
        >>> run = gs.readout("puppets num_train=8 num_test=4", "depth-map", settings=settings, out=depth_folder)
        >>> run.predict(picture).depth.values.shape == picture.shape[:2]
        True
    """
    chosen = {"data": _section(data), "encoding": {"kind": target}, "method": {"kind": "readout"}}
    chosen["backbone"] = backbone_section(backbone)
    return train(compose_recipe(f"readout-{target}", chosen, value_overrides(settings or {})), **options)


def annotate(
    teacher: str, source: Data, out: Place | None = None, settings: Settings | None = None, **options: Any
) -> Path:
    """Labels images or videos with a teacher; labels of several teachers add up in one data set (`kind: annotated`).

    Args:
        teacher: `edges`, `tracks`, `variants`, `run:FOLDER`; `pose`, `depth`, `masks`, `detect` or `caption`, each
            with `:MODEL` (a hub id or a folder) or without.
        source: An image, a folder of images, a video, a folder of videos, an annotated data set; or a `data` section.
        out: Folder of the data set; may be left out where `source` is an annotated one.
        settings: Of the teacher: `{"resolution": 256}`.
        options: Of the command `gensight annotate`: `frames`, `step`, `device` ...

    Returns:
        The folder of the data set.

    Example:
        >>> gs.annotate("edges", "puppets num_train=2 num_validation=0 num_test=0", edges_folder) == edges_folder
        True
    """
    from gensight.verbs.data.annotate import annotate as label

    place, keys = _place(source)
    return label(teacher, place, out, overrides=keys, settings=settings, **options).outcome.folder


def landmarks(data: Data, settings: Settings | None = None, **options: Any) -> TrainedRun:
    """Learns landmarks without labels from videos of one subject (Dundar et al., arXiv 2001.09518).

    Arguments as for `gs.readout`; the recipe is `landmarks-video`.
    """
    return _from_recipe("landmarks-video", data, settings, options)


def fit_keypoints(
    run: Place | TrainedRun, labels: Data, out: Place | None = None, device: str = "auto", **options: Any
) -> TrainedRun:
    """Fits labelled keypoints to a run's landmarks by linear regression, and scores them against the number of labels.

    Args:
        run: A finished run of `gs.landmarks`.
        labels: A DeepLabCut project, or a `data` section with keypoints.
        out: Folder of the keypoint run; `RUN/keypoints` if None. `curve.csv` in it has the errors.
        device: `auto`, `cpu`, `cuda` ...
        options: `regressor` (`ridge`, `linear`, `linear-corner`, `affine`), `counts` of labelled frames, `blocks`.
    """
    from gensight.verbs.landmarks import fit_keypoints as fit

    place, keys = _place(labels)
    return load(fit(_folder(run), place, keys, out=_path(out), device=device, **options), device)


def gaze(data: Data, settings: Settings | None = None, recipe: str = "gaze-frozen", **options: Any) -> TrainedRun:
    """Learns where people look. `recipe`: `gaze-frozen`, `gaze-chong` or `gaze-diffusion`."""
    return _from_recipe(recipe, data, settings, options)


def build_pool(sources: Sequence[str], out: Place, **settings: Any) -> Path:
    """Pools data sets into images, instructions and painted targets: the data of `gs.instruct`.

    Args:
        sources: Data sets: `"pets root=PETS"`, `"ade20k root=ADE"` ...
        out: A new folder, or one whose build was interrupted.
        settings: Of the command `gensight datasets build-instruct`: `tasks`, `size`, `phrasing` ...; its `--boxes` is
            `box_style`.

    Returns:
        The folder.
    """
    from gensight.verbs.data.build_instruct import build_instruct
    from gensight.verbs.data.pool_pairs import Settings as PoolSettings

    build_instruct(Path(out), PoolSettings.checked(sources=tuple(sources), **settings))
    return Path(out)


def instruct(data: Data, settings: Settings | None = None, **options: Any) -> TrainedRun:
    """Trains one instruction-following model for several tasks (Gan et al., "InstructCV", ICLR 2024).

    Arguments as for `gs.readout`; `data`: what `gs.build_pool` made, `"instruct-pool root=POOL"`.
    """
    return _from_recipe("instruct-puppets-one-step", data, settings, options)


@dataclass(frozen=True, eq=False)
class GuidedImages:
    """What `gs.guide` made.

    Attributes:
        folder: Where the pictures, the sheet of each seed and guide.json lie.
        images: uint8 RGB (height, width, 3), one for each seed.
        unguided: The same seeds without guidance.
        scores: As guide.json has them: guided against unguided, paired, with intervals.
    """

    folder: Path
    images: tuple[Array, ...]
    unguided: tuple[Array, ...]
    scores: tuple[Mapping[str, Any], ...]


def guide(
    runs: Sequence[Place | TrainedRun],
    prompt: str = "",
    *,
    control: Place | Sequence[Place] = (),
    reference: Place | None = None,
    source: Place | None = None,
    drags: Sequence[str] = (),
    size: Size = (512, 512),
    seeds: Sequence[int] = (0,),
    steps: int | None = None,
    guidance_scale: float | None = None,
    weight: float = 0.02,
    share: float = 0.5,
    preset: str = "gensight",
    out: Place | None = None,
    device: str = "auto",
) -> GuidedImages:
    """Generates images under the control of trained readouts (Luo et al., CVPR 2024, section 4).

    Args:
        runs: Readouts of one backbone, trained with `method.timesteps=random`.
        prompt: What the image shows.
        control: Maps for the runs of maps, in order: pictures, or OpenPose json.
        reference: An image whose appearance is followed.
        source: A real image to drag in.
        drags: `"X,Y:X,Y"` each, in pixels.
        size: (height, width) of the image.
        seeds: One image for each.
        steps: Of the sampler; the preset's if None.
        guidance_scale: Weight of the text; the preset's if None.
        weight: Length of a guiding move.
        share: Guided part of the steps.
        preset: `gensight`, or `published`: the settings of Luo et al.
        out: Folder to write to; a new temporary one if None.
        device: `auto`, `cpu`, `cuda` ...

    Raises:
        ConfigError: Runs that cannot guide, or targets that no run reads.
    """
    from gensight.guidance.options import PRESETS, choose, usual_settings
    from gensight.guidance.targets import GuidanceTargets
    from gensight.verbs.guide import guide as guide_images

    folders = [_folder(run) for run in runs]
    folder = Path(tempfile.mkdtemp(prefix="gensight-guided-")) if out is None else Path(out)
    controls = tuple(map(Path, (control,) if isinstance(control, str | Path) else control))
    given = {"prompt": prompt, "seeds": tuple(seeds), "steps": steps, "guidance_scale": guidance_scale}
    settings = usual_settings(
        choose(preset, PRESETS, "preset"), given | {"weight": weight, "share": share}, size,
        dragging=bool(drags), real=source is not None,
    )  # fmt: skip
    targets = GuidanceTargets(
        controls=controls, reference=_path(reference), source=_path(source), drags=tuple(drags), **settings.targets
    )
    guide_images(folders, folder, targets, settings.sampling, settings.steering, device=device, film=False)
    guided, unguided = (
        tuple(read_image(folder / f"{kind}-{seed}.png") for seed in seeds) for kind in ("guided", "unguided")
    )
    return GuidedImages(folder, guided, unguided, tuple(read_json(folder / "guide.json")["scores"]))


def _folder(run: Place | TrainedRun) -> Path:
    return run.folder.root if isinstance(run, TrainedRun) else Path(run)


def _path(place: Place | None) -> Path | None:
    return None if place is None else Path(place)


def _config(recipe: str | Path | RunConfig, settings: Settings | None) -> RunConfig:
    if isinstance(recipe, RunConfig):
        if settings:
            raise ConfigError("settings change a recipe given by name or path", hint="change the RunConfig itself")
        return recipe
    return load_recipe(recipe, value_overrides(settings or {}))


def _section(data: Data) -> dict[str, Any]:
    """The keys of a `data` section that are given: the others stay as the recipe has them."""
    if isinstance(data, Mapping):
        return dict(data)
    kind, *texts = str(data).split()
    return load_data(kind, texts).model_dump(mode="json", exclude_unset=True)


def _place(data: Data) -> tuple[str, list[str]]:
    """A path, or a kind of data set; and the kind's keys as overrides."""
    if isinstance(data, Mapping):
        return str(data["kind"]), value_overrides({key: value for key, value in data.items() if key != "kind"})
    words = str(data).split()
    if not (words[1:] and all("=" in word for word in words[1:])) and Path(data).exists():
        return str(data), []
    return words[0], words[1:]


def _from_recipe(recipe: str, data: Data, settings: Settings | None, options: Mapping[str, Any]) -> TrainedRun:
    section = _section(data)
    chosen = {"data.kind": section.pop("kind")} | {f"data.{key}": value for key, value in section.items()}
    return train(recipe, {**chosen, **(settings or {})}, **options)
