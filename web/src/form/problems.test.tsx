import { act, screen, waitFor } from '@testing-library/react'
import userEvent from '@testing-library/user-event'
import { useForm } from 'react-hook-form'
import { expect, test } from 'vitest'
import { ApiError } from '../api/client'
import type { Problem } from '../api/schema'
import { setPrefs } from '../prefs'
import { show } from '../testing/render'
import { fieldAt, useFound } from './problems'

const places = { '/upstream/targets': 'url', '/listen/path': 'path', '/a~1b': 'slash' } as const

test.each([
  ['/listen/path', 'path'],
  ['/upstream/targets/0/url', 'url'],
  ['/upstream', undefined],
  ['/a~1b/0', 'slash'],
  ['', undefined],
])('a finding at %s belongs to %s', (pointer, field) => {
  expect(fieldAt(pointer, places)).toBe(field)
})

/** A form of which the server finds that everything is wrong. */
function Form({ error, onPlaced }: { error: unknown; onPlaced: (found: { placed: boolean; rest: Problem[] }) => void }) {
  const form = useForm({ defaultValues: { url: '', path: '', short: '' }, mode: 'onBlur', reValidateMode: 'onChange' })
  const { place, say } = useFound(form, { '/listen/path': 'path', '/upstream/targets': 'url' })
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault()
        onPlaced(place(error))
      }}
    >
      <input aria-label="url" {...form.register('url')} />
      <input aria-label="path" {...form.register('path')} />
      <input aria-label="short" {...form.register('short', { validate: () => 'login.short' })} />
      <output>{[say('url'), say('path'), say('short', { min: 12 })].map((x) => x ?? '-').join('|')}</output>
      <button type="submit">send</button>
    </form>
  )
}

const wrong = new ApiError('api.invalid', 'x', 422, {}, [
  {
    code: 'api.path_taken',
    path: '/listen/path',
    message: 'the path is taken',
    params: { name: '주문', path: '/o/' },
    severity: 'error',
  },
  { code: 'syntax', path: '/listen/path', message: 'a second one', severity: 'error' },
  { code: 'required', path: '/upstream/targets', message: 'm', severity: 'error' },
  { code: 'api.path_shadowed', path: '/listen/path', message: 'w', severity: 'warning' },
  { code: 'unknown_field', path: '/x', message: 'm', severity: 'error' },
])

const said = () => screen.getByRole('status').textContent

test('the first field that is wrong gets the focus, and what has no field comes back', async () => {
  const found: { placed: boolean; rest: Problem[] }[] = []
  await show(<Form error={wrong} onPlaced={(x) => found.push(x)} />)
  await userEvent.click(screen.getByRole('button'))
  expect(found[0]?.placed).toBe(true)
  expect(found[0]?.rest.map((p) => p.code)).toEqual(['api.path_shadowed', 'unknown_field'])
  expect(said()).toBe('This is required.|“주문” has this listen path already (/o/). Choose another path or domain.|-')
  expect(document.activeElement).toBe(screen.getByLabelText('path'))
})

test('an error that names no place is no field’s', async () => {
  const found: { placed: boolean; rest: Problem[] }[] = []
  await show(<Form error={new Error('x')} onPlaced={(x) => found.push(x)} />)
  await userEvent.click(screen.getByRole('button'))
  expect(found).toEqual([{ placed: false, rest: [] }])
  expect(said()).toBe('-|-|-')
})

test('what is wrong is said in the language that is chosen later, and no more once it is mended', async () => {
  await show(<Form error={wrong} onPlaced={() => undefined} />)
  await userEvent.click(screen.getByLabelText('short'))
  await userEvent.click(screen.getByRole('button'))
  await waitFor(() => expect(said()).toContain('Use at least 12 characters.'))
  act(() => setPrefs({ language: 'ko' }))
  await waitFor(() =>
    expect(said()).toBe(
      '필수 항목입니다.|“주문” API가 이 리슨 경로(/o/)를 이미 사용합니다. 다른 경로나 도메인을 선택하십시오.|12자 이상 입력하십시오.',
    ),
  )
  await userEvent.type(screen.getByLabelText('path'), '/p/')
  await userEvent.tab()
  await waitFor(() => expect(said()).toBe('필수 항목입니다.|-|12자 이상 입력하십시오.'))
})
