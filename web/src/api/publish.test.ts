import { expect, test } from 'vitest'
import { askAgain, judge } from './publish'
import type { PublishNode, PublishStatus } from './schema'

const node = (name: string, state: PublishNode['state'], ms?: number): PublishNode => ({
  id: name,
  name,
  group: 'default',
  state,
  ms,
})
const status = (nodes: PublishNode[], published = true): PublishStatus => ({
  revision: 7,
  started: '2026-11-22T00:00:00Z',
  published,
  nodes,
})

test.each([
  ['all confirmed', status([node('a', 'applied', 20), node('b', 'applied', 90)]), false, 'live', '2/2', 90],
  ['one is waited for', status([node('a', 'applied', 20), node('b', 'pending')]), false, 'waiting', '1/2', 20],
  ['one is late', status([node('a', 'applied', 20), node('b', 'pending')]), true, 'late', '1/2', 20],
  ['one rejects, whatever the others do', status([node('a', 'rejected'), node('b', 'pending')]), true, 'rejected', '0/2', 0],
  ['an offline gateway is not waited for', status([node('a', 'applied', 5), node('b', 'offline')]), true, 'live', '1/1', 5],
  ['none at all', status([]), true, 'none', '0/0', 0],
  ['all are offline', status([node('a', 'offline')]), false, 'none', '0/0', 0],
  ['not in Redis yet', status([node('a', 'pending')], false), false, 'waiting', '0/1', 0],
  ['not in Redis for long', status([node('a', 'pending')], false), true, 'unpublished', '0/1', 0],
  ['only a beat told', status([node('a', 'applied')]), false, 'live', '1/1', 0],
] as const)('%s', (_, s, late, state, of, ms) => {
  const p = judge(s, late)
  expect([p.state, `${p.applied}/${p.connected}`, p.ms]).toEqual([state, of, ms])
})

test('what is open is asked about soon, a rejection too, and what is settled now and again', () => {
  expect(askAgain(undefined)).toBe(1_000)
  expect(askAgain(status([node('a', 'pending'), node('b', 'rejected')]))).toBe(1_000)
  expect(askAgain(status([node('a', 'applied'), node('b', 'rejected')]))).toBe(2_000)
  expect(askAgain(status([node('a', 'applied'), node('b', 'offline')]))).toBe(5_000)
})
