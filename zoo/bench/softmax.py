"""The softmax over a large vocabulary: memory and time of a training step of a word model.

python -m zoo.bench softmax                                60,000 words, 20 sequences of 70, 400 units
python -m zoo.bench softmax --words=33278 --units=256

direct:    all logits at once
blocks:    what is used where there are more than 2^23 logits: blocks of words, forwards and backwards
adaptive:  an adaptive softmax, with tails from word 4,000 and 20,000 on; a smaller model
sampled:   4,000 words drawn to stand for all; an estimate

Memory is what the compiled step needs besides parameters and batch, as XLA plans it.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from zoo.bench import turns
from zoo.bench.markdown import line, rows
from zoo.models import LanguageModel
from zoo.models.softmax import chances, cross_entropy, draw

CUTOFFS, NEGATIVES = (4000, 20000), 4000


def define(values: flags.FlagValues) -> None:
    define = {"flag_values": values}
    turns.define_rounds(values)
    flags.DEFINE_integer("words", 60_000, "words of the vocabulary", **define)
    flags.DEFINE_integer("units", 400, "units, and numbers of the embedding", **define)
    flags.DEFINE_integer("batch", 20, "sequences", **define)
    flags.DEFINE_integer("window", 70, "steps", **define)


def main(values: flags.FlagValues) -> tuple[dict, int]:
    least = {"rounds": 1, "words": 100, "units": 1, "batch": 1, "window": 1}
    turns.at_least(values, least)
    steps = _contestants(values)
    memory = {name: step.memory_analysis().temp_size_in_bytes for name, (step, _) in steps.items()}
    each = {name: partial(_turn, step, given) for name, (step, given) in steps.items()}
    times = turns.in_turns(each, values.rounds)
    sizes = {name: values[name].value for name in ("words", "units", "batch", "window")}
    times = [[name, [round(t, 4) for t in each]] for name, each in times.items()]
    found = {"times": times, "memory": memory, "absent": {}, "failed": []}
    return {"bench": "softmax", **sizes, **found}, 0


def caption(result: dict) -> str:
    """What stands above the table."""
    return (
        f"A training step of a word model with {result['words']:,} words, {result['units']} units, "
        f"{result['batch']} sequences of {result['window']} words, by its softmax"
    )


def table(result: dict) -> str:
    """A row a softmax: its time and memory, and both over those of the direct one."""
    lines = rows(["softmax", "ms", "times the direct one", "MiB", "times the direct one"])
    first, lowest = dict(result["times"])["direct"], result["memory"]["direct"]
    for name, seconds in result["times"]:
        ratio = np.median(np.divide(seconds, first))
        memory = result["memory"][name]
        lines.append(
            line(
                [
                    name,
                    f"{1e3 * np.median(seconds):,.0f}",
                    f"{ratio:.2f}",
                    f"{memory / 2**20:,.0f}",
                    f"{memory / lowest:.2f}",
                ]
            )
        )
    return "\n".join(lines)


def _turn(step, given):
    jax.block_until_ready(step(*given))


def _contestants(values):
    """name -> (compiled step, its arguments)."""
    V, H = values.words, values.units
    ranks = np.arange(1, V + 1)
    tokens = np.random.default_rng(0).choice(V, (values.batch, values.window + 1), p=_zipf(ranks))
    tokens = jnp.asarray(tokens, jnp.int32)
    model = LanguageModel(V, H, H)
    tails = LanguageModel(V, H, H, cutoffs=tuple(c for c in CUTOFFS if c < V))
    share = chances(1e6 * _zipf(ranks))
    drawn = jnp.asarray(share), jnp.asarray(np.cumsum(share, dtype=np.float64), jnp.float32)

    def direct(params):
        _, logits = model.apply(params, tokens[:, :-1])
        return cross_entropy(logits, tokens[:, 1:]).sum()

    def nats(model, params, **options):
        return model.apply(params, tokens[:, :-1], tokens[:, 1:], method="nats", **options)[1].sum()

    def sampled(params):
        return nats(model, params, negatives=draw(jax.random.key(0), *drawn, min(NEGATIVES, V)))

    losses = {
        "direct": direct,
        "blocks": partial(nats, model),
        "adaptive": partial(nats, tails),
        "sampled": sampled,
    }
    found = {}
    for name, loss in losses.items():
        params = (tails if name == "adaptive" else model).init(jax.random.key(0), tokens[:1, :2])

        def step(params, loss=loss):
            return jax.tree.map(lambda p, g: p - 1e-3 * g, params, jax.grad(loss)(params))

        found[name] = jax.jit(step).lower(params).compile(), (params,)
    return found


def _zipf(ranks):
    weights = 1 / ranks
    return weights / weights.sum()
