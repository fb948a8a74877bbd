import type { Header } from './api/schema'

/**
 * One word for a POSIX shell; what is harmless stays bare. Of `$NAME`, those whose names are given stay variables; everything
 * else is what it is.
 */
export function quote(word: string, variables: string[] = []): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word
  const variable = (at: number) => variables.some((v) => word.startsWith(v, at + 1) && !/\w/.test(word.charAt(at + 1 + v.length)))
  if (![...word.matchAll(/\$/g)].some((m) => variable(m.index))) return `'${word.replaceAll("'", `'\\''`)}'`
  return `"${word.replace(/[\\"`$]/g, (c, at: number) => (c === '$' && variable(at) ? c : `\\${c}`))}"`
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
  /** Default GET. */
  method?: string
  url: string
  headers?: Header[]
  body?: string
  /** Names of variables of the shell that stand in the URL and the headers as `$NAME`. */
  variables?: string[]
}

/** The command that sends a request and shows the head of its answer. */
export function curl({ method = 'GET', url, headers = [], body, variables }: CurlRequest): string {
  const how = method === 'GET' ? '' : method === 'HEAD' ? ' -I' : ` -X ${quote(method)}`
  const parts = [`curl -i${how} ${quote(url, variables)}`]
  for (const [name = '', value = ''] of headers) parts.push(`-H ${quote(`${name}: ${value}`, variables)}`)
  if (body) parts.push(`--data-binary ${quote(body)}`)
  return parts.join(' \\\n  ')
}

/** The command that sends a recorded request again. Headers that hold secrets become a variable with their name. */
export function curlAgain(r: Omit<CurlRequest, 'variables'>): string {
  const variables: string[] = []
  const headers = (r.headers ?? [])
    .filter(([name = '']) => !own.test(name))
    .map(([name = '', value = '']): Header => {
      if (!isSecret(name)) return [name, value]
      const variable = name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')
      variables.push(variable)
      return [name, `$${variable}`]
    })
  return curl({ ...r, headers, variables })
}
