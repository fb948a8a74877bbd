import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it } from 'vitest'
import { admin, answer, show } from '../../testing/render'
import { Compare, rangeOf } from './Compare'
import { RevisionPage } from './Revision'
import Revisions from './Revisions'

const revision = {
  revision: 7,
  at: '2026-11-22T00:00:00Z',
  author: { kind: 'token', id: 't', name: 'ci' },
  note: 'for the shop',
  changes: [{ org: 'default', kind: 'api', id: 'orders', before: 'aa', after: 'bb' }],
}
const list = (...items: unknown[]) => ({ items, next: '', total: items.length, totalExact: true })
const orders = { kind: 'api', id: 'orders', name: 'Orders', action: 'update', before: 'aa', after: 'bb' }
const renamed = {
  op: 'changed',
  path: '/name',
  before: 'Old',
  after: 'New',
  code: 'diff.changed',
  params: { what: 'name', before: 'Old', after: 'New' },
  message: 'name: Old → New',
}
const publish = {
  revision: 7,
  started: '2026-11-22T00:00:00Z',
  published: true,
  nodes: [
    { id: 'a', name: 'gw-1', group: 'default', state: 'applied', ms: 96 },
    { id: 'b', name: 'gw-2', group: 'default', state: 'pending' },
  ],
}

it('lists what was changed, by whom, with links to revision and object', async () => {
  answer({ 'GET /revisions': list(revision) })
  await show(<Revisions />)
  expect((await screen.findByRole('link', { name: '7' })).getAttribute('href')).toBe('/revisions/7')
  expect(screen.getByRole('link', { name: 'API orders' }).getAttribute('href')).toBe('/apis/orders')
  expect(screen.getByText('ci, API token')).toBeTruthy()
  expect(screen.getByText('for the shop')).toBeTruthy()
})

it('does not link to what is gone, and counts further changes', async () => {
  const gone = { org: 'default', kind: 'api', id: 'old', before: 'aa' }
  answer({ 'GET /revisions': list({ ...revision, changes: [gone, ...revision.changes] }) })
  await show(<Revisions />)
  expect(await screen.findByText(/Deleted API old and 1 more change/)).toBeTruthy()
  expect(screen.queryByRole('link', { name: 'API old' })).toBeNull()
})

it('asks for one object’s history and offers the whole', async () => {
  const user = userEvent.setup()
  answer({ 'GET /revisions': list(revision) })
  const { router } = await show(<Revisions />, { at: '/?kind=api&id=orders' })
  expect(await screen.findByText('Only revisions that changed the API orders')).toBeTruthy()
  await user.click(screen.getByRole('button', { name: 'Show all revisions' }))
  expect(router.state.location.search).toEqual({})
})

it('says what revisions are where there is none; who may not write is not asked to', async () => {
  answer({ 'GET /revisions': list() })
  await show(<Revisions />, { session: { ...admin, permissions: ['revisions:read'] } })
  expect(await screen.findByRole('heading', { name: 'No revisions yet' })).toBeTruthy()
  expect(screen.queryByRole('link', { name: 'Create an API' })).toBeNull()
})

const newest = { 'GET /publishing': { revision: 8, published: 8, storeBehind: false } }

it('shows what changed by sentence and by line, and who has confirmed', async () => {
  const user = userEvent.setup()
  answer({
    ...newest,
    'GET /revisions/7': revision,
    'GET /publishes/7': publish,
    'GET /revisions/6/diff/7': { from: 6, to: 7, objects: [{ ...orders, differences: [renamed] }] },
    'GET /revisions/7/changes/api/orders': { before: { id: 'orders', name: 'Old' }, after: { id: 'orders', name: 'New' } },
  })
  await show(<RevisionPage number="7" />)
  expect((await screen.findByText('Old')).tagName).toBe('DEL')
  expect(screen.getByText('New').tagName).toBe('INS')
  expect(screen.getByText('Old').closest('li')?.textContent).toBe('~Name: Old → New')
  expect(screen.getByText('gw-1: live after 96 ms')).toBeTruthy()
  expect(screen.getByText('gw-2: has not confirmed yet')).toBeTruthy()
  expect((await screen.findByRole('link', { name: 'Newer' })).getAttribute('href')).toBe('/revisions/8')
  await user.click(screen.getByRole('tab', { name: 'JSON diff' }))
  expect(await screen.findByText(/"name": "New"/)).toBeTruthy()
})

