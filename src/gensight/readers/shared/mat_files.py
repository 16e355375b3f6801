"""Files of MATLAB 5 (.mat), read without running anything in them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gensight.errors import DataError
from gensight.samples import Array


def read_mat(path: Path, names: Sequence[str], hint: str = "check the path") -> list[Array]:
    """The arrays of these names.

    Args:
        path: The file.
        names: Of its variables.
        hint: What to do where it is missing.

    Raises:
        DataError: The file is missing, broken, of MATLAB 7.3 (HDF5), or lacks one of them.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        found = loadmat(str(path), variable_names=list(names))
    except FileNotFoundError as error:
        raise DataError("file not found", where=path, hint=hint) from error
    except (OSError, ValueError, NotImplementedError, TypeError, EOFError, MatReadError) as error:
        raise DataError(f"not a .mat file of MATLAB 5: {error}", where=path) from error
    absent = [name for name in names if name not in found]
    if absent:
        raise DataError(f"the file has no {', no '.join(absent)}", where=path)
    return [np.asarray(found[name]) for name in names]
