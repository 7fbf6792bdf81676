// A package registry on this machine for packages that are not published yet: it serves the given tarballs and redirects
// every other request to the registry that npm is configured with. So `npm install foldin` resolves the main package and
// its optional platform packages exactly as it will after a release.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { basename } from "node:path";

/** Package managers may refuse versions that were published within the last days. */
const PUBLISHED = "2020-01-01T00:00:00.000Z";

/** Serves the tarballs, given as [{ file, manifest }], until `close()`; resolves to { url, close }. */
export async function openRegistry(tarballs) {
  const upstream = spawnSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).stdout.trim();
  const packages = new Map(tarballs.map((tarball) => [tarball.manifest.name, tarball]));
  const files = new Map(tarballs.map(({ file }) => [`/-/${basename(file)}`, file]));
  let url = "";
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, url).pathname);
    const file = files.get(path);
    const found = packages.get(path.slice(1));
    if (file) response.end(readFileSync(file));
    else if (found) {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(metadata(found, url)));
    } else response.writeHead(307, { location: new URL(request.url.slice(1), upstream).href }).end();
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  url = `http://127.0.0.1:${server.address().port}/`;
  return {
    url,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** What a registry answers about a package that has one version. */
function metadata({ file, manifest }, url) {
  const { name, version } = manifest;
  const integrity = `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
  return {
    name,
    "dist-tags": { latest: version },
    time: { created: PUBLISHED, modified: PUBLISHED, [version]: PUBLISHED },
    versions: { [version]: { ...manifest, dist: { tarball: `${url}-/${basename(file)}`, integrity } } },
  };
}