it.each(['0', 'x', '01x'])('says that %s is no revision, without asking', async (number) => {
  const { calls } = answer({})
  await show(<RevisionPage number={number} />)
  expect(await screen.findByRole('heading', { name: 'There is no such revision.' })).toBeTruthy()
  expect(calls.filter((c) => c.operation.includes('/revisions/'))).toEqual([])
})

it('shows fields where the differences cannot be read', async () => {
  answer({
    ...newest,
    'GET /revisions/7': revision,
    'GET /publishes/7': publish,
    'GET /revisions/6/diff/7': new Response('{"code":"store.unavailable","title":"away"}', { status: 400 }),
    'GET /revisions/7/changes/api/orders': { before: { id: 'orders', name: 'Old' }, after: { id: 'orders', name: 'New' } },
  })
  await show(<RevisionPage number="7" />)
  expect((await screen.findByText('Old')).closest('td')).toBeTruthy()
})

it('searches what the address says, and goes on where a page has nothing yet', async () => {
  const user = userEvent.setup()
  const asked: string[] = []
  answer({})
  const pages: Record<string, unknown> = { '': { items: [], next: '40', total: 0, totalExact: false }, '40': list(revision) }
  globalThis.fetch = (async (input: RequestInfo | URL) => {
    const url = new URL(String(input), 'http://console')
    const found = url.pathname.endsWith('/publishing') ? newest['GET /publishing'] : pages[url.searchParams.get('cursor') ?? '']
    if (url.pathname.endsWith('/revisions')) asked.push(url.search)
    return new Response(JSON.stringify(found), { headers: { 'Content-Type': 'application/json' } })
  }) as typeof fetch
  const { router } = await show(<Revisions />, { at: '/?q=shop' })
  expect(await screen.findByText('for the shop')).toBeTruthy()
  expect(asked.slice(0, 2)).toEqual(['?q=shop', '?q=shop&cursor=40'])
  await user.clear(screen.getByRole('searchbox', { name: 'Search note, author, object' }))
  await waitFor(() => expect(router.state.location.search).toEqual({}))
})

it('compares any two revisions, object by object', async () => {
  const gone = { ...orders, id: 'old', name: 'Old shop', action: 'delete', after: undefined, differences: null }
  answer({
    ...newest,
    'GET /revisions/3/diff/7': { from: 3, to: 7, objects: [{ ...orders, differences: [renamed] }, gone] },
    'GET /revisions': list(revision, { ...revision, revision: 2 }),
    'GET /revisions/7/changes/api/old': { before: { id: 'old' }, after: null },
    'GET /revisions/2/changes/api/old': { before: null, after: { id: 'old', name: 'Old shop' } },
  })
  await show(<Compare from={3} to={7} />)
  expect(await screen.findByRole('heading', { name: 'Changed API Orders' })).toBeTruthy()
  expect(screen.getByRole('heading', { name: 'Deleted API Old shop' })).toBeTruthy()
  expect((await screen.findByText('Old shop')).tagName).toBe('DEL')
  expect(screen.getByRole('link', { name: 'Other way round' }).getAttribute('href')).toBe('/revisions/7..3')
})

it('says when nothing differs, and when there is no such revision', async () => {
  answer({ ...newest, 'GET /revisions/3/diff/3': { from: 3, to: 3, objects: [] } })
  const { unmount } = await show(<Compare from={3} to={3} />)
  expect(await screen.findByText('Nothing differs')).toBeTruthy()
  unmount()
  const missing = { code: 'revision.not_found', title: 'there is no revision 99', status: 404 }
  answer({ ...newest, 'GET /revisions/3/diff/99': new Response(JSON.stringify(missing), { status: 404 }) })
  await show(<Compare from={3} to={99} />)
  expect(await screen.findByText('There is no such revision.')).toBeTruthy()
})

it.each([
  ['3..7', { from: 3, to: 7 }],
  ['7..0', { from: 7, to: 0 }],
  ['3..', undefined],
  ['3', undefined],
  ['3...7', undefined],
])('%s names %j', (raw, want) => expect(rangeOf(raw)).toEqual(want))
