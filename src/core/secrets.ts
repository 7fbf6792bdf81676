// Removes passwords in URLs from messages: users may give `postgres://me:secret@host/db` in any option.

/** Also matches a single slash, because a URL that was treated as a path has only one. */
const userInfo = /(:\/{1,2}[^\s:@/?#]{0,200}):\S{0,500}@/g;
const parameters = /([?&](?:ssl)?(?:password|passwd|pwd|auth_?token|token|secret|api_?key)=)[^&\s]*/gi;

/** The text with passwords in URLs replaced by `***`. */
export function withoutPasswords(text: string): string {
  if (!text.includes(":/") && !text.includes("=")) return text;
  return text.replace(userInfo, "$1:***@").replace(parameters, "$1***");
}
