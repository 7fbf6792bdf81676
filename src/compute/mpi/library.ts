// Where an MPI library may be: the one that FOLDIN_MPI names, those next to the launcher that is found first, and those that the
// system's loader finds. Both the interface of Open MPI and the standard one (libmpi_abi) can be used.

import { existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { UserError } from "../../core/errors.js";
import { type MpiLibrary, mpiBinding } from "../engines/native.js";

/** The environment variable with the path of the library. */
const mpiVariable = "FOLDIN_MPI";

const names = ["libmpi.so.40", "libmpi.so", "libmpi_abi.so.1", "libmpi_abi.so.0"];

type Environment = Readonly<Record<string, string | undefined>>;

/** Names and paths to try, in order. */
export function libraryCandidates(environment: Environment): string[] {
  const named = environment[mpiVariable];
  if (named) return [named];
  const prefixes = [
    environment.OPAL_PREFIX,
    environment.MPI_HOME,
    ...launcherPrefixes(environment.PATH ?? ""),
  ];
  const paths = prefixes
    .filter((prefix) => prefix !== undefined && prefix !== "")
    .flatMap((prefix) =>
      ["lib", "lib64"].flatMap((lib) => names.map((name) => join(prefix as string, lib, name))),
    );
  return [...paths.filter((path) => existsSync(path)), ...names];
}

/** The folders with bin/mpirun of the first launcher on the path: as it is named, and as links resolve. */
function launcherPrefixes(path: string): string[] {
  for (const folder of path.split(delimiter)) {
    const launcher = join(folder, "mpirun");
    if (folder === "" || !existsSync(launcher)) continue;
    return [dirname(folder), dirname(dirname(realpathSync(launcher)))];
  }
  return [];
}

/** The library that would be used, or why there is none, in one line. */
export function findMpi(environment: Environment): MpiLibrary | { readonly reason: string } {
  const binding = mpiBinding();
  if ("reason" in binding) return binding;
  try {
    const found = binding.mpi.mpiOpen(libraryCandidates(environment));
    return { ...found, version: found.version.replace(/\s+/g, " ") };
  } catch (error) {
    const [reason] = (error as Error).message.split("; ");
    return { reason };
  }
}

/** The library. Throws UserError if there is none. */
export function requireMpi(environment: Environment): MpiLibrary {
  const found = findMpi(environment);
  if (!("reason" in found)) return found;
  throw new UserError({
    place: "MPI",
    problem: `this process was started by an MPI launcher, but no MPI library can be loaded: ${found.reason}`,
    expected: "the library of Open MPI (libmpi.so.40), or one with the standard interface (libmpi_abi.so.1)",
    remedy: `Set ${mpiVariable} to the path of the launcher's library, or start foldin without a launcher`,
  });
}
