import { text, useUrl } from '../../url'

/** Addresses of the keys. */
export const url = { list: '/keys' } as const

/** The API that a link to the new key's page names, such as from an API's own page. */
export function useUrlApi(): string {
  const [values] = useUrl({ api: text })
  return values.api
}
