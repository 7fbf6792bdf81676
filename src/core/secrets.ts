// Passwords in URLs are kept out of messages: people give `postgres://me:secret@host/db` also where it does not belong.

/** One slash where the URL was taken for a path. */
const userInfo = /(:\/{1,2}[^\s:@/?#]{0,200}):\S{0,500}@/g;
const parameters = /([?&](?:ssl)?(?:password|passwd|pwd|auth_?token|token|secret|api_?key)=)[^&\s]*/gi;

/** The text with passwords of URLs in it replaced by `***`. */
export function withoutPasswords(text: string): string {
  if (!text.includes(":/") && !text.includes("=")) return text;
  return text.replace(userInfo, "$1:***@").replace(parameters, "$1***");
}
