// The files of citeulike-a and -t (Wang, Chen and Li 2013) and of their released splits: line u of users.dat is the library
// of user u, "n id id ...", with articles counted from 0.

import { UserError } from "../../core/errors.js";
import { linesOf, readText } from "../../core/input-file.js";

/** Per user, the articles in the user's library, in the order of the file. */
export type Libraries = readonly Uint32Array[];

/** The training articles and the held-out articles of every user. */
export interface LibrarySplit {
  readonly train: Libraries;
  readonly heldOut: Libraries;
}

/** Reads a file of lines "n id id ...". Throws UserError, naming file and line, if a line does not have this form. */
export async function readLibraries(file: string): Promise<Libraries> {
  const text = await readText(file, { encoding: "windows-1252", expected: "lines of article numbers" });
  return linesOf(text).map((line, k) => {
    const numbers = line.trim().split(/\s+/).map(Number);
    const [count, ...articles] = numbers;
    if (!numbers.every((value) => Number.isInteger(value) && value >= 0) || count !== articles.length)
      throw new UserError({
        place: `${file}:${k + 1}`,
        problem: `cannot read the line "${line.slice(0, 60)}"`,
        expected: "a count followed by that many article numbers, separated by blanks",
      });
    return Uint32Array.from(articles);
  });
}

/**
 * Reads the split in the released files cf-train-P-users.dat and cf-test-P-users.dat. Throws UserError if they are not a
 * partition of the libraries.
 */
export async function readLibrarySplit(
  libraries: Libraries,
  trainFile: string,
  heldOutFile: string,
): Promise<LibrarySplit> {
  const [train, heldOut] = [await readLibraries(trainFile), await readLibraries(heldOutFile)];
  for (const [file, part] of [
    [trainFile, train],
    [heldOutFile, heldOut],
  ] as const)
    if (part.length !== libraries.length)
      throw new UserError({
        place: file,
        problem: `the file has ${part.length} lines`,
        expected: `one line for each of the ${libraries.length} users in users.dat`,
      });
  libraries.forEach((library, user) => {
    const both = Uint32Array.from([...train[user], ...heldOut[user]]).sort();
    const whole = library.slice().sort();
    if (both.length !== whole.length || both.some((article, k) => article !== whole[k]))
      throw new UserError({
        place: `${heldOutFile}:${user + 1}`,
        problem: "the training and held-out articles do not add up to the user's library",
        expected: `the articles in line ${user + 1} of users.dat`,
      });
  });
  return { train, heldOut };
}
