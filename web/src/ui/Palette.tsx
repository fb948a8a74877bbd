import { Modal } from '@mantine/core'
import '@mantine/core/styles/ModalBase.css'
import '@mantine/core/styles/Overlay.css'
import '@mantine/core/styles/Paper.css'
import '@mantine/core/styles/Modal.css'
import { Fragment, useEffect, useId, useState } from 'react'
import { useI18n } from '../i18n'
import type { Icon } from './cx'
import overlay from './Overlay.module.css'
import css from './Palette.module.css'

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

/** Goes anywhere and runs anything by typing. `onSearch` is told what was typed, to add what the server knows. */
export function Palette({
  open,
  onClose,
  commands,
  label,
  placeholder,
  onSearch,
}: {
  open: boolean
  onClose: () => void
  commands: Command[]
  label: string
  placeholder: string
  onSearch?: (text: string) => void
}) {
  const { t } = useI18n()
  const id = useId()
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  useEffect(() => {
    if (open) return
    setText('')
    setAt(0)
  }, [open])
  const found = match(commands, text)
  const chosen = found[Math.min(at, found.length - 1)]
  useEffect(() => {
    if (chosen) document.getElementById(`${id}${chosen.id}`)?.scrollIntoView({ block: 'nearest' })
  }, [chosen, id])
  const run = (c: Command) => {
    onClose()
    c.run()
  }
  return (
    <Modal.Root opened={open} onClose={onClose} size={600} yOffset="12vh" lockScroll={false} transitionProps={{ duration: 90 }}>
      <Modal.Overlay className={overlay.veil} />
      <Modal.Content className={css.content} aria-label={label}>
        <input
          className={css.input}
          role="combobox"
          aria-label={label}
          aria-expanded
          aria-controls={`${id}list`}
          aria-activedescendant={chosen && `${id}${chosen.id}`}
          autoComplete="off"
          spellCheck={false}
          placeholder={placeholder}
          data-autofocus
          value={text}
          onChange={(e) => {
            setText(e.target.value)
            setAt(0)
            onSearch?.(e.target.value)
          }}
          onKeyDown={(e) => {
            if (e.nativeEvent.isComposing || e.keyCode === 229) return
            if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
              e.preventDefault()
              setAt((at + (e.key === 'ArrowDown' ? 1 : -1) + found.length) % Math.max(1, found.length))
            } else if (e.key === 'Enter' && chosen) {
              e.preventDefault()
              run(chosen)
            }
          }}
        />
        <div role="listbox" id={`${id}list`} aria-label={label} className={css.list}>
          {found.length === 0 && (
            <div className={css.none} role="option" aria-selected={false} aria-disabled tabIndex={-1}>
              {t('ui.noOptions')}
            </div>
          )}
          {found.map((c, i) => {
            const Glyph = c.icon
            return (
              <Fragment key={c.id}>
                {found[i - 1]?.group !== c.group && (
                  <div className={css.group} role="presentation">
                    {c.group}
                  </div>
                )}
                {/* biome-ignore lint/a11y/useKeyWithClickEvents: the input has the keys */}
                <div
                  role="option"
                  id={`${id}${c.id}`}
                  aria-selected={c === chosen}
                  tabIndex={-1}
                  className={css.option}
                  onMouseMove={() => setAt(i)}
                  onClick={() => run(c)}
                >
                  {Glyph && <Glyph size={17} stroke={1.7} aria-hidden />}
                  {c.label}
                  {c.note && <span className={css.note}>{c.note}</span>}
                </div>
              </Fragment>
            )
          })}
        </div>
      </Modal.Content>
    </Modal.Root>
  )
}
