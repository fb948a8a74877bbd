import { expect, test } from 'vitest'
import { safeNext } from './session'
import { oneOf, parseSearch, stringifySearch, whole, words } from './url'

test('an address is read as plain texts and written back', () => {
  expect(parseSearch('?q=12&state=active&x=%EC%A3%BC%EB%AC%B8')).toEqual({ q: '12', state: 'active', x: '주문' })
  expect(stringifySearch({ q: '12', state: undefined, x: '', y: 'a b&c' })).toBe('?q=12&y=a+b%26c')
  expect(stringifySearch({})).toBe('')
})

test('what a parameter does not know becomes its default', () => {
  expect(oneOf('active', 'disabled')('enabled')).toBeUndefined()
  expect(oneOf('active', 'disabled')('active')).toBe('active')
  expect([whole(1)('0'), whole(1)('7'), whole()('-1'), whole()('1e3'), whole()(undefined)]).toEqual([
    undefined,
    7,
    undefined,
    undefined,
    undefined,
  ])
  expect([words('a,,b'), words(undefined)]).toEqual([['a', 'b'], []])
})

test.each([
  ['/apis?q=1', '/apis?q=1'],
  ['//evil.example', '/'],
  ['/\\evil.example', '/'],
  ['https://evil.example', '/'],
  ['/login?next=/login', '/'],
  [undefined, '/'],
])('after signing in, %s leads to %s', (next, want) => {
  expect(safeNext(next)).toBe(want)
})
