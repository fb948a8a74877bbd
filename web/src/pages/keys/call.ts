import type { Definition } from '../../api/schema'
import { quote } from '../../curl'

/** Where an API wants its key; nothing where it wants none or another credential. */
export type Place = { header: string; scheme?: string } | { query: string } | { cookie: string }

interface Listen {
  domains?: string[]
  path?: string
}

/** What stands in a definition at a path; it is whatever people wrote. */
function at(value: unknown, ...path: string[]): unknown {
  return path.reduce<unknown>((v, k) => (v && typeof v === 'object' ? (v as Record<string, unknown>)[k] : undefined), value)
}

/** Where a caller puts the key of an API. */
export function keyPlace(api: Definition): Place | 'open' | undefined {
  const auth = at(api, 'filters', 'auth')
  if (at(auth, 'open') === true) return 'open'
  const any = at(auth, 'any')
  const method = Array.isArray(any) ? any.find((m) => at(m, 'key') !== undefined) : undefined
  if (!method) return undefined
  const places = at(method, 'key', 'in')
  const first = Array.isArray(places) ? (places[0] as Place | undefined) : undefined
  return first ?? { header: 'Authorization' }
}

/**
 * The command that calls an API with a key. `gateway` is host and port of one; without it and without a domain the command
 * has the variable GATEWAY in its place.
 */
export function keyCurl(api: Definition, secret: string, gateway?: string): string | undefined {
  const place = keyPlace(api)
  if (!place) return undefined
  const listen = (at(api, 'listen') ?? {}) as Listen
  const domain = listen.domains?.[0]
  let path = listen.path ?? '/'
  const parts: string[] = []
  if (place !== 'open') {
    if ('query' in place) path += `?${encodeURIComponent(place.query)}=${encodeURIComponent(secret)}`
    else if ('cookie' in place) parts.push(`-b ${quote(`${place.cookie}=${secret}`)}`)
    else parts.push(`-H ${quote(`${place.header}: ${place.scheme ? `${place.scheme} ` : ''}${secret}`)}`)
  }
  if (gateway && domain) parts.push(`-H ${quote(`Host: ${domain}`)}`)
  const host = gateway ?? domain
  const url = host ? quote(`http://${host}${path}`) : `"http://$GATEWAY"${quote(path)}`
  return [`curl -i ${url}`, ...parts].join(' \\\n  ')
}

/** The lines of a .env file. The secret has no character that such a file would read in another way. */
export function envFile(alias: string, secret: string): string {
  return `# ${alias.replace(/\s+/g, ' ')}\nAPI_KEY=${secret}\n`
}
