import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it } from 'vitest'
import { answer, show } from '../../testing/render'
import Apis from './List'

const empty = { items: [], next: '', total: 0, totalExact: true }
const orders = {
  object: {
    id: 'api-x7f2k1',
    name: '주문',
    listen: { path: '/orders/' },
    upstream: { targets: [{ url: 'http://10.0.0.5:3000' }] },
    filters: { auth: { open: true } },
  },
  meta: { id: 'api-x7f2k1', revision: 1, updatedAt: '2026-11-22T00:00:00Z', createdAt: '2026-11-22T00:00:00Z' },
}

it('is one sentence and one button where no API exists', async () => {
  answer({ 'GET /apis': empty, 'GET /gateways': empty })
  await show(<Apis />, { at: '/apis' })
  expect(await screen.findByRole('heading', { name: 'No APIs yet' })).toBeTruthy()
  expect(screen.queryByRole('searchbox')).toBeNull()
})

it('keeps the search that found nothing, and while what it hid comes back', async () => {
  answer({ 'GET /apis': empty, 'GET /gateways': empty })
  const inner = globalThis.fetch
  let release: () => void = () => undefined
  const held = new Promise<void>((done) => {
    release = done
  })
  globalThis.fetch = (async (input: string, init: RequestInit) => {
    if (!String(input).includes('/apis?') || String(input).includes('q=')) return inner(input, init)
    await held
    const body = JSON.stringify({ ...empty, items: [orders], total: 1 })
    return new Response(body, { headers: { 'Content-Type': 'application/json' } })
  }) as typeof fetch
  await show(<Apis />, { at: '/apis?q=zzz' })
  expect(await screen.findByRole('heading', { name: 'Nothing matches' })).toBeTruthy()
  const box = screen.getByRole('searchbox')
  await userEvent.click(screen.getByRole('button', { name: 'Clear' }))
  await waitFor(() => expect((box as HTMLInputElement).value).toBe(''))
  expect(screen.queryByRole('heading', { name: 'No APIs yet' })).toBeNull()
  expect(screen.getByRole('searchbox')).toBe(box)
  release()
  expect(await screen.findByText('주문')).toBeTruthy()
})
