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
    const fields = problem?.errors?.map(({ field, problem }) => `${field}: ${problem}`) ?? [];
    super([problem?.detail ?? `status ${status} from ${url}`, ...fields].join("\n"));
    this.status = status;
    this.problem = problem;
  }
}
