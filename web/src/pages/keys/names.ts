import { useRef } from 'react'
import type { Names } from '../../api/schema'

/** Names of APIs and policies, all that several answers told; a later one is believed. */
export function mergeNames(...told: (Names | undefined)[]): Names {
  return {
    apis: Object.assign({}, ...told.map((n) => n?.apis)),
    policies: Object.assign({}, ...told.map((n) => n?.policies)),
  }
}

/** The same, of all that a form was told so far: an answer that fails takes no name away. */
export function useNames(...told: (Names | undefined)[]): Names {
  const kept = useRef<Names>(undefined)
  kept.current = mergeNames(kept.current, ...told)
  return kept.current
}

/** A name, or the id of what is gone or may not be read. */
export function nameOf(names: Record<string, string>, id: string): string {
  return names[id] || id
}
