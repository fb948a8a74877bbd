import { useEffect, useRef } from 'react'
import { prefs } from '../prefs'

/** Keys by their writing: `c`, `/`, `?`, `Escape`, `mod+k` (⌘ or Ctrl), or two after each other: `g a`. */
export type Shortcuts = Record<string, (e: KeyboardEvent) => void>

const sequenceWithin = 1_000
const stack: { current: Shortcuts }[] = []
let first = { key: '', at: 0 }

/** Whether a person writes there. */
export function writing(target: EventTarget | null): boolean {
  const origin = target instanceof HTMLElement ? target : null
  if (!origin) return false
  if (origin.isContentEditable || origin.shadowRoot) return true
  return /^(INPUT|TEXTAREA|SELECT)$/.test(origin.tagName) && !/^(checkbox|radio|button)$/.test((origin as HTMLInputElement).type)
}

/** How a key press is written here. Korean input gives the letter of the key only by its code. */
export function spell(e: KeyboardEvent): string {
  const letter = /^Key([A-Z])$/.exec(e.code)?.[1]?.toLowerCase()
  const latin = /^[\u3131-\uD79D]$/.test(e.key) && letter ? letter : e.key
  const key = latin.length === 1 ? latin.toLowerCase() : latin
  return e.metaKey || e.ctrlKey ? `mod+${key}` : key
}

function onKeyDown(e: KeyboardEvent): void {
  if (e.defaultPrevented || e.isComposing || e.keyCode === 229 || e.altKey) return
  const key = spell(e)
  const chord = key.startsWith('mod+')
  if (!chord && key !== 'Escape') {
    if (writing(e.composedPath()[0] ?? e.target) || writing(e.target)) return
    if (!prefs().shortcuts) return
    if (document.querySelector('[role="dialog"]')) return
  }
  const pair = e.timeStamp - first.at < sequenceWithin ? `${first.key} ${key}` : ''
  first = chord ? { key: '', at: 0 } : { key, at: e.timeStamp }
  for (const name of [pair, key]) {
    if (!name) continue
    for (let i = stack.length - 1; i >= 0; i--) {
      const act = stack[i]?.current[name]
      if (!act) continue
      e.preventDefault()
      first = { key: '', at: 0 }
      act(e)
      return
    }
  }
}

/** Acts on keys while the component stands; what was mounted last is asked first. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const held = useRef(shortcuts)
  held.current = shortcuts
  useEffect(() => {
    if (stack.length === 0) document.addEventListener('keydown', onKeyDown)
    stack.push(held)
    return () => {
      stack.splice(stack.indexOf(held), 1)
      if (stack.length === 0) document.removeEventListener('keydown', onKeyDown)
    }
  }, [])
}

/** ⌘ or Ctrl, as this machine writes it. */
export function modKey(): string {
  return /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : 'Ctrl'
}
