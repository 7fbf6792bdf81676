import { describe, expect, it } from "vitest";
import { parseShard } from "../../src/cli/shard-option.js";

const slurm = (id: number, min: number, max: number, count: number) => ({
  SLURM_ARRAY_TASK_ID: String(id),
  SLURM_ARRAY_TASK_MIN: String(min),
  SLURM_ARRAY_TASK_MAX: String(max),
  SLURM_ARRAY_TASK_COUNT: String(count),
});

describe("--shard", () => {
  it.each([
    ["1/3", {}, 1, 3],
    ["3/3", {}, 3, 3],
    // Kubernetes and AWS Batch count from 0.
    ["auto/8", { JOB_COMPLETION_INDEX: "0" }, 1, 8],
    ["auto/8", { JOB_COMPLETION_INDEX: "7" }, 8, 8],
    ["auto/4", { AWS_BATCH_JOB_ARRAY_INDEX: "2" }, 3, 4],
    ["auto", { AWS_BATCH_JOB_ARRAY_INDEX: "2", AWS_BATCH_JOB_ARRAY_SIZE: "4" }, 3, 4],
    // sbatch --array=1-8, --array=0-7, --array=0-14:2
    ["auto", slurm(1, 1, 8, 8), 1, 8],
    ["auto/8", slurm(7, 0, 7, 8), 8, 8],
    ["auto", slurm(6, 0, 14, 8), 4, 8],
  ])("%s with %j is a share", (text, env, number, of) => {
    expect(parseShard(text, env)).toEqual({ number, of });
  });

  it.each([
    ["0/3", {}, /share 0 of 3 does not exist/],
    ["4/3", {}, /share 4 of 3 does not exist/],
    ["half", {}, /is not a share \(expected i\/n, auto\/n or auto/],
    ["2", {}, /is not a share/],
    ["auto/8", {}, /this is not a task of an array job/],
    ["auto", { JOB_COMPLETION_INDEX: "0" }, /does not say how many shares there are \(expected auto\/n/],
    ["auto/8", { JOB_COMPLETION_INDEX: "8" }, /share 9 of 8 does not exist/],
    ["auto/8", { JOB_COMPLETION_INDEX: "x" }, /JOB_COMPLETION_INDEX is "x"/],
    ["auto/9", slurm(1, 1, 8, 8), /the array job has 8 tasks/],
  ])("refuses %s with %j", (text, env, message) => {
    expect(() => parseShard(text, env)).toThrow(message);
  });

  it("refuses an array whose numbers have different distances, such as 1,2,6", () => {
    expect(() => parseShard("auto", slurm(2, 1, 6, 3))).toThrow(/not evenly numbered/);
  });
});
