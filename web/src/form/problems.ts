import type { FieldPath, FieldValues, UseFormReturn } from 'react-hook-form'
import { ApiError } from '../api/client'
import { explainProblem, segments } from '../api/errors'
import type { Problem } from '../api/schema'
import type { I18n } from '../i18n'

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
 * Puts what the server found to the fields of a form and the focus into the first of them. What belongs to no field comes
 * back, for an ErrorNotice.
 */
export function placeProblems<V extends FieldValues>(
  form: Pick<UseFormReturn<V>, 'setError'>,
  error: unknown,
  i18n: I18n,
  places: Places<FieldPath<V>>,
): Problem[] {
  if (!(error instanceof ApiError)) return []
  const rest: Problem[] = []
  let focused = false
  for (const p of error.problems) {
    const field = p.severity === 'error' ? fieldAt(p.path, places) : undefined
    if (!field) {
      rest.push(p)
      continue
    }
    form.setError(field, { type: p.code, message: explainProblem(p, i18n) }, { shouldFocus: !focused })
    focused = true
  }
  return rest
}
