import { act, screen, waitFor } from '@testing-library/react'
import { userEvent } from '@testing-library/user-event'
import { beforeEach, expect, test } from 'vitest'
import { setPrefs } from '../../../prefs'
import { answer, show } from '../../../testing/render'
import { allTexts } from '../../../testing/texts'
import CreateApi from './Create'
import { definitionOf, loadDraft, noFields, pathFrom, same } from './draft'

const problem = (status: number, body: Record<string, unknown>) =>
  new Response(JSON.stringify({ type: 'about:blank', title: 'no', status, ...body }), {
    status,
    headers: { 'Content-Type': 'application/problem+json' },
  })
const nodes = { items: [], next: '', total: 0, totalExact: true }
const free = { available: true, path: '/orders/', problems: [] }
const stored = {
  object: { id: 'orders', ...definitionOf({ ...noFields, name: 'Orders', upstream: 'http://u:1', path: '/orders/' }) },
  meta: {
    id: 'orders',
    revision: 9,
    etag: '"9"',
    sha256: '',
    updatedAt: '2026-11-22T00:00:00Z',
    updatedBy: { kind: 'user', id: 'u', name: 'a' },
  },
}
const status = (state: string, extra = {}) => ({
  revision: 9,
  started: '2026-11-22T00:00:00Z',
  published: true,
  nodes: [{ id: 'g', name: 'gw-1', group: 'default', state, ...extra }],
})
const answers = {
  'GET /gateways': nodes,
  'GET /apis/availability': free,
  'POST /upstreams/probe': { status: 200, ms: 3, gateway: 'gw-1' },
  'GET /apis/orders': stored,
  'GET /publishes/9': status('applied', { ms: 40 }),
}

beforeEach(() => sessionStorage.clear())

/** At once, since every key draws the whole form anew. */
async function put(label: RegExp, text: string) {
  await userEvent.click(screen.getByLabelText(label))
  await userEvent.paste(text)
}
async function fill() {
  await put(/^Name/, 'Orders')
  await put(/^Upstream URL/, 'http://u:1')
}
const send = () => userEvent.click(screen.getByRole('button', { name: /Create and publish/ }))
const created = { ...stored, revision: 9, publishUrl: '/api/v1/publishes/9', problems: [], plan: [] }

test('what is sent is what the form says, and the result is what gateways confirm', async () => {
  const { calls } = answer({ ...answers, 'POST /apis': created })
  await show(<CreateApi />)
  await fill()
  expect(screen.getByLabelText<HTMLInputElement>(/^Listen path/).value).toBe('/orders/')
  await send()
  expect(await screen.findByText('Live on 1/1 gateways · revision 9 · 40 ms')).toBeTruthy()
  expect(calls.find((c) => c.operation === 'POST /apis')?.body).toEqual({
    name: 'Orders',
    listen: { path: '/orders/' },
    upstream: { targets: [{ url: 'http://u:1' }] },
    filters: { auth: { any: [{ key: { in: [{ header: 'Authorization' }] } }] } },
  })
  expect(loadDraft().fields).toEqual(noFields)
})

test('no authentication takes a second click', async () => {
  const { calls } = answer({ ...answers, 'POST /apis': created })
  await show(<CreateApi />)
  await fill()
  await userEvent.click(screen.getByRole('radio', { name: /None/ }))
  await send()
  expect(await screen.findByText(/Confirm that everyone may call it/)).toBeTruthy()
  expect(calls.some((c) => c.operation === 'POST /apis')).toBe(false)
  await userEvent.click(screen.getByRole('button', { name: 'Yes, open it to everyone' }))
  await send()
  await waitFor(() =>
    expect(calls.find((c) => c.operation === 'POST /apis')?.body).toMatchObject({ filters: { auth: { open: true } } }),
  )
})

test('what a form finds fault with is said in the language that is chosen afterwards', async () => {
  answer(answers)
  await show(<CreateApi />)
  await send()
  expect(await screen.findByText('Give it a name.')).toBeTruthy()
  await allTexts('ko')
  act(() => setPrefs({ language: 'ko' }))
  expect(await screen.findByText('이름을 입력하십시오.')).toBeTruthy()
  expect(screen.queryByText('Give it a name.')).toBeNull()
})

