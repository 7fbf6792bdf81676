"""Training steps of H+Vamp (gated, 2 layers) in PyTorch, as psywaves/EVCF would be written on today's PyTorch: eager, dense
rows, every pseudo-input encoded in every step, gradients divided by their norm per tensor (AdamNormGrad), then fused Adam.
The published program forms a [users, K, latent] tensor for the prior; here, as in ours, two products take its place."""

import argparse
import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from common import load_scipy, peak_bytes, serve
from torch import nn


class Gated(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.value, self.gate = nn.Linear(inputs, outputs), nn.Linear(inputs, outputs)

    def forward(self, x):
        return self.value(x) * torch.sigmoid(self.gate(x))


class Heads(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.mean, self.log_variance = nn.Linear(inputs, outputs), nn.Linear(inputs, outputs)

    def forward(self, h):
        return self.mean(h), F.hardtanh(self.log_variance(h), -12.0, 4.0)


def sample(mean, log_variance):
    return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)


def log_normal(x, mean, log_variance):
    return -0.5 * (log_variance + (x - mean) ** 2 / log_variance.exp()).sum(1)


class HVamp(nn.Module):
    def __init__(self, items, hidden=600, latent=200, components=1000):
        super().__init__()
        self.q2 = nn.Sequential(nn.Dropout(0.5), Gated(items, hidden), Gated(hidden, hidden), Heads(hidden, latent))
        self.q1_x = nn.Sequential(nn.Dropout(0.5), Gated(items, hidden))
        self.q1_z2, self.q1_joint = Gated(latent, hidden), Gated(2 * hidden, hidden)
        self.q1_heads = Heads(hidden, latent)
        self.p1 = nn.Sequential(Gated(latent, hidden), Gated(hidden, hidden), Heads(hidden, latent))
        self.px_z1, self.px_z2, self.px_joint = Gated(latent, hidden), Gated(latent, hidden), Gated(2 * hidden, hidden)
        self.output = nn.Linear(hidden, items)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, math.sqrt(2 / module.in_features))
        self.pseudo_inputs = nn.Parameter(torch.empty(components, items).normal_(0.05, 0.01))

    def log_prior2(self, z2):
        mean, log_variance = self.q2(F.hardtanh(self.pseudo_inputs, 0.0, 1.0))
        precision = torch.exp(-log_variance)
        constant = -0.5 * (log_variance + mean**2 * precision).sum(1)
        densities = constant - 0.5 * (z2**2) @ precision.T + z2 @ (mean * precision).T
        return torch.logsumexp(densities, 1) - math.log(len(mean))

    def loss(self, rows, beta):
        x = F.normalize(rows)
        q2 = self.q2(x)
        z2 = sample(*q2)
        q1 = self.q1_heads(self.q1_joint(torch.cat([self.q1_x(x), self.q1_z2(z2)], 1)))
        z1 = sample(*q1)
        h = self.px_joint(torch.cat([self.px_z1(z1), self.px_z2(z2)], 1))
        log_likelihood = (F.log_softmax(self.output(h), 1) * rows).sum(1)
        kl = log_normal(z1, *q1) + log_normal(z2, *q2) - log_normal(z1, *self.p1(z2)) - self.log_prior2(z2)
        return (beta * kl - log_likelihood).mean()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["float32", "bf16"], default="float32")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    matrix = load_scipy(arguments.input, "train")
    model = HVamp(matrix.shape[1]).train()
    parameters = list(model.parameters())
    optimizer = torch.optim.Adam(parameters, lr=5e-4, fused=True)
    random = np.random.default_rng(0)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=arguments.precision == "bf16")

    def step():
        users = random.choice(matrix.shape[0], arguments.batch, replace=False)
        started = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            loss = model.loss(torch.from_numpy(matrix[users].toarray()), 0.1)
        loss.backward()
        for parameter in parameters:
            parameter.grad.div_(parameter.grad.norm() + 1e-7)
        optimizer.step()
        loss.item()
        return time.perf_counter() - started

    for _ in range(2):
        step()
    count = sum(parameter.numel() for parameter in parameters)
    serve(
        f"torch {torch.__version__}, {count:,} parameters",
        lambda: {"seconds": [step() for _ in range(arguments.steps)], "peak": peak_bytes()},
    )


if __name__ == "__main__":
    main()
