"""Windows of the texts of several languages: drawn at random to train, side by side to validate."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from zoo.data.text.alphabet import spaced
from zoo.errors import UserError

_ROWS = 64  # windows of the validation part that are read at once


def table(texts: Sequence[np.ndarray], window: int) -> dict[str, np.ndarray]:
    """Tokens (N,) of each language as ``draw`` takes them, to be drawn from anywhere.

    tokens: (languages, longest), filled up with zeros; count: (languages,) places where a window begins
    """
    longest = max(map(len, texts))
    tokens = np.stack([np.pad(t, (0, longest - len(t))) for t in texts])
    return {"tokens": tokens, "count": np.array([len(t) - window + 1 for t in texts], np.int32)}


def spaces(texts: Sequence[str], codes: Sequence[str], window: int) -> dict[str, np.ndarray]:
    """What replaces and joins the entries of ``table``, so that windows have a space at the end where
    reading begins; or any character, of a text that is written without spaces between words.

    places: (languages, most) where these characters are; count: (languages,) how many a language has

    Raises UserError for a text whose spaces are all too near its ends.
    """
    each = []
    for code, text in zip(codes, texts, strict=True):
        characters = np.array(list(text))
        found = np.flatnonzero((characters == " ") | (not spaced(text)))
        found = found[(found >= window - 1) & (found <= len(text) - window)]
        if not len(found):
            raise UserError(
                f"--config.data.starts=spaces: no space of the training text of {code!r} has "
                f"{window - 1} characters on either side; use anywhere"
            )
        each.append(found.astype(np.int32))
    most = max(map(len, each))
    places = np.stack([np.pad(e, (0, most - len(e))) for e in each])
    return {"places": places, "count": np.array(list(map(len, each)), np.int32)}


def draw(data: dict, label, share, window: int, backward):
    """Windows (B, window) of the languages ``label`` (B,), at the place that ``share`` (B,) in [0, 1)
    of all is at; from their end where they are read ``backward``, a bool."""
    count = jnp.asarray(data["count"])[label].astype(jnp.float32)
    start = jnp.floor(share * count).astype(jnp.int32)
    if "places" in data:
        start = jnp.asarray(data["places"])[label, start] - jnp.where(backward, window - 1, 0)
    at = start[:, None] + jnp.arange(window)[None]
    return turned(jnp.asarray(data["tokens"])[label[:, None], at], backward)


def turned(tokens, backward):
    """Tokens (B, T), from their end where ``backward``."""
    return jnp.where(backward, tokens[:, ::-1], tokens)


def tiled(tokens: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Tokens (N,) as windows side by side, and weights that count each token once (the last window
    begins early enough to be whole), both (blocks, rows, window)."""
    n = len(tokens)
    width = min(window, n)
    starts = np.arange(0, n, width)
    at = np.minimum(starts, n - width)[:, None] + np.arange(width)
    fill = [(0, -len(starts) % _ROWS), (0, 0)]
    weights = np.pad((at >= starts[:, None]).astype(np.float32), fill)
    shape = (-1, _ROWS, width)
    return np.pad(tokens[at], fill).reshape(shape), weights.reshape(shape)
