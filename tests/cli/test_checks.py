"""What is refused before anything slow is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from gensight.cli import checks
from gensight.errors import ConfigError, DataError, RunError


def test_an_input_that_is_not_there_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "mouse.mp4").write_bytes(b"")
    checks.check_inputs(tmp_path / "mouse.mp4", None)
    with pytest.raises(DataError, match=r"there is no such .*\n.*\n.*did you mean `mouse.mp4`"):
        checks.check_inputs(tmp_path / "mose.mp4")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run"):
        checks.check_runs([tmp_path])
    with pytest.raises(RunError, match=r"there is no such run folder\n.*\n.*did you mean `demo`"):
        checks.check_runs([_made(tmp_path / "demo").parent / "dmeo"])


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize("device", ["cdua", "cuda:x", "cpu:1", "gpu"])
def test_devices_that_no_machine_has(device: str) -> None:
    with pytest.raises(ConfigError, match="there is no device"):
        checks.check_device(device)


def test_a_cpu_build_of_torch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "version", lambda name: "2.9.1+cpu")
    with pytest.raises(ConfigError, match=r"its torch 2\.9\.1\+cpu is built for the CPU only"):
        checks.check_device("cuda:1")
    checks.check_device("auto")


@pytest.mark.parametrize(
    ("command", "refused"),
    [
        (["predict", "RUN", "nowhere.png"], "there is no such image, folder or video"),
        (["predict", "RUN", "RUN", "--device", "cpx"], "there is no device 'cpx'"),
        (["predict", "RUN", "RUN"], "this folder is not a run"),
        (["predict", "nowhere", "RUN"], "there is no such run folder"),
        (["serve", "RUN"], "this folder is not a run"),
    ],
)
def test_refusals_do_not_wait_for_torch(tmp_path: Path, command: list[str], refused: str) -> None:
    words = [str(tmp_path) if word == "RUN" else word for word in command]
    script = f"import sys; from gensight.cli.main import app; app({words!r}, standalone_mode=False)"
    code = f"try:\n {script}\nexcept BaseException: pass\nprint('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", f"import sys\n{code}"], capture_output=True, text=True, check=False)
    assert refused in answer.stderr
    assert answer.stdout == "False\n"


def test_reading_labels_needs_no_torch() -> None:
    script = "import sys, gensight.verbs.data.survey; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout == "False\n"


def test_predicting_needs_neither_lightning_nor_peft() -> None:
    script = "import sys, gensight.prediction.trained_run, gensight.prediction.jobs, gensight.studies.dry_run"
    slow = ("lightning", "torchmetrics", "tensorboard", "peft", "diffusers", "transformers", "accelerate", "scipy",
            "pandas", "matplotlib", "torch._dynamo", "sympy")  # fmt: skip
    answer = subprocess.run(
        [sys.executable, "-c", f"{script}; print([name for name in {slow} if name in sys.modules])"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stdout == "[]\n"
