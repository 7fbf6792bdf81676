"""VASP in PyTorch (float32, dense), as zombak79/vasp: trains on raw arrays and prints NDCG@100 of the held-out items.

python vasp.py <folder> --hidden 256 --latent 128 --batch 128 --rate 0.0005 --epochs 20 --threads 1 --seed 1
The folder has train, history and held_out, each as <name>.shape, .offsets and .indices of uint32 (bench/peer-program.mjs writes it).
"""

import argparse
import json
import time

import numpy as np
import torch
import torch.nn as nn
from raw_arrays import load, ndcg

parser = argparse.ArgumentParser()
parser.add_argument("folder")
for name, kind in (
    ("hidden", int), ("latent", int), ("batch", int), ("rate", float), ("epochs", int), ("threads", int), ("seed", int),
):
    parser.add_argument("--" + name, type=kind, required=True)
args = parser.parse_args()
torch.manual_seed(args.seed)
torch.set_num_threads(args.threads)
random = np.random.default_rng(args.seed)
X, history, held_out = (load(f"{args.folder}/{name}") for name in ("train", "history", "held_out"))
items, hidden, latent = X.shape[1], args.hidden, args.latent


def dense(inputs, outputs, bias=True):
    """Keras' initial values."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


class Stack(nn.Module):
    def __init__(self, inputs, layers):
        super().__init__()
        self.layers = nn.ModuleList([dense(inputs if k == 0 else hidden, hidden) for k in range(layers)])
        self.norms = nn.ModuleList([nn.LayerNorm(hidden, eps=1e-3) for _ in range(layers)])

    def forward(self, x):
        outputs = []
        for layer, norm in zip(self.layers, self.norms):
            a = layer(outputs[-1] if outputs else x) + sum(outputs)
            outputs.append(norm(nn.functional.silu(a)))
        return outputs[-1]


class Vasp(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Stack(items, 7), Stack(latent, 5)
        self.mean, self.log_variance = dense(hidden, latent), dense(hidden, latent)
        self.output, self.latent_output = dense(hidden, items), dense(latent, items)
        self.shallow = dense(items, items, bias=False)

    def forward(self, x, sample):
        e = self.encoder(x)
        m, v = self.mean(e), self.log_variance(e)
        z = m + torch.exp(v / 2) * torch.randn_like(m) if sample else m
        deep = torch.sigmoid(self.output(self.decoder(z))) * torch.sigmoid(self.latent_output(z))
        return deep * torch.sigmoid(self.shallow(x)), -0.5 * (1 + v - m**2 - v.exp()).mean(1)


def rows(lists):
    x = torch.zeros(len(lists), items)
    for r, row in enumerate(lists):
        x[r, row] = 1
    return x


def focal(p, y, alpha=0.25, gamma=2.0):
    """tensorflow_addons' sigmoid_focal_crossentropy of probabilities, with Keras' clipping."""
    p = p.clamp(1e-7, 1 - 1e-7)
    cross = -(y * torch.log(p) + (1 - y) * torch.log(1 - p))
    right = y * p + (1 - y) * (1 - p)
    return ((y * alpha + (1 - y) * (1 - alpha)) * (1 - right) ** gamma * cross).sum(1)


model = Vasp()
optimizer = torch.optim.NAdam(model.parameters(), lr=args.rate, eps=1e-7)
histories = np.split(X.indices, X.indptr[1:-1])
started = time.process_time()
for epoch in range(1, args.epochs + 1):
    late = epoch > round(args.epochs * 5 / 9)
    optimizer.param_groups[0]["lr"] = args.rate * (0.2 if late else 1)
    shuffled = [random.permutation(h) for h in histories]
    cut = [(s[len(s) // 2 :], s[: len(s) // 2]) for s in shuffled]
    batches = np.split(random.permutation(len(cut)), range(args.batch, len(cut), args.batch))
    for b, there in enumerate(batches):
        back = batches[(b + 1) % len(batches)]
        x = rows([cut[u][0] for u in there] + [cut[u][1] for u in back])
        y = rows([cut[u][1] for u in there] + [cut[u][0] for u in back])
        p, kl = model(x, sample=True)
        loss = (focal(p, y) + kl).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model.shallow.weight.fill_diagonal_(0)
seconds = time.process_time() - started
with torch.no_grad():
    scores = model(torch.from_numpy(history.toarray()), sample=False)[0].numpy()
mean, error = ndcg(scores, history, held_out)
print(json.dumps({"ndcg@100": round(float(mean), 4), "standardError": round(float(error), 4), "seconds": round(seconds, 1)}))
