// What the system says when it cannot do something with a file: a full disk, a missing permission, a limit. All of that
// is the user's to mend, so it becomes a UserError that names the path, the reason and the remedy.

import { UserError } from "./errors.js";

interface Reason {
  readonly text: string;
  /** As libraries in C and C++ (DuckDB) print it. */
  readonly strerror: string;
  readonly remedy?: string;
}

const elsewhere = "Choose another place, or change its permissions";
const reasons: Readonly<Record<string, Reason>> = {
  ENOSPC: { text: "the disk is full", strerror: "No space left on device", remedy: "Free some space" },
  EDQUOT: {
    text: "the disk quota is used up",
    strerror: "Disk quota exceeded",
    remedy: "Remove files, or have the quota raised",
  },
  EFBIG: {
    text: "the file is larger than the limit allows",
    strerror: "File too large",
    remedy: "Raise the limit (ulimit -f unlimited), or write to another file system",
  },
  EROFS: { text: "the file system is read-only", strerror: "Read-only file system", remedy: elsewhere },
  EACCES: { text: "permission is denied", strerror: "Permission denied", remedy: elsewhere },
  EPERM: { text: "the system does not permit it", strerror: "Operation not permitted", remedy: elsewhere },
  EMFILE: {
    text: "too many files are open in this process",
    strerror: "Too many open files",
    remedy: "Raise the limit (ulimit -n)",
  },
  ENFILE: {
    text: "too many files are open on this machine",
    strerror: "Too many open files in system",
    remedy: "Close other programs",
  },
  ENAMETOOLONG: {
    text: "the name is too long",
    strerror: "File name too long",
    remedy: "Choose a shorter name",
  },
  EIO: {
    text: "the device reports an error",
    strerror: "Input/output error",
    remedy: "Check the disk or the network mount",
  },
  ESTALE: {
    text: "the network file system has lost it",
    strerror: "Stale file handle",
    remedy: "Check the network mount",
  },
  EBUSY: {
    text: "it is in use, or the root of a mounted file system",
    strerror: "Device or resource busy",
    remedy: "Choose a folder inside it",
  },
  ENOTDIR: { text: "a part of the path is a file", strerror: "Not a directory" },
  EISDIR: { text: "it is a folder", strerror: "Is a directory" },
  ELOOP: { text: "its links lead in a circle", strerror: "Too many levels of symbolic links" },
  ENXIO: { text: "there is no such device", strerror: "No such device or address" },
  ENODEV: { text: "there is no such device", strerror: "No such device" },
  EXDEV: { text: "it is on another file system", strerror: "Invalid cross-device link" },
  ENOTEMPTY: { text: "the folder is not empty", strerror: "Directory not empty" },
  ENOENT: { text: "there is no such file or folder", strerror: "No such file or directory" },
};

/** System calls after which "cannot be read" would be wrong. */
const writes = /^(write|f(data)?sync|ftruncate|mkdir|mkdtemp|rename|unlink|rmdir|link|copyfile|chmod)/;

export interface SystemFault {
  readonly code: string;
  /** The path that the system named; undefined where it named none. */
  readonly path: string | undefined;
  /** "the disk is full (ENOSPC)". */
  readonly reason: string;
  readonly remedy: string | undefined;
  /** "written", "read", or where the call does not tell "opened". */
  readonly what: string;
}

/** What the system said, by an error of Node or of a library that prints what the system said; undefined for other errors. */
export function systemFault(error: unknown): SystemFault | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, path, syscall = "" } = error as NodeJS.ErrnoException;
  if (code !== undefined && Object.hasOwn(reasons, code)) {
    const { text, remedy } = reasons[code];
    const what = writes.test(syscall) ? "written" : syscall === "read" ? "read" : "opened";
    return { code, path, reason: `${text} (${code})`, remedy, what };
  }
  if (
    !/^(IO Error|Out of Memory Error|Invalid Error|FATAL Error|TransactionContext Error)/.test(error.message)
  )
    return undefined;
  const found = Object.entries(reasons).find(([, { strerror }]) => error.message.includes(strerror));
  if (!found) return undefined;
  const [name, { text, remedy }] = found;
  const [, file] = /"([^"]+)"/.exec(error.message) ?? [];
  const what = /writ|sync|truncat/i.test(error.message) ? "written" : "opened";
  return { code: name, path: file, reason: `${text} (${name})`, remedy, what };
}

/** An error of the system as a UserError, about `place` where that says more than the path of the error; others as they are. */
export function withSystemFault(error: unknown, place?: string): unknown {
  if (error instanceof UserError) return error;
  const fault = systemFault(error);
  if (!fault) return error;
  const { path, reason, remedy, what } = fault;
  return new UserError({
    place: place ?? path,
    problem: `cannot be ${place === undefined ? what : "written"}: ${reason}`,
    remedy,
    cause: error,
  });
}

/** Whether an error says what the system could not do; also once it is a UserError. */
export function isSystemFault(error: unknown): boolean {
  return (
    systemFault(error) !== undefined || (error instanceof UserError && systemFault(error.cause) !== undefined)
  );
}

/** The error with a sentence on how to go on after its remedy, where it is the system's; others as they are. */
export function thenGoOn(error: unknown, goOn: string): unknown {
  const mendable = withSystemFault(error);
  if (!isSystemFault(mendable) || !(mendable instanceof UserError)) return error;
  const { place, problem, expected, remedy, cause } = mendable;
  return new UserError({
    place,
    problem,
    expected,
    remedy: remedy === undefined ? goOn : `${remedy}. ${goOn}`,
    cause,
  });
}
