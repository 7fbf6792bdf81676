"""ELSA in PyTorch (float32, dense), as recombee/ELSA: trains on raw arrays and prints NDCG@100 of the held-out items.

python elsa.py <folder> --factors 512 --batch 128 --rate 0.05 --epochs 9 --seed 1
The folder has train, history and held_out, each as <name>.shape, .offsets and .indices of uint32 (bench/peer-program.mjs writes it).
"""

import argparse
import json
import time

import torch
import torch.nn.functional as F
from raw_arrays import load, ndcg


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
