import type { Definition, Node } from '../api/schema'
import { curl } from '../curl'

function object(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function texts(value: unknown): string[] {
  return list(value).filter((v) => typeof v === 'string')
}

/** Where an API listens; unreadable parts are empty. */
export function listenOf(d: Definition): { domains: string[]; path: string; exact: boolean; strip: boolean } {
  const l = object(d.listen)
  return {
    domains: texts(l.domains),
    path: typeof l.path === 'string' ? l.path : '',
    exact: l.match === 'exact',
    strip: l.strip !== false,
  }
}

/** The URLs of its default targets. */
export function targetsOf(d: Definition): string[] {
  return texts(list(object(d.upstream).targets).map((t) => object(t).url))
}

/** What is asked of callers. */
export interface Access {
  /** `all`: everyone may call everything; `part`: some endpoint; `anonymous`: also who shows no credential; `no`: nobody without one. */
  open: 'all' | 'part' | 'anonymous' | 'no'
  /** Names of the methods, such as `key`. */
  methods: string[]
}

/** Who may call an API. */
export function accessOf(d: Definition): Access {
  const auth = object(object(d.filters).auth)
  const methods = [...list(auth.any), ...list(auth.all)].flatMap((m) => Object.keys(object(m)).slice(0, 1))
  const holes = list(d.endpoints).some((e) => {
    const own = object(object(e).filters).auth
    return own === 'off' || object(own).open === true
  })
  const open = auth.open === true ? 'all' : auth.anonymous === true ? 'anonymous' : holes ? 'part' : 'no'
  return { open, methods: [...new Set(methods)] }
}

/** Where a caller puts the key. */
export type KeyPlace = { header: string; scheme: string } | { query: string } | { cookie: string }

/** The first place in which the definition takes a key; undefined where it takes none, or asks for nothing. */
export function keyPlaceOf(d: Definition): KeyPlace | undefined {
  const auth = object(object(d.filters).auth)
  const method = auth.open === true ? undefined : [...list(auth.any), ...list(auth.all)].map(object).find((m) => 'key' in m)
  if (!method) return undefined
  const places = list(object(method.key).in)
  if (places.length === 0) return { header: 'Authorization', scheme: '' }
  for (const p of places.map(object)) {
    if (typeof p.header === 'string') return { header: p.header, scheme: typeof p.scheme === 'string' ? p.scheme : '' }
    if (typeof p.query === 'string') return { query: p.query }
    if (typeof p.cookie === 'string') return { cookie: p.cookie }
  }
  return undefined
}

/** The variable of the shell that stands for a key which nobody may see. */
export const keyVariable = '$API_KEY'

/** What a request has that shows a key: headers, and the query that is appended to its path. */
export function withKey(place: KeyPlace | undefined, key: string): { headers: [string, string][]; query: string } {
  if (!place) return { headers: [], query: '' }
  if ('header' in place) return { headers: [[place.header, place.scheme ? `${place.scheme} ${key}` : key]], query: '' }
  if ('cookie' in place) return { headers: [['Cookie', `${place.cookie}=${key}`]], query: '' }
  const value = key === keyVariable ? key : encodeURIComponent(key)
  return { headers: [], query: `?${encodeURIComponent(place.query)}=${value}` }
}

/** Appends a query as withKey makes it to a target that may have one. */
export function withQuery(target: string, query: string): string {
  return target.includes('?') ? target + query.replace('?', '&') : target + query
}

/** Whether a gateway serves an API: one that names groups is served by those only. */
export function serves(d: Definition, node: Node): boolean {
  const groups = texts(d.groups)
  return node.service === 'gateway' && (groups.length === 0 || groups.includes(node.group ?? 'default'))
}

/** How many of the connected gateways run an API's newest version, by what each of them says of itself. */
export function liveOn(
  d: Definition,
  id: string,
  revision: number,
  nodes: Node[],
): { live: number; all: number; rejected: number } {
  const mine = nodes.filter((n) => serves(d, n) && n.state !== 'offline')
  const refused = (n: Node) => (n.rejected ?? []).some((r) => r.kind === 'api' && r.id === id)
  return {
    all: mine.length,
    live: mine.filter((n) => n.generation >= revision && !refused(n)).length,
    rejected: mine.filter(refused).length,
  }
}

/** Host and port of `host:port`, with or without brackets. */
function endpointOf(address: string): { host: string; port: string } {
  const m = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(address)
  return { host: m?.[1] ?? m?.[2] ?? '', port: m?.[3] ?? '' }
}

const anyHost = new Set(['', '::', '0.0.0.0'])

function authority(host: string, port: string, usual: string): string {
  const written = host.includes(':') ? `[${host}]` : host
  return port === '' || port === usual ? written : `${written}:${port}`
}

/**
 * The URL by which an API is called through a gateway: its first domain that is no pattern, or else the gateway's own host
 * (`here`, the host of the console, where the gateway listens on every address). The port is one that a connected gateway
 * listens on. Where no gateway says its address, `told` is false: the port of a domain is missing, and without a domain the
 * variable GATEWAY stands for host and port.
 */
export function urlOf(d: Definition, nodes: Node[], here: string): { url: string; base: string; told: boolean } {
  const { domains, path } = listenOf(d)
  const node =
    nodes.find((n) => serves(d, n) && n.state !== 'offline' && n.address) ?? nodes.find((n) => serves(d, n) && n.address)
  const at = endpointOf(node?.address ?? '')
  const told = at.port !== ''
  const host = domains.find((name) => !name.includes('*')) ?? (told && anyHost.has(at.host) ? here : at.host)
  const [scheme, usual] = node?.tls ? ['https', '443'] : ['http', '80']
  const base = `${scheme}://${host === '' ? '$GATEWAY' : authority(host, at.port, usual)}`
  return { url: base + path, base, told }
}

/** A command that calls an API with a key, or with the variable API_KEY where it is not to be seen. */
export function callWith(d: Definition, target: string, key: string = keyVariable): string {
  const { headers, query } = withKey(keyPlaceOf(d), key)
  return curl({ url: withQuery(target, query), headers, variables: ['API_KEY', 'GATEWAY'] })
}
