"""Training steps of Mult-VAE and Mult-DAE in PyTorch, as everybody writes them and as well as they could be written.

--variant pytorch       dense rows from a scipy matrix per batch, eager, fused Adam: the published ports with today's Adam.
--variant pytorch-best  first layer as embedding_bag over item lists, torch.compile, fused Adam.
--precision bf16        the forward pass under autocast, the softmax in float32.
"""

import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F
from common import load_csr, load_scipy, peak_bytes, serve
from ranking import ndcg_at


class Autoencoder(torch.nn.Module):
    """I -> 600 -> 2 x 200 -> 600 -> I (Mult-VAE), or I -> 200 -> I (Mult-DAE); tanh between layers."""

    def __init__(self, items, kind, variant):
        super().__init__()
        self.kind, self.variant = kind, variant
        hidden = 600 if kind == "vae" else 200
        if variant == "pytorch":
            self.first = torch.nn.Linear(items, hidden)
            torch.nn.init.xavier_uniform_(self.first.weight)
        else:
            self.table = torch.nn.Parameter(torch.empty(items, hidden))
            torch.nn.init.xavier_uniform_(self.table)
            self.first_bias = torch.nn.Parameter(torch.zeros(hidden))
        if kind == "vae":
            self.posterior = torch.nn.Linear(600, 400)
            self.decoder = torch.nn.Linear(200, 600)
        self.output = torch.nn.Linear(hidden, items)

    def hidden(self, inputs):
        if self.variant == "pytorch":
            return torch.tanh(self.first(F.dropout(F.normalize(inputs), 0.5, self.training)))
        indices, offsets, weights = inputs
        bags = F.embedding_bag(
            indices, self.table, offsets, mode="sum", per_sample_weights=F.dropout(weights, 0.5, self.training)
        )
        return torch.tanh(bags + self.first_bias)

    def forward(self, inputs):
        h = self.hidden(inputs)
        kl = 0.0
        if self.kind == "vae":
            mean, log_variance = self.posterior(h).chunk(2, dim=1)
            kl = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(1).mean()
            z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance) if self.training else mean
            h = torch.tanh(self.decoder(z))
        return self.output(h), kl


class Trainer:
    def __init__(self, folder, kind, variant, batch, precision="float32", seed=0):
        torch.manual_seed(seed)
        self.offsets, self.indices, self.items = load_csr(folder, "train")
        self.matrix = load_scipy(folder, "train") if variant == "pytorch" else None
        self.variant, self.kind, self.batch = variant, kind, batch
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")
        self.users = len(self.offsets) - 1
        self.model = Autoencoder(self.items, kind, variant)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, fused=True)
        self.random = np.random.default_rng(seed)
        loss = self.loss_dense if variant == "pytorch" else self.loss_lists
        self.loss = torch.compile(loss, dynamic=True) if variant == "pytorch-best" else loss
        self.updates = 0

    def regulariser(self):
        if self.kind == "vae":
            return 0.0
        first = self.model.first.weight if self.variant == "pytorch" else self.model.table
        return 2e-5 * ((first**2).sum() + (self.model.output.weight**2).sum())

    def loss_dense(self, rows, beta):
        with self.autocast:
            logits, kl = self.model(rows)
        return -(F.log_softmax(logits.float(), 1) * rows).sum(1).mean() + beta * kl + self.regulariser()

    def loss_lists(self, indices, offsets, weights, row_of, counts, beta):
        with self.autocast:
            logits, kl = self.model((indices, offsets, weights))
        logits = logits.float()
        picked = logits[row_of, indices].sum()
        normalisers = (torch.logsumexp(logits, 1) * counts).sum()
        return (normalisers - picked) / offsets.shape[0] + beta * kl + self.regulariser()

    def step(self, users):
        self.updates += 1
        beta = min(0.2, self.updates / 200_000)
        self.optimizer.zero_grad(set_to_none=True)
        if self.variant == "pytorch":
            rows = torch.from_numpy(self.matrix[users].toarray())
            loss = self.loss(rows, beta)
        else:
            counts = self.offsets[users + 1] - self.offsets[users]
            starts = np.cumsum(counts) - counts
            where = np.repeat(self.offsets[users] - starts, counts) + np.arange(counts.sum())
            row_of = np.repeat(np.arange(len(users)), counts)
            weights = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
            loss = self.loss(
                torch.from_numpy(self.indices[where]),
                torch.from_numpy(starts),
                torch.from_numpy(weights),
                torch.from_numpy(row_of),
                torch.from_numpy(counts.astype(np.float32)),
                torch.tensor(beta),
            )
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def inputs(self, matrix):
        """The rows of a scipy matrix, as the variant's forward pass takes them."""
        if self.variant == "pytorch":
            return torch.from_numpy(matrix.toarray())
        counts = np.diff(matrix.indptr)
        weights = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
        offsets = torch.from_numpy(matrix.indptr[:-1].astype(np.int64))
        return torch.from_numpy(matrix.indices.astype(np.int64)), offsets, torch.from_numpy(weights)

    def epoch(self):
        order = self.random.permutation(self.users)
        for start in range(0, self.users, self.batch):
            self.step(order[start : start + self.batch])

    def validate(self, fold_in, held_out, batch=2000):
        """Mean NDCG@100 of the held-out users, fold-in masked, as published."""
        self.model.eval()
        values = []
        with torch.no_grad():
            for start in range(0, fold_in.shape[0], batch):
                rows = fold_in[start : start + batch]
                with self.autocast:
                    scores = self.model(self.inputs(rows))[0]
                scores = scores.float().numpy()
                scores[rows.nonzero()] = -np.inf
                values.append(ndcg_at(scores, held_out[start : start + batch]))
        self.model.train()
        return float(np.nanmean(np.concatenate(values)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--model", choices=["vae", "dae"], required=True)
    parser.add_argument("--variant", choices=["pytorch", "pytorch-best"], required=True)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=0, help="measure whole epochs with their validation instead of steps")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["float32", "bf16"], default="float32")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    trainer = Trainer(arguments.input, arguments.model, arguments.variant, arguments.batch, arguments.precision)
    trainer.model.train()

    def some_steps(count):
        seconds = []
        for _ in range(count):
            users = trainer.random.choice(trainer.users, trainer.batch, replace=False)
            started = time.perf_counter()
            trainer.step(users)
            seconds.append(time.perf_counter() - started)
        return seconds

    if arguments.epochs > 0:
        fold_in = load_scipy(arguments.input, "validation-fold-in")
        held_out = load_scipy(arguments.input, "validation-held-out")

        def some_epochs():
            seconds = []
            for _ in range(arguments.epochs):
                started = time.perf_counter()
                trainer.epoch()
                trainer.validate(fold_in, held_out)
                seconds.append(time.perf_counter() - started)
            return {"seconds": seconds, "peak": peak_bytes()}

        some_epochs()
        serve(f"torch {torch.__version__}", some_epochs)
        return

    some_steps(3)
    serve(f"torch {torch.__version__}", lambda: {"seconds": some_steps(arguments.steps), "peak": peak_bytes()})


if __name__ == "__main__":
    main()
