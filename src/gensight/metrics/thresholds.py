"""Thresholds in the names of protocols and scores: `pck-box@0.10`."""

from gensight.errors import ConfigError


def read_threshold(protocol: str, text: str, example: str) -> float:
    """The threshold that a protocol names behind its @. ConfigError unless it lies above 0 and is 10 at most."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value <= 10:
        raise ConfigError(
            f"`{protocol}` needs a positive number after the @", where="evaluation.protocols", hint=f"e.g. {example}"
        )
    return value


def threshold_text(threshold: float) -> str:
    """0.1 -> `0.10`: two decimals, more where needed."""
    text = f"{threshold:.2f}"
    return text if float(text) == threshold else f"{threshold:g}"
