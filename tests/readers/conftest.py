"""Each test of a reader begins without a label index."""

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENSIGHT_CACHE", str(tmp_path_factory.mktemp("cache")))
