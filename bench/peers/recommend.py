"""Top 20 for one history with a Mult-VAE in memory: PyTorch, as a service would write it (dense row, no grad, topk)."""

import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F
from common import load_csr, peak_bytes, serve


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    offsets, indices, items = load_csr(arguments.input, "test-fold-in")
    encoder = torch.nn.Sequential(torch.nn.Linear(items, 600), torch.nn.Tanh(), torch.nn.Linear(600, 400))
    decoder = torch.nn.Sequential(torch.nn.Linear(200, 600), torch.nn.Tanh(), torch.nn.Linear(600, items))

    def recommend(history):
        with torch.inference_mode():
            row = torch.zeros(1, items)
            row[0, history] = 1
            scores = decoder(encoder(F.normalize(row))[:, :200])[0]
            scores[history] = -torch.inf
            return torch.topk(scores, 20).indices.tolist()

    def measure():
        seconds = []
        for user in range(arguments.requests):
            history = torch.from_numpy(indices[offsets[user] : offsets[user + 1]])
            started = time.perf_counter()
            recommend(history)
            seconds.append(time.perf_counter() - started)
        return {"seconds": [float(np.median(seconds))], "peak": peak_bytes()}

    measure()
    serve(f"torch {torch.__version__}", measure)


if __name__ == "__main__":
    main()
