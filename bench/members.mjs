// Times the updates of Mult-VAE at the shape of ML-20M (20,108 items, batches of 500 users with 144 items each, 600 hidden units) with
// the items in blocks: alone, or in several processes where an MPI launcher starts it. Prints the median over epochs of the seconds of
// an update, and the bytes that a process sends per update; without --blocks 1, all give the same hash. After `npm run setup`:
//   node bench/members.mjs --threads 2
//   node bench/members.mjs --traffic   (prints the bytes that each update sends, by the formula)
//   mpirun -n 2 --bind-to none node bench/members.mjs --threads 1

import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { nodesWithin, sharesOf } from "../dist/compute/blocks.js";
import { MpiConnection } from "../dist/compute/mpi/connection.js";
import { launchedBy } from "../dist/compute/mpi/launcher.js";
import { requireMpi } from "../dist/compute/mpi/library.js";
import { RandomSequence } from "../dist/core/philox.js";
import { train, trainAsMember } from "../dist/experiments/train.js";
import { Vocabulary } from "../dist/index.js";
import { emptyMatrix, fromRows } from "../dist/sparse/csr.js";

const { values } = parseArgs({
  options: {
    threads: { type: "string", default: "1" },
    blocks: { type: "string", default: "16" },
    items: { type: "string", default: "20108" },
    updates: { type: "string", default: "8" },
    epochs: { type: "string", default: "5" },
    traffic: { type: "boolean", default: false },
  },
});
if (values.traffic) {
  printTraffic();
  process.exit();
}
const [threads, blocks, items, updates, epochs] = ["threads", "blocks", "items", "updates", "epochs"].map(
  (name) => Number(values[name]),
);
const random = new RandomSequence({ seed: 1, step: 0, stream: 0 });
const users = 500 * updates;
// Popularity falls as in a catalogue: the square of a uniform number.
const history = () =>
  [...new Set(Array.from({ length: 144 }, () => Math.floor(items * random.uniform() ** 2)))].sort(
    (a, b) => a - b,
  );
const names = (prefix, count) => new Vocabulary(Array.from({ length: count }, (_, i) => `${prefix}${i}`));
const nobody = () => ({
  users: names("v", 0),
  foldIn: emptyMatrix(0, items),
  heldOut: emptyMatrix(0, items),
});
const dataset = {
  name: "generated",
  items: names("i", items),
  users: names("u", users),
  train: fromRows(items, Array.from({ length: users }, history)),
  validation: nobody(),
  test: nobody(),
};

let members;
if (launchedBy(process.env)) {
  requireMpi(process.env);
  members = new MpiConnection();
}
if (members && members.rank > 0) await trainAsMember(dataset, { members, threads });
else {
  const seconds = [];
  const model = await train(dataset, {
    ...{ model: "mult-vae", options: { epochs, batchSize: 500 }, engine: "native", threads, blocks, members },
    onEpoch: (record) => seconds.push(record.seconds / updates),
    progress: (event) => event.type === "note" && console.log(event.text),
  });
  const { tensors } = await model.save();
  const hash = createHash("sha256");
  for (const name of Object.keys(tensors).sort()) hash.update(name).update(tensors[name].data);
  model.dispose();
  const sorted = seconds.toSorted((a, b) => a - b);
  const median = sorted[sorted.length >> 1];
  console.log(
    `${members?.size ?? 1} x ${threads} threads, ${blocks} blocks: ${(1000 * median).toFixed(1)} ms per update (${sorted.map((one) => (1000 * one).toFixed(0)).join(", ")}); weights ${hash.digest("hex").slice(0, 8)}`,
  );
}
await members?.end();

/** The largest number of bytes that a process sends: two sums of [500, 600] and four statistics per user and block. */
function printTraffic() {
  const [users, width, blocks] = [500, 600, 16];
  for (let members = 2; members <= blocks; members++) {
    const shares = sharesOf(blocks, members);
    const bytes = shares.map((share, rank) => {
      const rows = Math.floor(((rank + 1) * users) / members) - Math.floor((rank * users) / members);
      const nodes = nodesWithin(share, blocks).length;
      const sum = 4 * width * (nodes * (users - rows) + (members - 1) * rows);
      return 2 * sum + 16 * users * (share.to - share.from) * (members - 1);
    });
    console.log(`${members} processes: ${(Math.max(...bytes) / 1e6).toFixed(2)} MB`);
  }
}
