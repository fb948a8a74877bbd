import type { I18n } from '../i18n'
import type { Value } from '../i18n/message'
import { ApiError } from './client'
import type { Problem } from './schema'

/** Those values of a server's parameters that texts can hold. */
export function valuesOf(params: Record<string, unknown> = {}): Record<string, Value> {
  const out: Record<string, Value> = {}
  for (const [k, v] of Object.entries(params)) {
    if (typeof v === 'string' || typeof v === 'number') out[k] = v
  }
  return out
}

/** A sentence for a person: the code's translation, or the server's own words. */
export function explain(error: unknown, { find, t, format }: I18n): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error)
  if (error.code === 'timeout') return t('errors.timeout', { time: format.duration(Number(error.params.ms ?? 0)) })
  const own = find(`errors.${error.code}`, {
    ...valuesOf(error.params),
    seconds: error.retryAfter || Number(error.params.seconds ?? 0),
  })
  return own ?? sentence(error.message)
}

/** The same for one finding. */
export function explainProblem(p: Problem, { find }: I18n): string {
  return find(`errors.${p.code}`, { message: p.message, ...valuesOf(p.params) }) ?? sentence(p.message)
}

/** The server begins its sentences with a small letter, as Go's errors do. */
function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(first) ? first : `${first}.`
}

/** The segments of a JSON pointer (RFC 6901). */
export function segments(pointer: string): string[] {
  return pointer === ''
    ? []
    : pointer
        .slice(1)
        .split('/')
        .map((s) => s.replaceAll('~1', '/').replaceAll('~0', '~'))
}
