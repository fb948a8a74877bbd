import { createContext, Fragment, type ReactNode, useContext, useEffect, useMemo, useState } from 'react'
import { languageOf, prefs, usePrefs } from '../prefs'
import { type Area, type Areas, sources } from './areas'
import type { en } from './en'
import { type Formats, formats } from './format'
import { parts, pieces, type Value, write } from './message'
import type { Flatten, Language, Placeholders } from './types'

export type { Formats } from './format'
export type { Language } from './types'

/** Every text of the console by key. */
export type Texts = Flatten<typeof en & Areas>
/** Such as `shell.signOut`. */
export type Key = keyof Texts & string
/** Keys of texts without placeholders. */
export type PlainKey = { [K in Key]: Placeholders<Texts[K] & string> extends never ? K : never }[Key]

type Args<K extends Key, V = Value> =
  Placeholders<Texts[K] & string> extends never ? [] : [values: Record<Placeholders<Texts[K] & string>, V>]

export interface I18n {
  language: Language
  /** A text; its placeholders are asked for by type. */
  t<K extends Key>(key: K, ...values: Args<K>): string
  /** A text some of whose placeholders are elements, such as links. */
  rich<K extends Key>(key: K, ...values: Args<K, Value | ReactNode>): ReactNode
  /** A text whose key is only known at run time; undefined if there is none or a value is missing. */
  find(key: string, values?: Record<string, Value>): string | undefined
  format: Formats
}

type Table = Record<string, string>

/** Puts areas into one table of full keys. */
export function flatten(areas: Record<string, Record<string, string>>): Table {
  const table: Table = {}
  for (const [area, texts] of Object.entries(areas)) {
    for (const [key, text] of Object.entries(texts)) table[`${area}.${key}`] = text
  }
  return table
}

/** What was fetched, by language; a table grows where it stands, so that nothing is drawn again for it. */
const loaded: Partial<Record<Language, Table>> = {}
/** Languages that can show. */
const whole = new Set<Language>()
/** Areas that pages asked for; another language has them too before it shows. */
const asked = new Set<Area>()
/** The language on the screen. */
let showing: Language | undefined

/** Fetches a language's texts, once: those of every page and those that pages asked for. */
export async function loadLanguage(language: Language): Promise<Table> {
  const [first] = await Promise.all([
    language === 'ko' ? import('./ko').then((m) => m.ko) : import('./en').then((m) => m.en),
    ...[...asked].map((area) => loadArea(language, area)),
  ])
  const table = Object.assign(tableOf(language), flatten(first))
  // What was asked for meanwhile.
  await Promise.all([...asked].map((area) => loadArea(language, area)))
  whole.add(language)
  return table
}

/** Fetches texts that a page uses, before it shows; they stay. A language that is about to show has them too. */
export async function loadTexts(areas: readonly Area[]): Promise<void> {
  for (const area of areas) asked.add(area)
  const chosen = languageOf(prefs())
  await Promise.all([...new Set([showing ?? chosen, chosen])].flatMap((l) => areas.map((area) => loadArea(l, area))))
}

const tableOf = (language: Language): Table => {
  loaded[language] ??= {}
  return loaded[language]
}

const fetched = new Map<string, Promise<void>>()

function loadArea(language: Language, area: Area): Promise<void> {
  const name = `${language} ${area}`
  let found = fetched.get(name)
  if (!found) {
    found = sources[language][area]().then((texts) => {
      Object.assign(tableOf(language), flatten({ [area]: texts }))
    })
    // What failed is asked for again.
    found.catch(() => fetched.delete(name))
    fetched.set(name, found)
  }
  return found
}

/** What t() and its relatives are for one language and time zone. */
export function i18n(language: Language, table: Table, zone: string): I18n {
  const text = (key: string) => table[key] ?? key // a missing key cannot be compiled; tests look for what slips through
  return {
    language,
    t: (key, ...args) => write(text(key), language, args[0] as Record<string, Value> | undefined),
    rich: (key, ...args) =>
      pieces<ReactNode>(text(key), language, (args[0] ?? {}) as Record<string, Value | ReactNode>).map((piece, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of a sentence have no other name
        <Fragment key={i}>{piece}</Fragment>
      )),
    find(key, values) {
      const found = table[key]
      if (found === undefined) return undefined
      const whole = parts(found).every((p) => typeof p === 'string' || values?.[p.name] !== undefined)
      return whole ? write(found, language, values) : undefined
    },
    format: formats(language, zone),
  }
}

const Context = createContext<I18n | null>(null)

/** Gives the texts of the language that is chosen; while another loads, the old one stays. */
export function I18nProvider({ children }: { children: ReactNode }) {
  const chosen = usePrefs()
  const wanted = languageOf(chosen)
  const [shown, setShown] = useState<{ language: Language; table: Table } | null>(() => {
    const table = loaded[wanted]
    return table && whole.has(wanted) ? { language: wanted, table } : null
  })
  useEffect(() => {
    let wantedStill = true
    loadLanguage(wanted).then(
      (table) => wantedStill && setShown({ language: wanted, table }),
      () => undefined, // the server is away: the language stays as it is
    )
    return () => {
      wantedStill = false
    }
  }, [wanted])
  const value = useMemo(() => shown && i18n(shown.language, shown.table, chosen.timeZone), [shown, chosen.timeZone])
  useEffect(() => {
    if (!shown) return
    showing = shown.language
    document.documentElement.lang = shown.language
  }, [shown])
  return value && <Context value={value}>{children}</Context>
}

/** The texts and formats of the language that is shown. */
export function useI18n(): I18n {
  const found = useContext(Context)
  if (!found) throw new Error('useI18n stands outside of I18nProvider')
  return found
}
