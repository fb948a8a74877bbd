import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { QueryClientProvider } from '@tanstack/react-query'
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from '@tanstack/react-router'
import { configure, render, screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { queryClient } from '../../api/query'
import type { Session } from '../../api/schema'
import { I18nProvider } from '../../i18n'
import { SessionProvider } from '../../session'
import { allTexts } from '../../testing/texts'
import { parseSearch, stringifySearch } from '../../url'
import Api from './Api'
import { saveOf } from './api/draft'

const repo = join(import.meta.dirname, '../../../..')
const schema = readFileSync(join(repo, 'pkg/apidef/schema.json'), 'utf8')
const catalogue = JSON.parse(readFileSync(join(repo, 'pkg/apidef/catalog.json'), 'utf8')) as {
  filters: { schema: unknown }[]
}
const filters = { items: catalogue.filters.map(({ schema: jsonSchema, ...f }) => ({ ...f, jsonSchema })), next: '', total: 0 }
const full = readFileSync(join(repo, 'pkg/apidef/testdata/full.json'), 'utf8').trim()

// A dialog's code is fetched when it is first opened, which takes its time on a busy machine.
configure({ asyncUtilTimeout: 10_000 })

/** The network's edge: one API, and what was sent to it. */
let stored: { text: string; revision: number; by: string }
let sent: { method: string; path: string; body: string; ifMatch: string | null }[]
let refuse: { status: number; body: unknown } | undefined
let trial: unknown

function envelope() {
  const meta = {
    id: 'orders',
    revision: stored.revision,
    etag: `"${stored.revision}"`,
    sha256: '',
    updatedAt: '2026-11-22T01:00:00Z',
    updatedBy: { kind: 'user', id: 'u', name: stored.by },
  }
  return `{"object":${stored.text},"meta":${JSON.stringify(meta)},"revision":${stored.revision},"problems":[],"plan":[]}`
}

function answer(method: string, path: string, body: string, ifMatch: string | null): Response {
  const json = (text: string, status = 200) => new Response(text, { status, headers: { 'Content-Type': 'application/json' } })
  const nodes = [{ id: 'n', name: 'gateway-1', group: 'default', state: 'applied', ms: 12 }]
  const publish = { revision: stored.revision, started: '2026-11-22T01:00:00Z', published: true, nodes }
  if (path.includes('dry_run=1')) {
    if (trial) return json(JSON.stringify(trial))
    return json('{"code":"network","title":"away"}', 503)
  }
  if (method !== 'GET') sent.push({ method, path, body, ifMatch })
  if (path.startsWith('/schema/api')) return json(schema)
  if (path.startsWith('/filters')) return json(JSON.stringify(filters))
  if (path.startsWith('/apis/check')) return json('{"problems":[]}')
  if (path.startsWith('/apis/orders/status')) return json(JSON.stringify({ id: 'orders', state: 'active', publish }))
  if (path.startsWith('/publishes/')) return json(JSON.stringify(publish))
  if (path.startsWith('/gateways')) return json('{"items":[],"next":"","total":0,"totalExact":true}')
  if (path.startsWith('/apis/orders') && method === 'GET') return json(envelope())
  if (path.startsWith('/apis/orders')) {
    if (refuse) return json(JSON.stringify(refuse.body), refuse.status)
    if (ifMatch !== `"${stored.revision}"`) return json('{"code":"precondition.stale","title":"stale"}', 412)
    stored = { ...stored, revision: stored.revision + 1, by: 'me' }
    return json(envelope())
  }
  return json('{"items":[],"next":"","total":0,"totalExact":true,"problems":[]}')
}

beforeEach(async () => {
  stored = { text: full, revision: 7, by: 'admin' }
  sent = []
  refuse = undefined
  trial = undefined
  queryClient.clear()
  sessionStorage.clear()
  await allTexts('en')
  vi.stubGlobal('fetch', (url: string, init: RequestInit) =>
    Promise.resolve(
      answer(
        init.method ?? 'GET',
        url.replace('/api/v1', ''),
        String(init.body ?? ''),
        new Headers(init.headers).get('If-Match'),
      ),
    ),
  )
})
afterEach(() => vi.unstubAllGlobals())

const permissions = ['apis:read', 'apis:write', 'gateways:read']

function open(address: string, may = permissions) {
  const root = createRootRoute()
  const page = createRoute({ getParentRoute: () => root, path: '/apis/$id', component: Api })
  const router = createRouter({
    routeTree: root.addChildren([page]),
    history: createMemoryHistory({ initialEntries: [address] }),
    parseSearch,
    stringifySearch,
  })
  const session = { permissions: may, user: { login: 'kim' }, role: 'admin' } as unknown as Session
  render(
    <QueryClientProvider client={queryClient}>
      <I18nProvider>
        <SessionProvider session={session}>
          <RouterProvider router={router as never} />
        </SessionProvider>
      </I18nProvider>
    </QueryClientProvider>,
  )
  return userEvent.setup()
}

const writes = () => sent.filter((s) => s.method === 'PATCH' || s.method === 'PUT')

it('opened forms that are left without an edit send nothing and offer nothing to publish', async () => {
  const user = open('/apis/orders?tab=edit&endpoint=0')
  await screen.findByLabelText(/^Listen path/)
  for (let i = 0; i < 30; i++) await user.tab()
  expect(screen.queryByRole('button', { name: 'Review' })).toBeNull()
  expect(sent).toEqual([])
}, 60_000)

it('a changed field is published as a merge patch of that field, with the version that was opened', async () => {
  const user = open('/apis/orders?tab=edit')
  const path = await screen.findByLabelText(/^Listen path/)
  await user.clear(path)
  await user.type(path, '/o/')
  await user.click(screen.getByRole('button', { name: 'Review' }))
  const dialog = await screen.findByRole('dialog')
  await within(dialog).findByText('Listen › Listen path: /orders/ → /o/')
  await user.click(within(dialog).getByRole('button', { name: 'Publish' }))
  await waitFor(() => expect(writes()).toHaveLength(1))
  expect(writes()[0]).toEqual({ method: 'PATCH', path: '/apis/orders', body: '{"listen":{"path":"/o/"}}', ifMatch: '"7"' })
  await screen.findByText(/Live on 1\/1/)
}, 60_000)

it('the review says what the server finds different', async () => {
  const difference = {
    op: 'changed',
    path: '/upstream/targets/1/weight',
    before: 1,
    after: 3,
    code: 'diff.changed',
    params: { what: 'upstream › targets › http://b:1 › weight', before: '1', after: '3' },
    message: 'said in English',
  }
  trial = {
    object: null,
    meta: null,
    problems: [],
    plan: [{ action: 'update', kind: 'api', id: 'orders', differences: [difference] }],
  }
  const user = open('/apis/orders?tab=edit')
  await user.type(await screen.findByLabelText(/^Name/), '!')
  await user.click(screen.getByRole('button', { name: 'Review' }))
  const dialog = await screen.findByRole('dialog')
  expect((await within(dialog).findByText('3')).closest('li')?.textContent).toBe(
    '~Upstream › Targets › http://b:1 › Weight: 1 → 3',
  )
  expect(writes()).toEqual([])
}, 60_000)

it('a refused field shows what is wrong and gets the focus', async () => {
  const user = open('/apis/orders?tab=edit')
  const name = await screen.findByLabelText(/^Name/)
  await user.type(name, 'x')
  refuse = {
    status: 422,
    body: {
      code: 'api.invalid',
      title: 'invalid',
      problems: [{ code: 'odd', path: '/upstream/targets/1/url', message: 'no such server', severity: 'error' }],
    },
  }
  await user.click(screen.getByRole('button', { name: 'Review' }))
  await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Publish' }))
  const url = screen.getAllByLabelText('URL')[1] as HTMLElement
  await waitFor(() => expect(url.getAttribute('aria-invalid')).toBe('true'))
  await waitFor(() => expect(document.activeElement).toBe(url))
}, 60_000)

it('somebody else’s change of another place comes in by itself and is said', async () => {
  const user = open('/apis/orders?tab=edit')
  await user.type(await screen.findByLabelText(/^Name/), '!')
  stored = { text: full.replace('"/v1"', '"/v2"'), revision: 8, by: 'Lee' }
  await user.click(screen.getByRole('button', { name: 'Review' }))
  await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Publish' }))
  const again = await screen.findByRole('dialog')
  await within(again).findByText(/Revision 8 by Lee was brought in: 1 change/)
  await user.click(within(again).getByRole('button', { name: 'Publish' }))
  await waitFor(() => expect(writes()).toHaveLength(2))
  expect(writes()[1]).toMatchObject({ ifMatch: '"8"', body: '{"name":"Orders 주문!"}' })
}, 60_000)

it('a change of the same place has to be decided', async () => {
  const user = open('/apis/orders?tab=edit')
  await user.type(await screen.findByLabelText(/^Name/), '!')
  stored = { text: full.replace('Orders 주문', 'Lee’s'), revision: 8, by: 'Lee' }
  await user.click(screen.getByRole('button', { name: 'Review' }))
  await user.click(within(await screen.findByRole('dialog')).getByRole('button', { name: 'Publish' }))
  const choice = await screen.findByRole('dialog', { name: 'Two changes of the same thing' })
  await user.click(within(choice).getByRole('radio', { name: /Yours/ }))
  await user.click(within(choice).getByRole('button', { name: 'Go on with this choice' }))
  await waitFor(() => expect(screen.getByLabelText<HTMLInputElement>(/^Name/).value).toBe('Orders 주문!'))
}, 60_000)

it('who may not write sees everything and the reason', async () => {
  open('/apis/orders?tab=edit', ['apis:read'])
  const path = await screen.findByLabelText<HTMLInputElement>(/^Listen path/)
  expect(path.readOnly).toBe(true)
  screen.getByText(/your role lacks the permission apis:write/)
}, 60_000)

it('sends the whole text only where its order or spelling was changed by hand', () => {
  const base = { stored: '{"a":1,"b":2}', text: '{"a":1,"b":2}', value: { a: 1, b: 2 } } as never
  expect(saveOf(base, '{"b":2,"a":1}', { b: 2, a: 1 }, true)).toEqual({ method: 'PUT', body: '{"b":2,"a":1}' })
  expect(saveOf(base, '{"a":1,"b":3}', { a: 1, b: 3 }, true)).toEqual({ method: 'PATCH', body: '{"b":3}' })
  expect(saveOf(base, '{"a":1,"b":null}', { a: 1, b: null }, true)).toEqual({ method: 'PUT', body: '{"a":1,"b":null}' })
})
