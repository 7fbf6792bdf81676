import { describe, expect, it } from "vitest";
import { launchedBy } from "../../../src/compute/mpi/launcher.js";

describe("the environment of an MPI launcher", () => {
  it.each([
    ["Open MPI", { OMPI_COMM_WORLD_RANK: "2", OMPI_COMM_WORLD_SIZE: "4" }, { rank: 2, size: 4 }],
    ["MPICH, or srun --mpi=pmi2", { PMI_RANK: "0", PMI_SIZE: "3" }, { rank: 0, size: 3 }],
    ["srun --mpi=pmix", { PMIX_RANK: "1" }, { rank: 1, size: undefined }],
  ])("is that of %s", (_, environment, expected) => {
    expect(launchedBy(environment)).toEqual(expected);
  });

  it("is not that of a batch system without MPI, nor of other text", () => {
    expect(launchedBy({ SLURM_PROCID: "0", SLURM_NTASKS: "1" })).toBeUndefined();
    expect(launchedBy({ PMI_RANK: "first" })).toBeUndefined();
    expect(launchedBy({})).toBeUndefined();
  });
});
