// The files of citeulike-a and -t (Wang, Chen and Li 2013) and of their released splits: line u of users.dat is the library
// of user u, "n id id ...", with articles counted from 0.

import { UserError } from "../../core/errors.js";
import { linesOf, readText } from "../../core/input-file.js";

/** Per user, the articles of their library in the order of the file. */
export type Libraries = readonly Uint32Array[];

/** Which articles of every user are trained on, and which are held out. */
export interface LibrarySplit {
  readonly train: Libraries;
  readonly heldOut: Libraries;
}

/** Reads a file of lines "n id id ...". Throws UserError, with file and line, where a line is not of that form. */
export async function readLibraries(file: string): Promise<Libraries> {
  const text = await readText(file, { encoding: "windows-1252", expected: "lines of article numbers" });
  return linesOf(text).map((line, k) => {
    const numbers = line.trim().split(/\s+/).map(Number);
    const [count, ...articles] = numbers;
    if (!numbers.every((value) => Number.isInteger(value) && value >= 0) || count !== articles.length)
      throw new UserError({
        place: `${file}:${k + 1}`,
        problem: `cannot read the line "${line.slice(0, 60)}"`,
        expected: "a count and that many article numbers, separated by blanks",
      });
    return Uint32Array.from(articles);
  });
}

/**
 * The split in the released files cf-train-P-users.dat and cf-test-P-users.dat. Throws UserError where they do not divide
 * the libraries.
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
        problem: `there are ${part.length} lines`,
        expected: `one for each of the ${libraries.length} users of users.dat`,
      });
  libraries.forEach((library, user) => {
    const both = Uint32Array.from([...train[user], ...heldOut[user]]).sort();
    const whole = library.slice().sort();
    if (both.length !== whole.length || both.some((article, k) => article !== whole[k]))
      throw new UserError({
        place: `${heldOutFile}:${user + 1}`,
        problem: "training and held-out articles together are not the user's library",
        expected: `the articles in line ${user + 1} of users.dat`,
      });
  });
  return { train, heldOut };
}
