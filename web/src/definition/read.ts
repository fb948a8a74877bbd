import type { Definition, Node } from '../api/schema'

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

/** The header by which a key is shown, where the definition names one; otherwise undefined. */
export function keyHeaderOf(d: Definition): { name: string; scheme: string } | undefined {
  const auth = object(object(d.filters).auth)
  for (const m of [...list(auth.any), ...list(auth.all)]) {
    const method = object(m)
    if (!('key' in method)) continue
    const places = list(object(method.key).in)
    if (places.length === 0) return { name: 'Authorization', scheme: '' }
    for (const p of places) {
      const place = object(p)
      if (typeof place.header === 'string') {
        return { name: place.header, scheme: typeof place.scheme === 'string' ? place.scheme : '' }
      }
    }
  }
  return undefined
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

function authority(host: string, port: string): string {
  const written = host.includes(':') ? `[${host}]` : host
  return port === '' || port === '80' ? written : `${written}:${port}`
}

/**
 * The URL by which an API is called through a gateway: its first domain that is no pattern, or else the gateway's own host
 * (`here`, the host of the console, where the gateway listens on every address). The port is one that a connected gateway
 * listens on; `ported` is false where none says so.
 */
export function urlOf(d: Definition, nodes: Node[], here: string): { url: string; base: string; ported: boolean } {
  const { domains, path } = listenOf(d)
  const node =
    nodes.find((n) => serves(d, n) && n.state !== 'offline' && n.address) ?? nodes.find((n) => serves(d, n) && n.address)
  const at = endpointOf(node?.address ?? '')
  const host = domains.find((name) => !name.includes('*')) ?? (anyHost.has(at.host) ? here : at.host)
  const base = `http://${authority(host, at.port)}`
  return { url: base + path, base, ported: at.port !== '' }
}

/** One word for a shell, quoted where it has to be. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** A header as curl's argument; a value that is a variable stays one. */
function header(name: string, value: string): string {
  return /^\$[A-Z_]+$/.test(value) ? `"${name}: ${value}"` : quote(`${name}: ${value}`)
}

/** A command that calls a URL and shows the head of the answer. */
export function curl(url: string, headers: [string, string][] = []): string {
  return ['curl -i', quote(url), ...headers.map(([name, value]) => `\\\n  -H ${header(name, value)}`)].join(' ')
}
