import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { queryClient } from '../../api/query'
import { answer, show } from '../../testing/render'
import { EditKey } from './EditKey'
import NewKey from './NewKey'

const empty = { items: [], next: '', total: 0, totalExact: true }
const preview = { policies: [], skipped: [], refused: false, rights: [], metadata: {}, origins: {}, problems: [] }
const key = {
  id: 'k_1',
  org: 'default',
  prefix: 'slc_7Fqa',
  alias: 'shop',
  owner: 'Kim',
  state: 'active' as const,
  version: 1,
  createdAt: '2026-11-22T00:00:00Z',
  updatedAt: '2026-11-22T00:00:00Z',
  expiresAt: '2027-11-22T00:00:00.123Z',
}
const secret = 'slc_7FqaSecretSecretSecretSecretSecret'
const lists = { 'GET /apis': empty, 'GET /policies': empty, 'GET /gateways': empty, 'POST /keys/preview': preview }

describe('a new key', () => {
  it('asks for alias and owner before it asks the server', async () => {
    const { calls } = answer(lists)
    await show(<NewKey />)
    await userEvent.click(await screen.findByRole('button', { name: 'Create key' }))
    expect((await screen.findAllByText('This is required.')).length).toBe(2)
    expect(calls.some((c) => c.operation === 'POST /keys')).toBe(false)
  })

  it('shows its secret once and keeps it nowhere', async () => {
    const { calls } = answer({ ...lists, 'POST /keys': { object: key, secret, problems: [] } })
    const { router } = await show(<NewKey />)
    await userEvent.type(await screen.findByLabelText('Alias'), 'shop')
    await userEvent.type(screen.getByLabelText('Owner'), 'Kim')
    await userEvent.click(screen.getByRole('radio', { name: 'Never' }))
    await userEvent.click(screen.getByRole('button', { name: 'Create key' }))
    expect(await screen.findByText(secret)).toBeTruthy()
    expect(calls.find((c) => c.operation === 'POST /keys')?.body).toEqual({ alias: 'shop', owner: 'Kim', expiresAt: null })
    const cached = JSON.stringify(
      queryClient
        .getQueryCache()
        .getAll()
        .map((q) => [q.queryKey, q.state.data]),
    )
    expect(cached).not.toContain(secret)
    expect(JSON.stringify({ ...localStorage, ...sessionStorage })).not.toContain(secret)
    expect(router.state.location.href).not.toContain(secret)
    await userEvent.click(screen.getByRole('button', { name: 'I stored it' }))
    expect(screen.getByRole('button', { name: 'To the key' })).toBeTruthy()
  })
})

describe('an edit of a key', () => {
  it('sends nothing when nothing was changed', async () => {
    const { calls } = answer(lists)
    let done = false
    await show(<EditKey object={key} etag={'"1"'} onDone={() => (done = true)} />)
    await userEvent.click(await screen.findByRole('button', { name: 'Save' }))
    expect(done).toBe(true)
    expect(calls.some((c) => c.operation.startsWith('PATCH'))).toBe(false)
  })

  it('shows what others changed meanwhile, and saves over it when told to', async () => {
    const stale = { type: 'about:blank', title: 'changed', status: 412, code: 'precondition.stale' }
    const headers = { 'Content-Type': 'application/json', ETag: '"2"' }
    const { calls } = answer({
      ...lists,
      'PATCH /keys/k_1': new Response(JSON.stringify(stale), {
        status: 412,
        headers: { 'Content-Type': 'application/problem+json' },
      }),
      'GET /keys/k_1': new Response(JSON.stringify({ ...key, owner: 'Lee', version: 2 }), { headers }),
    })
    await show(<EditKey object={key} etag={'"1"'} onDone={() => undefined} />)
    const alias = await screen.findByLabelText('Alias')
    await userEvent.clear(alias)
    await userEvent.type(alias, 'shop-2')
    await userEvent.click(screen.getByRole('button', { name: 'Save' }))
    expect(await screen.findByText('Lee')).toBeTruthy()
    await userEvent.click(screen.getByRole('button', { name: 'Save mine over it' }))
    const sent = () => calls.filter((c) => c.operation === 'PATCH /keys/k_1')
    await waitFor(() => expect(sent().length).toBe(2))
    expect(sent().map((c) => [c.headers.get('If-Match'), c.body])).toEqual([
      ['"1"', { alias: 'shop-2' }],
      ['"2"', { alias: 'shop-2' }],
    ])
  })
})
