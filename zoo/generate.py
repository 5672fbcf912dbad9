"""Sampling: model, vocabulary and prompt to text, the whole loop on the device."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from zoo import random
from zoo.data.text.tokenizers import Tokenizer
from zoo.models import LanguageModel

BLOCK = 64  # symbols that are drawn at once
_PROMPT = 512  # symbols of a prompt that are read at once; fewer in powers of two


def restrict(logits: Array, temperature: Array, top_k: Array, top_p: Array) -> Array:
    """Logits (B, V) sharpened and cut; what is cut is -inf.

    temperature: divides the logits; 0 leaves the most probable symbol alone.
    top_k:       keeps the k most probable symbols; 0 keeps all.
    top_p:       keeps the fewest most probable symbols whose probabilities sum to at least top_p, in
                 (0, 1] (nucleus sampling; Holtzman et al. 2020), after top_k and temperature.
    All three may be traced.
    """
    most = jax.nn.one_hot(jnp.argmax(logits, axis=-1), logits.shape[-1], dtype=bool)
    greedy = temperature == 0
    logits = logits / jnp.where(greedy, 1, temperature)
    # A third of the time of a character goes into the sorts: not where nothing is cut.
    whole = greedy | ((top_k == 0) & (top_p >= 1))
    logits = lax.cond(whole, lambda: logits, lambda: _cut(logits, top_k, top_p))
    return jnp.where(greedy & ~most, -jnp.inf, logits)


def _cut(logits, top_k, top_p):
    order = jnp.argsort(-logits, axis=-1, stable=True)
    rank = jnp.argsort(order, axis=-1)
    logits = jnp.where((top_k == 0) | (rank < top_k), logits, -jnp.inf)
    ranked = jax.nn.softmax(jnp.take_along_axis(logits, order, axis=-1))
    before = jnp.cumsum(ranked, axis=-1) - ranked
    inside = (before < top_p).at[:, 0].set(True)
    return jnp.where(jnp.take_along_axis(inside, rank, axis=-1), logits, -jnp.inf)


def generate(
    apply: Callable[[Array, Any], tuple[Any, Array]],
    carry: Any,
    logits: Array,
    key: Array,
    length: int,
    *,
    temperature: Array | float = 1.0,
    top_k: Array | int = 0,
    top_p: Array | float = 1.0,
) -> Array:
    """Draws ``length`` symbols after a prompt -> tokens (B, length).

    apply:  (tokens (B,), carry) -> (carry, logits (B, V)): one step of the model
    carry:  the model's state after the prompt, logits (B, V) its last output
    key:    sample b of step t is drawn with fold_in(fold_in(key, b), t), so it does not depend on B

    A symbol that must not be drawn gets logits of -inf in ``apply`` and in ``logits``.
    """
    how = cuts(temperature, top_k, top_p)

    def block(state, at):
        return draw(apply, *state, key, at, jnp.minimum(length - at, BLOCK), *how)

    starts = jnp.arange(0, max(length, 1), BLOCK)
    _, tokens = lax.scan(block, (carry, logits), starts)
    return tokens.swapaxes(0, 1).reshape(len(logits), -1)[:, :length]


def draw(
    apply, carry, logits, key, at, count, temperature, top_k, top_p
) -> tuple[tuple[Any, Array], Array]:
    """The next ``count`` symbols, at most ``BLOCK``, the first of which is number ``at``: the new (carry,
    logits), and tokens (B, BLOCK), of which so many are drawn. The other arguments are those of
    ``generate``; all but ``apply`` may be traced."""
    B = len(logits)
    # Of many steps at once: a dozen small kernels less at every step.
    noises = noise(key, at + jnp.arange(BLOCK), logits)

    def one(i, state):
        carry, logits, tokens = state
        cut = restrict(logits, temperature, top_k, top_p)
        drawn = jnp.argmax(cut + noises[i], axis=-1).astype(jnp.int32)
        return *apply(drawn, carry), tokens.at[i].set(drawn)

    begun = carry, logits, jnp.zeros((BLOCK, B), jnp.int32)
    carry, logits, tokens = lax.fori_loop(0, count, one, begun)
    return (carry, logits), tokens.T


def cuts(
    temperature: Array | float = 1.0, top_k: Array | int = 0, top_p: Array | float = 1.0
) -> tuple[Array, Array, Array]:
    """What ``restrict`` takes, in the types that programs are compiled for."""
    return jnp.float32(temperature), jnp.int32(top_k), jnp.float32(top_p)


def noise(key: Array, steps: Array, logits: Array) -> Array:
    """What makes the most probable symbol a draw from all of them: Gumbel noise (N, B, V) for logits (B, V)
    at each of ``steps`` (N,), from the key of ``generate``."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(len(logits)))

    def of(t):
        at = jax.vmap(jax.random.fold_in, (0, None))(keys, t)
        return jax.vmap(lambda k: jax.random.gumbel(k, logits.shape[1:], logits.dtype))(at)

    return jax.vmap(of)(steps)


