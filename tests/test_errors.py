import pickle
from pathlib import Path

import pytest

from gensight.errors import ConfigError, DataError, ResourceError, RunError, UserError, nearest


def test_an_error_says_what_where_which_and_what_next():
    error = DataError("no such column", where=Path("a.csv"), choices=["x", 2], hint="rename it")
    assert str(error) == "no such column\n  where: a.csv\n  valid: x, 2\n  next:  rename it"
    assert str(UserError("just this")) == "just this"
    assert str(UserError("nothing fits", choices=[])) == "nothing fits\n  valid: (nothing)"


def test_choices_may_be_an_iterator():
    error = ConfigError("unknown", choices=(name for name in ("a", "b")))
    assert error.choices == ["a", "b"]
    assert "valid: a, b" in str(error)


@pytest.mark.parametrize("kind", [DataError, ConfigError, RunError, ResourceError])
def test_errors_cross_process_borders_whole(kind):
    error = kind("broken", where="row 3", choices=["x"], hint="mend it")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert isinstance(copy, UserError)
    assert str(copy) == str(error)
    assert (copy.what, copy.where, copy.choices, copy.hint) == ("broken", "row 3", ["x"], "mend it")


def test_the_nearest_word_is_offered_if_any_is_near():
    assert nearest("heatmp", ["heatmap", "depth"]) == "heatmap"
    assert nearest("zzz", ["heatmap", "depth"]) is None
    assert nearest("x", []) is None
