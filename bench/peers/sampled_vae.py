"""Training steps of Mult-VAE with a sampled softmax in PyTorch: sparse gradients of both item layers, SparseAdam.

Items -> hidden -> 2 x latent -> hidden -> items, as in mult_vae.py. The loss of a row is the sum over its items i of ln Z - o_i
with logits o and Z = sum over its items of exp(o_i) + sum over other drawn j of exp(o_j) / m_j. m_j = draws q_j, the expected number of
draws of j, with q in proportion to popularity^0.75. The draws are stratified and shared by the batch.
"""

import argparse
import time

import numpy as np
import torch
import torch.nn.functional as F
from common import load_csr, peak_bytes, serve


class Model(torch.nn.Module):
    def __init__(self, items, hidden, latent):
        super().__init__()
        self.first = torch.nn.EmbeddingBag(items, hidden, mode="sum", sparse=True)
        self.output = torch.nn.Embedding(items, hidden, sparse=True)
        self.output_bias = torch.nn.Embedding(items, 1, sparse=True)
        torch.nn.init.xavier_uniform_(self.first.weight)
        torch.nn.init.xavier_uniform_(self.output.weight)
        torch.nn.init.zeros_(self.output_bias.weight)
        self.first_bias = torch.nn.Parameter(torch.zeros(hidden))
        self.posterior = torch.nn.Linear(hidden, 2 * latent)
        self.decoder = torch.nn.Linear(latent, hidden)

    def forward(self, items, starts, weights, row_of, drawn, shift, missing, beta):
        bags = self.first(items, starts, per_sample_weights=F.dropout(weights, 0.5))
        mean, log_variance = self.posterior(torch.tanh(bags + self.first_bias)).chunk(2, dim=1)
        kl = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum()
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        h = torch.tanh(self.decoder(z))
        # One look-up, so that the sparse gradient is sorted once.
        both = torch.cat([items, drawn])
        rows, biases = self.output(both), self.output_bias(both).squeeze(1)
        count = len(items)
        o = (h[row_of] * rows[:count]).sum(1) + biases[:count]
        log_sum = torch.logsumexp(torch.addmm(biases[count:] + shift, h, rows[count:].T), 1)
        largest = log_sum.detach().scatter_reduce(0, row_of, o.detach(), "amax")
        exponentials = torch.exp(o - largest[row_of])
        own = torch.zeros_like(largest).index_add(0, row_of, exponentials)
        z = torch.exp(log_sum - largest).index_add(0, row_of, missing * exponentials)
        log_z = torch.log(torch.maximum(z, own)) + largest
        return (log_z[row_of].sum() - o.sum() + beta * kl) / len(starts)


class Trainer:
    def __init__(self, arguments):
        torch.manual_seed(0)
        self.offsets, self.indices, items = load_csr(arguments.input, "train")
        self.batch, self.negatives = arguments.batch, arguments.negatives
        weights = np.maximum(np.bincount(self.indices, minlength=items), 1) ** 0.75
        self.sums = np.cumsum(weights)
        self.expected = self.negatives * weights / self.sums[-1]
        self.model = Model(items, arguments.hidden, arguments.latent)
        sparse = [self.model.first.weight, self.model.output.weight, self.model.output_bias.weight]
        dense = [p for p in self.model.parameters() if all(p is not one for one in sparse)]
        self.optimizers = [torch.optim.SparseAdam(sparse, lr=1e-3), torch.optim.Adam(dense, lr=1e-3, fused=True)]
        self.random = np.random.default_rng(0)
        self.users = len(self.offsets) - 1
        self.updates = 0

    def step(self, users):
        self.updates += 1
        counts = self.offsets[users + 1] - self.offsets[users]
        starts = np.cumsum(counts) - counts
        where = np.repeat(self.offsets[users] - starts, counts) + np.arange(counts.sum())
        items = self.indices[where]
        shares = (np.arange(self.negatives) + self.random.random(self.negatives)) / self.negatives
        drawn = np.searchsorted(self.sums, shares * self.sums[-1], side="right")
        # Of an item of a history: 1 minus its weight among the drawn items.
        times = np.searchsorted(drawn, items, side="right") - np.searchsorted(drawn, items)
        missing = 1 - times / self.expected[items]
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss = self.model(
            torch.from_numpy(items),
            torch.from_numpy(starts),
            torch.from_numpy(np.repeat(1 / np.sqrt(counts), counts).astype(np.float32)),
            torch.from_numpy(np.repeat(np.arange(len(users)), counts)),
            torch.from_numpy(drawn),
            torch.from_numpy(-np.log(self.expected[drawn]).astype(np.float32)),
            torch.from_numpy(missing.astype(np.float32)),
            min(0.2, self.updates / 200_000),
        )
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        return loss.item()

    def epoch(self):
        order = self.random.permutation(self.users)
        batches = [order[start : start + self.batch] for start in range(0, self.users, self.batch)]
        started = time.perf_counter()
        for users in batches:
            self.step(users)
        return (time.perf_counter() - started) / len(batches)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--input", required=True)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--latent", type=int, default=64)
    parser.add_argument("--negatives", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    trainer = Trainer(arguments)
    trainer.step(np.arange(trainer.batch))
    serve(f"torch {torch.__version__}", lambda: {"seconds": [trainer.epoch()], "peak": peak_bytes()})


if __name__ == "__main__":
    main()
