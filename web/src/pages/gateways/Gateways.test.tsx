import { screen, within } from '@testing-library/react'
import { expect, it } from 'vitest'
import { answer, show } from '../../testing/render'
import { GatewayPage } from './Gateway'
import Gateways from './Gateways'

const node = {
  id: 'a',
  name: 'gw-1',
  service: 'gateway',
  version: 'v1',
  group: 'default',
  state: 'current',
  epoch: 1,
  generation: 7,
  expected: 7,
  source: 'live',
  redisOk: true,
  startedAt: '2026-11-22T00:00:00Z',
  seenAt: '2026-11-22T00:00:00Z',
  load: { rps: 12.5, connections: 3, inFlight: 1, rss: 23_000_000, goroutines: 26 },
  clockOffsetMs: 0,
}
const list = (...items: unknown[]) => ({ items, next: '', total: items.length, totalExact: true })
const publish = { revision: 7, started: '2026-11-22T00:00:00Z', published: true, nodes: [] }
const problem = (status: number, code: string) =>
  new Response(JSON.stringify({ type: 'about:blank', title: code, status, code, requestId: 'R1' }), {
    status,
    headers: { 'Content-Type': 'application/problem+json' },
  })

it('sums the fleet up, gives the reason of what is late, and shows pumps', async () => {
  const behind = { ...node, id: 'b', name: 'gw-2', state: 'behind', generation: 6, reason: 'the disk is full' }
  const pump = { ...node, id: 'p', name: 'pump-1', service: 'pump', generation: 0, expected: 0 }
  answer({ 'GET /gateways': list(node, behind, pump), 'GET /publishes/7': publish })
  await show(<Gateways />)
  expect(await screen.findByText('1/2 on revision 7')).toBeTruthy()
  const table = screen.getByRole('table', { name: 'Gateways' })
  const row = within(table).getByRole('link', { name: 'gw-2' }).closest('[role=row]') as HTMLElement
  expect(row.textContent).toContain('Behind')
  expect(row.textContent).toContain('It says: “the disk is full”.')
  expect(within(row).getByText('the disk is full').lang).toBe('en')
  expect(row.textContent).toContain('6 → 7')
  expect(within(table).queryByText('pump-1')).toBeNull()
  expect(screen.getByRole('link', { name: 'pump-1' }).getAttribute('href')).toBe('/gateways/p')
})

it('says how a gateway comes where there is none', async () => {
  answer({ 'GET /gateways': list() })
  await show(<Gateways />)
  expect(await screen.findByRole('heading', { name: 'No gateway is connected' })).toBeTruthy()
  expect(screen.getByText(/addresses: \[REDIS_HOST:6379\]/)).toBeTruthy()
})

it('takes search and state from the address', async () => {
  answer({ 'GET /gateways': list(node, { ...node, id: 'b', name: 'gw-2' }), 'GET /publishes/7': publish })
  await show(<Gateways />, { at: '/?q=gw-2' })
  expect(await screen.findByRole('link', { name: 'gw-2' })).toBeTruthy()
  expect(screen.queryByRole('link', { name: 'gw-1' })).toBeNull()
})

it('says that the list cannot be read, with the request', async () => {
  answer({ 'GET /gateways': problem(500, 'fleet.unavailable') })
  await show(<Gateways />)
  expect(await screen.findByText(/because Redis does not answer/)).toBeTruthy()
  expect(screen.getByText('R1')).toBeTruthy()
})

it('shows what a gateway rejected, and which API that is', async () => {
  const rejected = [{ kind: 'api', id: 'orders', org: 'default', code: 'x.y', message: 'the filter is not known', kept: true }]
  answer({
    'GET /gateways/a': { ...node, state: 'rejected', rejected, spool: { diskBytes: 0, dropped: 4, volatile: false } },
    'GET /publishes/7': publish,
  })
  await show(<GatewayPage id="a" />)
  expect((await screen.findByRole('link', { name: 'orders' })).getAttribute('href')).toBe('/apis/orders')
  expect(screen.getByText('the filter is not known').lang).toBe('en')
  expect(screen.getByText('The version before still serves.')).toBeTruthy()
  expect(screen.getByText('4 records lost')).toBeTruthy()
})

it('says that a node is not known, and where the others are', async () => {
  answer({ 'GET /gateways/gone': problem(404, 'fleet.unknown_node') })
  await show(<GatewayPage id="gone" />)
  expect(await screen.findByRole('heading', { name: 'This gateway is not known' })).toBeTruthy()
  expect(screen.getByRole('link', { name: 'All gateways' })).toBeTruthy()
})

const key = {
  state: 'degraded',
  reason: 'the root of group "default" is signed by a key that is not trusted here (root.key): unknown signing key',
  reasonCode: 'root.key',
  lastError: 'the root of group "default" is signed by a key that is not trusted here (root.key): unknown signing key',
  lastErrorCode: 'root.key',
}

it('says reasons that have a code in Korean, and keeps what the gateway itself said', async () => {
  const rejected = [{ kind: 'api', id: 'orders', org: 'default', code: 'filter.invalid', message: 'no such header', kept: false }]
  answer({ 'GET /gateways/a': { ...node, ...key, rejected }, 'GET /publishes/7': publish })
  await show(<GatewayPage id="a" />, { language: 'ko' })
  expect(await screen.findByText(/적용된 설정이 신뢰하지 않는 키로 서명되었습니다/)).toBeTruthy()
  expect(screen.getByText('코드 root.key')).toBeTruthy()
  expect(screen.getByText(key.lastError).lang).toBe('en')
  expect(screen.getByText(/자체 메시지/).textContent).toBe(`자체 메시지: “${key.lastError}”.`)
  expect(screen.getByText('이 필터를 사용할 수 없습니다. 게이트웨이의 메시지: “no such header”.')).toBeTruthy()
})

it('marks what has no code as the gateway’s own words, once', async () => {
  const own = { ...node, state: 'degraded', reason: 'the disk is full', lastError: 'the disk is full' }
  answer({ 'GET /gateways/a': own, 'GET /publishes/7': publish })
  await show(<GatewayPage id="a" />, { language: 'ko' })
  expect((await screen.findByText('the disk is full')).lang).toBe('en')
  expect(screen.getByText(/자체 메시지/).textContent).toBe('자체 메시지: “the disk is full”.')
})

it('lists what is late and which sink fails in Korean', async () => {
  const behind = {
    ...node,
    state: 'behind',
    generation: 1204,
    expected: 1206,
    reason: 'runs generation 1204 of 1206 and has not said why',
    reasonCode: 'node.behind',
  }
  const pump = {
    ...node,
    id: 'p',
    name: 'pump-1',
    service: 'pump',
    state: 'degraded',
    reason: 'sink calls fails since 2026-11-22T00:00:00Z: no such file',
    reasonCode: 'sink.failing',
    reasonParams: { sink: 'calls', since: '2026-11-22T00:00:00Z', error: 'no such file' },
  }
  answer({ 'GET /gateways': list(behind, pump), 'GET /publishes/1206': { ...publish, revision: 1206 } })
  const { container } = await show(<Gateways />, { language: 'ko' })
  expect(await screen.findByText('리비전 1206 대신 1204를 실행하고 있으며 이유를 알리지 않았습니다.')).toBeTruthy()
  expect(screen.getByText(/^calls 싱크가 2026.+부터 실패하고 있습니다. 싱크의 메시지: “no such file”\.$/)).toBeTruthy()
  expect(container.textContent).not.toContain('T00:00:00Z')
})
