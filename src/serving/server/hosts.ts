// Which names a server answers to. A web page can resolve its own name to 127.0.0.1 and so reach a server on its reader's
// machine; its requests then name the page's host. So on loopback a request must name this machine, or a host that was
// allowed: the public name, where a reverse proxy passes that on.

import { isIP } from "node:net";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { UserError } from "../../core/errors.js";
import { Problem } from "./problems.js";

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

interface Host {
  /** In lower case, an international name as it is on the wire, an IPv6 address in its shortest form without brackets. */
  readonly name: string;
  readonly port: string | undefined;
}

/** Host and port as a Host header has them; undefined where it is not one. */
export function parseHost(text: string): Host | undefined {
  const [, given = "", port] =
    /^(\[[0-9a-fA-F:.]+\]|[^\s:/?#@\\[\]%]+)(?::(\d{1,5}))?$/.exec(text.trim()) ?? [];
  if (given === "") return undefined;
  try {
    // As browsers read it.
    const { hostname } = new URL(`http://${given}/`);
    return { name: hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, ""), port };
  } catch {
    return undefined;
  }
}

/** A host of --allow-host: a name or address, with a port or for all ports, `*.` before a name for all names below it. */
type AllowedHost = Host & { readonly below: boolean };

/** Throws UserError where the text is not a host. */
export function parseAllowedHost(text: string): AllowedHost {
  const below = text.startsWith("*.");
  const host = parseHost(below ? text.slice(2) : text);
  if (host !== undefined && !host.name.includes("*") && !(below && isIP(host.name) > 0))
    return { ...host, below };
  throw new UserError({
    place: `--allow-host ${text}`,
    problem: "is not a host",
    expected: "recs.example.com, recs.example.com:8443, *.example.com or an address",
    remedy: /:\/\//.test(text) ? "Leave out the scheme and the path" : undefined,
  });
}

function allows({ name, port, below }: AllowedHost, host: Host): boolean {
  if (port !== undefined && port !== host.port) return false;
  return below ? host.name.endsWith(`.${name}`) : host.name === name;
}

/** Lets only requests pass that name this machine or an allowed host. */
export function requireKnownHost(app: FastifyInstance, allowed: readonly string[]): void {
  const hosts = allowed.map(parseAllowedHost);
  app.addHook("onRequest", async (request) => {
    const given = request.headers.host ?? "localhost";
    const host = parseHost(given);
    if (host && (isThisMachine(host, request) || hosts.some((one) => allows(one, host)))) return;
    const asked = host ? `"${given.trim().slice(0, 100)}"` : "what the Host header says";
    const option = host && host.name.length < 100 ? ` --allow-host ${host.name}` : " --allow-host <name>";
    throw new Problem(
      421,
      `this server does not answer to ${asked}: ask for localhost, start the server with${option}, or have the proxy send Host: localhost`,
    );
  });
}

/** An address that the connection itself was made to cannot be a name that somebody made up. */
function isThisMachine({ name }: Host, { socket }: FastifyRequest): boolean {
  return isLoopback(name) || (isIP(name) > 0 && name === socket.localAddress?.replace(/^::ffff:/, ""));
}
