"""Optuna's sampler (TPE) over EASE in NumPy and alternating least squares of benfred/implicit, within a time budget.

The best trial on the validation users is evaluated on the test users. Prints one JSON object. Called by bench/tune.mjs.
"""

import argparse
import json
import os
import time
import warnings

import numpy as np
import optuna
from common import load_scipy
from implicit.cpu.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

K = 100


def ndcg(scores, history, held_out):
    """NDCG@100 of each user with held-out items; items of the history are not ranked."""
    scores[history.nonzero()] = -np.inf
    best = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    discount = 1 / np.log2(np.arange(2, K + 2))
    values = []
    for row in range(scores.shape[0]):
        items = held_out.indices[held_out.indptr[row] : held_out.indptr[row + 1]]
        if len(items) == 0:
            continue
        hits = np.isin(best[row], items)
        values.append((hits * discount[: hits.shape[0]]).sum() / discount[: min(len(items), K)].sum())
    return np.array(values)


def ease(gram, regularisation):
    inverse = gram.copy()
    inverse[np.diag_indices_from(inverse)] += regularisation
    inverse = np.linalg.inv(inverse)
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--budget", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    started = time.time()
    data = {
        name: load_scipy(arguments.input, name)
        for name in ["train", "validation_history", "validation_held_out", "test_history", "test_held_out"]
    }
    train = data["train"]
    gram = (train.T @ train).toarray().astype(np.float32)

    def build(parameters):
        if parameters["model"] == "ease":
            weights = ease(gram, parameters["lambda"])
            return lambda history: np.asarray(history @ weights)
        model = AlternatingLeastSquares(
            factors=parameters["factors"],
            alpha=parameters["alpha"],
            regularization=parameters["regularization"],
            iterations=parameters["iterations"],
            num_threads=len(os.sched_getaffinity(0)),
            random_state=arguments.seed,
        )
        with threadpool_limits(1, "blas"):
            model.fit(train, show_progress=False)

        def score(history):
            users = model.recalculate_user(np.arange(history.shape[0]), history)
            return users @ model.item_factors.T

        return score

    def objective(trial):
        parameters = {"model": trial.suggest_categorical("model", ["ease", "als"])}
        if parameters["model"] == "ease":
            parameters["lambda"] = trial.suggest_float("lambda", 1, 5000, log=True)
        else:
            parameters |= {
                "factors": trial.suggest_int("factors", 16, 256, log=True),
                "alpha": trial.suggest_float("alpha", 0.5, 50, log=True),
                "regularization": trial.suggest_float("regularization", 1e-3, 30, log=True),
                "iterations": trial.suggest_int("iterations", 5, 25),
            }
        trial.set_user_attr("parameters", parameters)
        score = build(parameters)
        values = ndcg(score(data["validation_history"]), data["validation_history"], data["validation_held_out"])
        return float(values.mean())

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=arguments.seed))
    # The last training is the best one again.
    study.optimize(objective, timeout=0.95 * arguments.budget)
    parameters = study.best_trial.user_attrs["parameters"]
    values = ndcg(build(parameters)(data["test_history"]), data["test_history"], data["test_held_out"])
    print(
        json.dumps(
            {
                "optuna": optuna.__version__,
                "trials": len(study.trials),
                "seconds": round(time.time() - started, 1),
                "best": parameters,
                "validation": round(study.best_value, 4),
                "test": round(float(values.mean()), 4),
                "standardError": round(float(values.std(ddof=1) / np.sqrt(len(values))), 4),
            }
        )
    )


if __name__ == "__main__":
    main()
