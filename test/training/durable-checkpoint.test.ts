import { type FileHandle, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { fileCheckpoints } from "../../src/training/checkpoint.js";

const events: string[] = [];
vi.mock("node:fs/promises", async (load) => {
  const actual = await load<typeof import("node:fs/promises")>();
  const told = (what: string, path: string) => events.push(`${what} ${path}`);
  return {
    ...actual,
    async open(path: string, flags: string): Promise<FileHandle> {
      const file = await actual.open(path, flags);
      const sync = file.sync.bind(file);
      file.sync = async () => {
        await sync();
        told("sync", path);
      };
      return file;
    },
    async rename(from: string, to: string) {
      await actual.rename(from, to);
      told("rename to", to);
    },
  };
});

let place: string | undefined;
afterEach(() => (place ? rm(place, { recursive: true, force: true }) : undefined));

it("a checkpoint is on the disk when it is saved: the file before it is renamed, then its folder, and the new folders in theirs", async () => {
  place = await mkdtemp(join(tmpdir(), "foldin-durable-"));
  const folder = join(place, "run", "checkpoint");
  const store = fileCheckpoints(folder);
  const checkpoint = { epoch: 1, loop: {}, state: {}, best: undefined };
  await store.save(checkpoint);
  const short = (event: string) =>
    event.replace(/\.checkpoint\.safetensors\.partial-[0-9a-f-]+/, "PARTIAL").replace(place ?? "", "");
  const file = [
    "sync /run/checkpoint/PARTIAL",
    "rename to /run/checkpoint/checkpoint.safetensors",
    "sync /run/checkpoint",
  ];
  expect(events.map(short)).toEqual([...file, "sync ", "sync /run"]);
  events.length = 0;
  await store.save(checkpoint);
  expect(events.map(short)).toEqual(file);
});
