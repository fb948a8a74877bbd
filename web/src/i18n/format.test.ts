import { describe, expect, test } from 'vitest'
import { formats } from './format'

const at = '2026-11-21T19:35:09Z'

describe('instants', () => {
  test.each([
    ['ko', 'Asia/Seoul', '2026. 11. 22. 04:35'],
    ['ko', 'UTC', '2026. 11. 21. 19:35'],
    ['en', 'Asia/Seoul', '22 Nov 2026, 04:35'],
    ['en', 'America/Los_Angeles', '21 Nov 2026, 11:35'],
  ] as const)('%s in %s: %s', (language, zone, want) => {
    expect(formats(language, zone).dateTime(at)).toBe(want)
  })
  test('midnight is 00:00 in both languages', () => {
    expect(formats('en', 'UTC').time('2026-11-21T00:00:00Z')).toBe('00:00:00')
    expect(formats('ko', 'UTC').time('2026-11-21T00:00:00Z')).toBe('00:00:00')
  })
  test('what is no instant shows as it came', () => {
    expect(formats('en').dateTime('soon')).toBe('soon')
    expect(formats('en').ago('soon')).toBe('soon')
  })
  test('ages', () => {
    const now = Date.parse(at)
    expect(formats('en').ago(now - 3 * 60_000, now)).toBe('3 minutes ago')
    expect(formats('ko').ago(now - 3 * 60_000, now)).toBe('3분 전')
    expect(formats('en').ago(now + 26 * 3_600_000, now)).toBe('tomorrow')
  })
})

test.each([
  [0, '0 ms', '0 ms'],
  [4.25, '4.3 ms', '4.3 ms'],
  [131.4, '131 ms', '131 ms'],
  [1310, '1.31 s', '1.31초'],
  [59_940, '59.9 s', '59.9초'],
  [65_000, '1 min 5 s', '1분 5초'],
  [3_600_000, '1 h', '1시간'],
  [180_000_000, '2 d 2 h', '2일 2시간'],
  [-250, '−250 ms', '−250 ms'],
])('%d ms is %s and %s', (ms, en, ko) => {
  expect([formats('en').duration(ms), formats('ko').duration(ms)]).toEqual([en, ko])
})

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [367_001_600, '350 MiB'],
])('%d bytes are %s', (n, want) => {
  expect(formats('en').bytes(n)).toBe(want)
})

test('shares and counts', () => {
  expect(formats('en').percent(0.0071)).toBe('0.71%')
  expect(formats('ko').count(100_000)).toBe('100,000')
})
