// foldin serve <run...>: serves trained models over HTTP.

import type { Command } from "commander";
import type { EnginePrecision } from "../../compute/tensor.js";
import { UserError } from "../../core/errors.js";
import { readText } from "../../core/input-file.js";
import { printableJson } from "../../core/printable.js";
import { withoutPasswords } from "../../core/secrets.js";
import type { CliContext } from "../context.js";
import {
  addApproximateOption,
  addEngineOptions,
  collected,
  type EngineFlags,
  engineOf,
  wholeNumber,
} from "../engine-options.js";
import { listening, requirePort, stopped } from "../listening.js";

interface Flags extends EngineFlags {
  approximate?: true | number;
  host: string;
  port: number;
  store: string;
  share?: string[];
  tokenFile?: string;
  unavailable?: string;
  allowHost?: string[];
  trustProxy?: string[];
  watch: number;
  rateLimit?: number;
  maxHistory?: number;
  maxHistories?: number;
  maxK?: number;
  maxBody?: number;
  maxConnections?: number;
  answerSeconds?: number;
  logLevel: string;
  stopSeconds: number;
}

const LEVELS = ["trace", "debug", "info", "warn", "error", "silent"];
/** Shorter tokens are too easy to guess. */
const LEAST_TOKEN = 16;

export function register(program: Command, context: CliContext): void {
  addApproximateOption(
    addEngineOptions(
      program
        .command("serve")
        .summary("serve trained models over HTTP")
        .description(
          "Serve trained models over HTTP: recommendations for histories, similar items, and stored user histories. The API is documented at /docs. The server is reachable only from this machine unless --host is given.",
        )
        .argument("<run...>", "run folders, or name=folder to name a model")
        .option("--host <address>", "address to listen on", "127.0.0.1")
        .option("--port <n>", "port to listen on; 0 = any free port", wholeNumber(0), 8080)
        .option(
          "--store <place>",
          "store for user histories: a SQLite file, postgres://..., or none",
          "foldin-histories.sqlite",
        )
        .option(
          "--share <name=n>",
          "share of the traffic for a model, sticky per user (repeatable; default: the first model gets all)",
          collected,
        )
        .option(
          "--unavailable <file>",
          "file with the ids of unavailable items, one per line, or CSV with a column item or id; it is watched, and PUT /v1/items/availability writes it",
        )
        .option(
          "--token-file <file>",
          "file with the bearer token that requests must send (or set FOLDIN_TOKEN)",
        )
        .option(
          "--allow-host <name>",
          "accepted Host header, such as the public name behind a reverse proxy; *.example.com = all subdomains (repeatable)",
          collected,
        )
        .option(
          "--trust-proxy <address>",
          "trust X-Forwarded-For from this reverse proxy: an address, a network or 'loopback' (repeatable)",
          collected,
        )
        .option(
          "--watch <seconds>",
          "interval for checking the folders for new models, and the file of --unavailable; 0 = never",
          wholeNumber(0),
          5,
        )
        .option(
          "--rate-limit <n>",
          "maximum requests per second from one address, including rejected ones; 0 = no limit (default: 500)",
          wholeNumber(0),
        )
        .option(
          "--max-history <n>",
          "maximum items of a history in a request or in the store (default: 1000)",
          wholeNumber(1),
        )
        .option("--max-histories <n>", "maximum histories per request (default: 100)", wholeNumber(1))
        .option("--max-k <n>", "maximum recommended items per history (default: 1000)", wholeNumber(1))
        .option("--max-body <bytes>", "maximum size of a request body (default: 1 MiB)", wholeNumber(1))
        .option("--max-connections <n>", "maximum concurrent connections (default: 4096)", wholeNumber(1))
        .option(
          "--answer-seconds <n>",
          "timeout of a request, after which the answer is 503 (default: 10)",
          wholeNumber(1),
        )
        .option(
          "--log-level <level>",
          `${LEVELS.join(", ")}; info logs every request, as JSON on stdout`,
          "info",
        )
        .option(
          "--stop-seconds <n>",
          "grace period for open requests when the server is stopped",
          wholeNumber(0),
          10,
        ),
      "that of the run",
    ),
  )
    .addHelpText(
      "after",
      `
Examples:
  foldin serve runs/ml-1m
  foldin serve old=runs/may new=runs/june --share old=90 --share new=10
  foldin serve runs/ml-1m --unavailable sold-out.txt
  foldin serve runs/ml-1m --allow-host recs.example.com --trust-proxy loopback
  foldin serve runs/ml-1m --host 0.0.0.0 --token-file token --store postgres://foldin@db/foldin
  curl localhost:8080/v1/recommendations -H 'content-type: application/json' -d '{"history": ["Toy Story"]}'`,
    )
    .action((runs: string[], flags: Flags) => serve(runs, flags, context));
}

