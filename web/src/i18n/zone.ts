// Wall times of a time zone, as `<input type="datetime-local">` has them, and the instants that they mean.

/** How far a zone's clocks are ahead of UTC at an instant, in milliseconds. */
function ahead(at: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone || undefined,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(at)
  const n = (type: string) => Number(parts.find((p) => p.type === type)?.value ?? 0)
  return Date.UTC(n('year'), n('month') - 1, n('day'), n('hour'), n('minute'), n('second')) - Math.floor(at / 1000) * 1000
}

/** An instant as the zone's clocks show it: `2026-11-22T10:35`. The empty zone is the browser's. */
export function wallTime(at: number, zone = ''): string {
  return new Date(at + ahead(at, zone)).toISOString().slice(0, 16)
}

/**
 * The instant that a zone's clocks mean by a wall time; undefined if it is none. A time that the clocks skip in spring is
 * the one as long after the change; of one that they show twice it is the first.
 */
export function instantOf(wall: string, zone = ''): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?$/.test(wall)) return undefined
  const plain = Date.parse(`${wall}Z`)
  if (Number.isNaN(plain)) return undefined
  // The zone's difference a day before and a day after are the two that can hold around a change.
  const before = plain - ahead(plain - 86_400_000, zone)
  const after = plain - ahead(plain + 86_400_000, zone)
  for (const at of [Math.min(before, after), Math.max(before, after)]) {
    if (at + ahead(at, zone) === plain) return at
  }
  return before
}
