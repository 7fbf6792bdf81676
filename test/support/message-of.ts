import { expect } from "vitest";
import { UserError } from "../../src/core/errors.js";

/** The message, of one line, of the UserError with which work is expected to fail. */
export const messageOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "no error",
    (error: Error) => {
      expect(error).toBeInstanceOf(UserError);
      expect(error.message).not.toContain("\n");
      return error.message;
    },
  );
