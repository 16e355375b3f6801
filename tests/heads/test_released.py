"""Released heads: what a file says of itself, and what is refused. Their formula: `tests/parity`."""

import datetime
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gensight.backbones.base import Layer
from gensight.errors import RunError
from gensight.heads.released import read_released_head
from tests.heads.released_files import released_file, released_tensors

DIMS = (40, 24, 24, 8)
LAYERS = tuple(Layer(str(i), dim, stride) for i, (dim, stride) in enumerate(zip(DIMS, (32, 16, 16, 8), strict=True)))
TIME = 20
GRID = (8, 12)


def test_states_name_every_tensor(tmp_path: Path) -> None:
    head = read_released_head(released_file(tmp_path / "head.pt", DIMS, TIME, channels=3))
    state = head.state("pose")
    assert len(state) == len(head.tensors)
    assert {name.split(".")[0] for name in state} == {"aggregation", "maps"}
    assert state["maps.pose.last.weight"] is head.tensors["output_head.4.weight"]


def test_sequential_blocks_leave_their_idle_time_layers(tmp_path: Path) -> None:
    """The released code makes them, and never runs them."""
    path = released_file(tmp_path / "head.pt", DIMS, TIME, sequential=True, idle_time_layers=True)
    head = read_released_head(path)
    assert head.time_channels is None
    assert not any("time" in name for name in head.state("pose"))


def test_what_a_file_says(tmp_path: Path) -> None:
    path = released_file(
        tmp_path / "head.pt", DIMS, TIME, sequential=True, channels=None,
        config={"idxs": "[0, 3, 4, 5]", "eval_mode": True, "dataset_args": {"control_range": [-0.5, 0.5]}},
    )  # fmt: skip
    config = read_released_head(path).config
    assert config.layer_indices == (0, 3, 4, 5)
    assert config.eval_mode is True
    assert config.output_channels is None
    assert not config.time_conditioned
    assert config.dataset == {"control_range": [-0.5, 0.5]}


def test_options_that_are_absent_have_the_released_codes_defaults(tmp_path: Path) -> None:
    path = released_file(tmp_path / "head.pt", DIMS, TIME, sequential=True, channels=None,
                         config={"aggregation_kwargs": {}})  # fmt: skip
    config = read_released_head(path).config
    assert (config.output_channels, config.tanh, config.time_conditioned) == (None, True, False)


# --- what is refused


def changed(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
    return path


def message(path: Path) -> str:
    with pytest.raises(RunError) as caught:
        read_released_head(path)
    return str(caught.value).replace(str(path), "FILE")


def test_missing_extra_and_wrongly_shaped_tensors_are_named(tmp_path: Path) -> None:
    path = released_file(tmp_path / "head.pt", DIMS, TIME, channels=3)

    def spoil(content: dict[str, Any]) -> None:
        tensors = content["aggregation_network"]
        del tensors["bottleneck_layers.2.conv3.norm.bias"]
        tensors["logits.weight"] = torch.zeros(3)
        tensors["output_head.2.weight"] = torch.zeros(32, 127, 3, 3)
        tensors["output_head.2.bias"] = torch.full((32,), torch.nan)

    assert message(changed(path, spoil)) == (
        "the head's tensors are not those of its config; missing: bottleneck_layers.2.conv3.norm.bias; "
        "extra: logits.weight; wrongly shaped: output_head.2.weight (32, 127, 3, 3) instead of (32, 128, 3, 3); "
        "not finite numbers: output_head.2.bias\n"
        "  where: FILE\n"
        "  next:  the file may be damaged or of another format; get it again from who published it"
    )


def test_blocks_of_the_other_kind_are_named(tmp_path: Path) -> None:
    path = released_file(tmp_path / "head.pt", DIMS, TIME, sequential=False)
    text = message(
        changed(path, lambda content: content["config"]["aggregation_kwargs"].update(bottleneck_sequential=True))
    )
    assert "missing: bottleneck_layers.0.0.conv1.weight" in text
    assert "extra: bottleneck_layers.0.shortcut.weight" in text
    assert " more" in text


@pytest.mark.parametrize("index", range(3))
def test_every_block_has_the_same_time_embedding(tmp_path: Path, index: int) -> None:
    path = released_file(tmp_path / "head.pt", DIMS, TIME)
    name = f"bottleneck_layers.{index}.emb_layers.weight"
    text = message(changed(path, lambda content: content["aggregation_network"].update({name: torch.zeros(32, 7)})))
    assert "wrongly shaped: bottleneck_layers." in text


class _Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return datetime.timedelta, (1,)


@pytest.mark.parametrize("part", ["config", "aggregation_network"])
def test_a_pickle_with_code_is_refused(tmp_path: Path, part: str) -> None:
    path = released_file(tmp_path / "head.pt", DIMS, TIME)
    content = torch.load(path, weights_only=True)
    content[part]["surprise"] = _Code()
    torch.save(content, path)
    assert message(path) == (
        "this file asks to run code when it is opened (datetime.timedelta), and was not opened\n"
        "  where: FILE\n"
        "  next:  a head is numbers and plain settings; get the file from who published it"
    )


def test_code_does_not_run(tmp_path: Path) -> None:
    path, proof = tmp_path / "head.pt", tmp_path / "proof"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", f"cos\nsystem\n(S'touch {proof}'\ntR.".encode())
        archive.writestr("archive/version", "3")
    assert "asks to run code when it is opened (os.system)" in message(path)
    assert not proof.exists()


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.pt"
    assert message(path).startswith("there is no such file")
    path.write_bytes(pickle.dumps({"config": {}}))
    assert message(path).startswith("this is no file of `torch.save`, or it was cut short")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")
    assert message(path).startswith("the file cannot be read (RuntimeError)")
    torch.save({"state_dict": {}}, path)
    assert message(path).startswith("this is no head of Readout Guidance: it has no `config`")
    torch.save({"config": {}, "aggregation_network": {}}, path)
    assert message(path).startswith("the head's config lacks model_id, dims, projection_dim, save_timestep")


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.98])
def test_files_cut_short_are_refused(tmp_path: Path, keep: float) -> None:
    path = released_file(tmp_path / "head.pt", DIMS, TIME)
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    assert "cut short" in message(path)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"projection_dim": 100}, "projection_dim is 100, which is no multiple of 128"),
        ({"projection_dim": "384"}, "projection_dim must be a whole number from 1, got '384'"),
        ({"dims": [40, "x"]}, "dims must be a whole number from 1, got 'x'"),
        ({"dims": []}, "dims must be a list, got []"),
        ({"save_timestep": 0}, "save_timestep must be a list, got 0"),
        ({"idxs": "none of them"}, "idxs must be a list of numbers, got 'none of them'"),
    ],
)
def test_odd_settings_are_refused(tmp_path: Path, config: dict[str, Any], text: str) -> None:
    path = released_file(tmp_path / "head.pt", DIMS, TIME)
    assert text in message(changed(path, lambda content: content["config"].update(config)))


def test_the_format_is_the_published_one() -> None:
    shapes = {
        name: tuple(one.shape)
        for name, one in released_tensors((1280, 320), 1280, projection=384, channels=18).items()
        if one.ndim != 1
    }
    assert shapes["bottleneck_layers.0.conv1.weight"] == (96, 1280, 1, 1)
    assert shapes["bottleneck_layers.1.shortcut.weight"] == (384, 320, 1, 1)
    assert shapes["bottleneck_layers.1.emb_layers.weight"] == (96, 1280)
    assert shapes["output_head.4.weight"] == (18, 32, 1, 1)
