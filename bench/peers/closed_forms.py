"""EASE and infinite-AE in NumPy and SciPy, float32: from the histories to what they score with.

`numpy` is what the papers' programs do (numpy.linalg.inv; a solve of the dense histories), `lapack` the best that LAPACK offers
for a symmetric positive definite matrix (potrf and potri, in place; potrf and potrs).
"""

import argparse
import time

import numpy as np
import scipy
from common import load_scipy, peak_bytes, serve
from scipy.linalg import lapack


def ease(X, variant, lam):
    G = (X.T @ X).toarray()
    diagonal = np.diag_indices(G.shape[0])
    G[diagonal] += lam
    if variant == "numpy":
        P = np.linalg.inv(G)
    else:
        # G is symmetric, so its transpose can be passed to LAPACK in place.
        factor, info = lapack.spotrf(G.T, lower=1, overwrite_a=1)
        assert info == 0
        P, info = lapack.spotri(factor, lower=1, overwrite_c=1)
        assert info == 0
        # potri fills one triangle; copied block by block, because one step would need two more matrices.
        for start in range(0, len(P), 1024):
            end = start + 1024
            P[start:end, end:] = P[end:, start:end].T
            block = np.tril(P[start:end, start:end], -1)
            P[start:end, start:end] = np.tril(P[start:end, start:end]) + block.T
    P /= -np.diag(P)
    P[diagonal] = 0
    return P


def infinite_ae(X, variant, lam):
    users, items = X.shape
    X = X.toarray()
    S = np.float32(2 / items) * (X @ X.T) + np.float32(0.01)
    norms = np.sqrt(np.diag(S))
    roots = np.outer(norms, norms)
    cos = np.minimum(S / roots, np.float32(1))
    t = np.arccos(cos)
    pi = np.float32(np.pi)
    K = roots * (np.sin(t) + (pi - t) * cos) / pi + np.float32(0.01) + S * (pi - t) / pi
    K[np.diag_indices(users)] += lam * np.trace(K) / users
    if variant == "numpy":
        return np.linalg.solve(K, X)
    factor, info = lapack.spotrf(K.T, lower=1, overwrite_a=1)
    assert info == 0
    solution, info = lapack.spotrs(factor, np.asfortranarray(X), lower=1, overwrite_b=1)
    assert info == 0
    return solution


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--variant", required=True)
    parser.add_argument("--lambda", dest="lam", type=float, required=True)
    parser.add_argument("--users", type=int)
    arguments = parser.parse_args()
    X = load_scipy(arguments.input, "train")[: arguments.users]
    fit = ease if arguments.model == "ease" else infinite_ae

    def measure():
        started = time.perf_counter()
        fit(X, arguments.variant, arguments.lam)
        return {"seconds": [time.perf_counter() - started], "peak": peak_bytes()}

    serve(f"NumPy {np.__version__}, SciPy {scipy.__version__}", measure)


if __name__ == "__main__":
    main()
