"""SLIM as RecSys2019 and RecBole train it: scikit-learn's ElasticNet for one item after the other, on the sparse matrix
with that item's column set to zero. Two threads, each with its own copy of the values: the solver works without the GIL.
"""

import argparse
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import sklearn
from common import load_scipy, peak_bytes, serve
from sklearn.linear_model import ElasticNet


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--alpha", type=float, default=0.2)
    parser.add_argument("--l1-ratio", type=float, default=0.02)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--size", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    train = load_scipy(arguments.input, "train")
    items = train.shape[1]
    chosen = [block * items // arguments.blocks + k for block in range(arguments.blocks) for k in range(arguments.size)]
    # scikit-learn's limit of 100 iterations is part of the published recipe; a warning is printed when a fit reaches it.
    warnings.filterwarnings("ignore")

    def solve(share):
        x = train.tocsc(copy=True)
        weights = 0
        for j in share:
            model = ElasticNet(
                alpha=arguments.alpha,
                l1_ratio=arguments.l1_ratio,
                positive=True,
                fit_intercept=False,
                copy_X=False,
                selection="random",
                max_iter=100,
                tol=1e-4,
                random_state=0,
            )
            column = slice(x.indptr[j], x.indptr[j + 1])
            values = x.data[column].copy()
            target = np.zeros(x.shape[0], dtype=x.dtype)
            target[x.indices[column]] = values
            x.data[column] = 0
            model.fit(x, target)
            x.data[column] = values
            weights += np.count_nonzero(model.coef_)
        return weights

    def measure():
        started = time.perf_counter()
        with ThreadPoolExecutor(arguments.threads) as pool:
            weights = sum(pool.map(solve, [chosen[t :: arguments.threads] for t in range(arguments.threads)]))
        seconds = time.perf_counter() - started
        print(f"scikit-learn: {weights} weights of {len(chosen)} items", file=sys.stderr)
        return {"seconds": [seconds], "peak": peak_bytes()}

    serve(f"scikit-learn {sklearn.__version__}", measure)


if __name__ == "__main__":
    main()
