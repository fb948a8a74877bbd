import type { api } from './en/api'
import type { diff } from './en/diff'
import type { fields } from './en/fields'
import type { keys } from './en/keys'
import type { newApi } from './en/new-api'
import type { requests } from './en/requests'
import type { revisions } from './en/revisions'
import type { Language } from './types'

/** Texts that are fetched with the pages that use them. */
export interface Areas {
  api: typeof api
  diff: typeof diff
  fields: typeof fields
  keys: typeof keys
  newApi: typeof newApi
  requests: typeof requests
  revisions: typeof revisions
}

/** The name of such texts, as in their keys. */
export type Area = keyof Areas

type Sources = { [A in Area]: () => Promise<Record<keyof Areas[A], string>> }

/** Where they are, by language. */
export const sources: Record<Language, Sources> = {
  en: {
    api: async () => (await import('./en/api')).api,
    diff: async () => (await import('./en/diff')).diff,
    fields: async () => (await import('./en/fields')).fields,
    keys: async () => (await import('./en/keys')).keys,
    newApi: async () => (await import('./en/new-api')).newApi,
    requests: async () => (await import('./en/requests')).requests,
    revisions: async () => (await import('./en/revisions')).revisions,
  },
  ko: {
    api: async () => (await import('./ko/api')).api,
    diff: async () => (await import('./ko/diff')).diff,
    fields: async () => (await import('./ko/fields')).fields,
    keys: async () => (await import('./ko/keys')).keys,
    newApi: async () => (await import('./ko/new-api')).newApi,
    requests: async () => (await import('./ko/requests')).requests,
    revisions: async () => (await import('./ko/revisions')).revisions,
  },
}
