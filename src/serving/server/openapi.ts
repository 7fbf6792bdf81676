// Serves the OpenAPI document of the routes at /openapi.json and its documentation page at /docs.

import fastifySwagger from "@fastify/swagger";
import fastifySwaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { version } from "../../core/version.js";
import { filterComponents } from "./filter-schema.js";

export async function swagger(
  app: FastifyInstance,
  { token, problem }: { token: boolean; problem: z.ZodType },
): Promise<void> {
  const failures = {
    "4XX": {
      description: "The request is invalid (problem details, RFC 9457)",
      content: { "application/problem+json": { schema: jsonSchema(problem, "output") } },
    },
  };
  await app.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "foldin",
        version,
        description: "Recommendations from trained models for histories that are folded in.",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      components: {
        schemas: filterComponents as never,
        ...(token && { securitySchemes: { token: { type: "http" as const, scheme: "bearer" } } }),
      },
      ...(token && { security: [{ token: [] }] }),
    },
    transform({ schema, url }) {
      const converted: Record<string, unknown> = { ...schema };
      for (const part of ["body", "querystring", "params"])
        if (converted[part] instanceof z.ZodType) converted[part] = jsonSchema(converted[part], "input");
      const response = Object.entries((schema?.response ?? {}) as Record<string, z.ZodType>).map(
        ([status, answer]) => [
          status,
          {
            description: "The answer",
            content: { "application/json": { schema: jsonSchema(answer, "output") } },
          },
        ],
      );
      converted.response = { ...Object.fromEntries(response), ...failures };
      return { schema: converted, url };
    },
  });
  await app.register(fastifySwaggerUi, { routePrefix: "/docs" });
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
}

function jsonSchema(schema: z.ZodType, io: "input" | "output"): object {
  const { $schema, ...described } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Record<
    string,
    unknown
  >;
  return described;
}
