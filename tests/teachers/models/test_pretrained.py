import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from gensight.backbones.transformers_models import load_model
from gensight.errors import ConfigError, ResourceError, RunError
from gensight.teachers.models.depth import DepthTeacher
from gensight.teachers.models.pose import PoseTeacher
from tests.teachers.samples import sample


@pytest.fixture
def folder(tiny_model, tmp_path):
    return shutil.copytree(tiny_model("dpt"), tmp_path / "mine")


def _refused(folder) -> str:
    with pytest.raises(RunError) as caught:
        DepthTeacher(str(folder), device="cpu").prepare()
    return str(caught.value)


def test_a_folder_that_is_not_there(tmp_path):
    message = _refused(tmp_path / "nowhere")
    assert "there is no such model folder" in message
    assert "config.json, preprocessor_config.json and model.safetensors" in message


def test_an_id_that_is_not_in_the_cache_names_what_to_copy(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    message = _refused("nobody/no-such-model")
    assert "not in the local cache" in message
    assert "config.json, preprocessor_config.json and model.safetensors from https://huggingface.co/nobody" in message


def test_an_empty_folder(tmp_path):
    assert "it has no config.json" in _refused(tmp_path)


def test_missing_weights(folder):
    (folder / "model.safetensors").unlink()
    message = _refused(folder)
    assert "the model's weights are missing" in message
    assert "mine/model.safetensors" in message
    assert "put model.safetensors beside its config.json" in message


def test_weights_that_are_cut_short(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "the model could not be read" in _refused(folder)


def test_weights_that_lack_a_tensor(folder):
    tensors = load_file(folder / "model.safetensors")
    del tensors["head.head.0.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    assert "lack 1 tensors, such as head.head.0.weight" in _refused(folder)


def test_weights_of_another_shape(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["head.head.0.weight"] = torch.zeros(2, 2, 3, 3)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    assert "the model could not be read" in _refused(folder)


def test_a_model_of_another_kind(tiny_model):
    with pytest.raises(RunError, match="a model of type 'dpt' is no teacher for `pose`") as caught:
        PoseTeacher(str(tiny_model("dpt"))).prepare()
    assert "valid: vitpose" in str(caught.value)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_pickle_with_code_is_not_run(folder, tmp_path, protocol):
    class Evil:
        def __reduce__(self):
            return (type(tmp_path).touch, (tmp_path / "was run",))

    (folder / "model.safetensors").unlink()
    with (folder / "pytorch_model.bin").open("wb") as file:
        pickle.dump({"head": Evil()}, file, protocol=protocol)
    assert "holds more than tensors, and was not opened: it could run code" in _refused(folder)
    assert not (tmp_path / "was run").exists()


def test_plain_tensors_of_an_older_file_are_read(folder):
    tensors = load_file(folder / "model.safetensors")
    before = DepthTeacher(str(folder), device="cpu").label([sample()])[0].depth
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    after = DepthTeacher(str(folder), device="cpu").label([sample()])[0].depth
    np.testing.assert_array_equal(before.values, after.values)


def test_a_class_that_the_library_lacks(folder):
    with pytest.raises(ResourceError, match="has no DreamedUpModel"):
        load_model(folder, "DreamedUpModel")


def test_a_device_that_is_not_there(folder):
    with pytest.raises(ConfigError, match="no device 'cuda:77'"):
        DepthTeacher(str(folder), device="cuda:77").prepare()


def test_the_version_is_a_hash_of_the_files_and_the_name_its_folders(folder, tmp_path):
    teacher = DepthTeacher(str(folder))
    assert teacher.name == "depth:mine"
    assert len(teacher.version) == 12
    assert teacher.source == f"depth:mine@{teacher.version}"
    copy = shutil.copytree(folder, tmp_path / "elsewhere" / "mine")
    assert DepthTeacher(str(copy)).fingerprint() == teacher.fingerprint()
    config = json.loads((copy / "preprocessor_config.json").read_text())
    (copy / "preprocessor_config.json").write_text(json.dumps({**config, "resample": 0}))
    assert DepthTeacher(str(copy)).version != teacher.version


def test_the_version_of_a_hub_id_is_its_commit(folder, tmp_path, monkeypatch):
    snapshot = shutil.copytree(folder, tmp_path / "snapshots" / "0123456789abcdef0123")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(snapshot))
    teacher = DepthTeacher("somebody/depth")
    assert teacher.source == "depth:somebody/depth@0123456789ab"
    assert len(teacher.label([sample()])) == 1


def test_it_pickles_without_its_weights(folder):
    teacher = DepthTeacher(str(folder), device="cpu")
    expected = teacher.label([sample()])[0].depth.values
    data = pickle.dumps(teacher)
    assert len(data) < 10_000
    again = pickle.loads(data)
    assert again.fingerprint() == teacher.fingerprint()
    np.testing.assert_array_equal(again.label([sample()])[0].depth.values, expected)
