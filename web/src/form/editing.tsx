import { createContext, type ReactNode, useContext } from 'react'
import { explainProblem } from '../api/errors'
import type { Problem } from '../api/schema'
import { useI18n } from '../i18n'
import { type Path, pointer, valueAt } from './json/change'

/** A document that is being edited. */
export interface Editing {
  /** As it is now. */
  value: unknown
  /** As it was opened. */
  base: unknown
  /** Puts a value to a place; undefined takes it away. */
  set: (path: Path, value: unknown) => void
  /** What the server found, at JSON pointers. */
  problems: Problem[]
  readOnly: boolean
}

const Context = createContext<Editing | null>(null)

/** Lets the fields below edit a document. */
export function EditingProvider({ editing, children }: { editing: Editing; children: ReactNode }) {
  return <Context value={editing}>{children}</Context>
}

/** The document that the fields edit. */
export function useEditing(): Editing {
  const found = useContext(Context)
  if (!found) throw new Error('a field stands outside of EditingProvider')
  return found
}

function empty(v: unknown): boolean {
  return v === undefined || v === '' || (Array.isArray(v) && v.length === 0)
}

/** One place of the document. */
export function useValue(path: Path) {
  const { value, base, set, readOnly } = useEditing()
  return {
    value: valueAt(value, path),
    readOnly,
    /** Nothing is written as the document wrote it: absent, or empty where it was empty. */
    set: (v: unknown) => set(path, empty(v) ? (empty(valueAt(base, path)) ? valueAt(base, path) : undefined) : v),
    /** A value that is the default is not written where the document did not write it. */
    choose: (v: unknown, byDefault: unknown) => set(path, v === byDefault && valueAt(base, path) === undefined ? undefined : v),
  }
}

/**
 * The first finding at a place, in a sentence. A control that edits all of its value shows what is found below it too;
 * one that has fields inside shows only what none of them can.
 */
export function useFinding(path: Path, fields?: readonly string[]): { error?: string; warning?: string } {
  const { problems } = useEditing()
  const i18n = useI18n()
  const at = pointer(path)
  const mine = (p: Problem) => {
    if (p.path === at) return true
    if (!p.path.startsWith(`${at}/`)) return false
    return !fields?.includes(p.path.slice(at.length + 1).split('/')[0] as string)
  }
  const say = (severity: Problem['severity']) => {
    const found = problems.find((p) => p.severity === severity && mine(p))
    return found && explainProblem(found, i18n)
  }
  return { error: say('error'), warning: say('warning') }
}

/** Puts the focus into the field of a finding: its own, or the nearest around it. */
export function focusProblem(root: HTMLElement, at: string): boolean {
  for (let place = at; place; place = place.slice(0, place.lastIndexOf('/'))) {
    const field = root.querySelector(`[data-at="${CSS.escape(place)}"]`)
    const control = field?.querySelector<HTMLElement>('input, select, textarea, button')
    if (control) {
      control.focus()
      control.scrollIntoView({ block: 'center' })
      return true
    }
  }
  return false
}
