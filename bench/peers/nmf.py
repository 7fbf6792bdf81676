"""Iterations of scikit-learn's NMF by coordinate descent, float32, from a random start."""

import argparse
import time
import warnings

import sklearn
from common import load_scipy, peak_bytes, serve
from sklearn.decomposition import NMF


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--factors", type=int, required=True)
    parser.add_argument("--iterations", type=int, default=2)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    matrix = load_scipy(arguments.input, "train")

    def fit(iterations):
        model = NMF(n_components=arguments.factors, init="random", random_state=0, tol=0, max_iter=iterations)
        started = time.perf_counter()
        model.fit_transform(matrix)
        return time.perf_counter() - started

    def measure():
        # Both times include initialisation, checks and the final error.
        once = fit(1)
        more = fit(1 + arguments.iterations)
        return {"seconds": [(more - once) / arguments.iterations], "peak": peak_bytes()}

    serve(f"scikit-learn {sklearn.__version__}", measure)


if __name__ == "__main__":
    main()
