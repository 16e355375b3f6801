"""`gensight guide`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gensight.cli import checks
from gensight.cli.option_groups import OptionGroup, takes_option_groups
from gensight.cli.options import Device, out_option
from gensight.files.progress import loading

if TYPE_CHECKING:
    from gensight.guidance.options import Settings
    from gensight.guidance.targets import GuidanceTargets


@dataclass(frozen=True)
class ControlOptions(OptionGroup):
    """Maps that the image should match."""

    control: Annotated[
        list[Path] | None, typer.Option(metavar="IMAGE", help="A map, or OpenPose json; one per run of maps.")
    ] = None
    mask: Annotated[Path | None, typer.Option(metavar="IMAGE", help="White where the control counts.")] = None
    weights: Annotated[
        str | None, typer.Option(metavar="W,W...", help="One per run, or W:W:... for its steps; else equal.")
    ] = None


@dataclass(frozen=True)
class DragOptions(OptionGroup):
    """Points to move."""

    source: Annotated[Path | None, typer.Option(metavar="IMAGE", help="A real image to drag in.")] = None
    drag: Annotated[list[str] | None, typer.Option(metavar="X,Y:X,Y", help="From where to where; repeat for more.")] = (
        None
    )
    tracks: Annotated[Path | None, typer.Option(metavar="FILE", help="Drags as a .npy of tracks.")] = None
    frames: Annotated[int, typer.Option(min=2, help="Images of a drag from its start to its end.")] = 2
    inversion: Annotated[
        str, typer.Option(help="Level of a step that real images are inverted at: current or target.")
    ] = "current"
    carry: Annotated[
        float | None,
        typer.Option(
            metavar="PIXELS",
            min=0,
            show_default="an eighth of the shorter side; 0 if published",
            help="Radius of the latents that a drag copies along first; 0: none.",
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
    compare: Annotated[
        str | None,
        typer.Option(
            show_default="means; cells if published",
            help="Regions by their means, or cell by cell once resized (cells).",
        ),
    ] = None


@dataclass(frozen=True)
class SamplingOptions(OptionGroup):
    """How images are sampled."""

    prompt: Annotated[str, typer.Option(metavar="TEXT", help="What the image shows.")] = ""
    negative_prompt: Annotated[str, typer.Option("--negative", metavar="TEXT", help="The negative prompt.")] = ""
    size: Annotated[str, typer.Option(metavar="HEIGHTxWIDTH", help="Size of the image.")] = "512x512"
    seeds: Annotated[str, typer.Option(metavar="N,N...", help="One image for each; FIRST-LAST for many.")] = "0"
    sampler: Annotated[str, typer.Option(help="ddim, euler, euler-ancestral, ancestral or dpm-solver++.")] = "ddim"
    steps: Annotated[int | None, typer.Option(min=1, show_default="50; 100 if published", help="Sampling steps.")] = (
        None
    )
    guidance_scale: Annotated[
        float | None,
        typer.Option(show_default="7.5; 3.5 for --source if published", help="Scale of classifier-free guidance."),
    ] = None
    unguided_scale: Annotated[
        float | None,
        typer.Option(
            show_default="--guidance-scale; 1 for --source if published", help="The same for unguided images."
        ),
    ] = None
    eta: Annotated[
        float | None, typer.Option(min=0, max=1, show_default="0 for drags, else 1", help="Noise of DDIM's steps.")
    ] = None


@dataclass(frozen=True)
class SteeringOptions(OptionGroup):
    """How the sampler is steered."""

    preset: Annotated[str, typer.Option(help="Usual settings: gensight, or published (Luo et al., 2024).")] = "gensight"
    weight: Annotated[float, typer.Option(min=0, help="Length of a guidance step.")] = 0.02
    normalisation: Annotated[str, typer.Option(help="adam, unit or raw.")] = "adam"
    start: Annotated[float, typer.Option(min=0, max=1, help="Share of the steps at which guidance begins.")] = 0.0
    share: Annotated[float, typer.Option(min=0, max=1, help="Share of the steps at which it ends.")] = 0.5
    inner_steps: Annotated[int, typer.Option(min=1, help="Guidance steps at each guided sampling step.")] = 1
    branches: Annotated[
        str | None,
        typer.Option(
            show_default="prompted; both if published", help="Of classifier-free guidance, read: prompted or both."
        ),
    ] = None
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
    checks.check_device(device)
    checks.check_inputs(*(controls.control or ()), controls.mask, drags.source, drags.tracks, appearance.reference)
    checks.check_runs([*runs, *(evaluator or ())])
    with loading():
        from gensight.files.atomic import read_json
        from gensight.verbs.guide import guide as run_guide
        from gensight.verbs.guide import scores_text

    settings = _settings(sampling, steering, drags, appearance)
    folder = run_guide(
        runs, out, _targets(controls, drags, appearance, settings.targets), settings.sampling, settings.steering,
        device=device, film=film, evaluators=evaluator or (), batch_size=batch, announce=typer.echo,
    )  # fmt: skip
    if scores := read_json(folder / "guide.json")["scores"]:
        typer.echo(scores_text(scores))
    typer.echo(f"images: {folder}")


def _settings(
    options: SamplingOptions, steering: SteeringOptions, drags: DragOptions, appearance: ReferenceOptions
) -> "Settings":
    from gensight.diffusion.sampling import SAMPLERS
    from gensight.guidance.inversion import INVERSION_LEVELS
    from gensight.guidance.options import PRESETS, choose, numbers, seed_list, usual_settings
    from gensight.guidance.steering import BRANCHES, MEMORIES, NORMALISATIONS
    from gensight.guidance.targets import COMPARISONS

    size = tuple(int(side) for side in numbers(options.size, "--size", 2, "x"))
    named = {"carry": drags.carry, "strength": drags.strength, "inversion": drags.inversion}
    given = asdict(options) | asdict(steering) | named | {"compare": appearance.compare}
    choices = {
        "sampler": SAMPLERS, "normalisation": NORMALISATIONS, "memory": MEMORIES, "branches": BRANCHES,
        "inversion": INVERSION_LEVELS, "compare": COMPARISONS, "preset": PRESETS,
    }  # fmt: skip
    for name, known in choices.items():
        if given[name] is not None:
            choose(given[name], known, f"--{name}")
    preset = choose(given.pop("preset"), PRESETS, "--preset")
    given["seeds"] = seed_list(options.seeds)
    dragging, real = bool(drags.drag or drags.tracks), drags.source is not None
    return usual_settings(preset, given, (size[0], size[1]), dragging=dragging, real=real)


def _targets(
    controls: ControlOptions, drags: DragOptions, appearance: ReferenceOptions, settings: "dict[str, Any]"
) -> "GuidanceTargets":
    from gensight.guidance.options import numbers, run_weights
    from gensight.guidance.targets import GuidanceTargets

    box, reference_box = appearance.box, appearance.reference_box
    return GuidanceTargets(
        controls=tuple(controls.control or ()), mask=controls.mask,
        weights=() if controls.weights is None else run_weights(controls.weights),
        source=drags.source, drags=tuple(drags.drag or ()), tracks=drags.tracks, frames=drags.frames,
        reference=appearance.reference, box=None if box is None else numbers(box, "--box", 4),
        reference_box=None if reference_box is None else numbers(reference_box, "--reference-box", 4), **settings,
    )  # fmt: skip
