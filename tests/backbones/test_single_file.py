"""Single-file editors: the same tensors as the folder that they were written from, and nothing of theirs is run."""

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionInstructPix2PixPipeline, StableDiffusionPipeline
from safetensors.torch import save_file

from gensight.backbones.single_file import INPUT, convert_single_file, read_checkpoint
from gensight.errors import RunError
from gensight.methods.instruct.editor import widen_input
from gensight.prediction.trained_run import TrainedRun
from gensight.verbs.editor import import_editor
from tests.ldm import single_file_state
from tests.pipelines import save_pipeline


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small editor with random weights."""
    pipeline = StableDiffusionPipeline.from_pretrained(save_pipeline(tmp_path_factory.mktemp("editor") / "sd"))
    widen_input(pipeline.unet, 8)
    torch.nn.init.normal_(pipeline.unet.conv_in.weight, std=0.1)
    return pipeline


@pytest.fixture(scope="module")
def settings(editor: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder without any weights."""
    folder = tmp_path_factory.mktemp("settings") / "editor"
    StableDiffusionInstructPix2PixPipeline(
        vae=editor.vae, text_encoder=editor.text_encoder, tokenizer=editor.tokenizer, unet=editor.unet,
        scheduler=DDIMScheduler.from_config(editor.scheduler.config), safety_checker=None, feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    for path in folder.rglob("*.safetensors"):
        path.unlink()
    return folder


def state_of(editor: Any, average: float | None = None) -> dict[str, torch.Tensor]:
    return single_file_state(editor.unet, editor.vae, editor.text_encoder, average)


def same(one: torch.nn.Module, other: torch.nn.Module, factor: float = 1.0) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], factor * theirs[name]) for name in ours)


def test_a_safetensors_file_becomes_the_folder_that_it_was_written_from(
    editor: Any, settings: Path, tmp_path: Path
) -> None:
    save_file(state_of(editor), tmp_path / "editor.safetensors")
    convert_single_file(tmp_path / "editor.safetensors", tmp_path / "out", str(settings))
    back = StableDiffusionInstructPix2PixPipeline.from_pretrained(tmp_path / "out", safety_checker=None)
    assert back.unet.config.in_channels == 8
    for part in ("unet", "vae", "text_encoder"):
        assert same(getattr(back, part), getattr(editor, part)), part
    assert back.tokenizer("a cat").input_ids == editor.tokenizer("a cat").input_ids
    with pytest.raises(RunError, match="this folder exists already"):
        convert_single_file(tmp_path / "editor.safetensors", tmp_path / "out", str(settings))


def test_averaged_weights_are_taken_and_a_trainers_leftovers_passed_over(
    editor: Any, settings: Path, tmp_path: Path
) -> None:
    path = tmp_path / "editor.ckpt"
    torch.save({"state_dict": state_of(editor, 0.5), "callbacks": {Leftover: Leftover(tmp_path)}, "epoch": 3}, path)
    convert_single_file(path, tmp_path / "out", str(settings))
    back = StableDiffusionInstructPix2PixPipeline.from_pretrained(tmp_path / "out", safety_checker=None)
    assert same(back.unet, editor.unet, 0.5)
    assert same(back.vae, editor.vae)


class Leftover:
    """What a trainer keeps of itself: it must not come to life."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __setstate__(self, state: dict[str, Any]) -> None:
        raise AssertionError("a foreign object was made")


class Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.target),))


def test_a_hostile_file_runs_nothing(tmp_path: Path) -> None:
    evil = Evil(tmp_path / "was run")
    for number, content in enumerate((evil, {"state_dict": evil}, {"state_dict": {}, "callbacks": [evil]})):
        torch.save(content, tmp_path / f"{number}.ckpt")
        with pytest.raises(RunError):
            read_checkpoint(tmp_path / f"{number}.ckpt")
    (tmp_path / "plain.ckpt").write_bytes(pickle.dumps(evil))
    with pytest.raises(RunError, match="cannot be read"):
        read_checkpoint(tmp_path / "plain.ckpt")
    assert not (tmp_path / "was run").exists()


def leave_mark(path: str) -> None:
    """What a hostile file would have called."""
    Path(path).touch()


class Marking:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return (leave_mark, (str(self.target),))


def test_calls_beside_the_tensors_are_passed_over(tmp_path: Path) -> None:
    tensors = {INPUT: torch.ones(1, 8, 3, 3)}
    content = {"state_dict": tensors, "callbacks": [Marking(tmp_path / "mark")]}
    torch.save(content, tmp_path / "file.ckpt")
    assert torch.equal(read_checkpoint(tmp_path / "file.ckpt")[INPUT], tensors[INPUT])
    assert not (tmp_path / "mark").exists()


def test_what_does_not_fit_is_told(editor: Any, settings: Path, tmp_path: Path) -> None:
    state, path = state_of(editor), tmp_path / "file.safetensors"

    def refused(changed: dict[str, torch.Tensor], config: str = str(settings)) -> str:
        save_file(changed, path)
        with pytest.raises(RunError) as caught:
            convert_single_file(path, tmp_path / "out", config)
        assert not (tmp_path / "out").exists()
        return str(caught.value)

    assert "no checkpoint in the layout of InstructPix2Pix" in refused({"weight": torch.zeros(2)})
    assert "input has 4 channels, so it is no editor" in refused({**state, INPUT: state[INPUT][:, :4].clone()})
    without = {name: one for name, one in state.items() if "middle_block.1." not in name}
    assert "the checkpoint's unet does not fit" in refused(without)
    name = next(name for name in state if name.endswith("final_layer_norm.weight"))
    assert "text_encoder does not fit" in refused({key: one for key, one in state.items() if key != name})
    message = refused(state, str(tmp_path))
    assert "the folder of the settings lacks unet/config.json" in message
    mute = shutil.copytree(settings, tmp_path / "mute", ignore=shutil.ignore_patterns("vocab*", "tokenizer*.json"))
    assert "the pipeline's tokenizer has no vocabulary" in refused(state, str(mute))
    path.write_bytes(b"cut short")
    with pytest.raises(RunError, match="the checkpoint cannot be read"):
        read_checkpoint(path)


def test_without_settings_it_says_what_is_needed(editor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> str:
        raise OSError("offline")

    monkeypatch.setattr("gensight.backbones.single_file.snapshot_download", offline)
    save_file(state_of(editor), tmp_path / "editor.safetensors")
    with pytest.raises(RunError, match="give --config FOLDER: an editor in diffusers' layout"):
        convert_single_file(tmp_path / "editor.safetensors", tmp_path / "out")


def test_a_single_file_becomes_a_run(editor: Any, settings: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": state_of(editor)}, tmp_path / "editor.ckpt")
    run = import_editor(
        str(tmp_path / "editor.ckpt"), tmp_path / "run",
        ["encoding.categories=[dog]", "encoding.labels=[dog, cat]", "view.size=[64,64]", "method.sample_steps=1"],
        str(settings),
    )  # fmt: skip
    config = TrainedRun.load(run, "cpu").config
    assert config.backbone.id == str(tmp_path / "run-pipeline")
