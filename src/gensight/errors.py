"""Errors that a user can act on: what is wrong, where, the valid choices, and what to do next."""

import errno
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from pathlib import Path


class UserError(Exception):
    """A mistake in the user's input or surroundings. The command line prints it without a traceback.

    Args:
        what: What is wrong, as one sentence without a final full stop.
        where: The file, key or row in which it is wrong.
        choices: The valid values, if they are few.
        hint: What to do next, as one sentence.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str | Path | None = None,
        choices: Iterable[object] | None = None,
        hint: str | None = None,
    ) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.choices = None if choices is None else [str(choice) for choice in choices]
        self.hint = hint
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.choices is not None:
            lines.append(f"  valid: {', '.join(self.choices) or '(nothing)'}")
        if self.hint:
            lines.append(f"  next:  {self.hint}")
        return "\n".join(lines)


class DataError(UserError):
    """Something is wrong with images, videos or label files."""


class BrokenImageError(DataError):
    """One image file or video frame can't be read. Those beside it may be good: whoever reads many may leave it out."""


class FileWarning(UserWarning):
    """A file was read, but perhaps not as its owner expects: one page of several, nearly black pixels.

    Args:
        what: What was done, as one sentence without a final full stop; the same for all files of which it is true.
        where: The file.
    """

    def __init__(self, what: str, where: str | Path | None = None) -> None:
        self.what, self.where = what, None if where is None else str(where)
        super().__init__(what if where is None else f"{where}: {what}")


class ConfigError(UserError):
    """Something is wrong with a recipe, an override or a combination of choices."""


class RunError(UserError):
    """Something is wrong with a run folder, a checkpoint or a backbone's weights."""


class ResourceError(UserError):
    """The machine lacks something: disk, memory, a device, an optional package."""


def resource_error(
    error: OSError, where: str | Path | None = None, full: str = "free some space, or write to another disk"
) -> ResourceError | None:
    """What a full disk means to a user, and, where `where` was to be written, a missing permission; else None.

    Args:
        error: Of the system.
        where: What was to be written.
        full: What to do where the disk is full.
    """
    place = error.filename if where is None else where
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ResourceError("the disk is full", where=place, hint=full)
    if error.errno == errno.ENAMETOOLONG:
        return ResourceError("the file's name is too long for this disk", where=place, hint="choose a shorter name")
    if where is not None and (isinstance(error, PermissionError) or error.errno == errno.EROFS):
        return ResourceError("no permission to write here", where=place, hint="choose a folder that you may write to")
    return None


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The valid choice that is spelled most like `word`, or None if none comes close."""
    matches = get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return matches[0] if matches else None


def counted(number: int, thing: str) -> str:
    """`1 image`, `2 images`."""
    return f"{number} {thing}" + ("" if number == 1 else "s")


def did_you_mean(word: str, choices: Iterable[str]) -> str | None:
    """A hint that names the nearest valid choice, or None if none comes close."""
    close = nearest(word, choices)
    return f"did you mean `{close}`?" if close else None


def check_choice(value: str, choices: Collection[str], where: str) -> None:
    """Raises ConfigError if an option's value is none of its choices."""
    if value not in choices:
        hint = did_you_mean(value, choices)
        raise ConfigError(f"unknown value '{value}'", where=where, choices=choices, hint=hint)


def first_line(error: BaseException) -> str:
    """The message of another library's error, in one line; its class's name where the message is empty."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
