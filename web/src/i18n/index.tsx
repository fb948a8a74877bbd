import { createContext, Fragment, type ReactNode, useContext, useEffect, useMemo, useState } from 'react'
import { languageOf, usePrefs } from '../prefs'
import type { en } from './en'
import { type Formats, formats } from './format'
import { pieces, type Value, write } from './message'
import type { Flatten, Language, Placeholders } from './types'

export type { Formats } from './format'
export type { Language } from './types'

/** Every text of the console by key. */
export type Texts = Flatten<typeof en>
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

const loaded: Partial<Record<Language, Table>> = {}

/** Fetches a language's texts, once. */
export async function loadLanguage(language: Language): Promise<Table> {
  const areas = language === 'ko' ? (await import('./ko')).ko : (await import('./en')).en
  const table = flatten(areas)
  loaded[language] = table
  return table
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
      const made = write(found, language, values)
      return /\{\w+[^}]*\}/.test(made) ? undefined : made
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
    return table ? { language: wanted, table } : null
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
    if (shown) document.documentElement.lang = shown.language
  }, [shown])
  return value && <Context value={value}>{children}</Context>
}

/** The texts and formats of the language that is shown. */
export function useI18n(): I18n {
  const found = useContext(Context)
  if (!found) throw new Error('useI18n stands outside of I18nProvider')
  return found
}
