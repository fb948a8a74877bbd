import { useNavigate, useRouterState } from '@tanstack/react-router'
import { useCallback, useRef } from 'react'

/** Reads one parameter of the address; what it does not know becomes the default. */
export type Param<T> = (raw: string | undefined) => T

/** Any text; default empty. */
export const text: Param<string> = (raw) => raw ?? ''

/** One of some words, or nothing. */
export function oneOf<const V extends string>(...values: V[]): Param<V | undefined> {
  return (raw) => values.find((v) => v === raw)
}

/** A whole number of at least `min`, or nothing. */
export function whole(min = 0): Param<number | undefined> {
  return (raw) => (raw !== undefined && /^\d{1,15}$/.test(raw) && Number(raw) >= min ? Number(raw) : undefined)
}

/** Texts with commas between. */
export const words: Param<string[]> = (raw) => (raw ? raw.split(',').filter(Boolean) : [])

type Values<S> = { [K in keyof S]: S[K] extends Param<infer T> ? T : never }

/**
 * What a page keeps in the address, so that a copied link shows the same: search, filters, order, the entry that is open.
 * Setting replaces the address; `{ push: true }` makes a step that the browser's Back undoes. Empty values leave it.
 */
export function useUrl<S extends Record<string, Param<unknown>>>(
  schema: S,
): [Values<S>, (change: Partial<Values<S>>, options?: { push?: boolean }) => void] {
  const raw = useRouterState({ select: (s) => s.location.search as Record<string, string | undefined> })
  const navigate = useNavigate()
  const known = useRef(schema)
  const values = Object.fromEntries(Object.entries(known.current).map(([k, read]) => [k, read(raw[k])])) as Values<S>
  const set = useCallback(
    (change: Partial<Values<S>>, options?: { push?: boolean }) => {
      void navigate({
        to: '.',
        replace: !options?.push,
        resetScroll: false,
        search: (old: Record<string, string>) => {
          const next: Record<string, string> = { ...old }
          for (const [k, v] of Object.entries(change)) {
            const written = Array.isArray(v) ? v.join(',') : v === undefined || v === null ? '' : String(v)
            if (written) next[k] = written
            else delete next[k]
          }
          return next
        },
      } as Parameters<typeof navigate>[0])
    },
    [navigate],
  )
  return [values, set]
}

/** The query of an address as plain texts: `?q=12` is the text 12. */
export function parseSearch(search: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(search))
}

/** Writes it back. */
export function stringifySearch(search: Record<string, unknown>): string {
  const out = new URLSearchParams()
  for (const [k, v] of Object.entries(search)) {
    if (v !== undefined && v !== '') out.set(k, String(v))
  }
  const text = out.toString()
  return text && `?${text}`
}
