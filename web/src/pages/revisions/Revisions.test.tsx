import { screen } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it } from 'vitest'
import { admin, answer, show } from '../../testing/render'
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

it('shows what changed by field and by line, and who has confirmed', async () => {
  const user = userEvent.setup()
  answer({
    'GET /revisions/7': revision,
    'GET /publishes/7': publish,
    'GET /publishing': { revision: 8, published: 8, storeBehind: false },
    'GET /revisions/7/changes/api/orders': { before: { id: 'orders', name: 'Old' }, after: { id: 'orders', name: 'New' } },
  })
  await show(<RevisionPage number="7" />)
  expect((await screen.findByText('Old')).tagName).toBe('DEL')
  expect(screen.getByText('New').tagName).toBe('INS')
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
