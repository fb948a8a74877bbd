import { act, screen, waitFor, within } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { expect, test, vi } from 'vitest'
import { ApiError } from '../api/client'
import { listOf, type Sample, samples } from '../gallery/sample'
import { setPrefs } from '../prefs'
import { show } from '../testing/render'
import { DataTable, type DataTableProps } from './DataTable'

const rows = samples(40)

function table(change: Partial<DataTableProps<Sample>> = {}) {
  return (
    <DataTable<Sample>
      label="APIs"
      list={listOf(rows)}
      keyOf={(r) => r.id}
      hrefOf={(r) => `/apis/${r.id}`}
      empty={<p>No API yet</p>}
      columns={[
        { id: 'name', header: 'Name', cell: (r) => r.id, sort: { up: 'name', down: '-name' } },
        { id: 'path', header: 'Listen path', cell: (r) => r.path, sort: { down: '-path' } },
      ]}
      {...change}
    />
  )
}

const focused = () => document.activeElement?.textContent

test('the arrow keys, j and k move from row to row, Enter opens', async () => {
  const { router } = await show(table())
  const user = userEvent.setup()
  const links = within(screen.getByRole('table', { name: 'APIs' })).getAllByRole('link')
  expect(links.map((l) => l.tabIndex).slice(0, 3)).toEqual([0, -1, -1])
  await user.keyboard('j')
  expect(focused()).toBe(rows[0]?.id)
  await user.keyboard('j{ArrowDown}')
  expect(focused()).toBe(rows[2]?.id)
  await user.keyboard('k')
  expect(focused()).toBe(rows[1]?.id)
  await user.keyboard('{ArrowUp}{ArrowUp}{ArrowUp}')
  expect(focused()).toBe(rows[0]?.id)
  await user.keyboard('{ArrowDown}{Enter}')
  await waitFor(() => expect(router.state.location.pathname).toBe(`/apis/${rows[1]?.id}`))
})

test('letters are no shortcuts where one writes, while composing, or when they are switched off', async () => {
  await show(
    <>
      <input aria-label="Box" />
      {table()}
    </>,
  )
  const user = userEvent.setup()
  const box = screen.getByLabelText('Box')
  await user.click(box)
  await user.keyboard('j')
  expect(document.activeElement).toBe(box)
  act(() => box.blur())
  document.dispatchEvent(new KeyboardEvent('keydown', { key: 'ㅓ', code: 'KeyJ', isComposing: true, bubbles: true }))
  expect(document.activeElement).toBe(document.body)
  setPrefs({ shortcuts: false })
  await user.keyboard('j')
  expect(document.activeElement).toBe(document.body)
  setPrefs({ shortcuts: true })
  act(
    () => void document.dispatchEvent(new KeyboardEvent('keydown', { key: 'ㅓ', code: 'KeyJ', bubbles: true, cancelable: true })),
  )
  expect(focused()).toBe(rows[0]?.id)
})

test('a header sorts by what the server offers and says how it is sorted', async () => {
  const onSort = vi.fn()
  await show(table({ sort: 'name', onSort }))
  const user = userEvent.setup()
  expect(screen.getByRole('columnheader', { name: /Name/ }).getAttribute('aria-sort')).toBe('ascending')
  await user.click(screen.getByRole('button', { name: 'Name, sorted upwards' }))
  await user.click(screen.getByRole('button', { name: 'Sort by Listen path' }))
  expect(onSort.mock.calls).toEqual([['-name'], ['-path']])
})

test('the next page is asked for near the end, once', async () => {
  const loadMore = vi.fn()
  await show(table({ list: listOf(rows.slice(0, 10), { more: true, total: 40, loadMore }) }))
  await waitFor(() => expect(loadMore).toHaveBeenCalled())
  expect(screen.getByRole('table').getAttribute('aria-rowcount')).toBe('41')
})

test('nothing at all, nothing that matches, and what was refused are told apart', async () => {
  const shown = await show(table({ list: listOf<Sample>([]) }))
  expect(screen.getByText('No API yet')).toBeDefined()
  shown.unmount()
  const onClear = vi.fn()
  const filtered = await show(table({ list: listOf<Sample>([]), filtered: true, onClear }))
  await userEvent.click(screen.getByRole('button', { name: 'Clear' }))
  expect(onClear).toHaveBeenCalledOnce()
  filtered.unmount()
  const retry = vi.fn()
  await show(table({ list: listOf<Sample>([], { error: new ApiError('store.unavailable', 'x', 503, {}, [], 'req-1'), retry }) }))
  expect(screen.getByRole('alert').textContent).toContain('The configuration store does not answer.')
  expect(screen.getByRole('alert').textContent).toContain('store.unavailable')
  await userEvent.click(screen.getByRole('button', { name: 'Try again' }))
  expect(retry).toHaveBeenCalledOnce()
})

test('what was read stays while it cannot be read anew', async () => {
  await show(table({ list: listOf(rows, { error: new ApiError('network', 'x', 0) }) }))
  expect(screen.getAllByRole('link').length).toBeGreaterThan(0)
  expect(screen.getByRole('alert').textContent).toContain('did not answer')
})

test('a question that is cleared does not look like an empty list before its answer', async () => {
  const { rerender } = await show(table({ list: { ...listOf<Sample>([]), stale: true } }))
  expect(screen.queryByText('No API yet')).toBeNull()
  rerender(<p />)
  await show(table({ list: listOf<Sample>([]) }))
  expect(screen.getByText('No API yet')).toBeTruthy()
})
