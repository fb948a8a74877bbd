import { describe, expect, it } from 'vitest'
import type { Key } from '../../api/schema'
import { editable, patchOf, stateOf, withApis } from './rights'

const key: Key = {
  id: 'k_1',
  org: 'default',
  prefix: 'slc_7Fqa',
  alias: 'shop',
  owner: 'kim',
  rights: [{ api: 'orders', endpoints: [{ path: '/a' }] }],
  state: 'active',
  version: 3,
  createdAt: '2026-11-22T00:00:00Z',
  updatedAt: '2026-11-22T00:00:00Z',
  expiresAt: '2027-11-22T00:00:00.123Z',
}

describe('what an edit of a key sends', () => {
  it('is nothing when nothing was changed', () => expect(patchOf(editable(key), editable(key))).toEqual({}))
  it('is what was touched, and null for what was emptied', () => {
    const to = { ...editable(key), alias: 'shop-2', owner: '', rights: [], expiresAt: null }
    expect(patchOf(editable(key), to)).toEqual({ alias: 'shop-2', owner: null, rights: null, expiresAt: null })
  })
  it('keeps the endpoints of a right that stays', () => {
    expect(withApis(key.rights ?? [], ['jumun', 'orders'])).toEqual([
      { api: 'orders', endpoints: [{ path: '/a' }] },
      { api: 'jumun' },
    ])
    expect(withApis(key.rights ?? [], [])).toEqual([])
  })
})

it.each([
  [{}, 'active'],
  [{ expiresAt: '2026-01-01T00:00:00Z' }, 'expired'],
  [{ expiresAt: undefined }, 'active'],
  [{ state: 'revoked' as const, expiresAt: '2026-01-01T00:00:00Z' }, 'revoked'],
])('the state of %j is %s', (change, state) =>
  expect(stateOf({ ...key, ...change }, Date.parse('2026-11-22T00:00:00Z'))).toBe(state),
)
