import { particle } from './josa'
import type { Language } from './types'

/** A placeholder's value; a number is written in the language's way, so give ids and revisions as text. */
export type Value = string | number

type Part = string | { name: string; particle?: string; plural?: string[] }

const parsed = new Map<string, Part[]>()

/** Takes a text apart once. */
export function parts(text: string): Part[] {
  let found = parsed.get(text)
  if (!found) {
    found = []
    let rest = 0
    for (const m of text.matchAll(/\{(\w+)(?::([^}|]+))?((?:\|[^}|]*)+)?\}/g)) {
      if (m.index > rest) found.push(text.slice(rest, m.index))
      found.push({ name: m[1] as string, particle: m[2], plural: m[3]?.slice(1).split('|') })
      rest = m.index + m[0].length
    }
    if (rest < text.length) found.push(text.slice(rest))
    parsed.set(text, found)
  }
  return found
}

const plurals = { en: new Intl.PluralRules('en'), ko: new Intl.PluralRules('ko') }
const numbers = { en: new Intl.NumberFormat('en'), ko: new Intl.NumberFormat('ko') }

/** Fills one placeholder with a value. */
function fill(part: Exclude<Part, string>, value: Value, language: Language): string {
  const text = typeof value === 'number' ? numbers[language].format(value) : value
  if (part.plural) {
    const one = typeof value === 'number' && plurals[language].select(value) === 'one'
    return (one ? (part.plural[0] as string) : (part.plural.at(-1) as string)).replace('#', text)
  }
  return part.particle ? text + particle(text, part.particle) : text
}

/** Writes a message. A value that is missing shows as its placeholder, which a test then finds. */
export function write(text: string, language: Language, values: Record<string, Value> = {}): string {
  return parts(text)
    .map((p) => {
      if (typeof p === 'string') return p
      const v = values[p.name]
      return v === undefined ? `{${p.name}}` : fill(p, v, language)
    })
    .join('')
}

/** Writes a message some of whose values are not texts, such as links; the caller renders the pieces. */
export function pieces<N>(text: string, language: Language, values: Record<string, Value | N>): (string | N)[] {
  return parts(text).flatMap((p): (string | N)[] => {
    if (typeof p === 'string') return [p]
    const v = values[p.name]
    if (typeof v === 'string' || typeof v === 'number') return [fill(p, v, language)]
    return v === undefined ? [`{${p.name}}`] : [v]
  })
}
