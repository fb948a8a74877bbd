import { describe, expect, it } from 'vitest'
import { instantOf, wallTime } from './zone'

const iso = (n: number | undefined) => (n === undefined ? undefined : new Date(n).toISOString())

describe('wall times of a zone', () => {
  it.each([
    ['Asia/Seoul', '2026-11-22T10:35', '2026-11-22T01:35:00.000Z'],
    ['UTC', '2026-11-22T10:35', '2026-11-22T10:35:00.000Z'],
    ['America/Los_Angeles', '2026-07-01T00:00', '2026-07-01T07:00:00.000Z'],
    ['America/Los_Angeles', '2026-12-01T00:00', '2026-12-01T08:00:00.000Z'],
    ['Asia/Kathmandu', '2026-01-01T00:00', '2025-12-31T18:15:00.000Z'],
  ])('%s %s is %s and comes back', (zone, wall, instant) => {
    expect(iso(instantOf(wall, zone))).toBe(instant)
    expect(wallTime(Date.parse(instant), zone)).toBe(wall)
  })

  it('takes the first of a time that the clocks show twice', () => {
    expect(iso(instantOf('2026-11-01T01:30', 'America/Los_Angeles'))).toBe('2026-11-01T08:30:00.000Z')
  })

  it('goes on by as long as the change from a time that the clocks skip', () => {
    expect(wallTime(instantOf('2026-03-08T02:30', 'America/Los_Angeles') ?? 0, 'America/Los_Angeles')).toBe('2026-03-08T03:30')
  })

  it.each(['', 'tomorrow', '2026-11-22', '2026-13-01T00:00'])('%j is no wall time', (text) => {
    expect(instantOf(text, 'UTC')).toBeUndefined()
  })
})
