import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Node } from '../../api/schema'
import { lastErrorOf, lineOf, reasonOf, summarize } from '../../fleet'
import { i18n } from '../../i18n'
import { allTexts } from '../../testing/texts'
import { age, appliedAt, attention, clock, search } from './fleet'

const text = i18n('en', await allTexts('en'), 'UTC')

function node(change: Partial<Node> = {}): Node {
  return {
    id: 'a',
    name: 'gw-1',
    service: 'gateway',
    version: 'v1',
    state: 'current',
    epoch: 1,
    generation: 7,
    expected: 7,
    source: 'live',
    redisOk: true,
    startedAt: '2026-11-22T00:00:00Z',
    seenAt: '2026-11-22T00:00:00Z',
    load: { rps: 0, connections: 0, inFlight: 0, rss: 0, goroutines: 0 },
    clockOffsetMs: 0,
    ...change,
  }
}

describe('the summary of a fleet', () => {
  it.each([
    ['nothing', [], { all: 0, current: 0, revision: 0, tone: 'off' }],
    ['pumps do not count', [node({ service: 'pump', state: 'offline' })], { all: 0, current: 0, revision: 0, tone: 'off' }],
    ['all current', [node(), node({ id: 'b' })], { all: 2, current: 2, revision: 7, tone: 'ok' }],
    [
      'one behind',
      [node(), node({ state: 'behind', generation: 6, expected: 7 })],
      { all: 2, current: 1, revision: 7, tone: 'warn' },
    ],
    ['one rejects', [node(), node({ state: 'rejected' })], { all: 2, current: 1, revision: 7, tone: 'bad' }],
  ] as const)('%s', (_, nodes, want) => {
    expect(summarize([...nodes])).toEqual(want)
  })
})

it('says nothing of a node that is well', () => {
  expect(attention(node({ spool: { diskBytes: 0, dropped: 0, volatile: false } }), text)).toEqual([])
})

it('says what is wrong, the most pressing first', () => {
  const found = attention(
    node({
      rejected: [{ kind: 'api', id: 'x', org: 'default', code: 'c', message: 'm', kept: true }],
      redisOk: false,
      source: 'disk',
      spool: { diskBytes: 2048, dropped: 3, volatile: true },
      clockOffsetMs: -3_000,
      lastError: 'disk full',
    }),
    text,
  )
  expect(found.map((x) => x.id)).toEqual(['rejected', 'redis', 'disk', 'dropped', 'volatile', 'waits', 'clock', 'error'])
  expect(found.map((x) => x.text)).toContain('2 KiB of records wait on disk for Redis')
  expect(found.map((x) => x.text)).toContain('3 records lost')
  expect(found.map((x) => x.text)).toContain('It says: “disk full”.')
  // One that is not heard of is not blamed for Redis.
  expect(attention(node({ state: 'offline', redisOk: false }), text)).toEqual([])
})

it('tells on which side of Redis a clock is', () => {
  expect(clock(node({ clockOffsetMs: 999 }), text.t, text.format)).toBe('In step')
  expect(clock(node({ clockOffsetMs: 2_000 }), text.t, text.format)).toBe('Its clock is 2 s behind')
  expect(clock(node({ clockOffsetMs: -2_000 }), text.t, text.format)).toBe('Its clock is 2 s ahead')
})

it('knows when a gateway took its revision only from that revision’s acknowledgement', () => {
  const status = {
    revision: 7,
    started: '2026-11-22T00:00:00Z',
    published: true,
    nodes: [
      { id: 'a', name: 'gw-1', group: 'default', state: 'applied' as const, ms: 96 },
      { id: 'b', name: 'gw-2', group: 'default', state: 'applied' as const },
    ],
  }
  expect(appliedAt(node(), status)).toEqual({ at: Date.parse('2026-11-22T00:00:00.096Z'), ms: 96 })
  expect(appliedAt(node({ id: 'b' }), status)).toBeUndefined()
  expect(appliedAt(node({ generation: 6 }), status)).toBeUndefined()
  expect(appliedAt(node(), undefined)).toBeUndefined()
})

it('searches every word in any of the fields', () => {
  const nodes = [node(), node({ id: 'b', name: 'gw-2', group: 'lab', state: 'behind' })]
  expect(search(nodes, 'GW lab', undefined).map((n) => n.id)).toEqual(['b'])
  expect(search(nodes, '', 'current').map((n) => n.id)).toEqual(['a'])
  expect(search(nodes, 'none', undefined)).toEqual([])
})

it('ages by the second and never backwards', () => {
  expect(age('2026-11-22T00:00:00Z', Date.parse('2026-11-22T00:00:09.900Z'))).toBe(9_000)
  expect(age('2026-11-22T00:00:00Z', Date.parse('2026-11-21T23:59:00Z'))).toBe(0)
})

describe('reasons', () => {
  const codes = readFileSync('../pkg/fault/CODES.md', 'utf8').matchAll(/^\| `((?:node|root)\.\w+|sink\.failing)`/gm)
  const known = [...codes].map((m) => m[1] ?? '')
  const params = { sink: 'calls', since: '2026-11-22T00:00:00Z', error: 'no such file' }

  it('are many', () => expect(known.length).toBeGreaterThan(12))
  it.each(known)('%s has words in both languages', async (code) => {
    for (const language of ['en', 'ko'] as const) {
      const said = i18n(language, await allTexts(language), 'UTC')
      const n = node({ reason: 'English', reasonCode: code, reasonParams: params, lastError: 'English', lastErrorCode: code })
      expect(reasonOf(n, said)?.own).toBe(false)
      expect(reasonOf({ ...n, reasonParams: undefined }, said)?.own).toBe(code === 'sink.failing')
      expect(reasonOf(n, said)?.text).not.toContain('{')
      expect(/[가-힣]/.test(reasonOf(n, said)?.text ?? '')).toBe(language === 'ko')
    }
  })
  it('without a code, or with one that is not known, are the node’s own words', () => {
    expect(reasonOf(node(), text)).toBeUndefined()
    for (const reasonCode of [undefined, 'node.of_tomorrow']) {
      expect(reasonOf(node({ reason: 'odd', reasonCode }), text)).toEqual({ text: 'odd', own: true })
    }
    expect(lastErrorOf(node({ lastError: 'odd' }), text)).toEqual({ text: 'odd', own: true })
    expect(lineOf({ text: 'odd', own: true }, text)).toBe('It says: “odd”.')
    expect(lineOf({ text: 'Known.', own: false }, text)).toBe('Known.')
  })
})
