"""PyTorch: a plain loop around nn.LSTM, with the same dropout, optimizer, schedule and clipping; bfloat16
by its autocast."""

import os
from functools import partial
from itertools import count

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from zoo.bench.trainings import workload
from zoo.bench.worker import Run


def prepare(file, precision="float32"):
    work = workload.read(file)
    make = {"text": _text, "windows": _windows, "series": _series}[work.sizes["kind"]]
    cast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")
    members = [make(work, i, cast) for i in range(work.sizes["members"])]
    ours = work.parameters()
    theirs = sum(p.numel() for model, *_ in members for p in model.parameters() if p.requires_grad)
    if ours != theirs:
        raise ValueError(f"{theirs:,} parameters, ours are {ours:,}")

    def steps(n):
        for _, train, _ in members:
            for _ in range(n):
                train()

    def loss():
        return np.array([check() for *_, check in members])

    first = Run(loss, lambda losses: {"loss": losses})
    runs = {"loss": first, "steps": Run(lambda: steps(1), many=steps)}
    if "order" in work.data:
        runs["epochs"] = Run(lambda: _epochs(work, cast), lambda losses: {"losses": losses})
    return runs


class LanguageModel(nn.Module):
    """Embedding, or one-hot symbols; layers with locked dropout between them; a softmax."""

    def __init__(self, vocab, model):
        super().__init__()
        self.vocab, self.rates, H = vocab, model, model["hidden"]
        self.embedding = nn.Embedding(vocab, model["embed"]) if model["embed"] else None
        inputs = [model["embed"] or vocab] + [H] * (model["layers"] - 1)
        self.layers = nn.ModuleList(nn.LSTM(D, H) for D in inputs)
        self.head = nn.Linear(H, vocab)
        self.recurrent = nn.ParameterList()
        if model["weight_drop"]:  # what a layer multiplies with is then made anew at every step
            for layer in self.layers:
                self.recurrent.append(nn.Parameter(layer.weight_hh_l0.detach()))
                del layer.weight_hh_l0

    def forward(self, tokens, states):
        """tokens (B, T), states a pair a layer or None -> logits (T, B, V), states."""
        tokens = tokens.T
        xs = self.embedding(tokens) if self.embedding else F.one_hot(tokens, self.vocab).float()
        xs = _locked(self, xs, self.rates["dropout_in"])
        after = []
        for i, layer in enumerate(self.layers):
            if i:
                xs = _locked(self, xs, self.rates["dropout"])
            if self.recurrent:
                weight = self.recurrent[
                    i
                ].clone()  # a tensor: a parameter would be registered again
                layer.weight_hh_l0 = F.dropout(weight, self.rates["weight_drop"], self.training)
            xs, state = layer(xs, states and states[i])
            after.append(tuple(s.detach() for s in state))
        return self.head(_locked(self, xs, self.rates["dropout_out"])), after


def _text(work, i, cast):
    torch.set_num_threads(os.cpu_count())
    sizes, p = work.sizes, work.member(i)
    model = LanguageModel(sizes["vocab"], sizes["model"])
    with torch.no_grad():
        if model.embedding:
            model.embedding.weight.copy_(torch.tensor(p["embedding"]))
        model.head.weight.copy_(torch.tensor(p["kernel"].T))
        model.head.bias.copy_(torch.tensor(p["bias"]))
    for n, layer in enumerate(model.layers):
        _fill(layer, 0, p, n, model.recurrent[n] if model.recurrent else None)
    optimizer, schedule = _optimizer(model, work)
    tokens = torch.tensor(work.data["tokens"][i].astype(np.int64))
    B, T = sizes["batch"], sizes["window"]
    batches, states, clip = _batches(sizes, tokens), None, sizes["optimizer"]["clip_norm"]

    @cast
    def loss(rows, states):
        logits, states = model(rows[:, :-1], states)
        return F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].T.flatten()), states

    def train():
        nonlocal states
        rows, fresh = next(batches)
        error, states = loss(rows, None if fresh else states)
        optimizer.zero_grad()
        error.backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        if schedule:
            schedule.step()

    def check():
        rows = torch.tensor(work.data["batch"][i].astype(np.int64))
        assert rows.shape == (B, T + 1)
        model.eval()
        with torch.no_grad():
            error, _ = loss(rows, None)
        model.train()
        return float(error)

    return model, train, check


