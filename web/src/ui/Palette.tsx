import { lazy, Suspense } from 'react'
import type { Icon } from './cx'
import { useEver } from './Overlay'

export interface Command {
  id: string
  group: string
  label: string
  /** Other words by which it is found, such as the other language's. */
  words?: string
  /** At the end of the line, such as its shortcut. */
  note?: string
  icon?: Icon
  run: () => void
}

export interface PaletteProps {
  open: boolean
  onClose: () => void
  commands: Command[]
  /** Its name for those who hear the page. */
  label: string
  placeholder: string
  /** Told what was typed, to add what the server knows. */
  onSearch?: (text: string) => void
}

/** Commands that have every word of a text; those that begin with it come first. */
export function match(commands: Command[], text: string): Command[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  const fits = commands.filter((c) => {
    const all = `${c.label} ${c.words ?? ''}`.toLowerCase()
    return words.every((w) => all.includes(w))
  })
  const start = words[0]
  if (!start) return fits
  const groups = [...new Set(fits.map((c) => c.group))]
  const rank = (c: Command) => (c.label.toLowerCase().startsWith(start) ? 0 : 1)
  return fits.sort((a, b) => groups.indexOf(a.group) - groups.indexOf(b.group) || rank(a) - rank(b))
}

const PaletteKit = lazy(() => import('./kit/PaletteKit'))

/** Goes anywhere and runs anything by typing. */
export function Palette(props: PaletteProps) {
  return (
    useEver(props.open) && (
      <Suspense>
        <PaletteKit {...props} />
      </Suspense>
    )
  )
}
