"""The recipe of a study: its runs, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from gensight.config.loading.loader import dump_config, load_recipe, load_study_recipe
from gensight.config.study import StudyConfig, cells
from gensight.errors import ConfigError

STUDY: dict[str, Any] = {
    "name": "mouse",
    "recipe": "openfield-mouse",
    "folds": [0, 4],
    "seeds": [0, 1],
    "arms": {"all": {}, "few": {"changes": {"data.num_labels": 20, "view.size": [96, 128]}, "seeds": [0]}},
    "reference": "all",
}


def study(**changes: Any) -> StudyConfig:
    return StudyConfig.model_validate({**STUDY, **changes})


def test_runs_go_seed_by_seed() -> None:
    assert [cell.folder for cell in cells(study())] == [
        "all/fold-0-seed-0", "all/fold-4-seed-0", "few/fold-0-seed-0", "few/fold-4-seed-0",
        "all/fold-0-seed-1", "all/fold-4-seed-1",
    ]  # fmt: skip


def test_a_run_is_the_recipe_with_the_changes_of_its_cell() -> None:
    cell = [cell for cell in cells(study(changes={"training.steps": 7})) if cell.arm == "few"][1]
    config = load_recipe("openfield-mouse", [*cell.overrides, "data.root=/mouse"])
    assert (config.seed, config.data.split.test_block) == (0, 4)  # type: ignore[union-attr]
    assert (config.data.num_labels, config.view.size, config.training.steps) == (20, (96, 128), 7)  # type: ignore[union-attr]
    assert config.baselines == ()
    assert config.name == "mouse-few-fold-4-seed-0"


def test_without_folds_and_with_baselines() -> None:
    [cell] = cells(study(folds=[], seeds=[3], arms={"one": {}}, reference="one", baselines=True))
    assert (cell.folder, cell.fold) == ("one/seed-3", None)
    assert load_recipe("openfield-mouse", [*cell.overrides, "data.root=/mouse"]).baselines == ("mean-position",)


def test_folds_that_are_names_become_folder_names() -> None:
    [cell] = cells(study(fold_key="data.split.test", folds=["a video/1"], seeds=[0], arms={"one": {}}, reference="one"))
    assert cell.folder == "one/fold-a_video_1-seed-0"


def test_arms_are_compared_with_the_reference_or_what_they_name() -> None:
    config = study(arms={"all": {}, "few": {}, "other": {"against": "few"}})
    assert [config.against(arm) for arm in config.arms] == [None, "all", "few"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reference": "al"}, "there is no arm `al` to compare with; the arms are all, few"),
        ({"arms": {"all": {}, "few": {"against": "x"}}}, "there is no arm `x` to compare with"),
        ({"arms": {"../x": {}}, "reference": "../x"}, r"arms name folders .*, got \.\./x"),
        ({"seeds": [1, 1]}, r"seeds has a value twice: \[1, 1\]"),
    ],
)
def test_mistakes(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        study(**changes)


def test_a_study_is_written_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(dump_config(study()))
    assert load_study_recipe(path) == study()


def test_the_recipe_of_another_verb_names_its_command() -> None:
    with pytest.raises(ConfigError, match="run `gensight study openfield-study`"):
        load_recipe("openfield-study")
