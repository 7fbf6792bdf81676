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

/** Seconds for which an engine is measured. */
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
  /** The product that is timed. */
  product: string;
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
  const [
    { productSpeed, TIMED_PRODUCT },
    { loadNativeEngine, platformName },
    { findMpi },
    { ReferenceEngine },
    duckdb,
  ] = await Promise.all([
    import("../../compute/speed.js"),
    import("../../compute/engines/native.js"),
    import("../../compute/mpi/library.js"),
    import("../../compute/engines/reference.js"),
    import("@duckdb/node-api"),
  ]);
  /** Times the product on an engine, then closes the engine. */
  const measured = async (engine: Engine): Promise<EngineReport> => {
    const gflops = (await productSpeed(engine, SECONDS)) / 1e9;
    await engine.close();
    const { name, description } = engine;
    const precision = engine.bf16 ? "bf16" : engine.precision;
    return { name, precision, description, available: true, gflops };
  };
  const { rows, inner, columns } = TIMED_PRODUCT;
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
    product: `(${rows} x ${inner}) times (${inner} x ${columns})`,
    engine: { name: "engine" in native ? "native" : "reference", why },
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
  out(dim(`best of ${SECONDS} s of matrix products: ${report.product}`));
  out(`\nDefault engine: ${bold(report.engine.name)} (${report.engine.why}).`);
}
