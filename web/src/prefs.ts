import { useSyncExternalStore } from 'react'
import type { Language } from './i18n/types'

/** What a person chose for the console. Language, theme and time zone also live with the user at the server. */
export interface Prefs {
  /** Empty: as the browser. */
  language: '' | Language
  /** Empty: as the system. */
  theme: '' | 'light' | 'dark'
  density: 'comfortable' | 'compact'
  /** IANA name; empty: as the browser. */
  timeZone: string
  /** Whether single letters are shortcuts (WCAG 2.1.4 asks for a switch). */
  shortcuts: boolean
}

const key = 'sluice.prefs'
const defaults: Prefs = { language: '', theme: '', density: 'comfortable', timeZone: '', shortcuts: true }

function read(): Prefs {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? '{}') as Partial<Prefs>
    return {
      language: kept.language === 'ko' || kept.language === 'en' ? kept.language : '',
      theme: kept.theme === 'light' || kept.theme === 'dark' ? kept.theme : '',
      density: kept.density === 'compact' ? 'compact' : 'comfortable',
      timeZone: typeof kept.timeZone === 'string' && zoneKnown(kept.timeZone) ? kept.timeZone : '',
      shortcuts: kept.shortcuts !== false,
    }
  } catch {
    return { ...defaults } // storage is switched off, or holds something else
  }
}

/** Whether the browser knows a time zone. */
export function zoneKnown(zone: string): boolean {
  if (zone === '') return true
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone })
    return true
  } catch {
    return false
  }
}

let current = read()
const listeners = new Set<() => void>()

/** The preferences of now, outside of components. */
export function prefs(): Prefs {
  return current
}

/** Changes some preferences, in this tab and in the others. */
export function setPrefs(change: Partial<Prefs>): void {
  current = { ...current, ...change }
  try {
    localStorage.setItem(key, JSON.stringify(current))
  } catch {
    // They then last as long as the tab.
  }
  for (const tell of listeners) tell()
}

function subscribe(tell: () => void): () => void {
  const fromOtherTab = (e: StorageEvent) => {
    if (e.key !== key) return
    current = read()
    tell()
  }
  listeners.add(tell)
  window.addEventListener('storage', fromOtherTab)
  return () => {
    listeners.delete(tell)
    window.removeEventListener('storage', fromOtherTab)
  }
}

export function usePrefs(): Prefs {
  return useSyncExternalStore(subscribe, prefs)
}

/** The language that preferences and browser make. */
export function languageOf(p: Prefs): Language {
  if (p.language) return p.language
  for (const l of navigator.languages ?? [navigator.language]) {
    if (l?.startsWith('ko')) return 'ko'
    if (l?.startsWith('en')) return 'en'
  }
  return 'en'
}

const dark = () => window.matchMedia('(prefers-color-scheme: dark)')

/** The theme that is shown, following the system where nothing is chosen. */
export function useTheme(): 'light' | 'dark' {
  const chosen = usePrefs().theme
  const system = useSyncExternalStore(
    (tell) => {
      const query = dark()
      query.addEventListener('change', tell)
      return () => query.removeEventListener('change', tell)
    },
    () => (dark().matches ? 'dark' : 'light'),
  )
  return chosen || system
}
