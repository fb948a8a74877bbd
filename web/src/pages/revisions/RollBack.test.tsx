import { screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it } from 'vitest'
import { admin, show } from '../../testing/render'
import { RollBack } from './RollBack'
import { splitProblems } from './rollback'

const renamed = {
  op: 'changed',
  path: '/name',
  before: 'New',
  after: 'Old',
  code: 'diff.changed',
  params: { what: 'name', before: 'New', after: 'Old' },
  message: 'name: New → Old',
}
const objects = [
  { kind: 'api', id: 'orders', name: 'Orders', action: 'update', before: 'bb', after: 'aa', differences: [renamed] },
  { kind: 'policy', id: 'gold', name: 'Gold', action: 'delete', before: 'cc', differences: [] },
]
const later = [
  {
    kind: 'api',
    id: 'orders',
    revisions: [{ revision: 6, at: '2026-11-22T00:00:00Z', author: { kind: 'user', id: 'u', name: 'Lee' }, note: 'cheaper' }],
  },
]
const taken = {
  code: 'api.path_taken',
  title: 'the path is taken',
  status: 409,
  problems: [
    {
      code: 'api.path_taken',
      path: '/listen/path',
      severity: 'error',
      message: 'taken',
      params: { objectKind: 'api', objectId: 'orders', name: 'Thief', path: '/orders', domain: '' },
    },
  ],
}

interface Sent {
  trial: boolean
  note: string
  scope: { kind: string; id: string }[]
}

/** The network's edge; a scope with `refused` in it is refused. */
function platform(refused = '', found: unknown[] = objects) {
  const sent: Sent[] = []
  const json = (body: unknown, status = 200) =>
    new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } })
  globalThis.fetch = (async (input: RequestInfo | URL, init: RequestInit = {}) => {
    const url = new URL(String(input), 'http://console')
    if (url.pathname.endsWith('/revisions/7/diff/3')) return json({ from: 7, to: 3, objects: found })
    if (!url.pathname.endsWith('/revisions/3/rollback')) throw new Error(`the test has no answer for ${url.pathname}`)
    const body = JSON.parse(String(init.body)) as Omit<Sent, 'trial'>
    const trial = url.searchParams.get('dry_run') === '1'
    sent.push({ ...body, trial })
    if (body.scope.some((o) => o.id === refused)) return json(taken, 409)
    return json({ ...(trial ? { dryRun: true } : { revision: 8 }), problems: [], plan: [], later })
  }) as typeof fetch
  return sent
}

async function open(permissions = admin.permissions) {
  const user = userEvent.setup()
  const { router } = await show(<RollBack n={3} newest={7} />, { session: { ...admin, permissions } })
  await user.click(screen.getByRole('button', { name: 'Roll back to here' }))
  const dialog = await screen.findByRole('dialog', { name: 'Roll back to revision 3' })
  return { user, router, dialog: within(dialog) }
}

it('shows what would change and what is taken back, asks why, and goes to the new revision', async () => {
  const sent = platform()
  const { user, router, dialog } = await open()
  expect((await dialog.findByText('Name')).closest('li')?.textContent).toBe('~Name: New → Old')
  expect(dialog.getByRole('checkbox', { name: 'policy Gold is deleted' })).toBeTruthy()
  expect((await dialog.findByText(/Changed since by Lee/)).textContent).toBe('Changed since by Lee in revision 6: cheaper')
  await user.click(dialog.getByRole('button', { name: 'Roll back' }))
  expect(sent.filter((s) => !s.trial)).toEqual([])
  await user.type(dialog.getByLabelText('Why'), ' too cheap ')
  await waitFor(() => expect(dialog.getByRole('button', { name: 'Roll back' }).getAttribute('aria-disabled')).toBeNull())
  await user.click(dialog.getByRole('button', { name: 'Roll back' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/revisions/8'))
  expect(sent.at(-1)).toEqual({
    trial: false,
    note: 'too cheap',
    scope: [
      { kind: 'api', id: 'orders' },
      { kind: 'policy', id: 'gold' },
    ],
  })
  expect(router.state.location.state).toMatchObject({ made: true })
})

it('says at the object why it cannot come back, and goes on without it', async () => {
  const sent = platform('orders')
  const { user, router, dialog } = await open()
  await dialog.findByText('This cannot come back as it was. Nothing was changed.')
  await user.type(dialog.getByLabelText('Why'), 'x')
  await user.click(dialog.getByRole('button', { name: 'Roll back' }))
  expect(sent.every((s) => s.trial)).toBe(true)
  await user.click(dialog.getByRole('button', { name: 'Leave it out' }))
  await waitFor(() => expect(sent.at(-1)?.scope).toEqual([{ kind: 'policy', id: 'gold' }]))
  expect(dialog.getByRole<HTMLInputElement>('checkbox', { name: '1 of 2 objects go back' }).indeterminate).toBe(true)
  await waitFor(() => expect(dialog.queryByText(/cannot come back/)).toBeNull())
  await waitFor(() => expect(dialog.getByRole('button', { name: 'Roll back' }).getAttribute('aria-disabled')).toBeNull())
  await user.click(dialog.getByRole('button', { name: 'Roll back' }))
  await waitFor(() => expect(router.state.location.pathname).toBe('/revisions/8'))
})

it('leaves out what one may not change, and says so', async () => {
  const sent = platform()
  const { dialog } = await open(['revisions:read', 'apis:read', 'apis:write', 'policies:read'])
  expect(await dialog.findByText('The permission policies:write is missing; it stays as it is.')).toBeTruthy()
  await waitFor(() => expect(sent.at(-1)?.scope).toEqual([{ kind: 'api', id: 'orders' }]))
})

it('says when everything is as it was', async () => {
  const sent = platform('', [])
  const { dialog } = await open()
  expect(await dialog.findByText('Everything is as it was after revision 3.')).toBeTruthy()
  expect(dialog.queryByRole('button', { name: 'Roll back' })).toBeNull()
  expect(sent).toEqual([])
})

it('is not for readers, nor for the newest revision', async () => {
  await show(<RollBack n={3} newest={7} />, { session: { ...admin, permissions: ['revisions:read'] } })
  expect(screen.getByRole('button').getAttribute('aria-disabled')).toBe('true')
  await show(<RollBack n={7} newest={7} />)
  expect(screen.getAllByRole('button').map((b) => b.getAttribute('aria-disabled'))).toEqual(['true', 'true'])
})

it('gives problems to objects by name or by place, and keeps the others', () => {
  const problem = (params?: Record<string, unknown>) => ({ code: 'c', path: '', message: '', severity: 'error' as const, params })
  const all = [problem({ objectKind: 'policy', objectId: 'gold' }), problem({ change: 0 }), problem({ change: 9 }), problem()]
  const { byObject, others } = splitProblems(all, objects as never)
  expect([...byObject].map(([k, list]) => [k, list.length])).toEqual([
    ['policy/gold', 1],
    ['api/orders', 1],
  ])
  expect(others).toHaveLength(2)
})
