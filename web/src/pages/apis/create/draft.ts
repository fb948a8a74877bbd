import type { Definition } from '../../../api/schema'

/** What the page asks for. */
export interface Fields {
  name: string
  upstream: string
  /** Empty: any host. */
  domain: string
  path: string
  match: 'prefix' | 'exact'
  strip: boolean
  auth: 'key' | 'none'
}

/** What outlives a refresh. Nothing in it is secret. */
export interface Draft {
  fields: Fields
  /** The path was written by hand and no longer follows the name. */
  pathOwn: boolean
  /** What was sent and never answered. */
  pending?: Definition
}

export const noFields: Fields = { name: '', upstream: '', domain: '', path: '', match: 'prefix', strip: true, auth: 'key' }

const slot = 'sluice.newApi'

/** The draft of this tab; an unreadable one counts as none. */
export function loadDraft(): Draft {
  try {
    const kept = JSON.parse(sessionStorage.getItem(slot) ?? '{}') as Partial<Draft>
    return { fields: { ...noFields, ...kept.fields }, pathOwn: kept.pathOwn === true, pending: kept.pending }
  } catch {
    return { fields: noFields, pathOwn: false }
  }
}

/** Keeps the draft, or forgets it. */
export function keepDraft(draft: Draft | null): void {
  try {
    if (draft) sessionStorage.setItem(slot, JSON.stringify({ ...draft, fields: withoutSecrets(draft.fields) }))
    else sessionStorage.removeItem(slot)
  } catch {
    // No room or no permission: the draft lives as long as the page.
  }
}

function withoutSecrets(fields: Fields): Fields {
  return { ...fields, upstream: fields.upstream.replace(/\/\/[^/@]*@/, '//') }
}

/** The listen path that a name suggests; empty where the name has no letters for one. */
export function pathFrom(name: string): string {
  const words = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return words && `/${words}/`
}

/** The definition that is sent: what is as it is by default is left out. */
export function definitionOf(f: Fields): Definition {
  const domain = f.domain.trim()
  return {
    name: f.name.trim(),
    listen: {
      ...(domain && { domains: [domain] }),
      path: f.path.trim(),
      ...(f.match === 'exact' && { match: 'exact' }),
      ...(!f.strip && { strip: false }),
    },
    upstream: { targets: [{ url: f.upstream.trim() }] },
    filters: { auth: f.auth === 'none' ? { open: true } : { any: [{ key: { in: [{ header: 'Authorization' }] } }] } },
  }
}

/** What a definition says, in one spelling, without the id that the server may have added. */
function spelled(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) =>
    typeof v === 'object' && v !== null && !Array.isArray(v)
      ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
      : v,
  )
}

/** Whether a stored definition is the one that was sent. */
export function same(sent: Definition, stored: Definition): boolean {
  return spelled({ ...sent, id: undefined }) === spelled({ ...stored, id: undefined })
}

/** What an upstream is called behind the listen path, for the preview: the same rules as the gateway's. */
export function forwarded(f: Fields, rest: string): string {
  const target = f.upstream.trim().replace(/\/+$/, '')
  const path = f.path.trim().replace(/\/+$/, '')
  const tail = f.match === 'exact' ? '' : rest
  return target + (f.strip ? tail || '/' : path + tail || '/')
}
