import { describe, expect, it } from 'vitest'
import type { Node } from '../../api/schema'
import { i18n } from '../../i18n'
import { allTexts } from '../../testing/texts'
import { stepsDone } from './Checklist'
import { health, type Signs } from './health'

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
    redisOk: true,
    startedAt: '2026-11-22T00:00:00Z',
    seenAt: '2026-11-22T00:00:00Z',
    load: { rps: 0, connections: 0, inFlight: 0, rss: 0, goroutines: 0 },
    clockOffsetMs: 0,
    ...change,
  }
}

const pump = node({ id: 'p', name: 'pump-1', service: 'pump' })
const well: Signs = {
  publishing: { revision: 7, published: 7, storeBehind: false },
  nodes: [node(), pump],
  requests: { problems: [] },
}

describe('health', () => {
  it('is calm where everything works', () => {
    expect(health(well, text).map((c) => [c.id, c.tone])).toEqual([
      ['publishing', 'ok'],
      ['gateways', 'ok'],
      ['pumps', 'ok'],
      ['records', 'ok'],
    ])
  })

  it('claims nothing of what it does not know', () => {
    expect(health({}, text)).toEqual([])
  })

  it.each<[string, Signs, string, string, string]>([
    [
      'the store is behind',
      { publishing: { revision: 7, published: 7, storeBehind: true, error: 'x' } },
      'publishing',
      'bad',
      'Redis holds',
    ],
    [
      'publishing fails',
      { publishing: { revision: 7, published: 6, storeBehind: false, error: 'no route' } },
      'publishing',
      'bad',
      'no route',
    ],
    [
      'publishing runs',
      { publishing: { revision: 7, published: 6, storeBehind: false } },
      'publishing',
      'info',
      'Revision 7 is being',
    ],
    ['nothing published', { publishing: { revision: 0, published: 0, storeBehind: false } }, 'publishing', 'off', 'Nothing'],
    ['no gateway', { nodes: [pump] }, 'gateways', 'warn', 'No gateway'],
    ['one behind', { nodes: [node({ state: 'behind' }), pump] }, 'gateways', 'warn', '1 gateway is not current'],
    ['one catches up', { nodes: [node({ state: 'catching-up' }), pump] }, 'gateways', 'info', '1 gateway'],
    ['Redis away', { nodes: [node({ redisOk: false }), pump] }, 'redis', 'bad', 'gw-1'],
    [
      'records lost',
      { nodes: [node({ spool: { diskBytes: 0, dropped: 2, volatile: false } }), pump] },
      'lost',
      'bad',
      '2 records',
    ],
    ['disk full', { nodes: [node({ spool: { diskBytes: 0, dropped: 0, volatile: true } }), pump] }, 'full', 'warn', 'gw-1'],
    [
      'records wait',
      { nodes: [node({ spool: { diskBytes: 1024, dropped: 0, volatile: false } }), pump] },
      'waits',
      'info',
      '1 KiB',
    ],
    ['no pump', { nodes: [node()] }, 'pumps', 'warn', 'No pump'],
    ['a pump offline', { nodes: [node(), { ...pump, state: 'offline' }] }, 'pumps', 'warn', '1 pump'],
    [
      'nothing stored',
      { requests: { problems: [{ code: 'requests.nothing_kept', path: '', message: '', severity: 'warning' }] } },
      'records',
      'off',
      'No pump has',
    ],
    ['requests cannot be read', { noRequests: 'Set records.driver.' }, 'records', 'warn', 'Set records.driver.'],
  ])('%s', (_, signs, id, tone, words) => {
    const found = health({ ...well, ...signs }, text).find((c) => c.id === id)
    expect(found?.tone).toBe(tone)
    expect(found?.text).toContain(words)
  })

  it('puts what fails above what works', () => {
    const tones = health({ ...well, nodes: [node({ redisOk: false, state: 'behind' })] }, text).map((c) => c.tone)
    expect(tones).toEqual(['bad', 'warn', 'warn', 'ok', 'ok'])
  })
})

describe('the first steps', () => {
  const none = { items: [], next: '', total: 0, totalExact: true }
  const keys = { ...none, names: { apis: {}, policies: {} } }
  it('are open on a new installation', () => {
    expect(stepsDone({ nodes: [node({ state: 'offline' }), pump], apis: none, keys, requests: { items: [] } })).toEqual({
      connect: false,
      create: false,
      call: false,
      key: false,
    })
  })
  it('tick by what there is; a request that matched no API is not the call', () => {
    const request = {
      id: '1',
      at: '',
      method: 'GET',
      host: '',
      path: '/',
      status: 404,
      totalMs: 1,
      upstreamMs: 0,
      gatewayMs: 1,
      node: 'a',
      flags: [],
    }
    const facts = { nodes: [node()], apis: { ...none, total: 1 }, keys: { ...keys, total: 1 }, requests: { items: [request] } }
    expect(stepsDone(facts)).toEqual({ connect: true, create: true, call: false, key: true })
    expect(stepsDone({ ...facts, requests: { items: [{ ...request, api: { id: 'x' } }] } }).call).toBe(true)
  })
})