async function serve(runs: readonly string[], flags: Flags, context: CliContext): Promise<void> {
  if (!LEVELS.includes(flags.logLevel))
    throw new UserError({
      place: "--log-level",
      problem: `unknown level '${flags.logLevel}'`,
      expected: LEVELS.join(", "),
    });
  requirePort(flags.port);
  const [{ parsePlace }, { createServer }, hosts, { parseProxies }, { openStore }, { openEngine }] =
    await Promise.all([
      import("../../serving/model-router.js"),
      import("../../serving/server/server.js"),
      import("../../serving/server/hosts.js"),
      import("../../serving/server/proxies.js"),
      import("../../serving/store/open-store.js"),
      import("../../compute/open-engine.js"),
    ]);
  const { isLoopback, parseAllowedHost } = hosts;
  for (const name of flags.allowHost ?? []) parseAllowedHost(name);
  const trustProxies = parseProxies(flags.trustProxy ?? []);
  const places = runs.map(parsePlace);
  const shares = sharesOf(
    places.map(({ name }) => name),
    flags.share,
  );
  const token = await tokenOf(flags.tokenFile);
  if (token === undefined && !isLoopback(flags.host))
    context.say(
      `warning: anyone who can reach ${flags.host}:${flags.port} can read and change histories; use --token-file to require a token`,
    );
  const precision = flags.precision ?? (await commonPrecision(places, context));
  const { requireModelMemory } = await import("../../serving/memory-need.js");
  const folders = places.map(({ folder }) => folder);
  await requireModelMemory(
    folders.join(", "),
    { what: "serving", models: folders, precision },
    context.progress,
  );
  const engine = await openEngine({ ...engineOf(flags), precision, onNote: context.say });
  const onError = ({ message }: Error) => context.say(`store: ${message}`);
  const store = flags.store === "none" ? undefined : await openStore(flags.store, onError);
  try {
    const server = await createServer({
      models: places.map((place, p) => ({ ...place, share: shares[p] })),
      engine,
      approximate: flags.approximate,
      onNote: context.say,
      store,
      host: flags.host,
      allowHosts: flags.allowHost,
      trustProxies,
      token,
      unavailable: flags.unavailable,
      logger: { level: flags.logLevel, stream: { write: logLine } },
      limits: withoutUnset({
        perSecond: flags.rateLimit,
        history: flags.maxHistory,
        histories: flags.maxHistories,
        k: flags.maxK,
        bodyBytes: flags.maxBody,
        connections: flags.maxConnections,
        answerTime: flags.answerSeconds && flags.answerSeconds * 1000,
      }),
    });
    const reload = () => void server.reload();
    const timer = flags.watch > 0 ? setInterval(reload, flags.watch * 1000) : undefined;
    process.on("SIGHUP", reload);
    try {
      const place = `--host ${flags.host} --port ${flags.port}`;
      const address = await listening(() => server.listen(flags.port), place);
      context.say(
        `serving ${places.map(({ name }) => name).join(", ")} at ${address} (API: ${address}/docs)`,
      );
      await stopped(context.signal);
    } finally {
      clearInterval(timer);
      process.off("SIGHUP", reload);
      // Connections that are still open after the grace period are closed.
      const late = setTimeout(() => server.app.server.closeAllConnections(), flags.stopSeconds * 1000);
      await server.close();
      clearTimeout(late);
    }
  } finally {
    await store?.close();
    await engine.close();
  }
}

/** Log lines may be read on a terminal, and errors may contain a URL with a password. */
function logLine(line: string): void {
  process.stdout.write(printableJson(withoutPasswords(line)));
}

/** The traffic shares of the models; without --share, the first model gets all. */
function sharesOf(names: readonly string[], given: readonly string[] | undefined): number[] {
  if (!given) return names.map((_, place) => (place === 0 ? 1 : 0));
  const shares = new Map<string, number>();
  for (const text of given) {
    const [, name, number] = /^(.+)=(\d+(?:\.\d+)?)$/.exec(text) ?? [];
    if (name === undefined || !names.includes(name))
      throw new UserError({
        place: `--share ${text}`,
        problem: name === undefined ? "is not a share" : `unknown model ${name}`,
        expected: `name=number, with a name of ${names.join(", ")}`,
      });
    shares.set(name, Number(number));
  }
  return names.map((name) => shares.get(name) ?? 0);
}

/** The token from the file or the environment; not from the command line, which every user of the machine can read. */
async function tokenOf(file: string | undefined): Promise<string | undefined> {
  const place = file === undefined ? "FOLDIN_TOKEN" : `--token-file ${file}`;
  const token =
    file === undefined
      ? process.env.FOLDIN_TOKEN
      : await readText(file, { most: 1 << 16, expected: "the token for --token-file" });
  if (token === undefined) return undefined;
  const trimmed = token.trim();
  if (trimmed.length < LEAST_TOKEN || /\s/.test(trimmed))
    throw new UserError({
      place,
      problem: "the token is not valid",
      expected: `at least ${LEAST_TOKEN} characters without spaces`,
      remedy: "Generate one with: openssl rand -hex 32",
    });
  return trimmed;
}

function withoutUnset<T extends object>(given: T): Partial<{ [Key in keyof T]: NonNullable<T[Key]> }> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<{
    [Key in keyof T]: NonNullable<T[Key]>;
  }>;
}

/** The precision that all models were trained with; float32 if they differ. */
async function commonPrecision(
  places: readonly { folder: string }[],
  context: CliContext,
): Promise<EnginePrecision> {
  const { precisionOfModel } = await import("../../recommender/model-files.js");
  // A model that cannot be read is reported where it is loaded.
  const precisions = places.map(({ folder }) => precisionOfModel(folder).catch(() => undefined));
  const [first = "float32", ...others] = (await Promise.all(precisions)).filter((one) => one !== undefined);
  if (others.every((other) => other === first)) return first;
  context.say(
    "the models were trained in different precisions: all are served in float32; --precision sets another one",
  );
  return "float32";
}
