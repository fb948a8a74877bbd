import { Fragment, useEffect, useId, useState } from 'react'
import { useI18n } from '../../i18n'
import { type Command, match, type PaletteProps } from '../Palette'
import css from '../Palette.module.css'
import { BareLayer } from './Layers'

/** The palette itself. */
export default function PaletteKit({ open, onClose, commands, label, placeholder, onSearch }: PaletteProps) {
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
    <BareLayer open={open} onClose={onClose} label={label} className={css.content}>
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
                <span className="truncate">{c.label}</span>
                {c.note && <span className={css.note}>{c.note}</span>}
              </div>
            </Fragment>
          )
        })}
      </div>
    </BareLayer>
  )
}
