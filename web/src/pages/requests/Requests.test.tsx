import { screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, it } from 'vitest'
import { requests as en } from '../../i18n/en/requests'
import { answer, show } from '../../testing/render'
import Requests from './Requests'

const page = (items: unknown[], problems: unknown[] = [], next = '') => ({
  items,
  next,
  total: items.length,
  totalExact: true,
  from: '2026-11-22T00:00:00Z',
  to: '2026-11-22T01:00:00Z',
  problems,
})

it('asks for what the address says, and a condition that is typed joins it', async () => {
  const urls: string[] = []
  answer({ 'GET /requests': page([]) })
  const inner = globalThis.fetch
  globalThis.fetch = ((input: string, init: RequestInit) => {
    urls.push(String(input))
    return inner(input, init)
  }) as typeof fetch
  const { router } = await show(<Requests />, { at: '/requests?q=status:5xx&range=15m' })
  await screen.findByText('Nothing matches')
  expect(urls[0]).toContain('status=5xx')
  const box = screen.getByRole('combobox', { name: 'Search requests' })
  await userEvent.type(box, 'latency:>500{Enter}')
  await waitFor(() => expect(urls.at(-1)).toContain('minLatency=500ms'))
  expect(new URLSearchParams(router.state.location.searchStr).get('q')).toBe('status:5xx latency:>500')
})

it('says that no pump has ever written, and where it should', async () => {
  answer({
    'GET /requests': page(
      [],
      [
        {
          code: 'requests.nothing_kept',
          path: '',
          message: 'm',
          severity: 'warning',
          params: { place: '/var/records (records.dir)' },
        },
      ],
    ),
  })
  const { unmount } = await show(<Requests />, { at: '/requests' })
  expect(await screen.findByText('No request was ever recorded here')).toBeTruthy()
  expect(screen.getByText(/\/var\/records \(records\.dir\)/)).toBeTruthy()
  expect(screen.queryByRole('combobox', { name: 'Search requests' })).toBeNull()
  unmount()
  await show(<Requests />, { at: '/requests?q=status:5xx' })
  expect(await screen.findByText('Nothing matches')).toBeTruthy()
  expect(screen.getByRole('combobox', { name: 'Search requests' })).toBeTruthy()
})

it('keeps the search where only this time has no request', async () => {
  answer({ 'GET /requests': page([]) })
  await show(<Requests />, { at: '/requests?range=15m' })
  expect(await screen.findByRole('heading', { name: en.empty })).toBeTruthy()
  expect(screen.getByRole('combobox', { name: 'Search requests' })).toBeTruthy()
})

it('goes on by itself when the search ran out of time, until it is told to stop', async () => {
  const goOn = { code: 'requests.go_on', path: '', message: 'm', severity: 'warning', params: { at: '2026-11-22T00:30:00Z' } }
  let asked = 0
  globalThis.fetch = (async (input: string) => {
    asked++
    const second = String(input).includes('cursor=')
    const body = second ? page([], []) : page([], [goOn], 'more')
    return new Response(JSON.stringify(body), { headers: { 'Content-Type': 'application/json' } })
  }) as typeof fetch
  await show(<Requests />, { at: '/requests' })
  expect(await screen.findByText('No requests in this time')).toBeTruthy()
  expect(asked).toBe(2)
})

it('a refusal of the search names the condition', async () => {
  answer({
    'GET /requests': new Response(
      JSON.stringify({
        type: 'about:blank',
        title: 'status is a status code such as 404',
        status: 400,
        code: 'query.invalid',
        params: { name: 'status' },
      }),
      { status: 400, headers: { 'Content-Type': 'application/problem+json' } },
    ),
  })
  await show(<Requests />, { at: '/requests?q=status:x' })
  expect(await screen.findByText(/value of “status” cannot be read/)).toBeTruthy()
})
