import { history, historyKeymap, standardKeymap } from '@codemirror/commands'
import { json, jsonParseLinter } from '@codemirror/lang-json'
import { HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language'
import { type Diagnostic, linter, lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint'
import { Compartment, EditorState } from '@codemirror/state'
import { EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { useEffect, useRef } from 'react'
import { locate } from './locate'

export interface EditorProps {
  value: string
  onChange?: (text: string) => void
  /** Its name for those who hear the page. */
  label: string
  /** What the server found, at JSON pointers. */
  problems?: { path: string; text: string; severity: 'error' | 'warning' }[]
  readOnly?: boolean
  /** Pixels; default 420. */
  height?: number
}

const look = EditorView.theme({
  '&': { height: '100%', fontSize: '13px', color: 'var(--text)', backgroundColor: 'var(--surface)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.55' },
  '.cm-content': { caretColor: 'var(--text)', padding: '8px 0' },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-gutters': {
    backgroundColor: 'var(--surface-2)',
    color: 'var(--text-3)',
    border: 'none',
    borderRight: '1px solid var(--line)',
  },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--surface-2) 60%, transparent)' },
  '.cm-content ::selection': {
    backgroundColor: 'color-mix(in srgb, var(--accent) 28%, transparent)',
  },
  '.cm-tooltip': {
    backgroundColor: 'var(--surface)',
    border: '1px solid var(--line-2)',
    borderRadius: '7px',
    color: 'var(--text)',
  },
  '.cm-diagnostic': { fontFamily: 'var(--font)' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--bad)' },
  '.cm-diagnostic-warning': { borderLeftColor: 'var(--warn)' },
})

const colours = HighlightStyle.define([
  { tag: tags.propertyName, color: 'var(--code-name)' },
  { tag: tags.string, color: 'var(--code-string)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--code-number)' },
  { tag: tags.punctuation, color: 'var(--text-2)' },
])

/**
 * The editor lives in a shadow root: there it takes its styles from constructed sheets, which the page's policy allows,
 * while in the page it would write a style element, which the policy forbids. Tab leaves it, as everywhere in the console.
 */
export default function Editor({ value, onChange, label, problems, readOnly = false, height = 420 }: EditorProps) {
  const host = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView | null>(null)
  const changed = useRef(onChange)
  changed.current = onChange
  const first = useRef({ value, label, readOnly })
  const mode = useRef(new Compartment())

  useEffect(() => {
    const box = host.current
    if (!box) return
    const root = box.shadowRoot ?? box.attachShadow({ mode: 'open' })
    const made = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: first.current.value,
        extensions: [
          lineNumbers(),
          lintGutter(),
          history(),
          indentOnInput(),
          highlightActiveLine(),
          json(),
          linter(jsonParseLinter()),
          syntaxHighlighting(colours),
          look,
          keymap.of([...standardKeymap, ...historyKeymap, ...lintKeymap]),
          EditorView.contentAttributes.of({ 'aria-label': first.current.label, tabindex: '0' }),
          mode.current.of(EditorState.readOnly.of(first.current.readOnly)),
          EditorView.updateListener.of((u) => u.docChanged && changed.current?.(u.state.doc.toString())),
        ],
      }),
    })
    made.dom.style.height = '100%'
    view.current = made
    return () => {
      made.destroy()
      view.current = null
    }
  }, [])

  useEffect(() => {
    const v = view.current
    if (v && v.state.doc.toString() !== value) v.dispatch({ changes: { from: 0, to: v.state.doc.length, insert: value } })
  }, [value])
  useEffect(() => {
    view.current?.dispatch({ effects: mode.current.reconfigure(EditorState.readOnly.of(readOnly)) })
  }, [readOnly])
  useEffect(() => {
    const v = view.current
    if (!v) return
    const marks: Diagnostic[] = (problems ?? []).map((p) => ({
      ...locate(v.state, p.path),
      severity: p.severity,
      message: p.text,
    }))
    v.dispatch(setDiagnostics(v.state, marks))
  }, [problems])

  return (
    <div
      ref={host}
      style={{ height, border: '1px solid var(--control-line)', borderRadius: 'var(--r-control)', overflow: 'hidden' }}
    />
  )
}
