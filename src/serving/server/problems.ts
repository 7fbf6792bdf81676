// Errors as problem details (RFC 9457, application/problem+json) with the invalid fields. Internal errors are only logged:
// an answer never contains a stack trace.

import { STATUS_CODES } from "node:http";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { AbortedError, UserError } from "../../core/errors.js";
import { type AmbiguousTitle, AmbiguousTitlesError, ambiguity } from "../../recommender/look-up.js";
import { OverloadedError } from "../batcher.js";
import { StoreError, type StoreTrouble } from "../store/history-store.js";
import { shownAmbiguity } from "./answer-text.js";

export const problemSchema = z.object({
  type: z.string().describe("about:blank: the type is given by the status"),
  title: z.string().describe("name of the status"),
  status: z.int(),
  detail: z.string().describe("what is wrong with the request and what to do"),
  errors: z
    .array(z.object({ field: z.string().describe("such as body.histories.0"), problem: z.string() }))
    .optional()
    .describe("invalid fields"),
  ambiguous: z
    .array(
      z.object({
        field: z.string(),
        title: z.string(),
        items: z.array(z.object({ id: z.string(), title: z.string() })).describe("at most 20 of the items"),
      }),
    )
    .optional()
    .describe("titles that several items have: use the id of the intended item instead"),
});
export type ProblemBody = z.infer<typeof problemSchema>;

/** A request that cannot be answered; the message is sent to the client. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly errors: ProblemBody["errors"];

  constructor(status: number, detail: string, errors?: ProblemBody["errors"]) {
    super(detail);
    this.status = status;
    this.errors = errors;
  }
}

/** A part of a request (`body`, `querystring`, `params`) that does not match its schema. */
export class InvalidInput extends Error {
  override readonly name = "InvalidInput";
  readonly issues: readonly z.core.$ZodIssue[];
  /** Set by Fastify. */
  validationContext?: string;

  constructor(issues: readonly z.core.$ZodIssue[]) {
    super("the request does not match its schema");
    this.issues = issues;
  }
}

export function problemBody(status: number, detail: string, errors?: ProblemBody["errors"]): ProblemBody {
  return {
    type: "about:blank",
    title: STATUS_CODES[status] ?? "Error",
    status,
    detail,
    ...(errors && { errors }),
  };
}

export function sendProblem(reply: FastifyReply, body: ProblemBody): FastifyReply {
  return reply.code(body.status).type("application/problem+json").send(JSON.stringify(body));
}

/** The problem that a client receives if the store fails. */
export const storeProblems: Readonly<Record<StoreTrouble, readonly [status: number, detail: string]>> = {
  busy: [503, "the history store is locked or overloaded; nothing was changed; retry in a second"],
  full: [507, "the disk of the history store is full; nothing was stored"],
  gone: [503, "the history store was deleted or moved; nothing was stored"],
  failed: [503, "the history store is not available; see the server log"],
};

/** The problem that a client receives for an error. */
export function problemOf(error: unknown): ProblemBody {
  if (error instanceof Problem) return problemBody(error.status, error.message, error.errors);
  if (error instanceof InvalidInput) return invalid(error);
  if (error instanceof OverloadedError) return problemBody(503, `${error.message}; retry in a second`);
  if (error instanceof AbortedError)
    return problemBody(
      503,
      "the request timed out; ask for fewer items or histories per request, or retry later",
    );
  if (error instanceof AmbiguousTitlesError) return ambiguous(error.titles);
  if (error instanceof StoreError) return problemBody(...storeProblems[error.trouble]);
  if (error instanceof UserError) return userProblem(error);
  const { statusCode, message } = error as Partial<FastifyError>;
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return problemBody(statusCode, message ?? "");
  return problemBody(500, "internal error; see the server log");
}

export function bodyTooLarge(limit: number): Problem {
  return new Problem(413, `the body is larger than ${limit} bytes; send fewer histories or ids per request`);
}

/** Fastify's error handler. */
export function handleError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  // A body without a content-length is found to be too large only while it is read.
  const tooLarge = (error as Partial<FastifyError>).code === "FST_ERR_CTP_BODY_TOO_LARGE";
  const body = problemOf(tooLarge ? bodyTooLarge(request.server.initialConfig.bodyLimit ?? 0) : error);
  if (body.status >= 500 && !(error instanceof OverloadedError || error instanceof AbortedError))
    request.log.error({ err: error }, "request failed");
  if (body.status === 503 || body.status === 507) reply.header("retry-after", "1");
  return sendProblem(reply, body);
}

/** The problem of a value that a model refuses, with the field of the request if the error names one. */
function userProblem({ message, place }: UserError): ProblemBody {
  const [, field] = /^((?:body|query)\.[^,]+)/.exec(place ?? "") ?? [];
  if (field === undefined) return problemBody(400, message);
  const problem = message.slice(`${place}: `.length).slice(0, 500);
  // As in the paths of a schema: body.filter.and.0
  const dotted = (text: string) => text.replace(/\[(\d+)\]/g, ".$1");
  return problemBody(400, `${dotted(place ?? "")}: ${problem}`, [{ field: dotted(field), problem }]);
}

function invalid({ issues, validationContext = "request" }: InvalidInput): ProblemBody {
  const place = validationContext === "querystring" ? "query" : validationContext;
  const errors = issues.slice(0, 20).map((issue) => {
    const at = [place, ...issue.path.map(String)];
    // For an unknown field, name the field instead of its parent.
    if (issue.code === "unrecognized_keys") at.push(String(issue.keys[0]).slice(0, 100));
    return { field: at.join("."), problem: issue.message.slice(0, 500) };
  });
  return problemBody(400, `${errors[0].field}: ${errors[0].problem}`, errors);
}

function ambiguous(titles: readonly AmbiguousTitle[]): ProblemBody {
  const fields = titles.map((one) => ({
    field: [one.place, ...(one.at === undefined ? [] : [one.at])].join("."),
    ...ambiguity(one.title, one.items),
  }));
  const errors = fields.map(({ field, problem, remedy }) => ({ field, problem: `${problem}. ${remedy}` }));
  return {
    ...problemBody(400, `${errors[0].field}: ${errors[0].problem}`, errors),
    ambiguous: titles.map((one, t) => ({ field: fields[t].field, ...shownAmbiguity(one) })),
  };
}
