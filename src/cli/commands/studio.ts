// foldin studio [folder]: a web page on this machine over the datasets and runs of a folder.

import { join } from "node:path";
import type { Command } from "commander";
import { cacheFolder } from "../cache-folder.js";
import type { CliContext } from "../context.js";
import { wholeNumber } from "../engine-options.js";
import { listening, requirePort, stopped } from "../listening.js";
import { plural } from "../table.js";

interface Flags {
  port: number;
}

export function register(program: Command, context: CliContext): void {
  program
    .command("studio")
    .summary("look at datasets and runs in a web browser")
    .description(
      "Show the datasets and runs of a folder on a web page: metrics, options that differ, and the curves of runs in training. The page is reachable only from this machine, needs no network, and changes nothing.",
    )
    .argument("[folder]", "folder with datasets and runs, at any depth", ".")
    .option("--port <n>", "port to listen on; 0 = any free port", wholeNumber(0), 8090)
    .addHelpText(
      "after",
      `
Examples:
  foldin studio
  foldin studio experiments --port 9000`,
    )
    .action((folder: string, flags: Flags) => studio(folder, flags, context));
}

async function studio(folder: string, { port }: Flags, context: CliContext): Promise<void> {
  requirePort(port);
  const { createStudio } = await import("../../studio/server.js");
  const server = await createStudio({
    folder,
    cache: join(cacheFolder(process.env), "studio"),
    onError: ({ message }) => context.say(`studio: ${message}`),
  });
  try {
    const address = await listening(() => server.listen(port), `--port ${port}`);
    const { runs, datasets, problems } = await server.catalogue.look();
    context.say(
      `studio of ${server.catalogue.root} (${plural(runs.length, "run")}, ${plural(datasets.length, "dataset")}) at ${address}`,
    );
    for (const { problem } of problems) context.say(`warning: ${problem}`);
    await stopped(context.signal);
  } finally {
    await server.close();
  }
}
