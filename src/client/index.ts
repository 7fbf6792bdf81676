// `foldin/client`: a typed client of `foldin serve`, for Node and browsers. Its types are generated from the OpenAPI document.

import createFetchClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./api.js";
import { FoldinRequestError, type ProblemDetails } from "./error.js";
import { type RetryOptions, retrying } from "./retry.js";

export { FoldinRequestError, type ProblemDetails } from "./error.js";
export type { RetryOptions } from "./retry.js";
export type { components, paths };

export interface ClientOptions extends RetryOptions {
  /** Address of the server, such as http://127.0.0.1:8080. */
  readonly url: string;
  /** The server's bearer token (FOLDIN_TOKEN of `foldin serve`). It is a secret: do not send it to browsers. */
  readonly token?: string;
  /** Further headers of every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Options of one request. */
export interface RequestOptions {
  /** Aborts the request, and the wait before it is repeated. */
  readonly signal?: AbortSignal;
}

type Answer<Operation> = Operation extends {
  responses: { 200: { content: { "application/json": infer Body } } };
}
  ? Body
  : never;
type Body<Operation> = Operation extends { requestBody: { content: { "application/json": infer Sent } } }
  ? Sent
  : never;
type Query<Operation> = Operation extends { parameters: { query?: infer Sent } } ? NonNullable<Sent> : never;

/** Flags in a query are text; the client takes booleans. */
type Flags<Sent> = {
  [Name in keyof Sent]: Sent[Name] extends "true" | "false" | undefined ? boolean : Sent[Name];
};

type Recommend = paths["/v1/recommendations"]["post"];
type RecommendFor = paths["/v1/users/{id}/recommendations"]["get"];
type AddEvents = paths["/v1/users/{id}/events"]["post"];
type HistoryOf = paths["/v1/users/{id}/events"]["get"];
type Forget = paths["/v1/users/{id}"]["delete"];
type Similar = paths["/v1/items/{id}/similar"]["get"];
type Search = paths["/v1/items"]["get"];
type Availability = paths["/v1/items/availability"];
type Models = paths["/v1/models"]["get"];

/** A filter by attributes, as in the body of a request for recommendations. */
export type Filter = components["schemas"]["Filter"];

export interface FoldinClient {
  /** Recommends for histories in the request, one result per history. */
  recommend(body: Body<Recommend>, options?: RequestOptions): Promise<Answer<Recommend>>;
  /** Recommends for a user whose history the server stores. */
  recommendFor(
    user: string,
    query?: Flags<Query<RecommendFor>>,
    options?: RequestOptions,
  ): Promise<Answer<RecommendFor>>;
  /** Adds interactions to a user's history; resolves when they are stored durably. */
  addEvents(
    user: string,
    events: Body<AddEvents>["events"],
    options?: RequestOptions,
  ): Promise<Answer<AddEvents>>;
  /** A user's stored history, oldest first. */
  historyOf(user: string, options?: RequestOptions): Promise<Answer<HistoryOf>>;
  /** Deletes everything that is stored about a user. */
  forget(user: string, options?: RequestOptions): Promise<Answer<Forget>>;
  /** Items like one item. */
  similar(item: string, query?: Query<Similar>, options?: RequestOptions): Promise<Answer<Similar>>;
  /** Finds items by an id or a part of a title. */
  search(
    text: string,
    query?: Omit<Query<Search>, "search">,
    options?: RequestOptions,
  ): Promise<Answer<Search>>;
  /** The items that are out. */
  unavailable(
    query?: Query<Availability["get"]>,
    options?: RequestOptions,
  ): Promise<Answer<Availability["get"]>>;
  /** Takes items out of all answers, and brings them back. */
  setAvailability(
    body: Body<Availability["put"]>,
    options?: RequestOptions,
  ): Promise<Answer<Availability["put"]>>;
  /** The models that answer. */
  models(options?: RequestOptions): Promise<Answer<Models>>;
  /** Every route, typed by its path (openapi-fetch), with the same retries; it returns errors instead of throwing them. */
  readonly routes: Client<paths>;
}

/**
 * A client of a server. Requests throw FoldinRequestError if the server refuses them, and fetch's error if it cannot be reached after
 * all retries. Throws TypeError if the URL is not one.
 */
export function createClient({ url, token, headers, ...retry }: ClientOptions): FoldinClient {
  if (!/^https?:$/.test(new URL(url).protocol))
    throw new TypeError(`${url} is not an address of a server; expected one such as http://127.0.0.1:8080`);
  const routes = createFetchClient<paths>({
    baseUrl: url,
    fetch: retrying(retry),
    headers: { ...headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
  });
  return {
    routes,
    recommend: (body, options) => answerOf(routes.POST("/v1/recommendations", { body, ...options })),
    recommendFor: (id, query, options) =>
      answerOf(
        routes.GET("/v1/users/{id}/recommendations", {
          params: { path: { id }, query: query as Query<RecommendFor> },
          ...options,
        }),
      ),
    addEvents: (id, events, options) =>
      answerOf(
        routes.POST("/v1/users/{id}/events", { params: { path: { id } }, body: { events }, ...options }),
      ),
    historyOf: (id, options) =>
      answerOf(routes.GET("/v1/users/{id}/events", { params: { path: { id } }, ...options })),
    forget: (id, options) =>
      answerOf(routes.DELETE("/v1/users/{id}", { params: { path: { id } }, ...options })),
    similar: (id, query, options) =>
      answerOf(routes.GET("/v1/items/{id}/similar", { params: { path: { id }, query }, ...options })),
    search: (search, query, options) =>
      answerOf(routes.GET("/v1/items", { params: { query: { search, ...query } }, ...options })),
    unavailable: (query, options) =>
      answerOf(routes.GET("/v1/items/availability", { params: { query }, ...options })),
    setAvailability: (body, options) => answerOf(routes.PUT("/v1/items/availability", { body, ...options })),
    models: (options) => answerOf(routes.GET("/v1/models", { ...options })),
  };
}

async function answerOf<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (response.ok && data !== undefined) return data;
  throw new FoldinRequestError(response.status, response.url, problemIn(error));
}

/** The problem details in an answer; a proxy may have answered something else. */
function problemIn(error: unknown): ProblemDetails | undefined {
  const body = error as Partial<ProblemDetails> | undefined;
  return typeof body?.detail === "string" ? (body as ProblemDetails) : undefined;
}
