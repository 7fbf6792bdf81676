// The cache folder: $FOLDIN_CACHE, or the cache location of the operating system.

import { homedir } from "node:os";
import { join } from "node:path";

/** The path of the cache folder. The folder may not exist yet. */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  if (environment.FOLDIN_CACHE) return environment.FOLDIN_CACHE;
  const { XDG_CACHE_HOME, LOCALAPPDATA } = environment;
  const systems = process.platform === "win32" ? LOCALAPPDATA : XDG_CACHE_HOME;
  return join(systems || join(homedir(), ".cache"), "foldin");
}
