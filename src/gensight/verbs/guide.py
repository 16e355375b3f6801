"""`gensight guide`: images generated under the control of trained readouts."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from gensight.assembly.devices import choose_device
from gensight.errors import ConfigError
from gensight.files.atomic import json_values, read_json, write_json
from gensight.files.images import write_image
from gensight.files.lock import only_writer
from gensight.files.progress import Announce, ProgressLine, silent
from gensight.guidance.heads import guiding_head
from gensight.guidance.pictures import draw_image, draw_sheet, write_film
from gensight.guidance.sampling import ImageSampling, Watch, sample
from gensight.guidance.scores import HeadOnImages, choose_evaluators, score_images, summarise
from gensight.guidance.steering import Steering
from gensight.guidance.targets import GuidanceTargets, Setting, prepare
from gensight.prediction.trained_run import TrainedRun
from gensight.report.tables import aligned, interval_text, score_text
from gensight.samples import Array

Rows = dict[int, dict[str, Any]]  # by seed


def guide(
    runs: Sequence[Path],
    out: Path,
    targets: GuidanceTargets,
    sampling: ImageSampling,
    steering: Steering = Steering(),  # noqa: B008 (frozen)
    device: str = "auto",
    film: bool = True,
    evaluators: Sequence[Path] = (),
    batch_size: int = 1,
    announce: Announce = silent,
) -> Path:
    """Generates images, each without and with guidance from the same noise.

    Writes for each seed `unguided-SEED.png`, `guided-SEED.png`, `sheet-SEED.png` (both beside the target, with the
    readouts of each) and `steps-SEED.mp4`; for drags of several frames `frame-K-SEED.png` and `frames-SEED.mp4`; and
    `guide.json`: settings, errors, time, memory, and how much nearer to each target the guided images are, with the
    interval over the seeds. Seeds that the folder holds already are not sampled again.

    Args:
        runs: Trained readouts of one backbone, trained with `method.timesteps=random`.
        out: Folder to write to.
        targets: The guidance targets.
        sampling: How images are sampled.
        steering: How they are steered.
        device: `auto`, `cpu`, `cuda` ...
        film: Whether to write the film of the steps.
        evaluators: Other runs that score the finished images, independent of the guidance: of any backbone and noise
            level, each with the output of one of `runs`. A guiding head without one scores its own images, which is
            biased in its favour.
        batch_size: Images sampled at once.
        announce: Called with the estimated time and memory, before sampling starts.

    Raises:
        ConfigError: For runs that cannot guide, targets without a run for them, and runs without a target; for a folder
            that holds images made with other settings.
    """
    device = choose_device(device)
    heads = {str(run): guiding_head(TrainedRun.load(run, device).method, str(run)) for run in runs}
    setting = prepare(heads, targets, sampling, steering)
    loaded = [TrainedRun.load(evaluator, device) for evaluator in evaluators]
    described = [(str(run.folder.root), run.method, run.config.view.size) for run in loaded]
    chosen = choose_evaluators(described, list(heads.values()))
    settings = _settings(setting, runs, evaluators)
    with only_writer(out):
        rows = _finished(out, settings)
        seeds = [seed for seed in sampling.seeds if seed not in rows]
        if seeds:
            announce(setting.estimate(len(seeds)))
        for batch in _guide_seeds(setting, chosen, seeds, batch_size, out, film):
            rows |= batch
            _write(out, settings, setting, rows)
        _write(out, settings, setting, rows, summarise([rows[seed] for seed in sampling.seeds]))
    return out


def _settings(setting: Setting, runs: Sequence[Path], evaluators: Sequence[Path]) -> dict[str, Any]:
    """All that an image depends on except its seed, as JSON values."""
    settings = {
        "runs": list(runs),
        "evaluators": list(evaluators),
        "targets": {name: value for name, value in vars(setting.targets).items() if value is not None},
        "sampling": {name: value for name, value in vars(setting.sampling).items() if name != "seeds"},
        "steering": vars(setting.steering),
    }
    return dict(json_values(settings, default=str))


def _finished(out: Path, settings: dict[str, Any]) -> Rows:
    """The images that a folder holds. Raises ConfigError if they were made with other settings."""
    file = out / "guide.json"
    if not file.is_file():
        return {}
    held = read_json(file)
    if not isinstance(held, dict) or held.get("settings") != settings:
        raise ConfigError(
            "this folder holds images made with other settings", where=out, hint="choose another --out, or remove it"
        )
    return {int(row["seed"]): row for row in held["images"]}


def _write(
    out: Path, settings: dict[str, Any], setting: Setting, rows: Rows, scores: Sequence[dict[str, Any]] = ()
) -> None:
    inversions = {"source": setting.source, "reference": setting.reference}
    content = {
        "settings": settings,
        "inversion_psnr_db": {name: one.psnr for name, one in inversions.items() if one is not None},
        "images": [rows[seed] for seed in sorted(rows)],
        "scores": list(scores),
    }
    write_json(out / "guide.json", content, indent=1)


def _guide_seeds(
    setting: Setting,
    evaluators: Mapping[int, HeadOnImages],
    seeds: Sequence[int],
    batch_size: int,
    out: Path,
    film: bool,
) -> Iterator[Rows]:
    """The rows of each batch of seeds, once its pictures are written."""
    line = ProgressLine(max(len(seeds), 1) * setting.steps_per_seed, "guide")
    done = 0

    def watch(step: int, latents: Tensor) -> None:
        nonlocal done
        done += len(latents)
        line.show(done)

    for first in range(0, len(seeds), batch_size):
        part = tuple(seeds[first : first + batch_size])
        of_batch = replace(setting, sampling=replace(setting.sampling, seeds=part))
        yield _guide_batch(of_batch, evaluators, out, film, watch)
    line.close()


def _guide_batch(setting: Setting, evaluators: Mapping[int, HeadOnImages], out: Path, film: bool, watch: Watch) -> Rows:
    backbone, seeds = setting.backbone, setting.sampling.seeds
    unguided = setting.sample_unguided(watch)
    started = time.monotonic()
    frames: list[list[Array]] = [[] for _ in seeds]

    def record_frame(step: int, latents: Tensor) -> None:
        watch(step, latents)
        for kept, image in zip(frames, backbone.decode_latent(latents) if film else (), strict=False):
            kept.append(draw_image(image))

    on_the_way = []
    for number in range(len(setting.drags) - 1):
        goals, start = setting.goals(unguided, number), setting.start(unguided, number)
        on_the_way.append(sample(backbone, setting.sampling, goals, setting.steering, start=start, watch=watch).images)
    goals, start = setting.goals(unguided), setting.start(unguided)
    guided = sample(backbone, setting.sampling, goals, setting.steering, start=start, watch=record_frame)
    seconds = (time.monotonic() - started) / len(seeds)
    scored = score_images(setting, goals, evaluators, (unguided.images, guided.images))
    reference = setting.targets.source or setting.targets.reference
    rows = {}
    for place, seed in enumerate(seeds):
        pair = (unguided.images[place], guided.images[place])
        write_image(out / f"unguided-{seed}.png", draw_image(pair[0]))
        write_image(out / f"guided-{seed}.png", draw_image(pair[1]))
        write_image(out / f"sheet-{seed}.png", draw_sheet(backbone, goals, reference, pair))
        if frames[place]:
            write_film(out / f"steps-{seed}.mp4", frames[place])
        _write_frames(out, seed, [draw_image(one) for one in (pair[0], *(i[place] for i in on_the_way), pair[1])])
        rows[seed] = {
            "seed": seed,
            "seconds_guided": seconds,
            "error_by_step": {str(step): float(error[place]) for step, error in guided.errors.items()},
            "scores": {name: [float(values[place]) for values in both] for name, both in scored.items()},
        }
    return rows


def _write_frames(out: Path, seed: int, pictures: Sequence[Array]) -> None:
    """The frames of a drag, where there are any between the first and the last."""
    if len(pictures) > 2:
        for number, picture in enumerate(pictures):
            write_image(out / f"frame-{number}-{seed}.png", picture)
        write_film(out / f"frames-{seed}.mp4", pictures)


def scores_text(scores: Sequence[Mapping[str, Any]]) -> str:
    """The summary as a table for the terminal; lower is nearer to the target."""
    lines = [[f"{scores[0]['num_seeds']} seeds, lower is nearer", "unguided", "guided", "difference [95 %]"]]
    for score in scores:
        cells = [score["name"]]
        for side in ("unguided", "guided", "difference"):
            value, bounds = score[side]["value"], tuple(score[side]["interval"])
            signed = side == "difference"
            cells.append(f"{score_text(value, score['unit'], signed)} {interval_text(bounds, score['unit'], signed)}")
        lines.append(cells)
    return aligned(lines)
