"""Shared by all tests: shape checks on the whole package, and where the real data lies."""

import os
from pathlib import Path

# Before torch is loaded: the tests are small, and their threads would only wait for each other. Also where the
# shell says otherwise: several threads sum in another order, which the golden losses see.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
from jaxtyping import install_import_hook

import tests.shapes  # noqa: F401  (the hook below finds it among the loaded modules)

PACKAGE = Path(__file__).parents[1] / "src" / "gensight"
RENDERER = "gensight.puppets"  # thousands of small calls an image: most of the tests' time, where they are checked


def _checked_modules() -> list[str]:
    """The package's modules, less the renderer of synthetic scenes (its reader is checked)."""
    files = (path.relative_to(PACKAGE.parent).with_suffix("") for path in PACKAGE.rglob("*.py"))
    names = (".".join(file.parts).removesuffix(".__init__") for file in files)
    # A name stands for all that is below it, so packages above the renderer are left out.
    return [name for name in names if not f"{RENDERER}.".startswith(f"{name}.") and not name.startswith(RENDERER)]


# Must run before gensight is imported: every annotated function is then checked at each call.
install_import_hook(_checked_modules(), "tests.shapes.checked")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests keep their indices and features to themselves."""
    os.environ["GENSIGHT_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; tests that need it are skipped where it is absent."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("GENSIGHT_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}: set GENSIGHT_TEST_DATA to its folder")
    return folder
