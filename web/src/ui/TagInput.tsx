import { type KeyboardEvent, useRef, useState } from 'react'
import { useI18n } from '../i18n'
import { cx } from './cx'
import { Field, type FieldProps, fieldOf } from './Field'
import css from './Field.module.css'
import { CloseIcon } from './icons'

export interface TagInputProps extends FieldProps {
  value: string[]
  onChange: (value: string[]) => void
  placeholder?: string
  mono?: boolean
}

/** Several short texts. Enter or a comma adds one, also from the clipboard; the backspace key takes the last one back. */
export function TagInput(props: TagInputProps) {
  const [field, { value, onChange, placeholder, mono }] = fieldOf(props)
  const { t } = useI18n()
  const [typed, setTyped] = useState('')
  const input = useRef<HTMLInputElement>(null)
  const add = (text: string) => {
    const fresh = text
      .split(/[,\n]/)
      .map((x) => x.trim())
      .filter((x, i, all) => x && !value.includes(x) && all.indexOf(x) === i)
    if (fresh.length > 0) onChange([...value, ...fresh])
    setTyped('')
  }
  const remove = (tag: string) => {
    onChange(value.filter((v) => v !== tag))
    input.current?.focus()
  }
  const onKeyDown = (e: KeyboardEvent<HTMLInputElement>) => {
    if (e.nativeEvent.isComposing || e.keyCode === 229) return // Enter ends a syllable here
    if (e.key === 'Enter' || e.key === ',') {
      if (e.key === 'Enter' && !typed.trim()) return // it may send the form
      e.preventDefault()
      add(typed)
    } else if (e.key === 'Backspace' && typed === '' && value.length > 0) {
      onChange(value.slice(0, -1))
    }
  }
  return (
    <Field {...field} help={field.help ?? t('ui.tagsHelp')}>
      {(control) => (
        // biome-ignore lint/a11y/noStaticElementInteractions: a click beside the tags means the input, which has its own keys
        // biome-ignore lint/a11y/useKeyWithClickEvents: as above
        <div className={cx(css.input, css.tags)} onClick={(e) => e.target === e.currentTarget && input.current?.focus()}>
          {value.map((tag) => (
            <span key={tag} className={cx(css.tag, mono && css.mono)}>
              <span className="truncate">{tag}</span>
              <button type="button" aria-label={t('ui.removeTag', { name: tag })} onClick={() => remove(tag)}>
                <CloseIcon size={13} aria-hidden />
              </button>
            </span>
          ))}
          <input
            ref={input}
            {...control}
            className={mono ? css.mono : undefined}
            autoComplete="off"
            placeholder={value.length === 0 ? placeholder : undefined}
            value={typed}
            onChange={(e) => (e.target.value.includes(',') ? add(e.target.value) : setTyped(e.target.value))}
            onKeyDown={onKeyDown}
            onBlur={() => typed.trim() && add(typed)}
          />
        </div>
      )}
    </Field>
  )
}