def _batches(sizes, tokens):
    """Batches (B, T + 1) without end, and whether the state begins anew with them."""
    B, T, reading = sizes["batch"], sizes["window"], sizes["reading"]
    if reading == "lanes":
        lanes = tokens[: len(tokens) // B * B].reshape(B, -1)
        while True:
            for i in range((lanes.shape[1] - 1) // T):
                yield lanes[:, i * T : (i + 1) * T + 1], i == 0
    start = torch.full((B, 1), sizes.get("start", 0))
    for _ in count():
        at = torch.randint(len(tokens) - T, (B, 1))
        rows = tokens[at + torch.arange(T + (reading != "drawn"))]
        yield (torch.cat([start, rows], dim=1) if reading == "drawn" else rows), True


class WindowModel(nn.Module):
    """Layers over windows of symbols, as numbers or by an embedding, and a softmax over the next symbol."""

    def __init__(self, vocab, model):
        super().__init__()
        self.vocab, self.rates = vocab, model
        self.embedding = nn.Embedding(vocab + 1, model["embed"]) if model["embed"] else None
        inputs = [model["embed"] or 1] + [model["hidden"]] * (model["layers"] - 1)
        self.layers = nn.ModuleList(nn.LSTM(D, model["hidden"]) for D in inputs)
        self.head = nn.Linear(model["hidden"], vocab)

    def forward(self, tokens, every):
        """tokens (B, T) -> logits (1, B, V) after the last symbol, or (T, B, V) after every one."""
        xs = self.embedding(tokens.T) if self.embedding else (tokens.T / self.vocab)[..., None]
        for i, layer in enumerate(self.layers):
            xs, _ = layer(_locked(self, xs, self.rates["dropout"]) if i else xs)
        return self.head(_locked(self, xs if every else xs[-1:], self.rates["dropout_out"]))


def _windows(work, i, cast):
    torch.set_num_threads(os.cpu_count())
    torch.manual_seed(0)
    sizes, p = work.sizes, work.member(i)
    model, every = WindowModel(sizes["vocab"], sizes["model"]), sizes["targets"] == "all"
    with torch.no_grad():
        if model.embedding:
            model.embedding.weight.copy_(torch.tensor(p["embedding"]))
        model.head.weight.copy_(torch.tensor(p["kernel"].T))
        model.head.bias.copy_(torch.tensor(p["bias"]))
    for n, layer in enumerate(model.layers):
        _fill(layer, 0, p, n)
    optimizer, _ = _optimizer(model, work)
    tokens = torch.tensor(work.data["tokens"][i].astype(np.int64))
    T, B = sizes["window"], sizes["batch"]
    batches = _shuffled(len(tokens) - T, B)

    @cast
    def loss(rows):
        targets = rows[:, 1:] if every else rows[:, -1:]
        return F.cross_entropy(model(rows[:, :-1], every).flatten(0, 1), targets.T.flatten())

    def train(starts=None):
        starts = next(batches) if starts is None else starts
        error = loss(tokens[starts[:, None] + torch.arange(T + 1)])
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        return error.detach()

    def check():
        model.eval()
        with torch.no_grad():
            error = float(loss(torch.tensor(work.data["batch"][i].astype(np.int64))))
        model.train()
        return error

    return model, train, check


def _shuffled(count, size):
    """Batches of the numbers below ``count`` without end, each epoch in another order."""
    while True:
        yield from torch.randperm(count)[: count // size * size].view(-1, size)


def _epochs(work, cast):
    """(epochs,) mean loss of each epoch, with dropout, from the first parameters."""
    _, train, _ = _windows(work, 0, cast)
    losses = []
    for epoch in work.data["order"]:
        sums = []
        for rows in epoch:
            starts = torch.tensor(rows[rows >= 0].astype(np.int64))
            sums.append(float(train(starts)) * len(starts))
        losses.append(sum(sums) / (epoch >= 0).sum())
    return np.array(losses)


def _series(work, i, cast):
    torch.set_num_threads(1)  # two are slower for so little work
    p, m = work.member(i), work.sizes["model"]
    windows, targets = (torch.tensor(work.data[name]) for name in ("windows", "targets"))
    lstm, head = nn.LSTM(windows.shape[2], m["hidden"], m["layers"]), nn.Linear(m["hidden"], 1)
    for n in range(m["layers"]):
        _fill(lstm, n, p, n)
    with torch.no_grad():
        head.weight.copy_(torch.tensor(p["kernel"].T))
        head.bias.copy_(torch.tensor(p["bias"]))
    model = nn.ModuleList([lstm, head])
    optimizer, _ = _optimizer(model, work)
    state, at, n = None, 0, len(targets)
    shuffle, order = np.random.default_rng(0), np.arange(n)

    @cast
    def loss(i, state):
        ys, state = lstm(windows[i][:, None], state)
        return (head(ys[-1])[0, 0] - targets[i]).square(), tuple(s.detach() for s in state)

    def train():
        nonlocal state, at, order
        if at % n == 0:
            state = None
            order = np.arange(n) if m["stateful"] else shuffle.permutation(n)
        error, after = loss(order[at % n], state)
        state, at = after if m["stateful"] else None, at + 1
        optimizer.zero_grad()
        error.backward()
        optimizer.step()

    def check():
        with torch.no_grad():
            return float(loss(0, None)[0])

    return model, train, check


def _fill(lstm, layer, params, n, recurrent=None):
    """The weights of our layer n, in PyTorch's layout; its second bias stays at zero, untrained."""
    w_x, w_h, b = (params[f"layer_{n}.{name}"] for name in ("w_x", "w_h", "b"))
    with torch.no_grad():
        getattr(lstm, f"weight_ih_l{layer}").copy_(torch.tensor(w_x.T))
        w = getattr(lstm, f"weight_hh_l{layer}") if recurrent is None else recurrent
        w.copy_(torch.tensor(w_h.T))
        getattr(lstm, f"bias_ih_l{layer}").copy_(torch.tensor(b))
        getattr(lstm, f"bias_hh_l{layer}").zero_().requires_grad_(False)


def _optimizer(model, work):
    """As the config has it, in the faster of PyTorch's forms, and its schedule; None where the rate
    is constant."""
    o, steps = work.sizes["optimizer"], work.sizes["steps"]
    params = [p for p in model.parameters() if p.requires_grad]
    rate = o["learning_rate"]
    if o["name"] in ("adam", "adamw"):
        kind = torch.optim.AdamW if o["name"] == "adamw" else torch.optim.Adam
        options = {"weight_decay": o["weight_decay"]} if o["name"] == "adamw" else {}
        betas = (o["b1"], o["b2"])
        optimizer = kind(params, rate, betas, fused=True, **options)
    elif o["name"] == "rmsprop":
        optimizer = torch.optim.RMSprop(params, rate, alpha=0.9, eps=1e-7)
    else:
        raise ValueError(f"the optimizer {o['name']} is not compared")
    if o["schedule"] == "constant" and not o["warmup_steps"]:
        return optimizer, None
    shares = partial(workload.rate, o, steps)
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, shares)


def _locked(module, xs, rate):
    """One mask for all time steps."""
    if not module.training or not rate:
        return xs
    return xs * (xs.new_empty(1, *xs.shape[1:]).bernoulli_(1 - rate) / (1 - rate))
