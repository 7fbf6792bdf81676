// Parses the reverse proxies whose X-Forwarded-For header is trusted.

import { isIP } from "node:net";
import { UserError } from "../../core/errors.js";

/** Named address ranges. */
const NAMED = ["loopback", "linklocal", "uniquelocal"];

/** Addresses and networks in Fastify's format. Throws UserError for anything else. */
export function parseProxies(given: readonly string[]): string[] {
  const proxies = given.flatMap((text) => text.split(",")).map((text) => text.trim());
  for (const text of proxies) {
    const [address, bits, ...more] = text.split("/");
    const longest = isIP(address) === 4 ? 32 : 128;
    const network =
      isIP(address) > 0 &&
      more.length === 0 &&
      (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) >= 1 && Number(bits) <= longest));
    if (!network && !NAMED.includes(text))
      throw new UserError({
        place: `--trust-proxy ${text}`,
        problem: "is not a valid address or network",
        expected: `10.0.0.5, 10.0.0.0/8, fd00::/8, ${NAMED.join(", ")}`,
      });
  }
  return proxies;
}
