"""ELSA in PyTorch (float32, dense), as recombee/ELSA: trains on raw arrays and prints NDCG@100 of the held-out items.

python elsa.py <folder> --factors 512 --batch 128 --rate 0.05 --epochs 9 --seed 1
The folder has train, history and held_out, each as <name>.shape, .offsets and .indices of uint32 (bench/elsa.mjs writes it).
"""

import argparse
import json
import time

import numpy as np
import scipy.sparse
import torch
import torch.nn.functional as F


def load(prefix):
    rows, columns = np.fromfile(prefix + ".shape", np.uint32)
    offsets, indices = (np.fromfile(prefix + end, np.uint32).astype(np.int64) for end in (".offsets", ".indices"))
    return scipy.sparse.csr_matrix((np.ones(len(indices), np.float32), indices, offsets), (int(rows), int(columns)))


def ndcg(scores, history, held_out, k=100):
    scores[history.nonzero()] = -np.inf
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    hits = np.take_along_axis(held_out.toarray(), best, 1)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.array([discounts[: min(k, n)].sum() for n in np.diff(held_out.indptr)])
    values = (hits * discounts).sum(1)[ideal > 0] / ideal[ideal > 0]
    return values.mean(), values.std(ddof=1) / np.sqrt(len(values))


parser = argparse.ArgumentParser()
parser.add_argument("folder")
for name, kind in (("factors", int), ("batch", int), ("rate", float), ("epochs", int), ("seed", int)):
    parser.add_argument("--" + name, type=kind, required=True)
args = parser.parse_args()
torch.manual_seed(args.seed)
torch.set_num_threads(2)
X, history, held_out = (load(f"{args.folder}/{name}") for name in ("train", "history", "held_out"))
A = torch.nn.Parameter(torch.nn.init.xavier_uniform_(torch.empty(X.shape[1], args.factors)))
optimizer = torch.optim.NAdam([A], lr=args.rate)
started = time.perf_counter()
for _ in range(args.epochs):
    for rows in torch.randperm(X.shape[0]).split(args.batch):
        x = torch.from_numpy(X[rows.numpy()].toarray())
        U = F.normalize(A, dim=-1)
        y = x @ U @ U.T - x
        loss = F.mse_loss(F.normalize(y, dim=-1), F.normalize(x, dim=-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
seconds = time.perf_counter() - started
U = F.normalize(A.detach(), dim=-1).numpy()
mean, error = ndcg((history @ U) @ U.T, history, held_out)
print(json.dumps({"ndcg@100": round(float(mean), 4), "standardError": round(float(error), 4), "seconds": round(seconds, 1)}))
