import type { Key, Right } from '../../api/schema'

/** The right to every API. */
export const everyApi = '*'

/** The rights for these APIs; those that are there already stay as they are, with everything in them. */
export function withApis(rights: Right[], apis: string[]): Right[] {
  const kept = rights.filter((r) => apis.includes(r.api))
  const fresh = apis.filter((id) => !kept.some((r) => r.api === id)).map((api) => ({ api }))
  return [...kept, ...fresh]
}

/** The state that counts: a key that is active but too old is expired. */
export function stateOf(key: Pick<Key, 'state' | 'expiresAt'>, now: number): string {
  return key.state === 'active' && key.expiresAt && Date.parse(key.expiresAt) <= now ? 'expired' : key.state
}

/** What a person edits of a key. */
export interface Editable {
  alias: string
  owner: string
  policies: string[]
  rights: Right[]
  tags: string[]
  /** RFC 3339; null is never. */
  expiresAt: string | null
}

export function editable(key: Key): Editable {
  return {
    alias: key.alias,
    owner: key.owner ?? '',
    policies: key.policies ?? [],
    rights: key.rights ?? [],
    tags: key.tags ?? [],
    expiresAt: key.expiresAt ?? null,
  }
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

/** The members that differ. */
export function changed(from: Editable, to: Editable): (keyof Editable)[] {
  return (Object.keys(from) as (keyof Editable)[]).filter((k) => !same(from[k], to[k]))
}

/** The merge patch (RFC 7396) that makes one of the other: touched members only; what is empty goes. */
export function patchOf(from: Editable, to: Editable): Record<string, unknown> {
  return Object.fromEntries(
    changed(from, to).map((k) => {
      const v = to[k]
      return [k, v === '' || (Array.isArray(v) && v.length === 0) ? null : v]
    }),
  )
}
