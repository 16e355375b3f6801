"""Finds words that the project's plain English has a better one for; part of `make lint`.

    python tools/check_words.py [FOLDER_OR_FILE ...]

Prints each place with the term to use, and ends with 1 if there is any.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACES = ("src", "docs", "README.md", "CONTRIBUTING.md")
SUFFIXES = (".py", ".md", ".yaml", ".jinja")
TERMS = {
    r"\btold\b": "conditioned on, given, passed; printed, reported",
    r"\bso-manieth\b": "k-th",
    r"\b(go|goes|gone|going|went) on\b(?! to\b)": "resume, continue",
    r"\bsittings\b|\bformer sitting\b|\bearlier sitting\b": "runs",
    r"(?<!colour-)\bblind\b|\bblind_to": "ignores",
    r"\b[Tt]wins?\b|_twins?\b|\btwin_": "random-weights baseline; unguided image",
    r"\b[Ww]ish(es|ed)?\b": "guidance targets",
    r"\b[Jj]udg(e|es|ed|ing)\b": "independent evaluator; score",
    r"\bappoint(s|ed)?\b": "choose",
    r"\bdrawn (people|persons?|scenes?|animals?|heads?|subjects?)\b": "synthetic (rendered by puppets)",
    r"\bleaves? out zero\b|\bleaves? zero out\b": "the interval excludes zero",
    r"\bat hand\b": "available",
    r"\bsameness\b": "appearance similarity",
    r"\bneeds? no learning\b": "learning-free baseline",
    r"\bprocessor (time|seconds)\b": "CPU time",
    r"\b(told|asked|said|asks) in words\b": "instruction-following",
    r"\bnot told apart\b|\bcannot be told\b": "no significant difference",
}


def places(arguments: list[str]) -> list[Path]:
    """The text files to look at, of the arguments or of the whole project."""
    given = [Path(one) for one in arguments] or [ROOT / one for one in PLACES]
    found = [file for one in given for file in (sorted(one.rglob("*")) if one.is_dir() else [one])]
    return [file for file in found if file.suffix in SUFFIXES and file.is_file()]


def main() -> int:
    count = 0
    for file in places(sys.argv[1:]):
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            for term, better in TERMS.items():
                for match in re.finditer(term, line):
                    count += 1
                    shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
                    print(f"{shown}:{number}: `{match[0]}`: write {better}")
    if count:
        print(f"{count} words to replace")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
