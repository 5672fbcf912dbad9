"""Scoring a text with an LSTM of 512 units, beside writing one.

python -m zoo.bench score

lines:     a text of a million characters in lines of about 60, which are read side by side (``zoo.score``)
bfloat16:  the same with products of that type (``zoo.score --precision=bfloat16``)
products:  of so many characters side by side the product with the recurrent weights in float32, and nothing
           else: no way of scoring lines in float32 can be faster
whole:     the first tenth of the text, one character after the other (``zoo.score --whole``)
write:     one sample, of a fiftieth as many characters (``zoo.sample``)

Characters a second. The weights are random.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from jax import lax

from zoo.bench import turns
from zoo.bench.markdown import line, rows
from zoo.bench.samplers import EMBED, VOCAB, text
from zoo.data.text.vocabulary import Vocabulary
from zoo.generate import generate_blocks
from zoo.models import LanguageModel
from zoo.models.stack import read_in
from zoo.tasks.language_model.scoring import LANES, Reader

_LINE = 60  # characters, on the mean
_SIDE_BY_SIDE = LANES[-1]
_TOGETHER = 2000  # lines that are read at once, as zoo.score does


def define(values: flags.FlagValues) -> None:
    define = {"flag_values": values}
    turns.define_rounds(values)
    flags.DEFINE_integer("hidden", 512, "units", **define)
    flags.DEFINE_integer("characters", 1_000_000, "characters to score", **define)


def main(values: flags.FlagValues) -> tuple[dict, int]:
    turns.at_least(values, {"rounds": 1, "hidden": 1, "characters": 1000})
    model = LanguageModel(vocab=VOCAB, embed=EMBED, hidden=values.hidden)
    params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 1), jnp.int32))
    rng, count = np.random.default_rng(0), values.characters
    ids = rng.integers(1, VOCAB, count).astype(np.int32)
    ends = np.cumsum(rng.integers(1, 2 * _LINE, 2 * count // _LINE))
    lines = np.split(ids, ends[ends < count])
    reader, written = Reader(model, params, 1), max(count // 50, 64)
    half = Reader(model, read_in(jnp.bfloat16, params), 1)
    vocabulary = Vocabulary.from_text(text(VOCAB))

    def by_lines(reader):
        for at in range(0, len(lines), _TOGETHER):
            reader.lines(lines[at : at + _TOGETHER])

    def write():
        list(generate_blocks(model, params, vocabulary, ids[:1], written))

    runs = {
        "lines": (lambda: by_lines(reader), count),
        "bfloat16": (lambda: by_lines(half), count),
        "products": (lambda: _products(params, _SIDE_BY_SIDE, count).block_until_ready(), count),
        "whole": (lambda: reader.follow(ids[: count // 10], True), count // 10),
        "write": (write, written),
    }
    times = turns.in_turns({name: run for name, (run, _) in runs.items()}, values.rounds)
    speeds = [
        [name, [round(runs[name][1] / t, 1) for t in seconds]] for name, seconds in times.items()
    ]
    about = {"hidden": values.hidden, "characters": count, "written": written}
    return {"bench": "score", **about, "speeds": speeds, "absent": {}, "failed": []}, 0


@partial(jax.jit, static_argnums=(1, 2))
def _products(params, lanes, count):
    """The recurrent products of ``count`` characters in so many lanes."""
    w = lax.optimization_barrier(params["params"]["layer_0"].w_h.T)  # (4H, H)
    h = jnp.full((w.shape[1], lanes), 0.1, w.dtype)

    def step(_, h):
        return 1e-3 * sum(jnp.split(w @ h, 4)) + h

    return lax.fori_loop(0, count // lanes, step, h)


def caption(result: dict) -> str:
    """What stands above the table."""
    return (
        f"Scoring a text of {result['characters']:,} characters with an LSTM of {result['hidden']} units, "
        "beside writing one"
    )


def table(result: dict) -> str:
    """A row each: characters a second, and how many times that of writing."""
    lines, write = (
        rows(["what", "characters a second", "times writing"]),
        dict(result["speeds"])["write"],
    )
    for name, speeds in result["speeds"]:
        ratio = np.median(np.divide(speeds, write))
        lines.append(line([name, f"{np.median(speeds):,.0f}", f"{ratio:.2f}"]))
    return "\n".join(lines)
