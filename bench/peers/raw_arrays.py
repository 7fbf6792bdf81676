"""The matrices that bench/peer-program.mjs writes, and NDCG of dense scores."""

import numpy as np
import scipy.sparse


def load(prefix):
    """The 0/1 matrix in <prefix>.shape, .offsets and .indices of uint32."""
    rows, columns = np.fromfile(prefix + ".shape", np.uint32)
    offsets, indices = (np.fromfile(prefix + end, np.uint32).astype(np.int64) for end in (".offsets", ".indices"))
    return scipy.sparse.csr_matrix((np.ones(len(indices), np.float32), indices, offsets), (int(rows), int(columns)))


def ndcg(scores, history, held_out, k=100):
    """Mean and standard error over the users with held-out items; the items of the history are not ranked."""
    scores[history.nonzero()] = -np.inf
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    hits = np.take_along_axis(held_out.toarray(), best, 1)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.array([discounts[: min(k, n)].sum() for n in np.diff(held_out.indptr)])
    values = (hits * discounts).sum(1)[ideal > 0] / ideal[ideal > 0]
    return values.mean(), values.std(ddof=1) / np.sqrt(len(values))
