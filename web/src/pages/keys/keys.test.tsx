import { act, screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { describe, expect, it } from 'vitest'
import { queryClient } from '../../api/query'
import { setPrefs } from '../../prefs'
import { answer, show } from '../../testing/render'
import { EditKey } from './EditKey'
import { KeyPage } from './Key'
import Keys from './Keys'
import NewKey from './NewKey'

const empty = { items: [], next: '', total: 0, totalExact: true }
const names = { apis: { 'api-x7f2k1': '주문', pay: '결제' }, policies: { 'policy-9a': '골드' } }
const preview = { names, policies: [], skipped: [], refused: false, rights: [], metadata: {}, origins: {}, problems: [] }
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
  names,
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

describe('names', () => {
  const rich = { ...key, rights: [{ api: 'api-x7f2k1' }, { api: 'gone' }], policies: ['policy-9a'] }
  const page = (...items: unknown[]) => ({ items, next: '', total: items.length, totalExact: true, names })
  const lookUps = (calls: { operation: string }[]) => calls.filter((c) => /^GET \/(apis|policies)\/./.test(c.operation))

  it('stand in the list and in its filters, without a question for each', async () => {
    const { calls } = answer({ 'GET /keys': page(rich) })
    await show(<Keys />, { at: '/keys?policy=policy-9a&api=pay' })
    expect((await screen.findByText('policy 골드, 주문, gone')).title).toBe('policy 골드, 주문, gone')
    const filters = screen.getByRole('searchbox').closest('search') as HTMLElement
    expect(within(filters).getByText('골드')).toBeTruthy()
    expect(within(filters).getByText('결제')).toBeTruthy()
    expect(lookUps(calls)).toEqual([])
  })

  it('stand on the page of a key, with where each right comes from', async () => {
    const merged = {
      ...preview,
      rights: [{ api: 'api-x7f2k1' }, { api: 'pay' }],
      skipped: ['policy-9a'],
      origins: { '/rights/api-x7f2k1': 'key', '/rights/pay': 'policy:policy-9a' },
    }
    const { calls } = answer({ ...lists, 'GET /keys/k_1': rich, 'POST /keys/preview': merged, 'GET /requests': empty })
    await show(<KeyPage id="k_1" />)
    expect(await screen.findByText('from the policy 골드')).toBeTruthy()
    expect(screen.getByText('주문').closest('li')?.textContent).toContain('api-x7f2k1')
    expect(screen.getByText('결제')).toBeTruthy()
    expect(screen.getByText('Switched off, so not counted: 골드')).toBeTruthy()
    expect(lookUps(calls)).toEqual([])
  })

  it('stand on the page of a revoked key', async () => {
    answer({ ...lists, 'GET /keys/k_1': { ...rich, state: 'revoked' }, 'GET /requests': empty })
    await show(<KeyPage id="k_1" />, { language: 'ko' })
    expect(await screen.findByText('골드 정책, 주문, gone')).toBeTruthy()
  })

  it('stand beside what is chosen, also where the server cannot judge the draft', async () => {
    const refused = new Response(JSON.stringify({ type: 'about:blank', title: 'x', status: 422, code: 'key.invalid' }), {
      status: 422,
      headers: { 'Content-Type': 'application/problem+json' },
    })
    const bronze = { object: { name: '브론즈' }, meta: { id: 'policy-3c' } }
    const { calls } = answer({ ...lists, 'GET /policies': page(bronze), 'POST /keys/preview': refused })
    await show(<EditKey object={rich} etag={'"1"'} onDone={() => undefined} />)
    expect(await screen.findByRole('button', { name: 'Remove 주문' })).toBeTruthy()
    expect(screen.getByRole('button', { name: 'Remove gone' })).toBeTruthy()
    expect(screen.getByRole('button', { name: 'Remove 골드' })).toBeTruthy()
    await userEvent.click(await screen.findByRole('checkbox', { name: /브론즈/ }))
    expect(screen.getByRole('button', { name: 'Remove 브론즈' })).toBeTruthy()
    await userEvent.click(screen.getByRole('button', { name: 'Remove 골드' }))
    expect(screen.queryByRole('button', { name: 'Remove 골드' })).toBeNull()
    expect(lookUps(calls)).toEqual([])
  })
})

describe('an empty list of keys', () => {
  it('has nothing to search, only what to do', async () => {
    answer({ 'GET /keys': { ...empty, names } })
    await show(<Keys />, { at: '/keys' })
    expect(await screen.findByRole('heading', { name: 'No keys yet' })).toBeTruthy()
    expect(screen.queryByRole('searchbox')).toBeNull()
  })

  it('keeps the filters that made it empty', async () => {
    answer({ 'GET /keys': { ...empty, names } })
    await show(<Keys />, { at: '/keys?state=revoked' })
    expect(await screen.findByRole('heading', { name: 'Nothing matches' })).toBeTruthy()
    expect(screen.getByRole('searchbox')).toBeTruthy()
  })
})

it('says what is wrong with a new key in the language that another tab chose meanwhile', async () => {
  const taken = { type: 'about:blank', title: 'x', status: 422, code: 'key.invalid' }
  const problems = [{ code: 'key.expiry_past', path: '/expiresAt', message: 'the expiry lies in the past', severity: 'error' }]
  answer({
    ...lists,
    'POST /keys': new Response(JSON.stringify({ ...taken, problems }), {
      status: 422,
      headers: { 'Content-Type': 'application/problem+json' },
    }),
  })
  await show(<NewKey />)
  await userEvent.click(await screen.findByRole('button', { name: 'Create key' }))
  expect((await screen.findAllByText('This is required.')).length).toBe(2)
  await userEvent.type(screen.getByLabelText('Alias'), 'shop')
  await userEvent.type(screen.getByLabelText('Owner'), 'Kim')
  await userEvent.click(screen.getByRole('button', { name: 'Create key' }))
  expect(await screen.findByText('The expiry lies in the past. Choose a later instant, or never.')).toBeTruthy()
  await userEvent.clear(screen.getByLabelText('Owner'))
  expect(await screen.findByText('This is required.')).toBeTruthy()
  act(() => setPrefs({ language: 'ko' }))
  expect(await screen.findByText('필수 항목입니다.')).toBeTruthy()
  expect(screen.getByText('만료 시각이 과거입니다. 더 늦은 시각이나 만료 없음을 선택하십시오.')).toBeTruthy()
  expect(screen.queryByText(/expiry|required/)).toBeNull()
})
