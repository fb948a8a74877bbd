import { describe, expect, it } from 'vitest'
import type { RequestList, RequestSummary } from '../../api/schema'
import { freshIn, mergeHead } from './useRequests'

const row = (id: string, at = `2026-11-22T01:00:0${id}Z`): RequestSummary => ({
  id,
  at,
  method: 'GET',
  host: 'h',
  path: '/',
  status: 200,
  totalMs: 1,
  upstreamMs: 1,
  gatewayMs: 0,
  node: 'n',
  flags: [],
})
const page = (items: RequestSummary[], next = '', total = items.length): RequestList => ({
  items,
  next,
  total,
  totalExact: true,
  from: '',
  to: '',
  problems: [],
})
const ids = (d: ReturnType<typeof mergeHead>) => d.pages.map((p) => p.items.map((r) => r.id).join(''))

describe('the newest page before what was read', () => {
  it('adds what is new, also what came late, and keeps the later pages', () => {
    const old = { pages: [page([row('7'), row('5')], 'a'), page([row('2')], 'b')], pageParams: ['', 'a'] }
    const head = page([row('9'), row('7'), row('6'), row('5')], 'c', 40)
    expect(freshIn(old, head)).toBe(2)
    const merged = mergeHead(old, head)
    expect(ids(merged)).toEqual(['9765', '2'])
    expect(merged.pages[0]?.next).toBe('a')
    expect(merged.pages[0]?.total).toBe(40)
  })
  it('begins anew where a hole would be', () => {
    const old = { pages: [page([row('3')], 'a'), page([row('2')], '')], pageParams: ['', 'a'] }
    expect(ids(mergeHead(old, page([row('9'), row('8')], 'x')))).toEqual(['98'])
  })
  it('orders the same millisecond by its microseconds', () => {
    const a = row('1', '2026-11-22T01:00:00.000100Z')
    const b = row('2', '2026-11-22T01:00:00.0002Z')
    expect(ids(mergeHead({ pages: [page([a])], pageParams: [''] }, page([b, a])))).toEqual(['21'])
  })
  it('fills an empty list', () => {
    expect(ids(mergeHead({ pages: [page([])], pageParams: [''] }, page([row('1')], 'n')))).toEqual(['1'])
  })
})
