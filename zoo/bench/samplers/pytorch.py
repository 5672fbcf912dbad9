"""PyTorch: a plain sampling loop, one symbol after the other.

Over nn.LSTM, as one trains it, or over an nn.LSTMCell a layer, several times as fast for one step.
"""

import os

import torch
from torch import nn

from zoo.bench.samplers import EMBED, VOCAB, prompt, text
from zoo.bench.worker import Run


def prepare(hidden, layers, batch, length, prompt_length, cells=False):
    torch.set_num_threads(os.cpu_count())
    embedding, head = nn.Embedding(VOCAB, EMBED), nn.Linear(hidden, VOCAB)
    lstm = nn.LSTM(EMBED, hidden, layers)
    each = [nn.LSTMCell(hidden if i else EMBED, hidden) for i in range(layers)]
    for i, cell in enumerate(each):
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(cell, name).data = getattr(lstm, f"{name}_l{i}").data
    symbols = "\ufffd" + text(VOCAB)
    ids = {symbol: i for i, symbol in enumerate(symbols)}
    start = prompt(VOCAB, prompt_length)

    def step_of_cells(tokens, states):
        x, after = embedding(tokens), []
        for cell, state in zip(each, states, strict=True):
            after.append(cell(x, state))
            x = after[-1][0]
        return head(x), after

    def step_of_layers(tokens, state):
        ys, state = lstm(embedding(tokens)[None], state)
        return head(ys[-1]), state

    @torch.inference_mode()
    def write(length):
        ys, state = lstm(embedding(torch.tensor([[ids[symbol]] for symbol in start])))
        logits = head(ys[-1]).repeat(batch, 1)
        state = tuple(s.repeat(1, batch, 1) for s in state)
        state = list(zip(*state, strict=True)) if cells else state
        step, drawn = step_of_cells if cells else step_of_layers, []
        while True:
            logits[:, 0] = -torch.inf  # the unknown symbol is never written
            tokens = torch.multinomial(torch.softmax(logits, dim=-1), 1)[:, 0]
            drawn.append(tokens)
            if len(drawn) == length:
                break
            logits, state = step(tokens, state)
        rows = torch.stack(drawn, dim=1).tolist()
        texts = ["".join(symbols[i] for i in row) for row in rows]
        assert len(texts) == batch and all(len(t) == length for t in texts)

    return {"text": Run(lambda: write(length)), "first": Run(lambda: write(1))}
