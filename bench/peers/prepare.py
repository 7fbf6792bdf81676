"""ML-20M's canonical preparation in pandas, step by step as the published notebook does it (vae_cf), from CSV to CSVs.

The notebook's groupby idiom is written for today's pandas; everything else is its own way, split_train_test_proportion
with its loop over users included.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from common import peak_bytes, serve


def split_train_test_proportion(data, share=0.2):
    grouped = data.groupby("userId")
    train, test = [], []
    np.random.seed(98765)
    for _, group in grouped:
        count = len(group)
        if count >= 5:
            chosen = np.zeros(count, dtype=bool)
            chosen[np.random.choice(count, size=int(share * count), replace=False).astype("int64")] = True
            train.append(group[np.logical_not(chosen)])
            test.append(group[chosen])
        else:
            train.append(group)
    return pd.concat(train), pd.concat(test)


def prepare(source, folder, held_out_users):
    raw = pd.read_csv(source, header=0)
    raw = raw[raw["rating"] > 3.5]
    counts = raw.groupby("userId").size()
    raw = raw[raw["userId"].isin(counts.index[counts >= 5])]
    users = raw.groupby("userId").size().index
    np.random.seed(98765)
    users = users[np.random.permutation(users.size)]
    train_users = users[: -held_out_users * 2]
    validation_users = users[-held_out_users * 2 : -held_out_users]
    test_users = users[-held_out_users:]
    train = raw.loc[raw["userId"].isin(train_users)]
    items = pd.unique(train["movieId"])
    show = {sid: i for i, sid in enumerate(items)}
    profile = {uid: i for i, uid in enumerate(users)}

    def numerize(frame):
        uid = frame["userId"].map(profile.get)
        sid = frame["movieId"].map(show.get)
        return pd.DataFrame({"uid": uid, "sid": sid}, columns=["uid", "sid"])

    with open(folder / "unique_sid.txt", "w") as file:
        for sid in items:
            file.write(f"{sid}\n")
    numerize(train).to_csv(folder / "train.csv", index=False)
    for name, chosen in (("validation", validation_users), ("test", test_users)):
        rows = raw.loc[raw["userId"].isin(chosen)]
        rows = rows.loc[rows["movieId"].isin(items)]
        fold_in, held_out = split_train_test_proportion(rows)
        numerize(fold_in).to_csv(folder / f"{name}_tr.csv", index=False)
        numerize(held_out).to_csv(folder / f"{name}_te.csv", index=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True, help="ratings.csv: userId,movieId,rating,timestamp")
    parser.add_argument("--held-out-users", type=int, default=10_000)
    arguments = parser.parse_args()

    def measure():
        folder = Path(tempfile.mkdtemp())
        started = time.perf_counter()
        prepare(arguments.input, folder, arguments.held_out_users)
        seconds = time.perf_counter() - started
        shutil.rmtree(folder)
        return {"seconds": [seconds], "peak": peak_bytes()}

    serve(f"pandas {pd.__version__}", measure)


if __name__ == "__main__":
    main()
