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
  expect(row.textContent).toContain('the disk is full')
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
  expect(screen.getByText('the filter is not known')).toBeTruthy()
  expect(screen.getByText('The version before still serves.')).toBeTruthy()
  expect(screen.getByText('4 records lost')).toBeTruthy()
})

it('says that a node is not known, and where the others are', async () => {
  answer({ 'GET /gateways/gone': problem(404, 'fleet.unknown_node') })
  await show(<GatewayPage id="gone" />)
  expect(await screen.findByRole('heading', { name: 'This gateway is not known' })).toBeTruthy()
  expect(screen.getByRole('link', { name: 'All gateways' })).toBeTruthy()
})
