import { segments } from '../api/errors'
import type { Difference } from '../api/schema'
import { fieldText } from '../form/schema'
import type { I18n, Key } from '../i18n'
import type { Value } from '../i18n/message'

/** What a difference says: a text with its values. */
export interface Said {
  key: Key
  values: Record<string, Value>
}

const codes = [
  'diff.created',
  'diff.deleted',
  'diff.enabled',
  'diff.disabled',
  'diff.added',
  'diff.removed',
  'diff.changed',
  'diff.moved',
  'diff.filter_on',
  'diff.filter_off',
  'diff.secret_added',
  'diff.secret_removed',
  'diff.secret_replaced',
  'diff.unreadable',
] as const satisfies readonly Key[]

/** Characters of a value that a sentence holds. */
const longest = 80

const cut = (text: string) => (text.length > longest ? `${text.slice(0, longest - 1)}…` : text)

/** A value in a line: short ones as they are, longer ones cut. */
export function valueText(v: unknown, { t }: I18n): string {
  if (v === undefined || v === null) return t('diff.nothing')
  if (v === true) return t('diff.yes')
  if (v === false) return t('diff.no')
  if (typeof v === 'string') return v === '' ? t('diff.emptyText') : cut(v.replace(/\p{Cc}/gu, ' '))
  if (Array.isArray(v) && v.every((x) => typeof x === 'string')) return cut(v.join(', ')) || t('diff.nothing')
  return cut(JSON.stringify(v))
}

/**
 * Where a difference is, such as "Upstream › Timeouts › Connect": the fields by the reader's names for them, the items of
 * lists as the server calls them, which knows what identifies them.
 */
export function placeText(d: Difference, i18n: I18n): string {
  const what = String(d.params?.what ?? '')
  const tokens = segments(d.path)
  const trail = what.split(' › ')
  if (tokens.length !== trail.length) return what
  const names: string[] = []
  const said: string[] = []
  tokens.forEach((token, i) => {
    const called = trail[i] as string
    if (/^\d+$/.test(token) && called !== token) {
      const [, n] = /^number (\d+)$/.exec(called) ?? []
      said.push(n ? i18n.t('diff.item', { n }) : called)
      return
    }
    names.push(token)
    // That a filter is one goes without saying.
    if (token !== 'filters' || i === tokens.length - 1) said.push(fieldText(names, i18n) ?? called)
  })
  return said.join(' › ')
}

/** What a difference is in the reader's language; undefined where only the server's own sentence says it. */
export function said(d: Difference, i18n: I18n): Said | undefined {
  const key = codes.find((c) => c === d.code)
  if (!key) return undefined
  const values: Record<string, Value> = { name: String(d.params?.name ?? '') }
  if (d.params?.what !== undefined) values.what = placeText(d, i18n)
  const side = (name: 'before' | 'after') => {
    if (name in d) values[name] = valueText(d[name], i18n)
    else if (d.params?.[name] !== undefined) values[name] = String(d.params[name])
  }
  side('before')
  side('after')
  for (const n of ['from', 'to']) if (d.params?.[n] !== undefined) values[n] = String(d.params[n])
  const on = d.after
  const settings = typeof on === 'object' && on !== null && Object.keys(on).length > 0
  const use = key === 'diff.filter_on' && settings ? 'diff.filterOnWith' : key
  return i18n.find(use, values) === undefined ? undefined : { key: use, values }
}

/** A difference as a sentence. */
export function sentenceOf(d: Difference, i18n: I18n): string {
  const s = said(d, i18n)
  return (s && i18n.find(s.key, s.values)) ?? d.message
}
