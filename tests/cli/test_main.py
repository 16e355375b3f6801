"""The command line: what reaches the verbs, how errors end, and that help is fast."""

import resource
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import gensight
from gensight.cli.main import app
from gensight.config.pretrain import PretrainConfig
from gensight.config.schema import RunConfig
from gensight.errors import RunError
from gensight.prediction.jobs import PredictionOutcome

VERBS = ("train", "evaluate", "predict", "ask", "pretrain", "report", "init", "recipes", "doctor", "datasets", "study")
Calls = list[tuple[tuple[Any, ...], dict[str, Any]]]


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, unchecked: None) -> Callable[..., Calls]:
    """Puts a recording function in place of a heavy verb's module."""

    def replace(verb: str, answer: Any = None, function: str = "") -> Calls:
        calls: Calls = []

        def record(*args: Any, **kwargs: Any) -> Any:
            calls.append((args, kwargs))
            if isinstance(answer, BaseException):
                raise answer
            return answer

        module = types.ModuleType(f"gensight.verbs.{verb}")
        setattr(module, function or verb, record)
        monkeypatch.setitem(sys.modules, f"gensight.verbs.{verb}", module)
        return calls

    return replace


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder without runs: `runs/demo` is there where the demo was made."""
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_train_resolves_the_recipe(stub: Callable[..., Calls]) -> None:
    calls = stub("train", Path("runs/demo"))
    result = run("train", "demo", "training.steps=7", "--out", "here", "--seed", "3", "--device", "cpu")
    assert result.exit_code == 0, result.output
    [((config, out), options)] = calls
    assert isinstance(config, RunConfig)
    assert (config.name, config.training.steps, config.seed) == ("demo", 7, 3)
    assert (out, options["device"]) == (Path("here"), "cpu")


def test_a_dry_run_trains_nothing(stub: Callable[..., Calls], monkeypatch: pytest.MonkeyPatch) -> None:
    calls, tried = stub("train", Path("runs/demo")), []
    module = types.ModuleType("gensight.studies.dry_run")
    module.dry_run = lambda *values, perception_only: (
        tried.append(values),
        types.SimpleNamespace(text=lambda: "one step"),
    )[1]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gensight.studies.dry_run", module)
    assert run("train", "demo", "--device", "cpu", "--dry-run").stdout == "one step\n"
    [(config, device)] = tried
    assert (config.name, device, calls) == ("demo", "cpu", [])


def test_train_prints_the_next_command(stub: Callable[..., Calls]) -> None:
    stub("train", Path("runs/demo"))
    assert run("train", "demo").stdout == "next: gensight predict runs/demo IMAGES_OR_VIDEO\n"


@pytest.mark.parametrize(("rank", "expected"), [("0", "next: gensight predict runs/demo IMAGES_OR_VIDEO\n"), ("1", "")])
def test_of_several_processes_the_first_one_prints_it(
    stub: Callable[..., Calls], monkeypatch: pytest.MonkeyPatch, rank: str, expected: str
) -> None:
    stub("train", Path("runs/demo"))
    monkeypatch.setenv("RANK", rank)
    assert run("train", "demo").stdout == expected


def test_train_on_a_run_folder_resumes_it(stub: Callable[..., Calls], tmp_path: Path) -> None:
    calls = stub("train", tmp_path)
    (tmp_path / "config.yaml").write_text("name: mine\ndata: {kind: puppets}\n")
    assert run("train", str(tmp_path)).exit_code == 0
    [((config, out), _)] = calls
    assert (config.name, out) == ("mine", tmp_path)


def test_a_deeplabcut_project_is_not_taken_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("Task: mouse\n")
    (tmp_path / "labeled-data").mkdir()
    result = run("train", str(tmp_path))
    assert result.exit_code == 2
    assert f"gensight init {tmp_path}" in result.stderr


def test_pretrain(stub: Callable[..., Calls]) -> None:
    calls = stub("pretrain", Path("backbones/tiny/pipeline"))
    result = run("pretrain", "tiny", "denoiser.steps=5")
    assert "backbone.kind=diffusers backbone.id=backbones/tiny/pipeline" in result.stdout
    [((config, out), options)] = calls
    assert isinstance(config, PretrainConfig)
    assert (config.denoiser.steps, out, options) == (5, None, {"device": "auto", "workers": 2})


def test_evaluate_predict_and_report(stub: Callable[..., Calls]) -> None:
    evaluated = stub("evaluate", [])
    predicted = stub("predict", PredictionOutcome(Path("there"), 1, 0, {}, 0), "predict_files")
    reported = stub("report", Path("page.html"))
    assert run("evaluate", "r", "--checkpoint", "last", "--no-baselines").exit_code == 0
    options = {"checkpoint": "last", "device": "auto", "baselines": False, "detections": None, "overrides": ()}
    assert evaluated == [((Path("r"),), options | {"announce": typer.echo})]
    assert run("predict", "r", "clip.mp4", "--no-draw", "--boxes", "b.json").stdout == "predictions: there\n"
    options = {
        "device": "auto",
        "draw": False,
        "boxes": Path("b.json"),
        "also": (),
        "detector": None,
        "detector_threshold": 0.5,
        "smooth": 1,
        "formats": "",
        "shard": "1/1",
        "strict": False,
        "perception_only": True,
    }
    assert predicted == [((Path("r"), [Path("clip.mp4")], None), options)]
    assert run("report", "a", "b").stdout == "report: page.html\n"
    assert reported == [(([Path("a"), Path("b")], None), {})]


def test_what_cannot_be_read_is_named_and_ends_with_1(stub: Callable[..., Calls]) -> None:
    stub(
        "predict",
        PredictionOutcome(Path("there"), 200, 12, {f"{n}.png": "cut off" for n in range(12)}, 0),
        "predict_files",
    )
    result = run("predict", "r", "images")
    assert (result.exit_code, result.stdout) == (1, "predictions: there\n")
    assert result.stderr.splitlines()[0].startswith("12 images, frames or files can't be read")
    assert "  9.png: cut off\n  and 2 more; frames.csv has all of them\n" in result.stderr


def test_shards_that_are_left_are_counted(stub: Callable[..., Calls]) -> None:
    stub("predict", PredictionOutcome(Path("there"), 100, 0, {}, 90), "predict_files")
    assert run("predict", "r", "images", "--shard", "1/2").stdout.startswith("90 images are left to other shards")


def test_a_users_mistake_ends_with_2_and_no_traceback(stub: Callable[..., Calls]) -> None:
    stub("evaluate", RunError("this folder is not a run", where="r", hint="train one"))
    result = run("evaluate", "r")
    assert result.exit_code == 2
    assert result.stderr == "error: this folder is not a run\n  where: r\n  next:  train one\n"


def test_a_wrong_recipe_is_reported_before_anything_heavy_is_imported() -> None:
    code = (
        "import sys\nfrom gensight.cli.main import main\nsys.argv = ['gensight', 'train', 'demo', 'trainin.steps=3']\n"
        "try: main()\nexcept SystemExit as end: print(end.code, 'torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "2 False\n"
    assert "did you mean `training`?" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_wrong_checkpoint() -> None:
    result = run("evaluate", "r", "--checkpoint", "beast")
    assert result.exit_code == 2
    assert "did you mean `best`?" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(("train", "demo"), "to resume: gensight"), (("evaluate", "r"), "to start it again: gensight")],
)
def test_interruption_ends_with_130_and_one_line(
    stub: Callable[..., Calls], arguments: tuple[str, ...], expected: str
) -> None:
    stub(arguments[0], KeyboardInterrupt())
    result = run(*arguments)
    assert result.exit_code == 130
    assert result.stderr.startswith("interrupted; ")
    assert expected in result.stderr
    assert result.stderr.count("\n") == 1


def test_bugs_keep_their_traceback(stub: Callable[..., Calls]) -> None:
    stub("evaluate", ZeroDivisionError())
    assert isinstance(run("evaluate", "r").exception, ZeroDivisionError)


# --- help


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str) -> None:
    result = run(verb, "--help")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 5
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_help_lists_every_verb_in_one_line_each() -> None:
    output = run("--help").stdout
    listed = output.partition("Commands:")[2]
    for verb in VERBS:
        [line] = [line for line in listed.splitlines() if line.startswith(f"  {verb} ")]
        assert line.endswith("."), "cut short"
        assert "..." not in line


def test_version() -> None:
    assert run("--version").stdout == f"gensight {gensight.__version__}\n"


def seconds(code: str) -> float:
    """Processor time of running it, the least of a few runs: the machine may be busy with other things."""
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(taken)


def test_help_is_fast_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom gensight.cli.main import main\nsys.argv = ['gensight', '--help']\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = ('torch', 'numpy', 'pydantic', 'rich', 'lightning', 'diffusers', 'cv2')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"
    taken = seconds(code)
    assert taken < 0.5, f"`gensight --help` took {taken:.2f} s of processor time"
