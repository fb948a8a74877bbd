import type { api } from './en/api'
import type { fields } from './en/fields'
import type { keys } from './en/keys'
import type { newApi } from './en/new-api'
import type { requests } from './en/requests'
import type { Language } from './types'

/** Texts that are fetched with the pages that use them. */
export interface Areas {
  api: typeof api
  fields: typeof fields
  keys: typeof keys
  newApi: typeof newApi
  requests: typeof requests
}

/** The name of such texts, as in their keys. */
export type Area = keyof Areas

type Sources = { [A in Area]: () => Promise<Record<keyof Areas[A], string>> }

/** Where they are, by language. */
export const sources: Record<Language, Sources> = {
  en: {
    api: async () => (await import('./en/api')).api,
    fields: async () => (await import('./en/fields')).fields,
    keys: async () => (await import('./en/keys')).keys,
    newApi: async () => (await import('./en/new-api')).newApi,
    requests: async () => (await import('./en/requests')).requests,
  },
  ko: {
    api: async () => (await import('./ko/api')).api,
    fields: async () => (await import('./ko/fields')).fields,
    keys: async () => (await import('./ko/keys')).keys,
    newApi: async () => (await import('./ko/new-api')).newApi,
    requests: async () => (await import('./ko/requests')).requests,
  },
}
