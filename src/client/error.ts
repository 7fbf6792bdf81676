import type { paths } from "./api.js";

/** Problem details (RFC 9457), as the server answers invalid requests. */
export type ProblemDetails =
  paths["/v1/recommendations"]["post"]["responses"]["4XX"]["content"]["application/problem+json"];

/** A request that the server did not answer as asked. */
export class FoldinRequestError extends Error {
  override readonly name = "FoldinRequestError";
  /** The HTTP status. */
  readonly status: number;
  /** What is wrong with the request, by field, if the server said so. */
  readonly problem: ProblemDetails | undefined;

  constructor(status: number, url: string, problem: ProblemDetails | undefined) {
    const text = problem?.detail ?? `status ${status} from ${url}`;
    const fields = problem?.errors?.map(({ field, problem }) => `${field}: ${problem}`) ?? [];
    // The detail may name the first field already.
    super([text, ...fields.filter((field) => !text.includes(field))].join("\n"));
    this.status = status;
    this.problem = problem;
  }
}
