"""`gensight guide`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gensight.cli.option_groups import OptionGroup, takes_option_groups
from gensight.cli.options import Device

if TYPE_CHECKING:
    from gensight.guidance.sampling import ImageSampling
    from gensight.guidance.steering import Steering
    from gensight.guidance.targets import GuidanceTargets


@dataclass(frozen=True)
class ControlOptions(OptionGroup):
    """Maps that the image should match."""

    control: Annotated[
        list[Path] | None,
        typer.Option(
            "--control", metavar="IMAGE", show_default=False, help="A map, or OpenPose json; one per run of maps."
        ),
    ] = None
    mask: Annotated[
        Path | None,
        typer.Option("--mask", metavar="IMAGE", show_default=False, help="White where the control counts."),
    ] = None
    weights: Annotated[
        str | None, typer.Option("--weights", metavar="W,W...", show_default=False, help="One per run; else equal.")
    ] = None


@dataclass(frozen=True)
class DragOptions(OptionGroup):
    """Points to move."""

    source: Annotated[
        Path | None, typer.Option("--source", metavar="IMAGE", show_default=False, help="A real image to drag in.")
    ] = None
    drag: Annotated[
        list[str] | None,
        typer.Option("--drag", metavar="X,Y:X,Y", show_default=False, help="From where to where; repeat for more."),
    ] = None
    tracks: Annotated[
        Path | None, typer.Option("--tracks", metavar="FILE", show_default=False, help="Drags as a .npy of tracks.")
    ] = None
    carry: Annotated[
        float | None,
        typer.Option(
            "--carry",
            metavar="PIXELS",
            min=0,
            show_default="an eighth of the shorter side",
            help="Radius of the latents that a drag copies along first; 0: none, as published.",
        ),
    ] = None
    strength: Annotated[
        float | None,
        typer.Option(
            "--strength",
            min=0,
            max=1,
            show_default="0.5 for drags with --carry, else 1",
            help="Share of the sampling steps that a drag runs through.",
        ),
    ] = None

    def radius(self, shorter_side: int) -> float:
        """Radius, in pixels, of the latents that a drag copies along."""
        if self.carry is not None:
            return self.carry
        return shorter_side / 8 if self.drag or self.tracks else 0.0


@dataclass(frozen=True)
class ReferenceOptions(OptionGroup):
    """A reference for the appearance of the image."""

    reference: Annotated[
        Path | None,
        typer.Option("--reference", metavar="IMAGE", show_default=False, help="The appearance to follow."),
    ] = None
    reference_box: Annotated[
        str | None,
        typer.Option("--reference-box", metavar="X,Y,X,Y", show_default=False, help="Region of the reference."),
    ] = None
    box: Annotated[
        str | None,
        typer.Option("--box", metavar="X,Y,X,Y", show_default=False, help="Region of the result."),
    ] = None


@dataclass(frozen=True)
class SamplingOptions(OptionGroup):
    """How images are sampled."""

    prompt: Annotated[str, typer.Option("--prompt", metavar="TEXT", help="What the image shows.")] = ""
    negative: Annotated[str, typer.Option("--negative", metavar="TEXT", help="The negative prompt.")] = ""
    size: Annotated[str, typer.Option("--size", metavar="HEIGHTxWIDTH", help="Size of the image.")] = "512x512"
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="N,N...", help="One image for each; FIRST-LAST for many.")
    ] = "0"
    sampler: Annotated[
        str, typer.Option("--sampler", help="ddim, euler, euler-ancestral, ancestral or dpm-solver++.")
    ] = "ddim"
    steps: Annotated[int, typer.Option("--steps", min=1, help="Sampling steps.")] = 50
    guidance_scale: Annotated[float, typer.Option("--guidance-scale", help="Scale of classifier-free guidance.")] = 7.5
    eta: Annotated[
        float | None,
        typer.Option("--eta", min=0, max=1, show_default="0 for drags, else 1", help="Noise of DDIM's steps."),
    ] = None


@dataclass(frozen=True)
class SteeringOptions(OptionGroup):
    """How the sampler is steered."""

    weight: Annotated[float, typer.Option("--weight", min=0, help="Length of a guidance step.")] = 0.02
    normalisation: Annotated[str, typer.Option("--normalisation", help="sign, unit or raw.")] = "sign"
    share: Annotated[
        float, typer.Option("--share", min=0, max=1, help="Share of the sampling steps that is guided.")
    ] = 0.5
    inner_steps: Annotated[
        int, typer.Option("--inner-steps", min=1, help="Guidance steps at each guided sampling step.")
    ] = 1
    memory: Annotated[str, typer.Option("--memory", help="normal, or low: slower, less memory.")] = "normal"


@takes_option_groups
def guide(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", show_default=False, help="Runs of one backbone, method.timesteps=random."),
    ],
    sampling: SamplingOptions,
    controls: ControlOptions,
    drags: DragOptions,
    appearance: ReferenceOptions,
    steering: SteeringOptions,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to write.")] = Path("guided"),
    evaluator: Annotated[
        list[Path] | None,
        typer.Option(
            "--evaluator", metavar="RUN", show_default=False, help="Scores the images; of any backbone; repeat."
        ),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Images at once.")] = 1,
    device: Device = "auto",
    film: Annotated[bool, typer.Option("--film/--no-film", help="Also write a film of the steps.")] = True,
) -> None:
    """Generate images under the control of trained readouts.

    Maps (--control), dragged points (--drag) and the appearance of a reference (--reference) may be combined; each
    needs a run that predicts it. Every image is written beside the unguided image of the same noise, and scored against
    it. With --evaluator, a run that did not guide computes the scores.

    \b
    Example:
      gensight guide runs/guide-depth --prompt "a dog on grass" --control depth.png --seeds 0,1,2
    """
    from gensight.files.atomic import read_json
    from gensight.verbs.guide import guide as run_guide
    from gensight.verbs.guide import scores_text

    settings = _sampling(sampling, drags)
    targets = _targets(controls, drags, appearance, settings)
    folder = run_guide(
        runs, out, targets, settings, _steering(steering), device=device, film=film, evaluators=evaluator or (),
        batch_size=batch, announce=typer.echo,
    )  # fmt: skip
    if scores := read_json(folder / "guide.json")["scores"]:
        typer.echo(scores_text(scores))
    typer.echo(f"images: {folder}")


def _sampling(options: SamplingOptions, drags: DragOptions) -> "ImageSampling":
    from gensight.diffusion.sampling import SAMPLERS
    from gensight.guidance.options import choose, numbers, seed_list
    from gensight.guidance.sampling import ImageSampling

    height, width = (int(side) for side in numbers(options.size, "--size", 2, "x"))
    dragging = bool(drags.drag or drags.tracks)
    usual_strength = 0.5 if dragging and drags.radius(min(height, width)) else 1.0
    return ImageSampling(
        prompt=options.prompt,
        negative_prompt=options.negative,
        size=(height, width),
        sampler=choose(options.sampler, SAMPLERS, "--sampler"),
        steps=options.steps,
        guidance_scale=options.guidance_scale,
        eta=options.eta if options.eta is not None else float(not dragging),
        seeds=seed_list(options.seeds),
        strength=drags.strength if drags.strength is not None else usual_strength,
    )


def _targets(
    controls: ControlOptions, drags: DragOptions, appearance: ReferenceOptions, sampling: "ImageSampling"
) -> "GuidanceTargets":
    from gensight.guidance.options import numbers
    from gensight.guidance.targets import GuidanceTargets

    box, reference_box = appearance.box, appearance.reference_box
    return GuidanceTargets(
        controls=tuple(controls.control or ()),
        source=drags.source,
        drags=tuple(drags.drag or ()),
        tracks=drags.tracks,
        carry=drags.radius(min(sampling.size)),
        reference=appearance.reference,
        reference_box=None if reference_box is None else numbers(reference_box, "--reference-box", 4),
        box=None if box is None else numbers(box, "--box", 4),
        mask=controls.mask,
        weights=() if controls.weights is None else numbers(controls.weights, "--weights"),
    )


def _steering(options: SteeringOptions) -> "Steering":
    from gensight.guidance.options import choose
    from gensight.guidance.steering import MEMORIES, NORMALISATIONS, Steering

    return Steering(
        weight=options.weight,
        normalisation=choose(options.normalisation, NORMALISATIONS, "--normalisation"),
        share=options.share,
        inner_steps=options.inner_steps,
        memory=choose(options.memory, MEMORIES, "--memory"),
    )
