// One of the processes that an MPI launcher starts: node train-by-mpi.mjs <job.json> trains the runs of a job together with the
// others. Process 0 prints one line of JSON with the hash of every model; every process says its number and id on stderr. Plain
// JavaScript on the built package, because it runs without the test runner.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { MpiConnection } from "../../dist/compute/mpi/connection.js";
import { requireMpi } from "../../dist/compute/mpi/library.js";
import { train, trainAsMember } from "../../dist/experiments/train.js";
import { Vocabulary } from "../../dist/index.js";

const { dataset, runs } = JSON.parse(readFileSync(process.argv[2], "utf8"), (_, value) =>
  value !== null && typeof value === "object" && "uint32" in value ? Uint32Array.from(value.uint32) : value,
);
const vocabulary = ({ ids }) => new Vocabulary(ids);
const held = ({ users, ...rest }) => ({ ...rest, users: vocabulary(users) });
const data = {
  ...dataset,
  items: vocabulary(dataset.items),
  users: vocabulary(dataset.users),
  validation: held(dataset.validation),
  test: held(dataset.test),
};

requireMpi(process.env);
const members = new MpiConnection();
process.stderr.write(`process ${members.rank} has id ${process.pid}\n`);
const hashes = {};
for (const [name, options] of Object.entries(runs)) {
  if (members.rank > 0) {
    await trainAsMember(data, { members, threads: 1 });
    continue;
  }
  const onEpoch = ({ epoch }) => process.stderr.write(`epoch ${epoch}\n`);
  const recommender = await train(data, { ...options, engine: "native", threads: 1, members, onEpoch });
  const { tensors } = await recommender.save();
  const hash = createHash("sha256");
  for (const tensor of Object.keys(tensors).sort()) hash.update(tensor).update(tensors[tensor].data);
  const best = await recommender.score(data.test.foldIn).topK(20, data.test.foldIn);
  hash.update(best.items).update(best.scores);
  hashes[name] = hash.digest("hex");
  recommender.dispose();
}
await members.end();
if (members.rank === 0) console.log(JSON.stringify(hashes));
