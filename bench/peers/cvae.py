"""One epoch of CVAE (a network pass over the items, then a sweep of least squares) in PyTorch and NumPy.

--variant pytorch       as the authors' program has it: dense rows per batch, eager, fused Adam; least squares row by row in NumPy.
--variant pytorch-best  first layer as embedding_bag over word lists, torch.compile; least squares in batches of rows.
"""

import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F
from common import load_scipy, peak_bytes, serve
from scipy import sparse

A, B, LAMBDA_U, LAMBDA_V, LAMBDA_R, DECAY, BATCH, LATENT = 1.0, 0.01, 0.1, 10.0, 1.0, 2e-4, 128, 50


class Network(torch.nn.Module):
    """words -> 200 -> 100 -> 2 x 50 -> 100 -> 200 -> words, sigmoid, tied."""

    def __init__(self, words):
        super().__init__()

        def matrix(rows, columns):
            return torch.nn.Parameter(torch.nn.init.xavier_uniform_(torch.empty(rows, columns)))

        def row(columns):
            return torch.nn.Parameter(torch.zeros(columns))

        self.w1, self.b1, self.w2, self.b2 = matrix(words, 200), row(200), matrix(200, 100), row(100)
        self.mean, self.log_variance, self.top = torch.nn.Linear(100, LATENT), torch.nn.Linear(100, LATENT), torch.nn.Linear(LATENT, 100)
        self.output = row(words)

    def posterior(self, first):
        h = torch.sigmoid(torch.sigmoid(first + self.b1) @ self.w2 + self.b2)
        return self.mean(h), self.log_variance(h)

    def logits(self, z):
        g = torch.sigmoid(torch.sigmoid(self.top(z)) @ self.w2.T + self.b1)
        return g @ self.w1.T + self.output

    def loss(self, first, target, v):
        mean, log_variance = self.posterior(first)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        reconstruction = F.binary_cross_entropy_with_logits(self.logits(z), target, reduction="sum")
        kl = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum()
        coupling = LAMBDA_V / LAMBDA_R * ((v - z) ** 2).sum()
        return (reconstruction + kl + coupling) / len(v) + DECAY * ((self.w1**2).sum() + (self.w2**2).sum())


class Trainer:
    def __init__(self, folder, variant):
        torch.manual_seed(0)
        self.random = np.random.default_rng(0)
        self.best = variant == "pytorch-best"
        self.clicks = load_scipy(folder, "train")
        words = load_scipy(folder, "words")
        values = np.fromfile(f"{folder}/words.values.f32", dtype=np.float32)
        self.words = sparse.csr_matrix((values, words.indices, words.indptr), shape=words.shape)
        self.items = self.words.shape[0]
        self.by_item = self.clicks.T.tocsr()
        self.network = Network(self.words.shape[1])
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-3, fused=True)
        self.loss = torch.compile(self.network.loss) if self.best else self.network.loss
        self.u = 0.1 * self.random.standard_normal((self.clicks.shape[0], LATENT)).astype(np.float32)
        self.v = self.means()
        self.active = np.flatnonzero(np.diff(self.clicks.indptr))
        self.clicked = np.flatnonzero(np.diff(self.by_item.indptr))

    def first(self, rows, dense):
        """x W_1 for some rows: a product of the dense rows, or a sum of the rows of W_1 that the words name."""
        if not self.best:
            return dense @ self.network.w1
        return F.embedding_bag(
            torch.from_numpy(rows.indices.astype(np.int64)),
            self.network.w1,
            torch.from_numpy(rows.indptr[:-1].astype(np.int64)),
            mode="sum",
            per_sample_weights=torch.from_numpy(rows.data),
        )

    def means(self, batch=1024):
        parts = []
        with torch.no_grad():
            for start in range(0, self.items, batch):
                rows = self.words[start : start + batch]
                dense = None if self.best else torch.from_numpy(rows.toarray())
                parts.append(self.network.posterior(self.first(rows, dense))[0].numpy())
        return np.concatenate(parts)

    def step(self):
        chosen = self.random.choice(self.items, BATCH, replace=False)
        rows = self.words[chosen]
        dense = torch.from_numpy(rows.toarray())
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.first(rows, dense), dense, torch.from_numpy(self.v[chosen]))
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def solve(self, out, matrix, rows, fixed, counted, ridge, prior):
        """The rows of one side; `counted` are the rows of the other side that the sum weighted by b goes over."""
        base = B * fixed[counted].T @ fixed[counted] + ridge * np.eye(LATENT, dtype=np.float32)
        if not self.best:
            for r in rows:
                f = fixed[matrix.indices[matrix.indptr[r] : matrix.indptr[r + 1]]]
                right = A * f.sum(0) + (0 if prior is None else ridge * prior[r])
                out[r] = np.linalg.solve(base + (A - B) * f.T @ f, right)
            return
        # Rows with the same number of entries are solved together.
        counts = np.diff(matrix.indptr)[rows]
        for count in np.unique(counts):
            for some in np.array_split(rows[counts == count], max(1, (counts == count).sum() // 2048)):
                f = fixed[matrix.indices[matrix.indptr[some][:, None] + np.arange(count)]]
                right = A * f.sum(1) + (0 if prior is None else ridge * prior[some])
                left = base + (A - B) * np.matmul(f.transpose(0, 2, 1), f)
                out[some] = np.linalg.solve(left, right[..., None])[..., 0]

    def epoch(self):
        for _ in range(self.items // BATCH):
            self.step()
        theta = self.means()
        self.solve(self.u, self.clicks, self.active, self.v, self.clicked, LAMBDA_U, None)
        self.solve(self.v, self.by_item, np.arange(self.items), self.u, self.active, LAMBDA_V, theta)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--variant", choices=["pytorch", "pytorch-best"], required=True)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    trainer = Trainer(arguments.input, arguments.variant)

    def some_epochs():
        seconds = []
        for _ in range(arguments.epochs):
            started = time.perf_counter()
            trainer.epoch()
            seconds.append(time.perf_counter() - started)
        return {"seconds": seconds, "peak": peak_bytes()}

    for _ in range(3):
        trainer.step()
    serve(f"torch {torch.__version__}, numpy {np.__version__}", some_epochs)


if __name__ == "__main__":
    main()
