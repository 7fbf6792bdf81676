/** The first question of the page; the server announces it with the page, so that browsers ask before the script runs. */
export const FIRST_QUESTION = "/api/folder?recent";
