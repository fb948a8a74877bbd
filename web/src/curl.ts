import type { Header } from './api/schema'

/** One word for a POSIX shell; what is harmless stays bare. */
export function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

const secret = /^(authorization|proxy-authorization|cookie|set-cookie)$|key|token|secret|password|signature|session/i

/** Whether a header, by its name, holds what lets its bearer in. */
export function isSecret(name: string): boolean {
  return secret.test(name)
}

/** What curl sets by itself, or what belongs to one connection. */
const own = /^(host|content-length|connection|transfer-encoding|accept-encoding|te|upgrade|keep-alive)$/i

/** A request for copying as a curl command. */
export interface CurlRequest {
  method: string
  url: string
  headers?: Header[]
  body?: string
}

/** The command that sends a request again. Headers that hold secrets become a variable with their name. */
export function curlOf({ method, url, headers = [], body }: CurlRequest): string {
  const parts = [`curl -i${method === 'GET' ? '' : method === 'HEAD' ? ' -I' : ` -X ${quote(method)}`} ${quote(url)}`]
  for (const [name = '', value = ''] of headers) {
    if (own.test(name)) continue
    if (isSecret(name)) parts.push(`-H "${name}: $${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}"`)
    else parts.push(`-H ${quote(`${name}: ${value}`)}`)
  }
  if (body) parts.push(`--data-binary ${quote(body)}`)
  return parts.join(' \\\n  ')
}
