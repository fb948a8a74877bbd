/** The lines of a .env file. The secret has no character that such a file would read in another way. */
export function envFile(alias: string, secret: string): string {
  return `# ${alias.replace(/\s+/g, ' ')}\nAPI_KEY=${secret}\n`
}
