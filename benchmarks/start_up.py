"""How long `gensight --help` takes: under 0.5 s. The alternative in the same run: `import torch` alone."""

import subprocess
import sys
import time
from pathlib import Path

LIMIT = 0.5
REPEATS = 5


def seconds(command: list[str]) -> float:
    """The fastest of several runs."""
    taken = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - begun)
    return min(taken)


def main() -> int:
    own = seconds([str(Path(sys.executable).with_name("gensight")), "--help"])
    torch = seconds([sys.executable, "-c", "import torch"])
    verdict = "met" if own < LIMIT else "MISSED"
    print(f"gensight --help {own:.2f} s (limit {LIMIT} s: {verdict}); import torch {torch:.2f} s: {torch / own:.1f} x")
    return 0 if own < LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
