import { type Change, type Path, valueAt } from '../../../form/json/change'
import { isObject } from '../../../form/json/text'
import { labelOf } from '../../../form/schema'
import type { I18n } from '../../../i18n'

/** A value in a line: short ones as they are, longer ones cut. */
export function brief(v: unknown, { t }: I18n): string {
  if (v === undefined) return t('api.nothing')
  if (v === true) return t('api.on')
  if (v === false) return t('api.off')
  if (typeof v === 'string') return v === '' ? t('api.emptyText') : cut(v)
  if (Array.isArray(v) && v.every((x) => typeof x === 'string')) return cut(v.join(', ')) || t('api.nothing')
  return cut(JSON.stringify(v))
}

function cut(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text
}

/** The names of a place in a row, such as "Upstream › Timeouts › Connect". */
export function placeName(path: Path, document: unknown, i18n: I18n): string {
  const names: string[] = []
  const said: string[] = []
  let at: Path = []
  for (const name of path) {
    at = [...at, name]
    const around = valueAt(document, at.slice(0, -1))
    if (/^\d+$/.test(name) && !isObject(around)) {
      const item = valueAt(document, at)
      const own = isObject(item) && names.at(-1) === 'endpoints' ? endpointName(item) : String(Number(name) + 1)
      said.push(own)
    } else {
      names.push(name)
      if (!(names.length === 1 && name === 'filters')) said.push(labelOf(names, i18n))
    }
  }
  return said.join(' › ')
}

/** Methods and path of an endpoint. */
export function endpointName(e: Record<string, unknown>): string {
  const methods = Array.isArray(e.methods) ? e.methods.filter((m) => m !== '*').join(', ') : ''
  return [methods, typeof e.path === 'string' ? e.path : ''].filter(Boolean).join(' ')
}

/** One change in a sentence. */
export function sentence(c: Change, before: unknown, after: unknown, i18n: I18n): string {
  const { t } = i18n
  const name = placeName(c.path, c.after === undefined ? before : after, i18n)
  const filter = c.path.length === 2 && c.path[0] === 'filters'
  if (filter && c.before === undefined) return t('api.filterOn', { name })
  if (filter && c.after === undefined) return t('api.filterOff', { name })
  if (Array.isArray(c.before) && Array.isArray(c.after) && [...c.before, ...c.after].some(isObject)) {
    return t('api.changedList', { name, before: c.before.length, after: c.after.length })
  }
  if (c.before === undefined) return t('api.set', { name, after: brief(c.after, i18n) })
  if (c.after === undefined) return t('api.removed', { name, before: brief(c.before, i18n) })
  return t('api.changed', { name, before: brief(c.before, i18n), after: brief(c.after, i18n) })
}
