// Where the program keeps what later runs can use again: $FOLDIN_CACHE, or the place that the system has for such things.

import { homedir } from "node:os";
import { join } from "node:path";

/** The folder, which need not exist yet. */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  if (environment.FOLDIN_CACHE) return environment.FOLDIN_CACHE;
  const { XDG_CACHE_HOME, LOCALAPPDATA } = environment;
  const systems = process.platform === "win32" ? LOCALAPPDATA : XDG_CACHE_HOME;
  return join(systems || join(homedir(), ".cache"), "foldin");
}
