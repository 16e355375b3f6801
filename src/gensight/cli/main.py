"""The command `gensight`: its verbs, and how errors and interruptions end."""

import os
import shlex
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gensight.cli import ask, doctor, evaluate, guide, landmarks, match, predict, recipes, report, serve, study, train
from gensight.cli.data import annotate, convert, datasets, init
from gensight.cli.models import editor, export, import_weights, pretrain, probe
from gensight.cli.streams import prepare_streams
from gensight.errors import UserError, resource_error
from gensight.files.progress import start_quickly
from gensight.version import __version__

RESUMED_BY_THE_SAME_COMMAND = ("train", "pretrain", "annotate", "study", "probe", "predict", "ask", "match")


class _Verbs(TyperGroup):
    """Ends with 2 and without a traceback on the user's mistakes, and with 130 on Ctrl-C."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (UserError, OSError) as error:
            known = error if isinstance(error, UserError) else resource_error(error)
            if known is None:
                raise
            typer.echo(f"error: {known}", err=True)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo(_interrupted(ctx.invoked_subcommand), err=True)
            raise typer.Exit(130) from None


def _interrupted(verb: str | None) -> str:
    command = shlex.join(["gensight", *sys.argv[1:]])
    outcome = "resume" if verb in RESUMED_BY_THE_SAME_COMMAND else "start it again"
    return f"interrupted; to {outcome}: {command}"


app = typer.Typer(
    name="gensight",
    help="Read what generative image models know: keypoints, depth, edges, correspondences, from a few labels.",
    epilog="First steps: `gensight doctor`, then `gensight train demo`; with your own labels `gensight init FOLDER`.",
    cls=_Verbs,
    rich_markup_mode=None,  # rich would cost a third of the start-up time
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(show: bool) -> bool:
    if show:
        typer.echo(f"gensight {__version__}")
        raise typer.Exit
    return show


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


for verb in (
    train.train,
    evaluate.evaluate,
    predict.predict,
    ask.ask,
    serve.serve,
    export.export,
    match.match,
    guide.guide,
    study.study,
    annotate.annotate,
    convert.convert,
    report.report,
    pretrain.pretrain,
    init.init,
    import_weights.import_weights,
    probe.probe,
    recipes.recipes,
    doctor.doctor,
):
    app.command()(verb)
app.add_typer(datasets.app, name="datasets")
app.add_typer(landmarks.app, name="landmarks")
app.add_typer(editor.app, name="editor")


def main() -> None:
    """Entry point of the console script."""
    # Read when torch is loaded, later: idle OpenMP threads that spin cost six times the time where cores are shared.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    start_quickly()
    prepare_streams()
    app(prog_name="gensight")


if __name__ == "__main__":
    main()
