// File errors of the operating system: disk full, no permission, limits. The user can fix these, so they are converted to a
// UserError with the path, the reason and a remedy.

import { UserError } from "./errors.js";

interface Reason {
  readonly text: string;
  /** The message of C and C++ libraries (DuckDB). */
  readonly strerror: string;
  readonly remedy?: string;
}

const elsewhere = "Choose another location, or change its permissions";
const reasons: Readonly<Record<string, Reason>> = {
  ENOSPC: { text: "the disk is full", strerror: "No space left on device", remedy: "Free some disk space" },
  EDQUOT: {
    text: "the disk quota is exceeded",
    strerror: "Disk quota exceeded",
    remedy: "Delete files, or increase the quota",
  },
  EFBIG: {
    text: "the file exceeds the size limit",
    strerror: "File too large",
    remedy: "Raise the limit (ulimit -f unlimited), or write to another file system",
  },
  EROFS: { text: "the file system is read-only", strerror: "Read-only file system", remedy: elsewhere },
  EACCES: { text: "permission denied", strerror: "Permission denied", remedy: elsewhere },
  EPERM: { text: "the operation is not permitted", strerror: "Operation not permitted", remedy: elsewhere },
  EMFILE: {
    text: "too many open files in this process",
    strerror: "Too many open files",
    remedy: "Raise the limit (ulimit -n)",
  },
  ENFILE: {
    text: "too many open files on this machine",
    strerror: "Too many open files in system",
    remedy: "Close other programs",
  },
  ENAMETOOLONG: {
    text: "the name is too long",
    strerror: "File name too long",
    remedy: "Choose a shorter name",
  },
  EIO: {
    text: "input/output error",
    strerror: "Input/output error",
    remedy: "Check the disk or the network mount",
  },
  ESTALE: {
    text: "the network file system no longer has it",
    strerror: "Stale file handle",
    remedy: "Check the network mount",
  },
  EBUSY: {
    text: "it is in use, or the root of a mounted file system",
    strerror: "Device or resource busy",
    remedy: "Choose a folder inside it",
  },
  ENOTDIR: { text: "a parent in the path is a file", strerror: "Not a directory" },
  EISDIR: { text: "it is a folder", strerror: "Is a directory" },
  ELOOP: { text: "its symbolic links form a loop", strerror: "Too many levels of symbolic links" },
  ENXIO: { text: "there is no such device", strerror: "No such device or address" },
  ENODEV: { text: "there is no such device", strerror: "No such device" },
  EXDEV: { text: "it is on another file system", strerror: "Invalid cross-device link" },
  ENOTEMPTY: { text: "the folder is not empty", strerror: "Directory not empty" },
  ENOENT: { text: "there is no such file or folder", strerror: "No such file or directory" },
};

/** System calls that write. */
const writes = /^(write|f(data)?sync|ftruncate|mkdir|mkdtemp|rename|unlink|rmdir|link|copyfile|chmod)/;

export interface SystemFault {
  readonly code: string;
  /** The path in the error; undefined if there is none. */
  readonly path: string | undefined;
  /** "the disk is full (ENOSPC)". */
  readonly reason: string;
  readonly remedy: string | undefined;
  /** "written", "read", or "opened" if the system call does not tell. */
  readonly what: string;
}

/** The system fault behind an error of Node or of a library that prints system messages; undefined for other errors. */
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

/** Converts a system fault to a UserError about `place` (default: the path in the error); returns other errors unchanged. */
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

/** Whether an error is a system fault, also if it was already converted to a UserError. */
export function isSystemFault(error: unknown): boolean {
  return (
    systemFault(error) !== undefined || (error instanceof UserError && systemFault(error.cause) !== undefined)
  );
}

/** Adds a sentence to the remedy of a system fault; returns other errors unchanged. */
export function addRemedy(error: unknown, sentence: string): unknown {
  const fault = withSystemFault(error);
  if (!isSystemFault(fault) || !(fault instanceof UserError)) return error;
  const { place, problem, expected, remedy, cause } = fault;
  return new UserError({
    place,
    problem,
    expected,
    remedy: remedy === undefined ? sentence : `${remedy}. ${sentence}`,
    cause,
  });
}
