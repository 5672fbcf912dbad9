"""Ours: zoo.generate, the whole loop on the device, compiled once."""

import jax
import jax.numpy as jnp

from zoo.bench.samplers import EMBED, VOCAB, prompt, text
from zoo.bench.worker import Run
from zoo.data.text.vocabulary import Vocabulary
from zoo.generate import generate_text
from zoo.models import LanguageModel


def prepare(hidden, layers, batch, length, prompt_length):
    model = LanguageModel(vocab=VOCAB, embed=EMBED, hidden=hidden, layers=layers)
    params = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 1), jnp.int32))
    jax.block_until_ready(params)
    vocabulary = Vocabulary.from_text(text(VOCAB))
    assert vocabulary.size == VOCAB
    start = prompt(VOCAB, prompt_length)

    def write(length):
        texts = generate_text(model, params, vocabulary, prompt=start, length=length, num=batch)
        assert len(texts) == batch and all(len(t) == length for t in texts)

    return {"text": Run(lambda: write(length)), "first": Run(lambda: write(1))}