test('an attempt without an answer is looked for and never sent again', async () => {
  const { calls } = answer({ ...answers, 'POST /apis': problem(503, { code: 'publish.outcome_unknown' }) })
  const { unmount } = await show(<CreateApi />)
  await fill()
  await send()
  expect(await screen.findByText('It is not known whether the API was saved')).toBeTruthy()
  await send()
  expect(calls.filter((c) => c.operation === 'POST /apis')).toHaveLength(1)
  unmount()

  answer({
    ...answers,
    'GET /apis/availability': {
      available: false,
      path: '/orders/',
      problems: [
        {
          code: 'api.path_taken',
          path: '/listen/path',
          message: '',
          severity: 'error',
          params: { id: 'orders', name: 'Orders' },
        },
      ],
    },
  })
  await show(<CreateApi />)
  await userEvent.click(await screen.findByRole('button', { name: 'Look whether it was saved' }))
  expect(await screen.findByText(/Live on 1\/1 gateways · revision 9/)).toBeTruthy()
})

test('a taken path is told at its field with the other API’s name, and nothing is lost', async () => {
  const taken = {
    code: 'api.path_taken',
    path: '/listen/path',
    message: '',
    severity: 'error',
    params: { id: 'o', name: 'Other', path: '/orders' },
  }
  answer({ ...answers, 'POST /apis': problem(409, { code: 'api.path_taken', problems: [taken] }) })
  await show(<CreateApi />)
  await fill()
  await send()
  expect(await screen.findByText(/“Other” has this listen path already/)).toBeTruthy()
  expect(document.activeElement).toBe(screen.getByLabelText(/^Listen path/))
  expect(loadDraft().fields.name).toBe('Orders')
})

test('a gateway that rejects says why', async () => {
  const rejected = [{ kind: 'api', id: 'orders', org: 'default', code: 'filter.unknown', message: 'no such filter', kept: false }]
  answer({ ...answers, 'GET /publishes/9': status('rejected', { rejected }) })
  await show(<CreateApi />, { at: '/apis/new?created=orders&revision=9' })
  expect(await screen.findByText('Rejected by 1 gateway · revision 9')).toBeTruthy()
  expect(screen.getAllByText(/no such filter/).length).toBeGreaterThan(0)
  expect(screen.getByText(/publish again/)).toBeTruthy()
  expect(screen.getByRole('link', { name: 'Look at gw-1' }).getAttribute('href')).toBe('/gateways/g')
})

test('an upstream that does not answer a call is told with what to do', async () => {
  const body = '{"status":502,"code":"upstream.unreachable"}'
  const run = { status: 502, ms: 1, node: 'g', headers: [], body, bodyEncoding: 'utf-8', truncated: false }
  answer({ ...answers, 'POST /apis/orders/run': run })
  await show(<CreateApi />, { at: '/apis/new?created=orders&revision=9' })
  const button = () => screen.getByRole('button', { name: 'Run' })
  await waitFor(() => expect(button().getAttribute('aria-disabled')).not.toBe('true'))
  await userEvent.click(button())
  expect(await screen.findByText(/See that it runs and listens/)).toBeTruthy()
})

test('a draft keeps no password, and an unreadable one is none', async () => {
  answer(answers)
  await show(<CreateApi />)
  await put(/^Upstream URL/, 'http://me:secret@u:1')
  expect(JSON.stringify({ ...sessionStorage })).not.toContain('secret')
  sessionStorage.setItem('sluice.newApi', '{')
  expect(loadDraft().fields).toEqual(noFields)
})

test('names become paths, and stored texts are recognised', () => {
  expect(['My Orders!', 'Café 2', '주문'].map(pathFrom)).toEqual(['/my-orders/', '/cafe-2/', ''])
  const sent = definitionOf({ ...noFields, name: 'a', path: '/a', upstream: 'http://u' })
  expect(same(sent, { id: 'a', ...sent })).toBe(true)
  expect(same(sent, { ...sent, name: 'b' })).toBe(false)
})
