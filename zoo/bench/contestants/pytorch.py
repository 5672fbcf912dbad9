"""PyTorch: nn.LSTM, whose two biases are one of ours and zeros; bfloat16 by its autocast."""

import os

import torch

from zoo.bench import problem
from zoo.bench.worker import Run


def prepare(shape, precision="float32"):
    torch.set_num_threads(os.cpu_count())
    p = problem.make(problem.Shape(*shape))
    lstm = torch.nn.LSTM(shape[3], shape[0])
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(torch.tensor(p.w_x.T))
        lstm.weight_hh_l0.copy_(torch.tensor(p.w_h.T))
        lstm.bias_ih_l0.copy_(torch.tensor(p.b))
        lstm.bias_hh_l0.zero_()
    xs, gs = torch.tensor(p.xs), torch.tensor(p.gs)
    leaf = xs.clone().requires_grad_()
    weights = (lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0, lstm.bias_hh_l0)

    def outputs(xs):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            return lstm(xs)[0].float()

    def forward():
        with torch.inference_mode():
            return outputs(xs)

    def both():
        loss = (outputs(leaf) * gs).sum()
        return torch.autograd.grad(loss, (*weights, leaf))

    def arrays(out):
        w_x, w_h, b, _, d_xs = out
        return {"w_x": w_x.T.numpy(), "w_h": w_h.T.numpy(), "b": b.numpy(), "xs": d_xs.numpy()}

    return {"forward": Run(forward, lambda ys: {"ys": ys.numpy()}), "both": Run(both, arrays)}
