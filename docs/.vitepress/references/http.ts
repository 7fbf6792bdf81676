// The reference of the HTTP interface, from the OpenAPI document that the server makes of its own schemas.

import {
  capitalised,
  code,
  codeBlock,
  escapeText,
  generatedFrom,
  type Pages,
  page,
  sentence,
  table,
} from "./markdown.js";

/** What of JSON Schema the server's schemas use. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema: Schema;
  }[];
  readonly requestBody?: Content;
  readonly responses?: Readonly<Record<string, Content & { readonly description?: string }>>;
}

export interface OpenApiDocument {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Endpoint {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** The page of all endpoints. */
export function httpPages({ openapi, paths }: OpenApiDocument): Pages {
  const endpoints = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  return {
    "http.md": page([
      generatedFrom("the server's OpenAPI document", { outline: true }),
      "# HTTP interface",
      `${code("foldin serve")} answers these requests. The server publishes the same description as an OpenAPI ${openapi} document at ${code("/openapi.json")} and as an interactive page at ${code("/docs")}. Limits shown here are the defaults.`,
      table(
        ["Request", "Purpose"],
        endpoints.map((endpoint) => [
          `[${code(nameOf(endpoint))}](#${anchorOf(endpoint)})`,
          sentence(escapeText(endpoint.operation.summary ?? "")),
        ]),
      ),
      ...endpoints.flatMap(endpointBlocks),
      ...problemBlocks(endpoints),
    ]),
  };
}

const nameOf = ({ method, path }: Endpoint) => `${method} ${path}`;

const anchorOf = (endpoint: Endpoint) =>
  nameOf(endpoint)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");

function endpointBlocks(endpoint: Endpoint): (string | undefined)[] {
  const { summary = "", parameters = [], requestBody, responses = {} } = endpoint.operation;
  const body = schemaOf(requestBody);
  const answers = Object.entries(responses).filter(([status]) => /^\d+$/.test(status));
  return [
    `## ${code(nameOf(endpoint))} {#${anchorOf(endpoint)}}`,
    sentence(escapeText(summary)),
    parameters.length > 0
      ? table(
          ["Parameter", "Type", "Default", "Meaning"],
          parameters.map(({ name, in: place, required, description, schema }) => [
            `${code(name)} (${place})`,
            escapeText(typeText(schema)),
            required ? "required" : defaultText(schema),
            meaning({ ...schema, description: description ?? schema.description }),
          ]),
        )
      : undefined,
    body && "**Request body** (JSON)",
    body &&
      table(
        ["Field", "Type", "Default", "Meaning"],
        fields(body).map(({ name, schema, required }) => [
          code(name),
          escapeText(typeText(schema)),
          required ? "required" : defaultText(schema),
          meaning(schema),
        ]),
      ),
    ...answers.flatMap(([status, answer]) => {
      const schema = schemaOf(answer);
      if (!schema) return [];
      return [
        `**Answer** (${status})`,
        table(
          ["Field", "Type", "Meaning"],
          fields(schema).map(({ name, schema, required }) => [
            code(name),
            `${escapeText(typeText(schema))}${required ? "" : ", optional"}`,
            meaning(schema),
          ]),
        ),
      ];
    }),
  ];
}

/** What a refused request is answered with: the same for all of them. */
function problemBlocks(endpoints: readonly Endpoint[]): string[] {
  const failures = endpoints.flatMap(({ operation }) =>
    Object.entries(operation.responses ?? {}).flatMap(([status, { content }]) =>
      status === "4XX" ? Object.entries(content ?? {}) : [],
    ),
  );
  const [type, { schema }] = failures[0] ?? ["", {}];
  if (!schema) return [];
  if (failures.some(([, other]) => JSON.stringify(other.schema) !== JSON.stringify(schema)))
    throw new Error("openapi: the endpoints refuse requests in different ways; describe each");
  return [
    "## Refused requests",
    `A request that cannot be answered gets a status from 400 to 499 and a problem document (RFC 9457), ${code(type)}.`,
    table(
      ["Field", "Type", "Meaning"],
      fields(schema).map(({ name, schema, required }) => [
        code(name),
        `${escapeText(typeText(schema))}${required ? "" : ", optional"}`,
        meaning(schema),
      ]),
    ),
    codeBlock("sh", "curl -s http://127.0.0.1:8080/openapi.json"),
  ];
}

function schemaOf(content: Content | undefined): Schema | undefined {
  return content?.content?.["application/json"]?.schema;
}

interface Field {
  readonly name: string;
  readonly schema: Schema;
  readonly required: boolean;
}

/** An object's fields, those of objects in it included: `results[].items[].id`. */
function fields({ properties = {}, required = [] }: Schema, prefix = ""): Field[] {
  return Object.entries(properties).flatMap(([key, schema]) => {
    const name = `${prefix}${key}`;
    const own = { name, schema, required: required.includes(key) };
    return [own, ...inner(schema, name)];
  });
}

function inner(schema: Schema, name: string): Field[] {
  if (schema.type === "array" && schema.items) return inner(schema.items, `${name}[]`);
  return schema.properties ? fields(schema, `${name}.`) : [];
}

function typeText(schema: Schema): string {
  const { type, anyOf, items, enum: values, format } = schema;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (values) return values.map((value) => JSON.stringify(value)).join(" or ");
  if (anyOf) return anyOf.map(typeText).join(" or ");
  if (type === "array") return `list of ${plural(items ?? {})}`;
  if (type === "string") return format === "date-time" ? "date and time (ISO 8601)" : "text";
  if (type === "integer") return "whole number";
  return type ?? "any";
}

function plural(items: Schema): string {
  if (items.type === "array") return `lists of ${plural(items.items ?? {})}`;
  if (items.type === "object") return "objects";
  return typeText(items);
}

function defaultText(schema: Schema): string {
  return schema.default === undefined ? "unset" : code(JSON.stringify(schema.default));
}

function meaning(schema: Schema): string {
  const bounds = boundsText(schema);
  const text = schema.description ? sentence(escapeText(capitalised(schema.description))) : "";
  return [text, bounds && sentence(capitalised(bounds))].filter(Boolean).join(" ");
}

function boundsText({ minimum, maximum, minLength, maxLength, minItems, maxItems }: Schema): string {
  const exact = (limit: number | undefined) =>
    limit !== undefined && Math.abs(limit) < Number.MAX_SAFE_INTEGER ? limit : undefined;
  const between = (least: number | undefined, most: number | undefined, unit: string) => {
    if (least === undefined && most === undefined) return [];
    if (most === undefined) return [`at least ${least}${unit}`];
    return [least === undefined ? `at most ${most}${unit}` : `${least} to ${most}${unit}`];
  };
  return [
    ...between(exact(minimum), exact(maximum), ""),
    ...between(minLength, maxLength, " characters"),
    ...between(minItems, maxItems, " entries"),
  ].join(", ");
}
