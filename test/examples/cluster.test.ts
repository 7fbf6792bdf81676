// The manifests of Kubernetes against the schemas of its API (package kubernetes-models), and the commands in them against the
// program. An MPIJob is a resource of the MPI operator, for which no package has a schema: its fields are compared with the list
// below, and its pods are validated like all others. Neither a cluster nor SLURM ran any of them.

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { Deployment } from "kubernetes-models/apps/v1";
import { Job } from "kubernetes-models/batch/v1";
import { PodTemplate } from "kubernetes-models/v1";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseShard } from "../../src/cli/shard-option.js";
import { foldin } from "../support/foldin.js";

const examples = resolve(import.meta.dirname, "../../examples");
const read = (name: string) => parse(readFileSync(join(examples, "kubernetes", name), "utf8"));
const manifests = readdirSync(join(examples, "kubernetes")).filter((name) => name.endsWith(".yaml"));
const scripts = readdirSync(join(examples, "slurm"));

interface Container {
  command?: string[];
  args: string[];
}
interface Template {
  spec: { containers: Container[]; volumes?: { name: string }[] };
}

/** The fields of v2beta1 that an MPIJob may have, from the API of kubeflow/mpi-operator (pkg/apis/kubeflow/v2beta1/types.go). */
const MPI_JOB = {
  spec: ["slotsPerWorker", "runLauncherAsWorker", "runPolicy", "mpiReplicaSpecs", "sshAuthMountPath"].concat([
    ...["launcherCreationPolicy", "mpiImplementation"],
  ]),
  runPolicy: ["cleanPodPolicy", "ttlSecondsAfterFinished", "activeDeadlineSeconds", "backoffLimit"].concat([
    ...["schedulingPolicy", "suspend", "managedBy"],
  ]),
  replica: ["replicas", "template", "restartPolicy"],
};

function validatePod(template: Template): void {
  new PodTemplate({ metadata: { name: "pod" }, template: template as never }).validate();
}

function templatesOf(name: string): Template[] {
  const manifest = read(name);
  if (manifest.kind !== "MPIJob") return [manifest.spec.template];
  return Object.values<{ template: Template }>(manifest.spec.mpiReplicaSpecs).map(({ template }) => template);
}

describe("examples/kubernetes", () => {
  it.each(manifests)("%s is valid", (name) => {
    const manifest = read(name);
    if (manifest.kind === "Job") new Job(manifest).validate();
    else if (manifest.kind === "Deployment") new Deployment(manifest).validate();
    else {
      expect([manifest.apiVersion, manifest.kind]).toEqual(["kubeflow.org/v2beta1", "MPIJob"]);
      expect(MPI_JOB.spec).toEqual(expect.arrayContaining(Object.keys(manifest.spec)));
      expect(MPI_JOB.runPolicy).toEqual(expect.arrayContaining(Object.keys(manifest.spec.runPolicy)));
      expect(Object.keys(manifest.spec.mpiReplicaSpecs)).toEqual(["Launcher", "Worker"]);
      for (const replica of Object.values<object>(manifest.spec.mpiReplicaSpecs))
        expect(MPI_JOB.replica).toEqual(expect.arrayContaining(Object.keys(replica)));
    }
    for (const template of templatesOf(name)) validatePod(template);
  });

  it("a misspelled field or a wrong type would be noticed", () => {
    const job = read("score-job.yaml");
    expect(() => new Job({ ...job, spec: { ...job.spec, completions: "8" } }).validate()).toThrow(
      /completions/,
    );
    expect(() => validatePod({ spec: { containers: [{ args: "score" as never }] } })).toThrow();
  });

  it.each(manifests)(
    "%s passes no secret on the command line, and options that the program has",
    async (name) => {
      for (const { spec } of templatesOf(name))
        for (const { command = [], args = [] } of spec.containers) {
          const words = [...command, ...args];
          expect(words.join(" ")).not.toMatch(/postgres(ql)?:/);
          const at = words.indexOf("foldin");
          if (words[0]?.includes("sshd")) continue;
          await expectOptions(words.slice(at + 1));
        }
    },
  );

  it("the shares of the scoring are the indices of the job", () => {
    const { spec } = read("score-job.yaml");
    const { args } = spec.template.spec.containers[0] as Container;
    const shard = args[args.indexOf("--shard") + 1];
    const numbers = Array.from(
      { length: spec.completions },
      (_, index) => parseShard(shard, { JOB_COMPLETION_INDEX: String(index) }).number,
    );
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

describe("examples/slurm", () => {
  it.each(scripts)("%s is valid bash, with options that the program has", async (name) => {
    const path = join(examples, "slurm", name);
    const { status, stderr } = spawnSync("bash", ["-n", path], { encoding: "utf8" });
    expect(status, stderr).toBe(0);
    const text = readFileSync(path, "utf8").replaceAll("\\\n", " ");
    for (const [, option] of text.matchAll(/^#SBATCH (.*)$/gm))
      expect(option).toMatch(
        /^--(job-name|array|cpus-per-task|mem|requeue|signal|nodes|ntasks-per-node)(=\S+)?$/,
      );
    const [, command] = /^exec (?:mpirun -n \S+ )?foldin (.*)$/m.exec(text) ?? [];
    await expectOptions(command.split(/\s+/));
  });
});

/** The command has all options of the words. */
async function expectOptions([command, ...words]: readonly string[]): Promise<void> {
  const { stdout } = await foldin([command, "--help"]);
  for (const option of words.filter((word) => word.startsWith("--"))) expect(stdout).toContain(`${option} `);
}
