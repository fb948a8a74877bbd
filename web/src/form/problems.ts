import { useState } from 'react'
import { type FieldError, type FieldPath, type FieldValues, get, type UseFormReturn } from 'react-hook-form'
import { ApiError } from '../api/client'
import { explainProblem, segments } from '../api/errors'
import type { Problem } from '../api/schema'
import { useI18n } from '../i18n'
import type { Value } from '../i18n/message'

/** Which form field a JSON pointer belongs to: exact pointers, or those above it. */
export type Places<F extends string> = Partial<Record<string, F>>

/** The field that shows a finding: the nearest one that is the finding's place or stands around it. */
export function fieldAt<F extends string>(pointer: string, places: Places<F>): F | undefined {
  const path = segments(pointer)
  for (let n = path.length; n >= 0; n--) {
    const at =
      n === 0
        ? ''
        : `/${path
            .slice(0, n)
            .map((s) => s.replaceAll('~', '~0').replaceAll('/', '~1'))
            .join('/')}`
    const field = places[at]
    if (field) return field
  }
  return undefined
}

/**
 * Puts what the server found to the fields of a form and the focus into the first of them. The form keeps codes only; `say`
 * tells what is wrong with a field in the language of now, for what the server found and for rules whose message is the key
 * of a text, whose values it is given. What belongs to no field comes back, for an ErrorNotice.
 */
export function useFound<V extends FieldValues>(
  form: Pick<UseFormReturn<V>, 'setError' | 'formState'>,
  places: Places<FieldPath<V>>,
) {
  const i18n = useI18n()
  const [found, setFound] = useState<Partial<Record<string, Problem>>>({})
  const place = (error: unknown): { placed: boolean; rest: Problem[] } => {
    const here: Partial<Record<string, Problem>> = {}
    const rest: Problem[] = []
    for (const p of error instanceof ApiError ? error.problems : []) {
      const field = p.severity === 'error' ? fieldAt(p.path, places) : undefined
      if (!field) {
        rest.push(p)
        continue
      }
      if (here[field]) continue // the first one is said; the others come back if it is mended alone
      form.setError(field, { type: p.code }, { shouldFocus: Object.keys(here).length === 0 })
      here[field] = p
    }
    setFound(here)
    return { placed: Object.keys(here).length > 0, rest }
  }
  const say = (field: FieldPath<V>, values?: Record<string, Value>): string | undefined => {
    const error: FieldError | undefined = get(form.formState.errors, field)
    if (!error) return undefined
    const p = found[field]
    if (p && error.type === p.code) return explainProblem(p, i18n)
    return (error.message && i18n.find(error.message, values)) || error.message
  }
  return { place, say }
}
