"""NDCG@k and Recall@k exactly as the published notebook computes them (vae_cf: NumPy, argpartition, dense rows)."""

import numpy as np


def ndcg_at(scores, held_out, k=100):
    users = scores.shape[0]
    rows = np.arange(users)[:, np.newaxis]
    part = np.argpartition(-scores, k, axis=1)
    top = scores[rows, part[:, :k]]
    order = part[rows, np.argsort(-top, axis=1)]
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    gains = (held_out[rows, order].toarray() * discount).sum(axis=1)
    ideal = np.array([discount[: min(n, k)].sum() for n in held_out.getnnz(axis=1)])
    with np.errstate(invalid="ignore"):
        return gains / ideal


def recall_at(scores, held_out, k):
    users = scores.shape[0]
    part = np.argpartition(-scores, k, axis=1)
    predicted = np.zeros_like(scores, dtype=bool)
    predicted[np.arange(users)[:, np.newaxis], part[:, :k]] = True
    truth = (held_out > 0).toarray()
    hits = np.logical_and(truth, predicted).sum(axis=1).astype(np.float32)
    with np.errstate(invalid="ignore"):
        return hits / np.minimum(k, truth.sum(axis=1))
