"""Evaluating users with NDCG@100, Recall@20 and Recall@50 as published: scores in batches of 2,000, NumPy argpartition.

The scores are a fixed product (hidden activations times item weights), so that the evaluation is what is measured on both
sides: each side computes the same product, masks the fold-in items and ranks.
"""

import argparse
import time

import numpy as np
from common import load_scipy, peak_bytes, serve
from ranking import ndcg_at, recall_at


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--hidden", type=int, default=600)
    arguments = parser.parse_args()
    fold_in = load_scipy(arguments.input, "test-fold-in")
    held_out = load_scipy(arguments.input, "test-held-out")
    random = np.random.default_rng(0)
    table = (random.standard_normal((fold_in.shape[1], arguments.hidden)) * 0.05).astype(np.float32)
    weights = np.ascontiguousarray(table.T)

    def evaluate():
        started = time.perf_counter()
        ndcg, recall20, recall50 = [], [], []
        for start in range(0, fold_in.shape[0], 2000):
            rows, truth = fold_in[start : start + 2000], held_out[start : start + 2000]
            scores = np.tanh(rows @ table) @ weights
            scores[rows.nonzero()] = -np.inf
            ndcg.append(ndcg_at(scores, truth))
            recall20.append(recall_at(scores, truth, 20))
            recall50.append(recall_at(scores, truth, 50))
        for values in (ndcg, recall20, recall50):
            float(np.nanmean(np.concatenate(values)))
        return {"seconds": [time.perf_counter() - started], "peak": peak_bytes()}

    serve(f"numpy {np.__version__}", evaluate)


if __name__ == "__main__":
    main()