def generate_text(
    model: LanguageModel,
    params: Any,
    vocabulary: Tokenizer,
    *,
    prompt: str = "",
    length: int = 200,
    num: int = 1,
    seed: int = 0,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> list[str]:
    """``num`` continuations of a prompt, each ``length`` symbols, the prompt not included.

    The prompt is read into the state first; without one the model starts after a line break, or the
    first symbol it knows. The unknown symbol is read, never written.
    """
    start = vocabulary.encode(prompt or default_prompt(vocabulary))
    settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    blocks = generate_blocks(model, params, vocabulary, start, length, num, seed, **settings)
    return [further(vocabulary, start, row) for row in np.concatenate(list(blocks), axis=1)]


def generate_blocks(
    model: LanguageModel,
    params: Any,
    vocabulary: Tokenizer,
    start: np.ndarray,
    length: int,
    num: int = 1,
    seed: int = 0,
    *,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
) -> Iterator[np.ndarray]:
    """The same as ids, after those of ``start`` (N,), N 1 or more: in blocks (num, at most ``BLOCK``), as
    they are drawn, the first of one symbol. One program writes texts of every length; a prompt is read by
    one for each power of two."""
    unknown = jnp.asarray(vocabulary.unknown_ids, jnp.int32)
    how = cuts(temperature, top_k, top_p)
    key = random.key(seed, "sample")
    table, state = begun(model, params, start, num, unknown)
    # The first symbol at once: people wait for it.
    counts = [1] * bool(length) + [min(BLOCK, length - at) for at in range(1, length, BLOCK)]
    held, at = None, 0
    for count in counts:
        state, tokens = _drawn(model, params, table, state, unknown, key, at, count, *how)
        at += count
        # The next block is on its way while this one is read.
        if held is not None:
            yield np.asarray(held[0])[:, : held[1]]
        held = tokens, count
    if held is not None:
        yield np.asarray(held[0])[:, : held[1]]


def begun(model: LanguageModel, params: Any, start: np.ndarray, num: int, unknown: Array):
    """What ``num`` texts go on from after ids (N,), N 1 or more: (the table of ``LanguageModel.step``,
    (carry, logits (num, V))). The symbols ``unknown`` are not drawn."""
    carry, at = model.carry(1), 0
    while at < len(start):
        size = min(1 << (len(start) - at).bit_length() - 1, _PROMPT)
        carry, logits = _read(model, params, carry, start[None, at : at + size])
        at += size
    return _begun(model, num, params, carry, logits, unknown)


def default_prompt(vocabulary: Tokenizer) -> str:
    """A prompt that the vocabulary has: a line break, else a space, else its first symbol."""
    known = [c for c in ("\n", " ") if len(vocabulary.encode(c)) and not vocabulary.unknown(c)]
    return known[0] if known else vocabulary.decode(np.array([1]))


def further(vocabulary: Tokenizer, start: np.ndarray, row: np.ndarray) -> str:
    """The text of ids ``row`` that come after others: of words it depends on those whether a blank is
    between."""
    before, whole = vocabulary.decode(start), vocabulary.decode(np.concatenate([start, row]))
    return whole[len(before) :] if whole.startswith(before) else vocabulary.decode(row)


@partial(jax.jit, static_argnums=0)
def _read(model, params, carry, prompt):
    """(carry, logits (B, V)) after a prompt (B, N)."""
    return model.apply(params, prompt, carry, method="after")


@partial(jax.jit, static_argnums=(0, 1))
def _begun(model, num, params, carry, logits, unknown):
    """The table of ``LanguageModel.step``, and the state of ``num`` samples."""
    logits = logits.at[:, unknown].set(-jnp.inf)
    state = jax.tree.map(lambda a: jnp.repeat(a, num, axis=0), (carry, logits))
    return model.apply(params, method="table"), state


@partial(jax.jit, static_argnums=0)
def _drawn(model, params, table, state, unknown, key, at, count, temperature, top_k, top_p):
    def apply(tokens, carry):
        carry, logits = model.apply(params, tokens, carry, table, method="step")
        return carry, logits.at[:, unknown].set(-jnp.inf)

    return draw(apply, *state, key, at, count, temperature, top_k, top_p)
