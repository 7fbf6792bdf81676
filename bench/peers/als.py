"""Sweeps of alternating least squares by benfred/implicit: conjugate gradients (its default) or exactly, two threads.

Its own threads do the work, so BLAS gets one, as it asks for.
"""

import argparse
import warnings

import implicit
from common import load_scipy, peak_bytes, serve
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--factors", type=int, required=True)
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--iterations", type=int, default=2)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    threadpool_limits(1, "blas")
    matrix = load_scipy(arguments.input, "train")

    def measure():
        seconds = []
        model = AlternatingLeastSquares(
            factors=arguments.factors,
            alpha=5.0,
            use_cg=not arguments.exact,
            iterations=1 + arguments.iterations,
            num_threads=2,
            random_state=0,
        )
        model.fit(matrix, show_progress=False, callback=lambda iteration, elapsed, loss: seconds.append(elapsed))
        return {"seconds": seconds[1:], "peak": peak_bytes()}

    serve(f"implicit {implicit.__version__}{', exact' if arguments.exact else ', 3 CG steps'}", measure)


if __name__ == "__main__":
    main()
