import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { errors } from '../i18n/en/errors'

const page = readFileSync(join(import.meta.dirname, '../../../pkg/fault/CODES.md'), 'utf8')

/** Those that only services tell each other, their logs and callers of a gateway. */
const inner =
  /^(pkg\/(fleet|publish|keyring|bus)|gateway\/(filter|source|route)|gateway\/node)(, (pkg\/(fleet|publish)|gateway\/source\/published))*$/
const shown = /^(bus\.(busy|failed|no_receiver|stale|timeout|too_large|unavailable|unknown_command)|probe\.invalid|run\.invalid)$/

test('every code that the console can meet has a sentence of its own', () => {
  const rows = [...page.matchAll(/^\| `([^`]+)` \| [^|]*\| ([^|]*) \|/gm)].map((m) => ({ code: m[1] ?? '', by: m[2] ?? '' }))
  expect(rows.length).toBeGreaterThan(100)
  const missing = rows
    .filter((r) => shown.test(r.code) || !inner.test(r.by))
    .map((r) => r.code)
    // The server's own sentence tells more of what only its log explains.
    .filter((code) => code !== 'internal' && !(code in errors))
  expect(missing).toEqual([])
})
