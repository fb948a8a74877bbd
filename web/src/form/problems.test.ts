import { expect, test, vi } from 'vitest'
import { ApiError } from '../api/client'
import { flatten, i18n } from '../i18n'
import { en } from '../i18n/en'
import { fieldAt, placeProblems } from './problems'

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

test('the first field that is wrong gets the focus, and what has no field comes back', () => {
  const setError = vi.fn()
  const error = new ApiError('api.invalid', 'x', 422, {}, [
    { code: 'api.path_taken', path: '/listen/path', message: 'the path is taken', severity: 'error' },
    { code: 'required', path: '/upstream/targets', message: 'm', severity: 'error' },
    { code: 'api.path_shadowed', path: '/listen/path', message: 'w', severity: 'warning' },
    { code: 'unknown_field', path: '/x', message: 'm', severity: 'error' },
  ])
  const rest = placeProblems({ setError }, error, i18n('en', flatten(en), ''), {
    '/listen/path': 'path',
    '/upstream/targets': 'url',
  })
  expect(setError.mock.calls).toEqual([
    ['path', { type: 'api.path_taken', message: 'The path is taken.' }, { shouldFocus: true }],
    ['url', { type: 'required', message: 'This is required.' }, { shouldFocus: false }],
  ])
  expect(rest.map((p) => p.code)).toEqual(['api.path_shadowed', 'unknown_field'])
  expect(placeProblems({ setError }, new Error('x'), i18n('en', flatten(en), ''), {})).toEqual([])
})
