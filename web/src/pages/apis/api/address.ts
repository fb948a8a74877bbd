import type { Definition, Node } from '../../../api/schema'
import { isObject } from '../../../form/json/text'

/** What of a definition the page reads; a definition may be odd, so everything is looked at first. */
export interface Facts {
  name: string
  description: string
  active: boolean
  path: string
  domains: string[]
  targets: string[]
  groups: string[]
  endpoints: number
  /** Names of the filters that are on. */
  filters: string[]
  /** `open`, `key` or `other`. */
  auth: 'open' | 'key' | 'other'
  /** The header that the key is expected in; empty where it stands elsewhere. */
  keyHeader: string
}

function texts(v: unknown): string[] {
  return Array.isArray(v) ? v.filter((x) => typeof x === 'string') : []
}

function object(v: unknown): Record<string, unknown> {
  return isObject(v) ? v : {}
}

/** Reads the facts out of a definition. */
export function factsOf(d: Definition): Facts {
  const listen = object(d.listen)
  const filters = object(d.filters)
  const auth = object(filters.auth)
  const methods = [auth.any, auth.all].flatMap((m) => (Array.isArray(m) ? m : [])).map(object)
  const key = methods.find((m) => isObject(m.key))
  const places = key && object(key.key).in
  const header = Array.isArray(places) ? places.map(object).find((p) => typeof p.header === 'string')?.header : 'Authorization'
  const targets = object(d.upstream).targets
  return {
    name: d.name,
    description: typeof d.description === 'string' ? d.description : '',
    active: d.state !== 'disabled',
    path: typeof listen.path === 'string' ? listen.path : '/',
    domains: texts(listen.domains),
    targets: Array.isArray(targets) ? targets.flatMap((x) => texts([object(x).url])) : [],
    groups: texts(d.groups),
    endpoints: Array.isArray(d.endpoints) ? d.endpoints.length : 0,
    filters: Object.keys(filters).filter((n) => filters[n] !== 'off' && !n.startsWith('x-')),
    auth: auth.open === true ? 'open' : key ? 'key' : 'other',
    keyHeader: auth.open === true || typeof header !== 'string' ? '' : header,
  }
}

/** Where the API answers: at its own domain, else at a gateway that says its address; empty if neither is known. */
export function originOf(facts: Facts, nodes: Node[]): string {
  const domain = facts.domains.find((d) => !d.includes('*'))
  const serving = nodes.filter((n) => n.service === 'gateway' && n.state !== 'offline')
  const own = serving.find((n) => facts.groups.length === 0 || facts.groups.includes(n.group ?? 'default'))
  const address = own?.address ?? ''
  const base = address === '' || address.includes('://') ? address : `http://${address}`
  if (!domain) return base.replace(/\/$/, '')
  const port = /:(\d+)$/.exec(base)?.[1]
  return `http://${domain}${port && port !== '80' ? `:${port}` : ''}`
}

/** A curl call that can be pasted into a shell. */
export function curlOf(url: string, facts: Facts): string {
  const lines = [`curl -i ${quote(url)}`]
  if (facts.keyHeader) lines.push(`  -H "${facts.keyHeader}: $API_KEY"`)
  return lines.join(' \\\n')
}

function quote(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
