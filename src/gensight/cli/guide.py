"""`gensight guide`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gensight.cli.option_groups import OptionGroup, takes_option_groups
from gensight.cli.options import Device, out_option

if TYPE_CHECKING:
    from gensight.guidance.sampling import ImageSampling
    from gensight.guidance.steering import Steering
    from gensight.guidance.targets import GuidanceTargets


@dataclass(frozen=True)
class ControlOptions(OptionGroup):
    """Maps that the image should match."""

    control: Annotated[
        list[Path] | None, typer.Option(metavar="IMAGE", help="A map, or OpenPose json; one per run of maps.")
    ] = None
    mask: Annotated[Path | None, typer.Option(metavar="IMAGE", help="White where the control counts.")] = None
    weights: Annotated[str | None, typer.Option(metavar="W,W...", help="One per run; else equal.")] = None


@dataclass(frozen=True)
class DragOptions(OptionGroup):
    """Points to move."""

    source: Annotated[Path | None, typer.Option(metavar="IMAGE", help="A real image to drag in.")] = None
    drag: Annotated[list[str] | None, typer.Option(metavar="X,Y:X,Y", help="From where to where; repeat for more.")] = (
        None
    )
    tracks: Annotated[Path | None, typer.Option(metavar="FILE", help="Drags as a .npy of tracks.")] = None
    carry: Annotated[
        float | None,
        typer.Option(
            metavar="PIXELS",
            min=0,
            show_default="an eighth of the shorter side",
            help="Radius of the latents that a drag copies along first; 0: none, as published.",
        ),
    ] = None
    strength: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            show_default="0.5 for drags with --carry, else 1",
            help="Share of the sampling steps that a drag runs through.",
        ),
    ] = None


@dataclass(frozen=True)
class ReferenceOptions(OptionGroup):
    """A reference for the appearance of the image."""

    reference: Annotated[Path | None, typer.Option(metavar="IMAGE", help="The appearance to follow.")] = None
    reference_box: Annotated[str | None, typer.Option(metavar="X,Y,X,Y", help="Region of the reference.")] = None
    box: Annotated[str | None, typer.Option(metavar="X,Y,X,Y", help="Region of the result.")] = None


@dataclass(frozen=True)
class SamplingOptions(OptionGroup):
    """How images are sampled."""

    prompt: Annotated[str, typer.Option(metavar="TEXT", help="What the image shows.")] = ""
    negative_prompt: Annotated[str, typer.Option("--negative", metavar="TEXT", help="The negative prompt.")] = ""
    size: Annotated[str, typer.Option(metavar="HEIGHTxWIDTH", help="Size of the image.")] = "512x512"
    seeds: Annotated[str, typer.Option(metavar="N,N...", help="One image for each; FIRST-LAST for many.")] = "0"
    sampler: Annotated[str, typer.Option(help="ddim, euler, euler-ancestral, ancestral or dpm-solver++.")] = "ddim"
    steps: Annotated[int, typer.Option(min=1, help="Sampling steps.")] = 50
    guidance_scale: Annotated[float, typer.Option(help="Scale of classifier-free guidance.")] = 7.5
    eta: Annotated[
        float | None, typer.Option(min=0, max=1, show_default="0 for drags, else 1", help="Noise of DDIM's steps.")
    ] = None


@dataclass(frozen=True)
class SteeringOptions(OptionGroup):
    """How the sampler is steered."""

    weight: Annotated[float, typer.Option(min=0, help="Length of a guidance step.")] = 0.02
    normalisation: Annotated[str, typer.Option(help="sign, unit or raw.")] = "sign"
    share: Annotated[float, typer.Option(min=0, max=1, help="Share of the sampling steps that is guided.")] = 0.5
    inner_steps: Annotated[int, typer.Option(min=1, help="Guidance steps at each guided sampling step.")] = 1
    memory: Annotated[str, typer.Option(help="normal, or low: slower, less memory.")] = "normal"


@takes_option_groups
def guide(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Runs of one backbone, method.timesteps=random.")
    ],
    sampling: SamplingOptions,
    controls: ControlOptions,
    drags: DragOptions,
    appearance: ReferenceOptions,
    steering: SteeringOptions,
    out: Annotated[Path, out_option("Where to write.")] = Path("guided"),
    evaluator: Annotated[
        list[Path] | None, typer.Option(metavar="RUN", help="Scores the images; of any backbone; repeat.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images at once.")] = 1,
    device: Device = "auto",
    film: Annotated[bool, typer.Option(help="Also write a film of the steps.")] = True,
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

    settings, carry = _sampling(sampling, drags)
    targets = _targets(controls, drags, appearance, carry)
    folder = run_guide(
        runs, out, targets, settings, _steering(steering), device=device, film=film, evaluators=evaluator or (),
        batch_size=batch, announce=typer.echo,
    )  # fmt: skip
    if scores := read_json(folder / "guide.json")["scores"]:
        typer.echo(scores_text(scores))
    typer.echo(f"images: {folder}")


def _sampling(options: SamplingOptions, drags: DragOptions) -> "tuple[ImageSampling, float]":
    """How images are sampled, and the radius that drags carry along."""
    from gensight.diffusion.sampling import SAMPLERS
    from gensight.guidance.options import choose, drag_settings, numbers, seed_list
    from gensight.guidance.sampling import ImageSampling

    height, width = (int(side) for side in numbers(options.size, "--size", 2, "x"))
    dragging = bool(drags.drag or drags.tracks)
    carry, strength, eta = drag_settings(dragging, (height, width), drags.carry, drags.strength, options.eta)
    read = {
        "size": (height, width), "sampler": choose(options.sampler, SAMPLERS, "--sampler"), "eta": eta,
        "seeds": seed_list(options.seeds), "strength": strength,
    }  # fmt: skip
    return ImageSampling(**asdict(options) | read), carry


def _targets(
    controls: ControlOptions, drags: DragOptions, appearance: ReferenceOptions, carry: float
) -> "GuidanceTargets":
    from gensight.guidance.options import numbers
    from gensight.guidance.targets import GuidanceTargets

    box, reference_box = appearance.box, appearance.reference_box
    return GuidanceTargets(
        controls=tuple(controls.control or ()), mask=controls.mask,
        weights=() if controls.weights is None else numbers(controls.weights, "--weights"),
        source=drags.source, drags=tuple(drags.drag or ()), tracks=drags.tracks, carry=carry,
        reference=appearance.reference, box=None if box is None else numbers(box, "--box", 4),
        reference_box=None if reference_box is None else numbers(reference_box, "--reference-box", 4),
    )  # fmt: skip


def _steering(options: SteeringOptions) -> "Steering":
    from gensight.guidance.options import choose
    from gensight.guidance.steering import MEMORIES, NORMALISATIONS, Steering

    choose(options.normalisation, NORMALISATIONS, "--normalisation")
    choose(options.memory, MEMORIES, "--memory")
    return Steering(**asdict(options))
