import { instantOf, wallTime } from '../../i18n/zone'

/** Lengths of the time ranges that are offered, in milliseconds. */
export const presets = {
  '15m': 900_000,
  '1h': 3_600_000,
  '6h': 21_600_000,
  '24h': 86_400_000,
  '3d': 259_200_000,
  '7d': 604_800_000,
} as const
export type Preset = keyof typeof presets
export const presetNames = Object.keys(presets) as Preset[]
export const defaultPreset: Preset = '1h'

/** What is searched: a time up to now, or two fixed ends. */
export type Range = { last: Preset } | { from: string; to: string }

const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z$/

/** The range of an address; what it does not know is the default. */
export function readRange(range: string, from: string, to: string): Range {
  if (instant.test(from) && (to === '' || instant.test(to))) return { from, to }
  return { last: presetNames.find((p) => p === range) ?? defaultPreset }
}

/** The ends as the API wants them. `now` moves a range up to now; its end stays open. */
export function ends(range: Range, now: number): { from: string; to?: string } {
  if ('last' in range) return { from: new Date(now - presets[range.last]).toISOString() }
  return range.to ? range : { from: range.from }
}

/** The instant, RFC 3339 in UTC, that a wall time of a zone means; empty if it is none. */
export function toUtc(wall: string, zone: string): string {
  const at = instantOf(wall, zone)
  return at === undefined ? '' : new Date(at).toISOString().replace('.000Z', 'Z')
}

/** The wall time of an instant for an input; empty if it is none. */
export function toWall(utc: string, zone: string): string {
  const at = Date.parse(utc)
  return Number.isNaN(at) ? '' : wallTime(at, zone)
}
