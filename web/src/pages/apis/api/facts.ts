import type { Definition } from '../../../api/schema'
import { accessOf, keyPlaceOf, listenOf, targetsOf } from '../../../definition/read'

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
  auth: 'open' | 'key' | 'other'
  /** Where the key is expected, such as `Authorization`; empty where it takes none. */
  keyName: string
}

/** Reads the facts out of a definition. */
export function factsOf(d: Definition): Facts {
  const { path, domains } = listenOf(d)
  const filters: Record<string, unknown> = typeof d.filters === 'object' && d.filters !== null ? { ...d.filters } : {}
  const place = keyPlaceOf(d)
  return {
    name: d.name,
    description: typeof d.description === 'string' ? d.description : '',
    active: d.state !== 'disabled',
    path: path || '/',
    domains,
    targets: targetsOf(d),
    groups: Array.isArray(d.groups) ? d.groups.filter((g) => typeof g === 'string') : [],
    endpoints: Array.isArray(d.endpoints) ? d.endpoints.length : 0,
    filters: Object.keys(filters).filter((n) => filters[n] !== 'off' && !n.startsWith('x-')),
    auth: accessOf(d).open === 'all' ? 'open' : accessOf(d).methods.includes('key') ? 'key' : 'other',
    keyName: place ? ('header' in place ? place.header : 'query' in place ? place.query : place.cookie) : '',
  }
}
