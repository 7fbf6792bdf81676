// Checks the Host header, as a protection against DNS rebinding: a web page can resolve its own name to 127.0.0.1 and so
// reach a server on the user's machine, but its requests carry the page's host name. On loopback, a request must therefore
// name this machine or an allowed host, such as the public name behind a reverse proxy.

import { isIP } from "node:net";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { UserError } from "../../core/errors.js";
import { Problem } from "./problems.js";

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

interface Host {
  /** Normalised: lower case, international names in punycode, IPv6 addresses in the shortest form without brackets. */
  readonly name: string;
  readonly port: string | undefined;
}

/** Host and port of a Host header; undefined if it is malformed. */
export function parseHost(text: string): Host | undefined {
  const [, given = "", port] =
    /^(\[[0-9a-fA-F:.]+\]|[^\s:/?#@\\[\]%]+)(?::(\d{1,5}))?$/.exec(text.trim()) ?? [];
  if (given === "") return undefined;
  try {
    // Parse it as browsers do.
    const { hostname } = new URL(`http://${given}/`);
    return { name: hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, ""), port };
  } catch {
    return undefined;
  }
}

/** A host of --allow-host: a name or address, with a port or for all ports; `*.` before a name matches all subdomains. */
type AllowedHost = Host & { readonly below: boolean };

/** Parses a host of --allow-host. Throws UserError if it is not valid. */
export function parseAllowedHost(text: string): AllowedHost {
  const below = text.startsWith("*.");
  const host = parseHost(below ? text.slice(2) : text);
  if (host !== undefined && !host.name.includes("*") && !(below && isIP(host.name) > 0))
    return { ...host, below };
  throw new UserError({
    place: `--allow-host ${text}`,
    problem: "is not a valid host",
    expected: "recs.example.com, recs.example.com:8443, *.example.com or an address",
    remedy: /:\/\//.test(text) ? "Leave out the scheme and the path" : undefined,
  });
}

function allows({ name, port, below }: AllowedHost, host: Host): boolean {
  if (port !== undefined && port !== host.port) return false;
  return below ? host.name.endsWith(`.${name}`) : host.name === name;
}

/** Rejects requests whose Host header names neither this machine nor an allowed host. */
export function requireKnownHost(app: FastifyInstance, allowed: readonly string[]): void {
  const hosts = allowed.map(parseAllowedHost);
  app.addHook("onRequest", async (request) => {
    const given = request.headers.host ?? "localhost";
    const host = parseHost(given);
    if (host && (isThisMachine(host, request) || hosts.some((one) => allows(one, host)))) return;
    const named = host ? `the host "${given.trim().slice(0, 100)}"` : "this Host header";
    const option = host && host.name.length < 100 ? ` --allow-host ${host.name}` : " --allow-host <name>";
    throw new Problem(
      421,
      `${named} is not allowed: use localhost, start the server with${option}, or configure the proxy to send Host: localhost`,
    );
  });
}

/** Whether the host is loopback or the local address of the connection, which a page cannot forge. */
function isThisMachine({ name }: Host, { socket }: FastifyRequest): boolean {
  return isLoopback(name) || (isIP(name) > 0 && name === socket.localAddress?.replace(/^::ffff:/, ""));
}
