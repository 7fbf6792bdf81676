// foldin doctor: system information, the default engine and why it is chosen, and the speed of the engines.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, freemem, totalmem } from "node:os";
import type { Command } from "commander";
import type { Engine } from "../../compute/engine.js";
import type { MpiLibrary } from "../../compute/engines/native.js";
import type { EnginePrecision } from "../../compute/tensor.js";
import { version } from "../../core/version.js";
import type { CliContext } from "../context.js";
import { number, table } from "../table.js";

/** The timed matrix product: 512 histories, 600 hidden units, 4096 items. */
const PRODUCT = { rows: 512, inner: 600, columns: 4096 };
/** Seconds to measure. The best time counts, because other work on the machine can only slow a run down. */
const SECONDS = 0.5;

interface EngineReport {
  name: Engine["name"];
  /** "bf16" for the engine that `--precision bf16` selects. */
  precision: EnginePrecision;
  /** Description of the engine, or why it is not available. */
  description: string;
  available: boolean;
  /** Billions of additions and multiplications per second in the timed product; null if not available. */
  gflops: number | null;
}

interface Report {
  foldin: string;
  node: string;
  platform: string;
  cpu: { model: string; cores: number; instructionSets: string[] };
  /** Bytes. */
  memory: { total: number; free: number };
  cargo: string | null;
  duckdb: string;
  /** The MPI library for training in several processes, or why there is none. */
  mpi: MpiLibrary | { reason: string };
  engines: EngineReport[];
  /** The engine that `--engine auto` selects. */
  engine: { name: Engine["name"]; why: string };
}

export function register(program: Command, context: CliContext): void {
  program
    .command("doctor")
    .summary("show system information and engine speed")
    .description(
      "Show system information and the engine that is used by default, and measure the engines. Include the output in bug reports.",
    )
    .option("--json", "print one JSON object")
    .action(async ({ json = false }: { json?: boolean }) => {
      const report = await examine();
      if (json) context.json(report);
      else print(report, context);
    });
}

async function examine(): Promise<Report> {
  const [{ loadNativeEngine, platformName }, { findMpi }, { ReferenceEngine }, duckdb] = await Promise.all([
    import("../../compute/engines/native.js"),
    import("../../compute/mpi/library.js"),
    import("../../compute/engines/reference.js"),
    import("@duckdb/node-api"),
  ]);
  const native = loadNativeEngine();
  const rounding = loadNativeEngine({ precision: "bf16" });
  const engines: EngineReport[] = [
    "engine" in native
      ? await measured(native.engine)
      : { name: "native", precision: "float32", available: false, description: native.reason, gflops: null },
    await measured(new ReferenceEngine()),
    ...("engine" in rounding ? [await measured(rounding.engine)] : []),
  ];
  const why =
    "engine" in native
      ? "the native engine is available"
      : "the native engine is not available; in a clone, install cargo (rustup.rs) and run npm run setup";
  return {
    foldin: version,
    node: process.versions.node,
    platform: platformName(),
    cpu: {
      model: cpus()[0]?.model.trim() ?? "unknown",
      cores: availableParallelism(),
      instructionSets: instructionSets(),
    },
    memory: { total: totalmem(), free: freemem() },
    cargo: cargoVersion(),
    duckdb: duckdb.version(),
    mpi: findMpi(process.env),
    engines,
    engine: { name: "engine" in native ? "native" : "reference", why },
  };
}

/** Times the product on an engine, then closes the engine. */
async function measured(engine: Engine): Promise<EngineReport> {
  const { rows, inner, columns } = PRODUCT;
  const [a, b, out] = [engine.zeros(rows, inner), engine.zeros(columns, inner), engine.empty(rows, columns)];
  engine.fill(a, 0.5);
  engine.fill(b, 0.25);
  await engine.finished();
  let best = Number.POSITIVE_INFINITY;
  const end = performance.now() + 1000 * SECONDS;
  do {
    const started = performance.now();
    engine.matmul(out, a, b, { transposeB: true, bf16: engine.bf16 });
    await engine.finished();
    best = Math.min(best, performance.now() - started);
  } while (performance.now() < end);
  await engine.close();
  const { name, description } = engine;
  return {
    name,
    precision: engine.bf16 ? "bf16" : engine.precision,
    description,
    available: true,
    gflops: (2 * rows * inner * columns) / best / 1e6,
  };
}

/** The processor's vector instruction sets that kernels can use, as far as the operating system reports them. */
function instructionSets(): string[] {
  if (process.arch === "arm64") return ["NEON"];
  try {
    const flags = new Set(
      /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1].trim().split(" "),
    );
    const known = {
      avx2: "AVX2",
      fma: "FMA",
      avx512f: "AVX-512",
      avx512_bf16: "AVX-512-BF16",
      amx_bf16: "AMX",
    };
    return Object.entries(known).flatMap(([flag, name]) => (flags.has(flag) ? [name] : []));
  } catch {
    return [];
  }
}

function cargoVersion(): string | null {
  const { status, stdout } = spawnSync("cargo", ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : null;
}

function print(report: Report, { out, style: { bold, dim } }: CliContext): void {
  const gigabytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const { cpu, memory, mpi } = report;
  const sets = cpu.instructionSets.length > 0 ? `, ${cpu.instructionSets.join(", ")}` : "";
  const facts = [
    ["foldin", report.foldin],
    ["Node.js", `${report.node}, ${report.platform}`],
    ["DuckDB", report.duckdb],
    ["processor", `${cpu.model}, ${cpu.cores} ${cpu.cores === 1 ? "core" : "cores"}${sets}`],
    ["memory", `${gigabytes(memory.total)}, ${gigabytes(memory.free)} free`],
    [
      "MPI",
      "reason" in mpi
        ? `not found: ${mpi.reason} (needed only to train one model on several machines)`
        : `${mpi.version}, ${mpi.abi} interface, ${mpi.library}`,
    ],
    ["cargo", report.cargo ?? "not installed (needed only to build the native engine from source)"],
  ];
  out(table([{ heading: "" }, { heading: "" }], facts));
  const { rows, inner, columns } = PRODUCT;
  out();
  out(
    table(
      [{ heading: "engine" }, { heading: "GFLOP/s", align: "right" }, { heading: "" }],
      report.engines.map(({ name, precision, gflops, description }) => [
        precision === "bf16" ? `${name}, bf16` : name,
        gflops === null ? "-" : number(gflops),
        description,
      ]),
      dim,
    ),
  );
  out(dim(`best of ${SECONDS} s of matrix products: (${rows} x ${inner}) times (${inner} x ${columns})`));
  out(`\nDefault engine: ${bold(report.engine.name)} (${report.engine.why}).`);
}
