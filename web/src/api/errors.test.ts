import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { errors } from '../i18n/en/errors'

const page = readFileSync(join(import.meta.dirname, '../../../pkg/fault/CODES.md'), 'utf8')

/** Those that only services tell each other, their logs and callers of a gateway. */
const inner = (by: string) => by.split(', ').every((p) => /^(pkg\/(fleet|publish|keyring|bus|join)|gateway\/.+)$/.test(p))
const shown = /^(bus\.(busy|failed|no_receiver|stale|timeout|too_large|unavailable|unknown_command)|probe\.invalid|run\.invalid)$/

/** Said by the page of requests in words of its own; met by programs alone; explained by nothing but a log. */
const other = /^(requests\.(day_skipped|go_on|nothing_kept)|auth\.scheme|internal)$/

test('every code that the console can meet has a sentence of its own', () => {
  const rows = [...page.matchAll(/^\| `([^`]+)` \| [^|]*\| ([^|]*) \|/gm)].map((m) => ({ code: m[1] ?? '', by: m[2] ?? '' }))
  expect(rows.length).toBeGreaterThan(100)
  const missing = rows
    .filter((r) => shown.test(r.code) || !inner(r.by))
    .map((r) => r.code)
    .filter((code) => !other.test(code) && !(code in errors))
  expect(missing).toEqual([])
})
