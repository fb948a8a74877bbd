import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it } from 'vitest'
import { admin, answer, show } from '../../testing/render'
import Overview from './Overview'

const list = (...items: unknown[]) => ({ items, next: '', total: items.length, totalExact: true })
const node = {
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
  load: { rps: 12, connections: 3, inFlight: 1, rss: 23_000_000, goroutines: 26 },
  clockOffsetMs: 0,
}
const fresh = {
  'GET /gateways': list(),
  'GET /publishing': { revision: 0, published: 0, storeBehind: false },
  'GET /revisions': list(),
  'GET /apis': list(),
  'GET /keys': list(),
  'GET /requests': { ...list(), from: '', to: '', problems: [] },
}
const request = {
  id: 'r-1',
  at: '2026-11-22T00:00:00Z',
  method: 'GET',
  host: 'h',
  path: '/orders/7',
  status: 502,
  totalMs: 12,
  upstreamMs: 11,
  gatewayMs: 1,
  api: { id: 'orders', name: 'Orders' },
  node: 'a',
  flags: [],
}
const full = {
  ...fresh,
  'GET /gateways': list(node),
  'GET /publishing': { revision: 7, published: 7, storeBehind: false },
  'GET /apis': list({ object: { name: 'Orders' }, meta: { id: 'orders' } }),
  'GET /keys': list({ id: 'k' }),
  'GET /requests': { ...list(request), from: '', to: '', problems: [] },
}

it('leads a new installation step by step', async () => {
  answer(fresh)
  await show(<Overview />)
  expect(await screen.findByText('0 of 4 done')).toBeTruthy()
  expect(screen.getByRole('link', { name: 'How to connect one' }).getAttribute('href')).toBe('/gateways')
  expect(screen.getByText('No gateway is connected, so no API is served')).toBeTruthy()
})

it('ticks a step by what is there', async () => {
  answer({ ...fresh, 'GET /gateways': list(node), 'GET /apis': full['GET /apis'] })
  await show(<Overview />)
  expect(await screen.findByText('2 of 4 done')).toBeTruthy()
  expect(screen.getByText('Connected: gw-1')).toBeTruthy()
  expect(screen.getByRole('link', { name: 'Open the API' }).getAttribute('href')).toBe('/apis/orders')
})

it('forgets the steps when all are done, and when somebody hides them', async () => {
  answer(full)
  const first = await show(<Overview />)
  await screen.findByText('Everything up to revision 7 is published')
  expect(screen.queryByText('Get started')).toBeNull()
  first.unmount()
  localStorage.clear()
  answer(fresh)
  await show(<Overview />)
  await userEvent.setup().click(await screen.findByRole('button', { name: 'Hide this list' }))
  expect(screen.queryByText('Get started')).toBeNull()
})

it('shows a failed request once, above the others', async () => {
  answer(full)
  await show(<Overview />)
  const links = await screen.findAllByRole('link', { name: /\/orders\/7/ })
  expect(links.map((l) => l.getAttribute('href'))).toEqual(['/requests/r-1'])
})

it('tells once what keeps every part from being read', async () => {
  const body = JSON.stringify({ type: 'about:blank', title: 'no', status: 500, code: 'store.unavailable' })
  const away = () => new Response(body, { status: 500, headers: { 'Content-Type': 'application/problem+json' } })
  answer(Object.fromEntries(Object.keys(fresh).map((o) => [o, away()])))
  await show(<Overview />)
  expect(await screen.findAllByText('Could not be loaded.')).toHaveLength(4)
  expect(screen.getAllByRole('alert')).toHaveLength(1)
  answer(full)
  await userEvent.setup().click(screen.getByRole('button', { name: 'Try again' }))
  await screen.findByText('Everything up to revision 7 is published')
  expect(screen.queryByRole('alert')).toBeNull()
})

it('keeps what works where one part fails', async () => {
  const gone = new Response(JSON.stringify({ title: 'set it', status: 409, code: 'requests.no_archive' }), {
    status: 409,
    headers: { 'Content-Type': 'application/problem+json' },
  })
  answer({ ...full, 'GET /requests': gone })
  await show(<Overview />)
  await waitFor(() => expect(screen.getAllByText(/where records are kept/).length).toBeGreaterThan(0))
  expect(screen.getByText('The one gateway is current')).toBeTruthy()
})

it('asks for nothing that its reader may not see', async () => {
  const { calls } = answer({ 'GET /apis': list() })
  await show(<Overview />, { session: { ...admin, permissions: ['apis:read'] } })
  await waitFor(() => expect(calls.map((c) => c.operation)).toEqual(['GET /apis']))
  expect(screen.queryByText('Health')).toBeNull()
  expect(screen.queryByText('Keys')).toBeNull()
})
