// Whether this process was started by an MPI launcher: mpirun, mpiexec, srun, or an operator that uses them. The library is only
// loaded then.

/** Set by launchers: the number of this process among those of the job, and the number of processes. */
const ranks = ["OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"];
const sizes = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

/** What the environment says about the job, before MPI is started; undefined if no launcher started this process. */
export interface Launched {
  readonly rank: number;
  /** Undefined if the launcher does not say. */
  readonly size: number | undefined;
}

/** Reads the environment variables of launchers. */
export function launchedBy(environment: Readonly<Record<string, string | undefined>>): Launched | undefined {
  const first = (names: readonly string[]) =>
    names.map((name) => environment[name]).find((value) => value !== undefined && /^\d+$/.test(value));
  const rank = first(ranks);
  if (rank === undefined) return undefined;
  const size = first(sizes);
  return { rank: Number(rank), size: size === undefined ? undefined : Number(size) };
}
