import { expect, it } from 'vitest'
import { ends, readRange, toUtc, toWall } from './range'

it.each([
  ['', '', '', { last: '1h' }],
  ['7d', '', '', { last: '7d' }],
  ['2y', '', '', { last: '1h' }],
  ['', '2026-11-22T01:00:00Z', '2026-11-22T02:00:00Z', { from: '2026-11-22T01:00:00Z', to: '2026-11-22T02:00:00Z' }],
  ['15m', '2026-11-22T01:00Z', '', { from: '2026-11-22T01:00Z', to: '' }],
  ['15m', 'yesterday', '', { last: '15m' }],
])('range=%j from=%j to=%j', (range, from, to, want) => expect(readRange(range, from, to)).toEqual(want))

it('a range up to now has an open end', () => {
  expect(ends({ last: '15m' }, Date.parse('2026-11-22T01:15:00Z'))).toEqual({ from: '2026-11-22T01:00:00.000Z' })
  expect(ends({ from: '2026-11-22T01:00:00Z', to: '' }, 0)).toEqual({ from: '2026-11-22T01:00:00Z' })
})

it('writes what a clock of the zone shows', () => {
  expect(toUtc('2026-11-22T10:35', 'Asia/Seoul')).toBe('2026-11-22T01:35:00Z')
  expect(toWall('2026-11-22T01:35:00Z', 'Asia/Seoul')).toBe('2026-11-22T10:35')
  expect(toUtc('', 'Asia/Seoul')).toBe('')
  expect(toWall('', 'Asia/Seoul')).toBe('')
})
